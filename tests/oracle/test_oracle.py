"""An edit is right when it is what m4 would have built: byte for byte, over the whole corpus."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import permutations, product

import pytest
from james_client.cf.facts import missing
from james_client.cf.text import Cf, CfError
from james_client.cf.timeouts import read
from james_client.mc.block import without_block
from james_client.wishes.settings import Auth

from oracle.m4 import AUTH, DAEMON, LASTING, STEPS, WISHES, Tree, Wishes, apply
from oracle.variants import EQUAL_IN_EFFECT, MAILERS, NAMES, variants

SAMPLED = os.environ.get("SAMPLED") == "1"
EVERY = WISHES | LASTING
FIRST = WISHES | dict(list(LASTING.items())[:1])
# Each with each; with SAMPLED set, each name with two wishes, so that each wish has many names.
PAIRS = [
    (name, wish)
    for number, name in enumerate(NAMES)
    for turn, wish in enumerate(FIRST)
    if not SAMPLED or (turn - number) % len(FIRST) in (0, 3)
]
SAMPLES_WITHOUT_SMTP = {"uucpproto.mc"}


@pytest.fixture(scope="session")
def corpus(tree: Tree) -> Mapping[str, bytes]:
    """Give all variants of the tree."""
    return variants(tree)


@pytest.fixture(scope="session")
def build(tree: Tree) -> Callable[[bytes], bytes]:
    """Give m4, which builds the same mc only once."""
    built: dict[bytes, bytes] = {}
    return lambda mc: built.setdefault(mc, built.get(mc) or tree.build(mc))


@pytest.mark.parametrize(
    ("name", "wishes"),
    [pytest.param(name, FIRST[wish], id=f"{name}-{wish}") for name, wish in PAIRS],
)
def test_edited_cf_is_what_m4_builds_from_the_mc_with_our_block(
    name: str, wishes: Wishes, corpus: Mapping[str, bytes], build: Callable[[bytes], bytes]
) -> None:
    stock = build(corpus[name])
    cf, mc = apply(stock, corpus[name], wishes)
    assert cf == build(mc)
    assert apply(cf, mc, wishes) == (cf, mc), "a second time changes nothing"
    assert without_block(mc) == corpus[name]


@pytest.mark.parametrize("wishes", EVERY.values(), ids=EVERY)
def test_every_sample_of_the_package_is_edited_as_m4_would(
    tree: Tree, wishes: Wishes, build: Callable[[bytes], bytes]
) -> None:
    compared = 0
    for name, mc in tree.samples().items():
        stock = build(mc)
        if name in SAMPLES_WITHOUT_SMTP:
            with pytest.raises(CfError, match=r"expected a mailer '\w+'"):
                apply(stock, mc, wishes)
            continue
        cf, source = apply(stock, mc, wishes)
        assert cf == build(source), name
        compared += 1
    assert compared >= 30


@pytest.mark.parametrize("wishes", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("name", ["Debian's sendmail.mc", "Debian's submit.mc", "luser relay"])
def test_the_order_of_the_steps_does_not_matter(
    name: str, wishes: Wishes, corpus: Mapping[str, bytes], build: Callable[[bytes], bytes]
) -> None:
    stock = build(corpus[name])
    assert len({apply(stock, corpus[name], wishes, order) for order in permutations(STEPS)}) == 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["Debian's sendmail.mc", "Debian's submit.mc"])
def test_a_step_alone_is_what_m4_builds(
    name: str, step: str, corpus: Mapping[str, bytes], build: Callable[[bytes], bytes]
) -> None:
    cf, mc = apply(build(corpus[name]), corpus[name], Wishes(), [step])
    assert cf == build(mc)


def has_login(name: str, wishes: Wishes) -> bool:
    """Tell whether a cf is to log in: what goes with a login, a plan takes back, not an edit."""
    auth = wishes.auth
    return auth is not None and (auth.programs == "queue" or "submit" not in name)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        (name, first, second)
        for name in ("Debian's sendmail.mc", "Debian's submit.mc")
        for first, second in (
            *product(WISHES.values(), EVERY.values()),
            *permutations(LASTING.values(), 2),
        )
        if has_login(name, second) or not has_login(name, first)
    ],
)
def test_other_settings_replace_the_earlier_ones(
    name: str,
    first: Wishes,
    second: Wishes,
    corpus: Mapping[str, bytes],
    build: Callable[[bytes], bytes],
) -> None:
    cf, mc = apply(*apply(build(corpus[name]), corpus[name], first), second)
    assert cf == build(mc)
    assert missing(Cf(cf), second) == []


def in_the_earlier_form(cf: bytes, mc: bytes, auth: Auth) -> tuple[bytes, bytes]:
    """Give what an earlier version of the auth step made of the same files, from today's result.

    It hid the ruleset authinfo, set DefaultAuthInfo, and put LOGIN and PLAIN first.
    """
    file = auth.programs_file if b"O UseMSP=True" in cf else auth.file
    cf = re.sub(rb"\nKjamesauth .*(\r?\nS)authinfo((?:\r?\n)R.*){3}", rb"\1JamesUnusedAuthinfo", cf)
    cf = re.sub(rb"\n#O DefaultAuthInfo=\S*", b"\nO DefaultAuthInfo=%b" % file.encode(), cf)
    mc = re.sub(
        rb"define\(`Sauthinfo', ``Kjamesauth(.*\n){5}",
        b"define(`confDEF_AUTH_INFO', ``%b'')dnl\n"
        b"define(`Sauthinfo', ``SJamesUnusedAuthinfo'')dnl\n" % file.encode(),
        mc,
    )
    others = [name for name in auth.mechanisms if name not in ("LOGIN", "PLAIN")]
    was = " ".join(["LOGIN", "PLAIN", *others]).encode()
    now = re.escape(" ".join(auth.mechanisms)).encode()
    set_as = rb"(O AuthMechanisms=|confAUTH_MECHANISMS', ``)" + now
    return re.sub(set_as, rb"\1" + was, cf), re.sub(set_as, rb"\1" + was, mc)


@pytest.mark.parametrize("mechanisms", [("LOGIN", "PLAIN"), ("PLAIN",), ("SCRAM-SHA-256",)])
@pytest.mark.parametrize(
    "name",
    [
        "Debian's sendmail.mc",
        "Debian's submit.mc",
        "authinfo and access_db",
        "authinfo alone",
        "nullclient",
        "CRLF",
    ],
)
def test_the_earlier_form_becomes_what_a_fresh_edit_gives(
    name: str,
    mechanisms: tuple[str, ...],
    corpus: Mapping[str, bytes],
    build: Callable[[bytes], bytes],
) -> None:
    auth = replace(AUTH, mechanisms=mechanisms)
    fresh = apply(build(corpus[name]), corpus[name], Wishes(auth=auth))
    earlier = in_the_earlier_form(*fresh, auth)
    assert all(b"JamesUnusedAuthinfo" in one and b"Kjames" not in one for one in earlier)
    assert earlier[0] == build(earlier[1])
    assert apply(*earlier, Wishes(auth=auth)) == fresh


def test_a_default_of_the_sites_own_keeps_its_bytes(tree: Tree) -> None:
    line = b"define(`confDEF_AUTH_INFO', `/etc/mail/other')dnl\n"
    mc = tree.debian("sendmail").replace(MAILERS, line + MAILERS)
    cf, source = apply(tree.build(mc), mc, Wishes())
    assert b"\nO DefaultAuthInfo=/etc/mail/other\n" in cf
    assert cf == tree.build(source)


@pytest.mark.parametrize("only", ["give_up_after", "warn_after"])
@pytest.mark.parametrize(
    "name", ["timeouts in one", "timeout of the old name", "timeouts of each kind", "no timeouts"]
)
def test_one_timeout_alone_leaves_the_other_to_the_site(
    name: str, only: str, corpus: Mapping[str, bytes], build: Callable[[bytes], bytes]
) -> None:
    stock = build(corpus[name])
    wish = replace(DAEMON, **{only: "36h"})
    cf, mc = apply(stock, corpus[name], Wishes(daemon=wish), ["daemon"])
    assert cf == build(mc) != stock
    mine, other = ("give_up", "warn") if only == "give_up_after" else ("warn", "give_up")
    assert set(getattr(read(Cf(cf)), mine).values()) == {36 * 3600}
    assert getattr(read(Cf(cf)), other) == getattr(read(Cf(stock)), other)


def test_only_two_flags_are_in_another_order_where_the_site_adds_flag_0(tree: Tree) -> None:
    (text,) = EQUAL_IN_EFFECT.values()
    mc = tree.debian("sendmail").replace(MAILERS, text.encode() + b"\n" + MAILERS)
    cf, source = apply(tree.build(mc), mc, Wishes())
    ours, m4s = cf.splitlines(), tree.build(source).splitlines()
    different = [pair for pair in zip(ours, m4s, strict=True) if pair[0] != pair[1]]
    assert [re.findall(rb"F=(\w+)", line) for line in different[0]] == [
        [b"mDFMuXak0"],
        [b"mDFMuXa0k"],
    ]
    assert len(different) == 1


def test_the_comparison_bites(tree: Tree) -> None:
    mc = tree.debian("sendmail")
    cf, source = apply(tree.build(mc), mc, Wishes(), ["relay", "loop"])
    _, whole = apply(tree.build(mc), mc, Wishes())
    assert cf == tree.build(source)
    assert cf != tree.build(whole)
