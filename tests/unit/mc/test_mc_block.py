"""The block in the mc: where it stands, what it keeps, and what it refuses."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from cf_world import AUTH, CF, DAEMON, LOOP, RELAY, SUBMIT, Wishes, every_step
from hypothesis import example, given
from hypothesis import strategies as st
from james_client.cf.text import Cf
from james_client.mc.block import McError, McFile, without_quoted_block
from james_client.mc.parts import BEGIN, END, LAST_BEGIN, LAST_END
from james_client.mc.text import literal

MC = b"""divert(-1)dnl
# This isn't a comment of m4's yet, and MAILER(smtp) in it is none.
divert(0)dnl
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`linux')dnl
dnl define(`SMART_HOST', `mail.example.com')
define(`SMART_HOST', `mail.example.com')dnl
dnl MAILER(`smtp')
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
LASTING = Wishes(
    relay=replace(RELAY, masquerade="example.org", masquerade_except=("root",)),
    daemon=replace(DAEMON, give_up_after="10d", warn_after="never"),
)
MSP = MC[: MC.index(b"MAILER(`local')")] + b"FEATURE(`msp', `[127.0.0.1]')dnl\n"


def edited(data: bytes, cf: bytes = CF, wishes: Wishes | None = None) -> bytes:
    """Give the mc with all sections that are wanted."""
    wishes = wishes or Wishes()
    config, mc = Cf(cf), McFile(data)
    every_step(config, wishes)
    mc.timeouts(wishes.daemon)
    mc.relay(config, wishes.relay)
    mc.masquerade(config, wishes.relay)
    mc.loop(config, wishes.relay, wishes.loop)
    mc.auth(config, wishes.auth, wishes.relay)
    return mc.render()


def without_block(data: bytes) -> bytes:
    """Give an mc without the lines between our marks, and without the marks."""
    for begin, end in ((BEGIN, END), (LAST_BEGIN, LAST_END)):
        data = re.sub(rb"(?ms)^%b$.*^%b\n" % (re.escape(begin).encode(), end.encode()), b"", data)
    return re.sub(rb"`'%b\n(?s:.*)" % re.escape(LAST_BEGIN).encode(), b"", data)


def between(data: bytes, begin: str, end: str) -> list[str]:
    """Give the lines between two marks."""
    lines = data.decode().splitlines()
    return lines[lines.index(begin) + 1 : lines.index(end)]


def test_flags_stand_before_the_first_mailer_line_and_all_else_at_the_end() -> None:
    data = edited(MC, wishes=LASTING)
    lines = data.decode().splitlines()
    assert lines[lines.index(END) + 1] == "MAILER(`local')dnl"
    assert lines.index(BEGIN) > lines.index("define(`SMART_HOST', `mail.example.com')dnl")
    assert lines[-1] == LAST_END
    first, last = between(data, BEGIN, END), between(data, LAST_BEGIN, LAST_END)
    names = "\n".join(line for line in first if not line.startswith("dnl"))
    assert set(re.findall(r"(?m)^(?:define|undefine|MODIFY_\w+)\(`(\w+)'", names)) == {
        "ESMTP",
        "ESMTP_MAILER_ARGS",
        "LOCAL",
    }
    assert not any("MAILER" in line for line in last)


def test_a_step_that_sets_no_flags_writes_the_last_part_alone() -> None:
    mc = McFile(MC)
    mc.timeouts(replace(DAEMON, give_up_after="10d"))
    assert mc.render().startswith(MC + LAST_BEGIN.encode())
    mc = McFile(MC)
    mc.loop(Cf(CF), RELAY, LOOP)
    assert mc.render().endswith(MC[MC.index(b"MAILER(`local')") :])


@pytest.mark.parametrize("more", [b"", b"define(`SMART_HOST', `other')dnl\n", b"# theirs"])
def test_a_last_line_without_an_ending_has_none_again(more: bytes) -> None:
    data = MC.rstrip(b"\n")
    with_block = edited(data)
    assert b"MAILER(`smtp')dnl`'" + LAST_BEGIN.encode() in with_block.splitlines()
    mc = McFile(with_block + more)
    mc.clear()
    assert mc.render() == (data + b"\n" + more if more else data)


def test_a_line_of_the_site_behind_the_last_part_stands_above_it_at_the_next_run() -> None:
    late = b"define(`SMART_HOST', `other')dnl\n"
    assert edited(edited(MC) + late) == edited(MC + late)


def test_the_block_of_one_part_that_an_earlier_version_wrote_becomes_one_of_two() -> None:
    now = edited(MC)
    first, last = between(now, BEGIN, END), between(now, LAST_BEGIN, LAST_END)
    one = "".join(f"{line}\n" for line in (BEGIN, *first, *last, END)).encode()
    assert edited(MC.replace(b"MAILER(`local')", one + b"MAILER(`local')")) == now


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_what_debian_quotes_of_the_block_in_a_cf_is_known(ending: bytes) -> None:
    mc = MC.rstrip(b"\n") + ending

    def quoted(data: bytes) -> bytes:
        return b"".join(b"# %b\n" % line for line in data.splitlines())

    assert without_quoted_block(CF + quoted(edited(mc))) == CF + quoted(mc)


@pytest.mark.parametrize(
    "data",
    [
        MC,
        MSP,
        MC.replace(b"\n", b"\r\n"),
        MC.rstrip(b"\n"),
        MC.replace(b"dnl d", b"dnl \xff\xe9 d"),
    ],
    ids=["mc", "submit.mc", "CRLF", "no final newline", "not UTF-8"],
)
def test_the_block_can_be_taken_out_again(data: bytes) -> None:
    assert McFile(data).render() == data
    with_block = edited(data, SUBMIT if data is MSP else CF)
    assert McFile(with_block).render() == with_block
    assert with_block != data
    assert without_block(with_block) == data


def test_a_step_alone_keeps_the_other_sections() -> None:
    mc, config = McFile(edited(MC)), Cf(CF)
    every_step(config, Wishes())
    other = replace(RELAY, host="james.example.com", mailer="relay", port=2525)
    assert set(mc.relay(config, other)) == {
        "mc section relay",
        "mc section loop",
        "mc section auth",
    }
    text = mc.render().decode()
    assert "define(`RELAY_MAILER_ARGS', ``TCP $h 2525'')dnl" in text
    assert re.findall(r"MODIFY_MAILER_FLAGS\(`(\w+)'", text) == ["RELAY", "RELAY", "LOCAL"]
    assert "<> <james.example.com>" in text and "<> <localhost>" not in text
    assert mc.relay(config, other) == {}


def test_nothing_is_written_where_nothing_is_wanted() -> None:
    mc = McFile(MSP)
    assert mc.loop(Cf(SUBMIT), RELAY, LOOP) == {}
    assert mc.auth(Cf(SUBMIT), None, RELAY) == {}
    assert mc.masquerade(Cf(SUBMIT), RELAY) == mc.timeouts(DAEMON) == {}
    assert mc.auth(Cf(SUBMIT), replace(AUTH, programs="none"), RELAY) == {}
    assert mc.render() == MSP


@pytest.mark.parametrize(
    ("late", "name"),
    [
        ("LOCAL_CONFIG\nDSother", "DS"),
        ("LOCAL_RULESETS\nO AuthOptions=p", "O AuthOptions"),
        ("LOCAL_RULESETS\nSauthinfo", "Sauthinfo"),
        ("LOCAL_RULESETS\nStls_rcpt", "Stls_rcpt"),
        ("MAILER_DEFINITIONS\nMesmtp, P=[IPC], A=TCP $h", "Mesmtp"),
        ("LOCAL_CONFIG\nO FallbackSmartHost=other", "O FallbackSmartHost in LOCAL_CONFIG"),
        ("LOCAL_CONFIG\nO fallbackm=other", "O FallbackMXhost in LOCAL_CONFIG"),
        ("LOCAL_CONFIG\nOVother", "O FallbackMXhost in LOCAL_CONFIG"),
        ("LOCAL_RULESETS\nO Timeout.queuereturn=1d", "O Timeout.queuereturn"),
        ("LOCAL_RULESETS\nO timeo.queuewarn.* = 1h", "O Timeout.queuewarn"),
        ("LOCAL_RULESETS\nO Timeout.queuereturn.non-urgent=1d", "O Timeout.queuereturn.non-urgent"),
        ("LOCAL_RULESETS\nOT1d", "O Timeout.queuereturn"),
        ("LOCAL_RULESETS\nO QueueTimeout=1d", "O Timeout.queuereturn"),
        ("LOCAL_RULESETS\nOrqueuewarn=1h", "O Timeout.queuewarn"),
        ("LOCAL_CONFIG\nDMother.example", "DM"),
    ],
)
def test_a_line_of_the_site_that_would_win_is_refused_by_number(late: str, name: str) -> None:
    data = MC + late.encode() + b"\n"
    line = data.count(b"\n")
    mailers = "move it before line 9 \\(MAILER\\(`local'\\)dnl\\)"
    said = rf"line {line}: '{name}' is set here .*{mailers}.* mc:manage"
    with pytest.raises(McError, match=said) as caught:
        edited(data, wishes=LASTING)
    assert caught.value.line == line


def test_what_the_pillar_leaves_out_is_the_sites_behind_the_block_too() -> None:
    late = (
        b"MASQUERADE_AS(`x.example')dnl\ndefine(`confTO_QUEUEWARN', `1h')dnl\nLOCAL_CONFIG\nDMx\n"
    )
    only = Wishes(daemon=replace(DAEMON, give_up_after="10d"))
    for wishes in (Wishes(), only):
        last = between(edited(MC + late, wishes=wishes), LAST_BEGIN, LAST_END)
        assert not any("MASQUERADE" in line for line in last)
        assert not any("define(`confTO_QUEUEWARN', `" in line for line in last)


@pytest.mark.parametrize(
    "harmless",
    [
        "define(`SMART_HOST', `other')dnl",
        "undefine(`MAIL_HUB')dnl",
        "  define(confAUTH_OPTIONS, `p')dnl",
        "define(`confFALLBACK_SMARTHOST', `other')dnl",
        "define(`confTO_QUEUERETURN', `1d')dnl",
        "define(`confTO_QUEUEWARN_DSN', `1h')dnl",
        "define(`confMESSAGE_TIMEOUT', `1d')dnl",
        "MASQUERADE_AS(`other.example')dnl",
        "define(`MASQUERADE_NAME', `other.example')dnl",
        "FEATURE(`limited_masquerade')dnl",
        "include(`/etc/mail/sasl/sasl.m4')dnl",
        "MODIFY_MAILER_FLAGS(`LOCAL', `-5')dnl comes too late",
        "LOCAL_CONFIG\nOT1d/1h",
        "LOCAL_CONFIG\nO Timeout.queuereturn=1d",
        "LOCAL_RULESETS\nO Timeout.ident=1d",
        "EXPOSED_USER(`root')dnl",
        "MASQUERADE_DOMAIN(`x.example')dnl",
        "FEATURE(`masquerade_envelope')dnl",
        "dnl define(`SMART_HOST', `other')",
        "define(`confTO_IDENT', `0')dnl",
        "define(`ESMTP_MAILER_ARGS', `TCP $h 26')dnl comes too late",
        "LOCAL_CONFIG\nO AuthOptions=p",
        "LOCAL_CONFIG\nD{Shop}x",
    ],
)
def test_a_line_that_does_no_harm_is_left_alone(harmless: str) -> None:
    data = MC + harmless.encode() + b"\n"
    result = edited(data, wishes=LASTING)
    assert result.startswith(data[: MC.index(b"MAILER(`local')")])
    assert (data[MC.index(b"MAILER(`local')") :] + LAST_BEGIN.encode()) in result


def test_flags_set_between_the_block_and_the_smtp_mailer_are_refused() -> None:
    data = MC.replace(
        b"MAILER(`smtp')dnl\n", b"MODIFY_MAILER_FLAGS(`ESMTP', `x')dnl\nMAILER(`smtp')\n"
    )
    data = data.replace(b"dnl MODIFY", b"MODIFY")
    with pytest.raises(McError, match=r"line \d+: 'ESMTP_MF_' is set here"):
        edited(data)


@pytest.mark.parametrize(("flags", "refused"), [(b"lsDFMAw", True), (b"+e", False), (b"-5", False)])
def test_all_flags_of_the_local_mailer_set_before_it_is_written_are_refused(
    flags: bytes, refused: bool
) -> None:
    mailers = b"MAILER(`smtp')dnl\nMODIFY_MAILER_FLAGS(`LOCAL', `%b')dnl\nMAILER(`local')dnl\n"
    data = MC[: MC.index(b"MAILER(`local')")] + mailers % flags
    if not refused:
        assert without_block(edited(data)) == data
        return
    with pytest.raises(McError, match=r"line 10: 'LOCAL_MF_' is set here"):
        edited(data)


OWN = CF.replace(b"$#local", b"$#ours").replace(
    b"Mlocal,", b"Mours, P=/bin/true, F=lsDFM5, A=true\nMlocal,"
)


@pytest.mark.parametrize(
    "line",
    [
        b"Mours, P=/bin/true, F=lsDFM5, A=true\n",
        b"MOURS,\tP=/bin/true,\n\tF=ls,\n\tA=true, F=5\nMother, P=x, F=s, A=x\n",
    ],
)
def test_a_local_mailer_that_stands_in_the_mc_must_have_flag_5(line: bytes) -> None:
    data = MC + b"MAILER_DEFINITIONS\n" + line
    assert b"`OURS'" not in edited(data, OWN)
    with pytest.raises(McError, match=r"line 12: mailer 'ours' has no flag 5.* add 5 to its F="):
        edited(data.replace(b"5", b"x"), OWN)
    assert b"MODIFY_MAILER_FLAGS(`OURS', " in edited(MC, OWN), "it comes from a file of m4's"


@pytest.mark.parametrize(
    "quoted", [b"ifdef(`X', `MAILER(`smtp')')dnl\n", b"# it's not `MAILER(smtp)'\n"]
)
def test_a_mailer_line_inside_quotes_may_never_write_a_mailer(quoted: bytes) -> None:
    late = quoted + b"define(`ESMTP_MAILER_ARGS', `TCP $h 26')dnl\nMAILER(`local')"
    with pytest.raises(McError, match=r"line 10: 'ESMTP_MAILER_ARGS' is set here"):
        edited(MC.replace(b"MAILER(`local')", late))


def test_mailer_lines_in_an_include_are_refused_with_its_line() -> None:
    data = MC[: MC.index(b"MAILER(`local')")] + b"include(`/etc/mail/mailers.m4')dnl\n"
    with pytest.raises(McError, match=r"expected a line MAILER.*line 9 \(include\(`/etc/mail/mail"):
        edited(data)


def test_a_mailer_line_inside_quotes_moves_the_block_before_them() -> None:
    data = MC.replace(b"MAILER(`local')dnl\n", b"ifdef(`X', `\nMAILER(`local')\n')dnl\n")
    lines = edited(data).decode().splitlines()
    assert lines[lines.index(END) + 1] == "ifdef(`X', `"


def test_a_mailer_without_a_name_in_m4_is_refused() -> None:
    with pytest.raises(McError, match="mailer 'mine' has no flags in m4: expected one of dsmtp"):
        McFile(MC).relay(Cf(CF), replace(RELAY, mailer="mine"))


PAIRS = {BEGIN: END, END: BEGIN, LAST_BEGIN: LAST_END, LAST_END: LAST_BEGIN}


@pytest.mark.parametrize(("mark", "other"), PAIRS.items())
def test_half_a_block_is_refused(mark: str, other: str) -> None:
    whole = edited(MC)
    half = whole.replace(mark.encode() + b"\n", b"")
    line = half.decode().splitlines().index(other) + 1
    with pytest.raises(McError, match=rf"^line {line}: expected one block") as caught:
        McFile(half)
    assert caught.value.line == line


def test_two_blocks_are_refused_by_the_number_of_the_second() -> None:
    block = f"{BEGIN}\n{END}\n".encode()
    with pytest.raises(McError, match=r"^line 4: expected one block between .* found 2 and 2"):
        McFile(b"first\n" + block + block)


@pytest.mark.parametrize(
    ("marks", "line", "found"),
    [((BEGIN, BEGIN, END), 2, "2 and 1"), ((BEGIN, END, END), 1, "1 and 2")],
)
def test_one_mark_twice_is_refused(marks: tuple[str, ...], line: int, found: str) -> None:
    with pytest.raises(McError, match=rf"^line {line}: expected one block .* found {found} marks"):
        McFile("".join(f"{mark}\n" for mark in marks).encode())


def test_marks_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(McError, match=r"^line 2: expected one block"):
        McFile(f"{END}\n{BEGIN}\n".encode())


def test_an_mc_without_mailers_and_includes_names_no_line() -> None:
    data = MC[: MC.index(b"MAILER(`local')")]
    with pytest.raises(McError) as caught:
        edited(data)
    assert "found none: write the MAILER lines here" in str(caught.value)


@pytest.mark.parametrize(
    ("dns", "found"), [(True, False), (False, True)], ids=["with DNS", "without DNS"]
)
def test_the_switch_file_is_named_without_dns_only(dns: bool, found: bool) -> None:
    wishes = Wishes(relay=replace(RELAY, dns=dns))
    assert (b"confSERVICE_SWITCH_FILE" in edited(MC, wishes=wishes)) is found


@pytest.mark.parametrize("mx_lookup", [False, True])
@pytest.mark.parametrize("check", [False, True])
def test_the_mailers_flags_follow_the_wishes(mx_lookup: bool, check: bool) -> None:
    wishes = Wishes(relay=replace(RELAY, mx_lookup=mx_lookup), loop=replace(LOOP, check=check))
    found = re.findall(
        r"MODIFY_MAILER_FLAGS\(`ESMTP', ifdef\(`ESMTP_MF_', `.*', `(..)'\)\)dnl",
        edited(MC, wishes=wishes).decode(),
    )
    assert found == ["-k" if check else "+k", "-0" if mx_lookup else "+0"]


@pytest.mark.parametrize(
    ("stock", "named"),
    [(b"[127.0.0.1]", False), (b"[localhost]", True), (b"elsewhere.example.com", True)],
)
def test_the_submission_host_is_named_unless_the_cf_keeps_another_spelling(
    stock: bytes, named: bool
) -> None:
    text = edited(MSP, SUBMIT.replace(b"D{MTAHost}[127.0.0.1]", b"D{MTAHost}" + stock))
    assert (b"define(`_MTA_HOST_', ``[localhost]'')" in text) is named
    assert b"SMART_HOST', `')" in text and b"MODIFY_MAILER_FLAGS(`RELAY" not in text


@pytest.mark.parametrize("programs", ["queue", "none"])
def test_what_programs_do_is_said_in_the_submit_mc_alone(programs: str) -> None:
    wishes = Wishes(auth=replace(AUTH, programs=programs))
    mail, submit = edited(MC, wishes=wishes), edited(MSP, SUBMIT, wishes)
    assert b"`Sauthinfo'" in mail and b"confDELIVERY_MODE" not in mail
    assert (b"`Sauthinfo'" in submit) is (b"confDELIVERY_MODE" in submit) is (programs == "queue")


def test_a_section_is_read_again_as_it_was_written() -> None:
    for data, stock in ((MC, CF), (MSP, SUBMIT)):
        once = edited(data, stock, LASTING)
        assert edited(once, stock, LASTING) == once
        assert edited(once, stock, Wishes()) == once, "taken back from a clean file only"
        other = Wishes(relay=replace(RELAY, masquerade="m.example"), daemon=LASTING.daemon)
        assert edited(once, stock, other) == edited(data, stock, other)


@pytest.mark.parametrize("required", [False, True])
def test_only_compulsory_auth_puts_rules_before_a_recipient(required: bool) -> None:
    text = edited(MC, wishes=Wishes(auth=replace(AUTH, required=required)))
    assert (b"Stls_rcpt" in text) is required
    assert b"Sauthinfo" in text


def test_a_hash_is_a_comment_until_cf_m4_takes_that_away() -> None:
    between = b"# define(`ESMTP_MAILER_ARGS', `TCP $h 26')\nMAILER(`smtp')"
    data = MC.replace(b"dnl MAILER(`smtp')", b"").replace(b"MAILER(`smtp')dnl", between)
    with pytest.raises(McError, match=r"line 10: 'ESMTP_MAILER_ARGS' is set here"):
        edited(data)
    without = re.sub(rb"(?m)^include.*\n", b"", data)
    assert without_block(edited(without)) == without


@pytest.mark.parametrize("flags", [b"MODIFY_MAILER_FLAGS(`RELAY', `x')dnl\n", b""])
def test_behind_a_feature_that_writes_the_mailers_flags_come_too_late(flags: bytes) -> None:
    behind = b"FEATURE(`msp', `[127.0.0.1]')dnl\n" + flags + LAST_BEGIN.encode()
    assert behind in edited(MSP + flags, SUBMIT)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", "`'"),
        ("x", "``x''"),
        ("$j $& $: $|", "``$j $& $: $|''"),
        ("$1$* $@", "``$'`1$'`* $'`@''"),
        ("$#x", "``$'`#x''"),
    ],
)
def test_what_m4_would_take_for_an_argument_is_parted(value: str, quoted: str) -> None:
    assert literal(value) == quoted


