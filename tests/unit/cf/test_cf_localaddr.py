"""Local mail, and all mail of programs, passes ruleset 5: by flag 5, and by no smart host."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cf_world import CF, RELAY, SUBMIT
from james_client.cf import relay
from james_client.cf.facts import facts
from james_client.cf.localaddr import asking_mailers, silent_mailers
from james_client.cf.text import Cf, CfError

WITHOUT = CF.replace(b"F=lsDFMAw5", b"F=lsDFMAw")


def test_the_local_mailer_gets_flag_5_behind_its_own_flags() -> None:
    cf = Cf(WITHOUT)
    assert silent_mailers(cf) == ["local"]
    assert facts(cf)["mailers that pass ruleset 5 by"] == ["local"]
    changes = relay.edit(cf, RELAY)
    assert changes["flags of mailer local"] == {"old": "lsDFMAw", "new": "lsDFMAw5"}
    assert facts(cf)["mailers that pass ruleset 5 by"] == []
    assert relay.edit(cf, RELAY) == {}


def test_a_local_mailer_that_has_the_flag_is_left_alone() -> None:
    cf = Cf(CF)
    assert "flags of mailer local" not in relay.edit(cf, RELAY)
    assert silent_mailers(cf) == []
    assert b"F=lsDFMAw5, " in cf.render()


@pytest.mark.parametrize(
    "rules",
    [
        b"R$+\t$#Cyrusv2 $: $1\n",
        b"R$+  \t\t  $# Cyrusv2 $:$1\t\tregular local names\n",
    ],
)
def test_the_local_mailer_is_the_one_that_the_rules_name(rules: bytes) -> None:
    text = WITHOUT.replace(b"R$+\t\t\t$#local $: $1\t\t\tregular local names\n", rules)
    text += b"MCYRUSV2, P=[IPC],\n\tF=lsDFM,\n\tF=nqXz, A=FILE /x\n"
    cf = Cf(text)
    assert [name.lower() for name in asking_mailers(cf)] == ["cyrusv2"]
    relay.edit(cf, RELAY)
    assert b"\tF=nqXz5, A=FILE /x\n" in cf.render()
    assert b"F=lsDFMAw, " in cf.render(), "nobody's mail goes by it"


@pytest.mark.parametrize(
    "others", [b"R$+\t$#none $: $1\n", b"", b"R$+\t$: $1\n", b"R$+\t$#$: $1\n"]
)
def test_where_no_rule_names_a_mailer_that_is_there_nothing_is_edited(others: bytes) -> None:
    text = WITHOUT.replace(b"R$+\t\t\t$#local $: $1\t\t\tregular local names\n", others)
    cf = Cf(text)
    relay.edit(cf, RELAY)
    assert silent_mailers(cf) == []
    assert b"F=lsDFMAw, " in cf.render()


def test_the_relays_mailer_cannot_be_the_local_one() -> None:
    cf = Cf(CF.replace(b"$#local $: $1", b"$#esmtp $: $1"))
    with pytest.raises(CfError, match=r"mailer 'esmtp' .* set sendmail_james:relay:mailer to ano"):
        relay.edit(cf, RELAY)
    assert relay.edit(cf, replace(RELAY, mailer="relay"))["flags of mailer esmtp"]["new"][-1] == "5"


@pytest.mark.parametrize("host", [b"smart.example.com", b"relay:[192.0.2.1]", b"esmtp:localhost"])
def test_programs_mail_has_no_smart_host_of_its_own(host: bytes) -> None:
    cf = Cf(SUBMIT.replace(b"\nDS\n", b"\nDS" + host + b"\n"))
    assert facts(cf)["smart host"] == host.decode()
    assert relay.edit(cf, RELAY)["smart host"] == {"old": host.decode(), "new": ""}
    assert cf.render() == SUBMIT
    assert facts(cf)["smart host"] is None
    assert relay.edit(cf, RELAY) == {}


@pytest.mark.parametrize("text", [SUBMIT, SUBMIT.replace(b"\nDS\n", b"\n")])
def test_a_submit_cf_without_a_smart_host_stays_as_it_is(text: bytes) -> None:
    cf = Cf(text)
    assert relay.edit(cf, RELAY) == {}
    assert cf.render() == text


def test_programs_mail_for_other_hosts_passes_ruleset_5_too() -> None:
    text = SUBMIT.replace(b"F=mDFMuXak5,", b"F=mDFMuXak,").replace(b"F=lsDFMAw5", b"F=lsDFMAw")
    cf = Cf(text)
    assert silent_mailers(cf) == ["esmtp", "local"]
    relay.edit(cf, RELAY)
    assert cf.render() == SUBMIT
    direct = SUBMIT.replace(b"$#esmtp $@ $2", b"$#relay $@ $2")
    with pytest.raises(CfError, match=r"mailer 'relay' .* take confSMTP_MAILER"):
        relay.edit(Cf(direct), RELAY)
