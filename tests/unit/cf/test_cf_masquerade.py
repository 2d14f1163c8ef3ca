"""Senders carry a domain where the pillar says so; what is not as m4 writes it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cf_world import CF, RELAY, SUBMIT
from james_client.cf.facts import facts
from james_client.cf.masquerade import edit
from james_client.cf.text import Cf, CfError

WISH = replace(RELAY, masquerade="example.org")
KEPT = replace(WISH, masquerade_except=("root", "@shop.example", "bob"))
LIMITED = b"""R$=E < @ *LOCAL* >	$@ $1 < @ $j . >
R$* < @ $=M . > $*	$: $1 < @ $2 . @ $M > $3
R$* < @ *LOCAL* > $*	$: $1 < @ $j . @ $M > $2
"""
LEFTOVER = b"R$* < @ *LOCAL* >\t$@ $1 < @ $j . >\n"


@pytest.mark.parametrize("data", [CF, SUBMIT, CF.replace(b"\n", b"\r\n")])
def test_nothing_is_masqueraded_by_itself(data: bytes) -> None:
    cf = Cf(data)
    assert edit(cf, RELAY) == {}
    assert edit(cf, replace(RELAY, masquerade_except=("root",))) == {}
    assert cf.render() == data


@pytest.mark.parametrize("data", [CF, SUBMIT, CF.replace(b"\n", b"\r\n")])
def test_the_domain_is_set_once(data: bytes) -> None:
    cf = Cf(data)
    changes = edit(cf, KEPT)
    assert changes["senders' domain"] == {"old": None, "new": "example.org"}
    assert changes["senders that keep their address"] == {
        "old": None,
        "new": "root bob @shop.example",
    }
    found = facts(cf)
    assert found["senders' domain"] == "example.org"
    assert found["senders that keep their address"] == ["root", "bob", "@shop.example"]
    once = cf.render()
    assert edit(cf, KEPT) == {} and cf.render() == once


def test_other_exceptions_replace_ours_and_leave_the_sites() -> None:
    stock = CF.replace(b"C{L}root\n", b"C{L}root\nC{E}admin\nCE news\n")
    cf, fresh = Cf(stock), Cf(stock)
    edit(cf, KEPT)
    other = replace(WISH, masquerade_except=("carol",))
    edit(cf, other)
    edit(fresh, other)
    assert cf.render() == fresh.render()
    assert facts(cf)["senders that keep their address"] == ["admin", "news", "carol"]
    assert set(edit(cf, WISH)) == {"senders that keep their address"}
    assert facts(cf)["senders that keep their address"] == ["admin", "news"]


def test_a_domain_of_the_sites_own_gives_way() -> None:
    cf = Cf(CF.replace(b"DZ8", b"DMother.example\nDZ8"))
    assert edit(cf, WISH)["senders' domain"] == {"old": "other.example", "new": "example.org"}
    assert cf.render().count(b"\nDM") == 1


def test_a_domain_below_the_rules_does_not_count_and_stays() -> None:
    late = b"DMother.example\nMlocal,"
    cf = Cf(CF.replace(b"Mlocal,", late))
    edit(cf, WISH)
    assert late in cf.render()
    assert facts(cf)["senders' domain"] == "example.org"
    assert edit(cf, WISH) == {}


def test_a_limit_to_some_domains_is_lifted() -> None:
    assert LEFTOVER in CF
    cf = Cf(CF.replace(LEFTOVER, LIMITED))
    assert "rules for this host's own names" in edit(cf, WISH)
    header = cf.header("93")
    assert header is not None
    assert [rule.lhs.decode() for rule in cf.rules(header)] == [
        "$=E<@*LOCAL*>",
        "$=E<@$=w.>",
        "$*<@$=M.>$*",
        "$*<@$=w.>$*",
        "$*<@*LOCAL*>$*",
    ]


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (LEFTOVER, "ruleset MasqHdr is not as m4 writes it"),
        (b"SMasqHdr=93\n" + LEFTOVER, r"expected ruleset 93 \(SMasqHdr=93\), found none"),
        (b"R$* < @ *LOCAL* > $*\t$: $1 < @ $j . > $2\n", "ruleset MasqEnv is not as m4 writes it"),
    ],
)
def test_other_rulesets_than_m4s_are_refused_and_nothing_is_changed(lost: bytes, said: str) -> None:
    assert lost in CF
    data = CF.replace(lost, b"")
    cf = Cf(data)
    with pytest.raises(CfError, match=said):
        edit(cf, KEPT)
    assert cf.render() == data