def test_a_closing_quote_too_many_opens_nothing() -> None:
    data = MC.replace(b"MAILER(`local')dnl\n", b"dnl\n'' `a\nb'\nMAILER(`local')dnl\n")
    lines = edited(data).decode().splitlines()
    assert lines[lines.index(END) + 1] == "MAILER(`local')dnl"


def test_quotes_are_counted_in_depth() -> None:
    """What a quote within a quote ends is the inner one: the mailer stays inside."""
    data = MC.replace(b"MAILER(`local')dnl\n", b"ifdef(`X', `a `b' c\nMAILER(`local')\n')dnl\n")
    lines = edited(data).decode().splitlines()
    assert lines[lines.index(END) + 1] == "ifdef(`X', `a `b' c"


@given(st.text(max_size=40))
@example("'")
@example("`")
@example("x')dnl")
@example("\u00e9")
@example("\r")
def test_what_m4_cannot_write_is_refused(value: str) -> None:
    try:
        quoted = literal(value)
    except McError:
        assert re.search(r"[`']|[^\x20-\x7e\t\n]", value)
    else:
        assert not re.search(r"[`']|[^\x20-\x7e\t\n]", value)
        assert quoted.count("`") == quoted.count("'")
        assert not re.search(r"\$[0-9*@#]", quoted)


@given(st.binary(max_size=500))
@example(b"\r`")
def test_any_bytes_come_back_as_they_were(data: bytes) -> None:
    assert McFile(data).render() == data
    with_anchor = data + b"\nMAILER(`smtp')dnl\n"
    try:
        result = edited(with_anchor)
    except McError:
        return
    assert without_block(result) == with_anchor
