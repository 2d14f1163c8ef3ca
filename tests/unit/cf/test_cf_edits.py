"""The three steps on a small cf: what they set, what they leave, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cf_world import AUTH, CF, LOOP, RELAY, SUBMIT, Wishes, every_step
from james_client.cf import auth, loop, relay
from james_client.cf.facts import facts, missing
from james_client.cf.text import Cf, CfError


def test_all_three_steps_make_james_the_only_way_out() -> None:
    cf = Cf(CF)
    every_step(cf, Wishes())
    assert facts(cf) == {
        "submission program": False,
        "senders' domain": None,
        "senders that keep their address": [],
        "smart host": "esmtp:localhost",
        "local relay": "esmtp:localhost",
        "mail hub": "esmtp:localhost",
        "hub rule": True,
        "relay rule": True,
        "mailer": "esmtp",
        "flags": "mDFMuXak0",
        "arguments": "TCP $h",
        "mailers that pass ruleset 5 by": [],
        "names kept local": ["root", "admin"],
        "Timeout.queuereturn": "5d",
        "Timeout.queuewarn": "4h",
        "ServiceSwitchFile": None,
        "FallbackMXhost": None,
        "FallbackSmartHost": None,
        "DeliveryMode": "background",
        "AuthMechanisms": "LOGIN PLAIN",
        "AuthOptions": "A",
        "DefaultAuthInfo": None,
        "authinfo ruleset": True,
        "login for": "localhost",
        "login file": "/etc/mail/james-auth-info",
        "login mechanisms": "LOGIN PLAIN",
        "compulsory AUTH": True,
    }
    assert missing(cf, Wishes()) == []


def test_only_lines_that_a_step_owns_are_touched() -> None:
    cf = Cf(CF)
    every_step(cf, Wishes())
    kept = [line for line in CF.splitlines() if line in cf.render().splitlines()]
    lost = [line for line in CF.splitlines() if line not in kept]
    assert lost == [
        b"DS",
        b"#O AuthMechanisms=EXTERNAL GSSAPI",
        b"#O AuthOptions",
        b"Mesmtp,\t\tP=[IPC], F=mDFMuXa, S=EnvFromSMTP, E=\\r\\n, L=990,",
    ]


def test_a_cf_edited_by_hand_along_the_old_how_to_is_completed_and_not_doubled() -> None:
    by_hand = CF.replace(b"\nDS\n", b"\nDSesmtp:localhost\nDResmtp:localhost\nDHesmtp:localhost\n")
    by_hand = by_hand.replace(b"F=mDFMuXa,", b"F=kmDFMuXa,")
    for name, value in (
        ("Mechanisms=EXTERNAL GSSAPI", "Mechanisms=LOGIN PLAIN"),
        ("Options", "Options=A"),
    ):
        by_hand = by_hand.replace(f"#O Auth{name}\n".encode(), f"O Auth{value}\n".encode())
    cf = Cf(by_hand)
    assert missing(cf, Wishes()) == [
        "relay rule: none, wanted R< > $+ $: < $R > $1 try relay",
        "hub rule: none, wanted R< > $+ $: < $H > $1 try hub",
        "flags of mailer esmtp: kmDFMuXa, wanted kmDFMuXa0",
        "authinfo rules: none, wanted localhost alone: LOGIN PLAIN from /etc/mail/james-auth-info",
        "compulsory AUTH: not there",
    ]
    assert cf.render() == by_hand
    every_step(cf, Wishes())
    for once in (
        b"\nDSesmtp",
        b"\nDResmtp",
        b"\nDHesmtp",
        b"\nO AuthMechanisms",
        b"\nO AuthOptions",
    ):
        assert cf.render().count(once) == 1
    assert missing(cf, Wishes()) == []


@pytest.mark.parametrize(
    ("change", "thing", "found"),
    [
        ({"port": 2525}, "arguments", "TCP $h 2525"),
        ({"mx_lookup": True}, "flags", "mDFMuXak"),
        ({"host": "[IPv6:::1]"}, "mail hub", "esmtp:[IPv6:::1]"),
        ({"mailer": "relay"}, "flags", "mDFMuXa8k0"),
        ({"dns": False}, "ServiceSwitchFile", RELAY.switch_file),
    ],
)
def test_other_relay_settings_replace_the_earlier_ones_and_back(
    change: dict[str, object], thing: str, found: str
) -> None:
    cf = Cf(CF)
    every_step(cf, Wishes())
    first = cf.render()
    other = replace(RELAY, **change)  # type: ignore[arg-type]
    every_step(cf, Wishes(relay=other))
    assert facts(cf)[thing] == found
    every_step(cf, Wishes())
    assert cf.render() == first


def test_auth_not_required_any_more_takes_the_rules_away_again() -> None:
    cf = Cf(CF)
    auth.edit(cf, replace(AUTH, required=False), RELAY)
    without = cf.render()
    assert auth.edit(cf, AUTH, RELAY) == {"compulsory AUTH": {"old": None, "new": True}}
    assert cf.render() != without
    assert auth.edit(cf, replace(AUTH, required=False), RELAY) == {
        "compulsory AUTH": {"old": True, "new": None}
    }
    assert cf.render() == without


def test_the_rules_of_compulsory_auth_follow_the_relay() -> None:
    cf = Cf(CF)
    every_step(cf, Wishes())
    assert b"<> <localhost>" in cf.render()
    relay.edit(cf, replace(RELAY, host="james.example.com"))
    assert b"<> <localhost>" not in cf.render()
    assert b"<> <james.example.com>" in cf.render()


def test_auth_that_is_compulsory_for_another_host_is_not_said_to_be_missing() -> None:
    cf, other = Cf(CF), replace(RELAY, host="james.example.com")
    every_step(cf, Wishes())
    rule = 'R$* $| <> <{}> $#error $@ 4.7.0 $: "454 James has not authenticated us"'
    old, new = rule.format("localhost"), rule.format("james.example.com")
    assert f"compulsory AUTH: {old}, wanted {new}" in missing(cf, Wishes(relay=other))
    assert relay.edit(cf, other)["compulsory AUTH"] == {"old": old, "new": new}


def test_submit_cf_gets_its_auth_and_nothing_it_has() -> None:
    cf = Cf(SUBMIT)
    assert relay.edit(cf, RELAY) == {}
    assert loop.edit(cf, RELAY, LOOP) == {}
    assert cf.render() == SUBMIT
    auth.edit(cf, AUTH, RELAY)
    assert cf.option("DeliveryMode") == "queue"
    assert facts(cf)["login for"] == "[127.0.0.1]"
    assert facts(cf)["login file"] == "/etc/mail/james-msp-auth-info"
    assert b"<$&{auth_type}> <$&h>" not in cf.render(), "all mail goes to one host"
    relay.edit(cf, replace(RELAY, host="james.example.com", port=2525))
    assert (cf.macro("MTAHost"), cf.mailer("relay").args) == (  # type: ignore[union-attr]
        "[james.example.com]",
        "TCP $h 2525",
    )


def test_submit_cf_stays_as_it_is_where_programs_are_to_have_no_auth() -> None:
    cf = Cf(SUBMIT)
    assert auth.edit(cf, replace(AUTH, programs="none"), RELAY) == {}
    assert auth.edit(cf, None, RELAY) == {}
    assert cf.render() == SUBMIT


@pytest.mark.parametrize(
    ("present", "wanted", "merged"),
    [
        (None, "A", "A"),
        ("A", "A", "A"),
        ("p,y", "A", "p,y,A"),
        ("A p", "A", "A p"),
        ("p y", "A,m", "p,y,A,m"),
        ("A,p", "", "p"),
        ("p,A", "", "p"),
        ("A", "", ""),
    ],
)
def test_auth_options_are_merged(present: str | None, wanted: str, merged: str) -> None:
    line = b"#O AuthOptions" if present is None else f"O AuthOptions={present}".encode()
    cf = Cf(CF.replace(b"#O AuthOptions", line))
    auth.edit(cf, replace(AUTH, options=wanted), RELAY)
    assert cf.option("AuthOptions") == merged


def test_other_mechanisms_are_kept_behind_login_and_plain() -> None:
    cf = Cf(CF.replace(b"#O AuthMechanisms=EXTERNAL", b"O authmechanisms = plain EXTERNAL"))
    auth.edit(cf, AUTH, RELAY)
    assert cf.option("AuthMechanisms") == "LOGIN PLAIN EXTERNAL GSSAPI"
    auth.edit(cf, replace(AUTH, mechanisms=("SCRAM-SHA-256",)), RELAY)
    assert cf.option("AuthMechanisms") == "SCRAM-SHA-256 EXTERNAL GSSAPI"


@pytest.mark.parametrize("text", [CF, SUBMIT], ids=["sendmail.cf", "submit.cf"])
def test_every_other_way_out_is_taken_away_and_told(text: bytes) -> None:
    ways = b"O FallbackSmartHost=one\nO fallbacksmart = two\nOVthree\nO FallbackM=four\n"
    cf = Cf(text.replace(b"O HelpFile", ways + b"O HelpFile"))
    changes = relay.edit(cf, RELAY)
    assert changes["FallbackSmartHost"] == {"old": "two", "new": None}
    assert changes["FallbackMXhost"] == {"old": "four", "new": None}
    shown = b"#O FallbackSmartHost=fall.back.host.net\n" * 2 + (
        b"#O FallbackMXhost=fall.back.host.net\n" * 2
    )
    assert shown in cf.render()
    assert relay.edit(cf, RELAY) == {}
    assert "FallbackMXhost: four, wanted none" in missing(
        Cf(text.replace(b"O HelpFile", ways + b"O HelpFile")), Wishes()
    )


def test_the_last_macro_line_before_the_rules_counts() -> None:
    cf = Cf(CF.replace(b"\nDS\n", b"\nDSone\nD{S}two\n") + b"DSthree\n")
    assert cf.macro("S") == "two"
    relay.edit(cf, RELAY)
    assert b"\nDSone\nD{S}esmtp:localhost\n" in cf.render()
    assert cf.render().endswith(b"DSthree\n")


Damage = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda cf: cf.replace(b"Mesmtp", b"Mxsmtp"), "expected a mailer 'esmtp'"),
        (lambda cf: cf + b"Mesmtp, P=[IPC], A=TCP $h\n", r"line \d+: expected one mailer 'esmtp'"),
        (lambda cf: cf.replace(b"P=[IPC]", b"P=/bin/uux"), r"line \d+: .*expected P=\[IPC\]"),
        (lambda cf: cf.replace(b", F=mDFMuXa,", b","), r"line \d+: .*expected a field F="),
        (lambda cf: cf.replace(b"$: <> $1", b"$: <mine> $1"), r"line \d+: ruleset 5 is not as"),
        (lambda cf: cf.replace(b"< > < $1 <> $&h >", b"<$H> $1"), r"line \d+: ruleset 5 is not as"),
        (lambda cf: cf.replace(b"localaddr=5", b"other=6"), "expected ruleset 5"),
    ],
    ids=["no mailer", "two mailers", "no TCP", "no flags", "own head", "own middle", "none"],
)
def test_what_cannot_be_edited_is_refused_and_left_alone(damage: Damage, said: str) -> None:
    broken = damage(CF)
    assert broken != CF
    cf = Cf(broken)
    with pytest.raises(CfError, match=said):
        relay.edit(cf, RELAY)
    assert cf.render() == broken, "no half edit"


def test_auth_cannot_be_compulsory_without_tls_rcpt() -> None:
    old = CF.replace(b"Stls_rcpt\n", b"")
    cf = Cf(old)
    with pytest.raises(CfError, match="expected ruleset tls_rcpt"):
        auth.edit(cf, AUTH, RELAY)
    assert cf.render() == old
    auth.edit(cf, replace(AUTH, required=False), RELAY)
    assert cf.option("AuthMechanisms") == "LOGIN PLAIN"


@pytest.mark.parametrize(
    ("cf", "said"),
    [
        (CF.replace(b"Sauthinfo\n", b""), "expected ruleset authinfo"),
        (SUBMIT.replace(b"Cwlocalhost", b"Sauthinfo"), r"line \d+: expected D{MTAHost}"),
    ],
    ids=["no authinfo", "authinfo above its host"],
)
def test_the_login_needs_a_ruleset_that_knows_the_host(cf: bytes, said: str) -> None:
    config = Cf(cf)
    with pytest.raises(CfError, match=said):
        auth.edit(config, AUTH, RELAY)
    assert config.render() == cf


@pytest.mark.parametrize("text", [CF, SUBMIT], ids=["sendmail.cf", "submit.cf"])
def test_line_endings_are_kept(text: bytes) -> None:
    plain, other, cut = Cf(text), Cf(text.replace(b"\n", b"\r\n")), Cf(text.rstrip(b"\n"))
    for cf in (plain, other, cut):
        every_step(cf, Wishes(relay=replace(RELAY, port=2525)))
    assert other.render() == plain.render().replace(b"\n", b"\r\n")
    assert cut.render() == plain.render().rstrip(b"\n")


def test_a_failed_step_leaves_the_cf_usable() -> None:
    cf = Cf(CF)
    with pytest.raises(CfError):
        relay.edit(cf, replace(RELAY, mailer="nosuch"))
    every_step(cf, Wishes())
    assert missing(cf, Wishes()) == []
