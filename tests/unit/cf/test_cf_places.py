"""Where a line goes that was not there, and which lines of the site's stay beside ours."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cf_world import AUTH, CF, LOOP, RELAY, SUBMIT
from james_client.cf import auth, loop, relay
from james_client.cf.text import Cf, CfError

SMART = b"DSesmtp:localhost\n"
LOCAL = (
    b"# who I send unqualified names to if FEATURE(stickyhost) is used\n"
    b"# (null means deliver locally)\nDResmtp:localhost\n"
)
HUB = (
    b"# who gets all local email traffic\n"
    b"# ($R has precedence for unqualified names if FEATURE(stickyhost) is used)\n"
    b"DHesmtp:localhost\n"
)
STOCK = b"DS\n\n\n\n\n"
WHOLE = SMART + LOCAL + b"\n" + HUB + b"\n"


def related(cf: bytes, **wanted: object) -> Cf:
    """Give a cf after the relay step."""
    config = Cf(cf)
    relay.edit(config, replace(RELAY, **wanted))  # type: ignore[arg-type]
    return config


@pytest.mark.parametrize(
    "there",
    [
        STOCK,
        b"DS\n",
        b"DS\n" + LOCAL + b"\n\n\n",
        b"DS\n\n\n" + HUB + b"\n",
        b"DS\n" + HUB + b"\n",
        b"DSesmtp:other\n" + LOCAL + b"\n" + HUB.replace(b"localhost", b"other") + b"\n",
    ],
    ids=["neither", "no place", "the local relay", "the mail hub", "no place but the hub", "both"],
)
def test_relay_and_hub_stand_in_their_groups_before_the_dequoting_map(there: bytes) -> None:
    cf = related(CF.replace(STOCK, there))
    assert b"(may be null)\n" + WHOLE + b"# dequoting map\n" in cf.render()


@pytest.mark.parametrize(
    ("without", "behind", "lines"),
    [
        (b"DS\n", b"DZ8.17.1\n", [b"DSesmtp:localhost"]),
        (b"# dequoting map\n", b"DZ8.17.1\n", [b"DResmtp:localhost", b"DHesmtp:localhost"]),
    ],
    ids=["smart host", "no dequoting map"],
)
def test_a_macro_without_a_group_follows_the_last_definition(
    without: bytes, behind: bytes, lines: list[bytes]
) -> None:
    cf = related(CF.replace(without, b""))
    assert behind + b"\n".join(lines) + b"\n#   Options   #\n" in cf.render()


def test_without_any_definition_a_macro_stands_before_the_first_ruleset() -> None:
    bare = b"V10/Berkeley\n# first\nSparse=0\nSlocaladdr=5\n" + CF[CF.index(b"R$+\t\t\t$: <> $1") :]
    cf = related(bare)
    macros = b"DSesmtp:localhost\nDResmtp:localhost\nDHesmtp:localhost\n"
    assert cf.render().startswith(b"V10/Berkeley\n# first\n" + macros + b"Sparse=0\n")


RULES = (
    b"R< > $+\t\t\t$: < $H > $1\t\t\ttry hub\n",
    b"R< > $+\t\t\t$: < $R > $1\t\t\ttry relay\n",
)
RESTORE = b"R< > $+\t\t\t$: < > < $1 <> $&h >\t\tnope, restore +detail\n"


@pytest.mark.parametrize("there", [b"", RULES[0], RULES[1], RULES[0] + RULES[1]])
@pytest.mark.parametrize("own", [b"", b"R< > here\t$@ here\tthe site's own\n"])
def test_the_hub_is_tried_before_the_relay_and_both_before_detail_is_restored(
    there: bytes, own: bytes
) -> None:
    cf = related(CF.replace(RESTORE, own + there + RESTORE))
    assert own + b"".join(RULES) + RESTORE in cf.render()
    assert cf.render().count(b"try hub") == cf.render().count(b"try relay") == 1


def test_a_hub_rule_elsewhere_is_none_in_ruleset_5() -> None:
    cf = related(CF.replace(b"R$+\t\t\t$: <> $1\n", b"".join(RULES) + b"R$+\t\t\t$: <> $1\n"))
    assert b"".join(RULES) + RESTORE in cf.render()


def test_the_sites_rules_above_and_below_ours_stay() -> None:
    cf = Cf(CF)
    auth.edit(cf, AUTH, RELAY)
    own = b"R$* $| mine\t$: $1\tthe site's own\n"
    text = cf.render()
    for name in (b"Stls_rcpt\n", b"Sauthinfo\n"):
        text = text.replace(name, name + own)
    cf = Cf(text)
    other = replace(RELAY, host="james.example.com")
    assert set(auth.edit(cf, AUTH, other)) == {"authinfo rules", "compulsory AUTH"}
    assert b"<localhost>" not in cf.render()
    assert cf.render().count(own) == 2
    assert cf.render().count(b"James has not authenticated us") == 1
    assert cf.render().count(b"$(jamesauth user") == 1


def test_what_the_login_says_names_the_host_and_not_its_macro() -> None:
    said = {
        name: auth.edit(Cf(text), AUTH, RELAY)["authinfo rules"]["new"]
        for name, text in (("sendmail.cf", CF), ("submit.cf", SUBMIT))
    }
    assert said == {
        "sendmail.cf": "localhost alone: LOGIN PLAIN from /etc/mail/james-auth-info",
        "submit.cf": "[127.0.0.1] alone: LOGIN PLAIN from /etc/mail/james-msp-auth-info",
    }


@pytest.mark.parametrize(
    ("old", "port", "found"),
    [
        ("TCP $h", 25, "TCP $h"),
        ("TCP $h", 24, "TCP $h 24"),
        ("TCP $h", 26, "TCP $h 26"),
        ("IPC $h", 25, "IPC $h"),
        ("IPC  $h  26", 26, "IPC  $h  26"),
        ("TCP  $h", 25, "TCP  $h"),
        ("TCP $h 26", 25, "TCP $h"),
    ],
)
def test_arguments_change_with_the_port_and_not_with_their_spelling(
    old: str, port: int, found: str
) -> None:
    cf = related(CF.replace(b"A=TCP $h", f"A={old}".encode()), port=port)
    mailer = cf.mailer("esmtp")
    assert mailer is not None and mailer.args == found


@pytest.mark.parametrize(
    ("host", "mx_lookup", "found"),
    [
        ("localhost", False, "[localhost]"),
        ("localhost", True, "[localhost]"),
        ("james.example.com", False, "[james.example.com]"),
        ("james.example.com", True, "james.example.com"),
        ("www.example.com", True, "www.example.com"),
        ("[192.0.2.1]", False, "[192.0.2.1]"),
        ("[192.0.2.1]", True, "[192.0.2.1]"),
    ],
)
def test_the_submission_program_asks_for_an_mx_where_that_is_wanted_only(
    host: str, mx_lookup: bool, found: str
) -> None:
    stock = SUBMIT.replace(b"D{MTAHost}[127.0.0.1]", b"D{MTAHost}elsewhere.example.com")
    assert related(stock, host=host, mx_lookup=mx_lookup).macro("MTAHost") == found


@pytest.mark.parametrize("old", ["[127.0.0.1]", "[localhost]", "[LOCALHOST]"])
def test_this_host_by_another_name_stays(old: str) -> None:
    stock = SUBMIT.replace(b"[127.0.0.1]", old.encode())
    cf = Cf(stock)
    assert relay.edit(cf, RELAY) == {}
    assert cf.render() == stock


def test_what_stood_there_before_is_told() -> None:
    cf = Cf(CF.replace(b"\nDS\n", b"\nDSsmtp:old.example.com\n"))
    changes = relay.edit(cf, RELAY)
    assert changes["smart host"] == {"old": "smtp:old.example.com", "new": "esmtp:localhost"}
    assert changes["mail hub"] == {"old": None, "new": "esmtp:localhost"}
    submit = Cf(SUBMIT)
    assert relay.edit(submit, replace(RELAY, host="a.example.com"))["submission host"] == {
        "old": "[127.0.0.1]",
        "new": "[a.example.com]",
    }


@pytest.mark.parametrize("help_file", ["/etc/mail/helpfile", "/usr/local/mail/help", None])
def test_a_switch_file_not_wanted_any_more_gives_way_to_m4s_comment(help_file: str | None) -> None:
    line = b"O HelpFile=/etc/mail/helpfile\n"
    stock = CF.replace(line, f"O HelpFile={help_file}\n".encode() if help_file else b"")
    folder = (help_file or "/etc/mail/helpfile").rpartition("/")[0]
    cf = related(stock, dns=False)
    assert cf.option("ServiceSwitchFile") == RELAY.switch_file
    assert relay.edit(cf, RELAY)["ServiceSwitchFile"] == {"old": RELAY.switch_file, "new": None}
    assert f"\n#O ServiceSwitchFile={folder}/service.switch\n".encode() in cf.render()


def test_a_switch_file_of_the_site_stays() -> None:
    own = CF.replace(b"#O ServiceSwitchFile", b"O ServiceSwitchFile")
    assert b"\nO ServiceSwitchFile=/etc/mail/service.switch\n" in related(own).render()


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        (b"O FallbackSmartHost=other", True),
        (b"O fallbacks=other", True),
        (b"O fallback=other", True),
        (b"O fal=other", True),
        (b"O fa=other", False),
        (b"OVother", True),
        (b"OWother", False),
        (b"O FallbackSmartHosts=other", False),
    ],
)
def test_a_fallback_is_taken_away_in_each_spelling(line: bytes, counts: bool) -> None:
    cf = related(CF.replace(b"O HelpFile", line + b"\nO HelpFile"))
    assert (line in cf.render().splitlines()) is not counts


@pytest.mark.parametrize("check", [False, True])
def test_what_we_hung_on_a_mailer_moves_to_the_next_one(check: bool) -> None:
    cf = related(CF, port=2525)
    loop.edit(cf, RELAY, replace(LOOP, check=check))
    changes = relay.edit(cf, replace(RELAY, mailer="relay"))
    first, second = cf.mailer("esmtp"), cf.mailer("relay")
    assert first is not None and second is not None
    assert (first.flags, first.args) == ("mDFMuXa", "TCP $h")
    assert (second.flags, second.args) == ("mDFMuXa8" + "k" * (not check) + "0", "TCP $h")
    assert changes["flags of mailer esmtp"] == {
        "old": "mDFMuXa" + "k" * (not check) + "0",
        "new": "mDFMuXa",
    }


def test_flags_in_other_places_are_the_sites() -> None:
    stock = CF.replace(b"F=mDFMuXa,", b"F=k0mDFMuXa,")
    changed = related(related(stock).render(), mailer="relay")
    mailer = changed.mailer("esmtp")
    assert mailer is not None and mailer.flags == "k0mDFMuXa"


def test_a_smart_host_of_the_sites_own_leaves_its_mailer_as_it_is() -> None:
    """Only three equal triples are an earlier relay of ours."""
    stock = CF.replace(b"\nDS\n", b"\nDSrelay:other.example.com\n")
    stock = stock.replace(b"F=mDFMuXa8,", b"F=mDFMuXa8k0,")
    mailer = related(stock).mailer("relay")
    assert mailer is not None and mailer.flags == "mDFMuXa8k0"


@pytest.mark.parametrize("stock", [CF, SUBMIT], ids=["sendmail", "submit"])
def test_without_a_login_the_rules_of_an_earlier_one_go(stock: bytes) -> None:
    """The options are taken back from what was there before us, which a cf does not tell."""
    cf = Cf(stock)
    assert auth.edit(cf, None, RELAY) == {}
    assert cf.render() == stock
    auth.edit(cf, AUTH, RELAY)
    said = auth.edit(cf, None, RELAY)
    assert set(said) == {"authinfo rules", "compulsory AUTH"}
    assert [one["new"] for one in said.values()] == [None, None]
    assert "alone: LOGIN" in said["authinfo rules"]["old"]
    for ours in (b"jamesauth", b"454 James"):
        assert ours not in cf.render()


def test_programs_without_a_login_lose_the_rules_of_an_earlier_one() -> None:
    none = replace(AUTH, programs="none")
    for stock, kept in ((CF, True), (SUBMIT, False)):
        cf = Cf(stock)
        auth.edit(cf, AUTH, RELAY)
        auth.edit(cf, none, RELAY)
        assert (b"jamesauth" in cf.render()) is kept


def test_two_mailers_of_one_name_are_refused_by_the_number_of_the_second() -> None:
    twice = CF + b"Mesmtp, P=[IPC], F=m, A=TCP $h\n"
    with pytest.raises(CfError) as caught:
        Cf(twice).mailer("esmtp")
    first = (
        CF.splitlines().index(b"Mesmtp,\t\tP=[IPC], F=mDFMuXa, S=EnvFromSMTP, E=\\r\\n, L=990,") + 1
    )
    second = len(twice.splitlines())
    assert caught.value.line == second
    assert f"found 2 (lines {first} and {second})" in str(caught.value)


def test_another_file_is_refused_by_its_beginning() -> None:
    with pytest.raises(CfError) as caught:
        Cf(b"y" * 40 + b"z\nV\n")
    assert caught.value.line == 1
    assert str(caught.value).endswith("found " + repr(b"y" * 40))


def test_a_line_behind_one_without_an_ending_begins_anew() -> None:
    cf = Cf(CF.rstrip(b"\n"))
    cf.insert(len(cf), b"# last")
    assert cf.render() == CF + b"# last\n"
    cf = Cf(CF.replace(b"\n", b"\r\n").rstrip(b"\r\n"))
    cf.insert(len(cf), b"# last")
    assert cf.render() == (CF + b"# last\n").replace(b"\n", b"\r\n")


def test_a_line_that_becomes_another_kind_is_found_as_that() -> None:
    cf = Cf(CF)
    assert cf.option_index("AuthOptions") is None
    index = cf.option_index("AuthOptions", commented=True)
    assert index is not None
    cf.replace(index, b"O AuthOptions=A")
    assert (cf.option("AuthOptions"), cf.option_index("AuthOptions", commented=True)) == ("A", None)
    cf.replace(index, b"#O AuthOptions")
    assert cf.option("AuthOptions") is None


def test_nor_are_two_names_that_differ_in_case_which_sendmail_takes_for_one() -> None:
    with pytest.raises(CfError, match=r"expected one mailer 'esmtp', found 2"):
        related(CF + b"MESMTP, P=[IPC], F=m, A=TCP $h\n")


@pytest.mark.parametrize(
    ("wanted", "first", "second"),
    [("mDFMuXak0", b"mDFM", b"uXak0"), ("mDFa", b"mDF", b"a"), ("u", b"", b"u")],
)
def test_flags_in_two_fields_are_edited_in_the_field_where_they_stand(
    wanted: str, first: bytes, second: bytes
) -> None:
    line = b"Mesmtp, P=[IPC], F=%b, E=\\r\\n, F=%b, A=TCP $h\n"
    stock = CF[: CF.index(b"Mesmtp,")] + line % (b"mDFM", b"uXa")
    cf = Cf(stock)
    mailer = cf.mailer("esmtp")
    assert mailer is not None and mailer.flags == "mDFMuXa"
    cf.set_mailer_field("esmtp", "F", wanted)
    assert cf.render() == stock[: stock.index(b"Mesmtp,")] + line % (first, second)


def test_an_on_line_comment_is_no_part_of_a_value_and_stays() -> None:
    text = CF.replace(b"F=mDFMuXa,", b"F=mDFMuXa,  # k since 2020, F=0\n\t", 1)
    text = text.replace(b"\nDS\n", b"\nDSesmtp:other # was: gone\n")
    cf = Cf(text)
    mailer = cf.mailer("esmtp")
    assert mailer is not None and mailer.flags == "mDFMuXa"
    assert cf.macro("S") == "esmtp:other"
    cf.set_mailer_field("esmtp", "F", "mDFMuXak0")
    assert cf.render() == text.replace(b"F=mDFMuXa,", b"F=mDFMuXak0,", 1)
