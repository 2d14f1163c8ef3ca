"""What holds for every cf: identity, idempotence, the way back, and no error but our own."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from difflib import SequenceMatcher

from cf_world import AUTH, CF, RELAY, SUBMIT, Wishes, every_step
from hypothesis import given, settings
from hypothesis import strategies as st
from james_client.cf import auth, loop, masquerade, relay, timeouts
from james_client.cf.facts import facts, missing
from james_client.cf.text import Cf, CfError
from james_client.files.merge import take_out
from oracle.m4 import LASTING, WISHES

LINES = st.sampled_from(
    [
        b"# comment",
        b"# caf\xe9 \xff\x00",
        b"",
        b"DSother.example.com",
        b"D{S}braces",
        b"DMother.example.com",
        b"C{E}root",
        b"# my name for error messages",
        b"R$* < @ *LOCAL* >\t$@ $1 < @ $j . >",
        b"R$+\t$@ $>MasqHdr $1",
        b"SMasqHdr=93",
        b"OT3d/2h",
        b"O Timeout.queuereturn.urgent=1d",
        b"O timeo.queuewarn.* = 3h",
        b"DHhub",
        b"Cw a b c",
        b"CLroot",
        b"O AuthOptions=p,y",
        b"O authmech = GSSAPI",
        b"#O AuthMechanisms=X",
        b"Odqueue",
        b"O FallbackSmartHost=elsewhere.example.com",
        b"OVelsewhere.example.com",
        b"O ServiceSwitchFile=/x",
        b"R$+\t$: $1 < $H >",
        b"R$* spaces for tabs",
        b"\tcontinued",
        b"  continued with blanks",
        b"Sauthinfo",
        b"SLocal_tls_rcpt",
        b"S5",
        b"Mother, P=[IPC], F=mDFMuX, A=TCP $h",
        b"Mesmtp, P=[IPC], F=k, A=TCP $h",
        b"M",
        b"S",
        b"D",
        b"O",
        b"Kdequote dequote",
        b"# dequoting map",
        b"#   Options   #",
        b"x" * 5000,
    ]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Give a cf in which lines were added, doubled, lost and spoiled."""
    lines = draw(st.sampled_from([CF, SUBMIT])).split(b"\n")
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, len(lines) - 1))
        what = draw(st.sampled_from(["insert", "insert", "double", "lose", "blanks"]))
        if what == "insert":
            lines.insert(at, draw(LINES))
        elif what == "double":
            lines.insert(at, lines[at])
        elif what == "lose" and len(lines) > 1:
            del lines[at]
        else:
            lines[at] = lines[at].replace(b"\t", b"  ")
    ending = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    return ending.join(lines)


WANTED = st.sampled_from([*WISHES.values(), *LASTING.values()])
MANY = settings(max_examples=200)


def _edited(data: bytes, wishes: Wishes) -> Cf | None:
    try:
        cf = Cf(data)
        every_step(cf, wishes)
    except CfError as error:
        assert str(error)
        return None
    return cf


@MANY
@given(files())
def test_what_is_parsed_renders_as_it_was(data: bytes) -> None:
    with suppress(CfError):
        assert Cf(data).render() == data


@MANY
@given(st.binary(max_size=2000) | st.text(max_size=500).map(str.encode))
def test_no_input_raises_anything_but_our_own_error(data: bytes) -> None:
    for given_data in (data, CF + data, data + CF, CF.replace(b"\n# prepend", b"\n" + data, 1)):
        cf = _edited(given_data, Wishes())
        if cf is not None:
            facts(cf)


@MANY
@given(files(), WANTED)
def test_a_second_time_changes_nothing(data: bytes, wishes: Wishes) -> None:
    cf = _edited(data, wishes)
    if cf is not None:
        once = cf.render()
        again = Cf(once)
        assert timeouts.edit(again, wishes.daemon) == {}
        assert relay.edit(again, wishes.relay) == {}
        assert masquerade.edit(again, wishes.relay) == {}
        assert loop.edit(again, wishes.relay, wishes.loop) == {}
        assert auth.edit(again, wishes.auth, wishes.relay) == {}
        assert again.render() == once


@MANY
@given(files(), WANTED)
def test_taking_out_gives_back_what_was_there(data: bytes, wishes: Wishes) -> None:
    cf = _edited(data, wishes)
    if cf is not None:
        assert take_out(data, cf.render(), cf.render()) == (data, ())


OWNED = re.compile(
    rb"D\{?[SRHM]|D\{MTAHost|#?O\s+(Auth|auth|DefaultAuth|DeliveryMode|ServiceSwitch|Fallback)|O[dV]"
    rb"|M(esmtp|relay|smtp)|R< > \$\+\t+\$: < \$[HR] > \$1|R.*(auth_type|James|\$\|)"
    rb"|#?O\s+(?i:timeo)\w*\.queue|OT|C\{[EN]\}|R.*\$=E|R.*\*LOCAL\*|R\$\* < @ \$.* \$M"
    rb"|R\$\* < @ \$\+ @ .*\$M|R\$\+\t+\$@ \$>MasqHdr|# (sendmail_james|special|handle)"
    rb"|R.*jamesauth|Kjamesauth|# (who|\(null|\(\$R)|\s*\Z"
)


def _folded(data: bytes) -> bytes:
    # a line and what continues it as one
    return re.sub(rb"\r?\n(?=[ \t])", b"\x00", data)


@MANY
@given(files(), WANTED)
def test_no_line_is_touched_that_no_step_owns(data: bytes, wishes: Wishes) -> None:
    cf = _edited(data, wishes)
    if cf is None:
        return
    before, after = (side.splitlines() for side in (_folded(data), _folded(cf.render())))
    for tag, i, j, k, m in SequenceMatcher(None, before, after).get_opcodes():
        for line in (*before[i:j], *after[k:m]) if tag != "equal" else ():
            assert OWNED.match(line), line


@MANY
@given(files(), WANTED)
def test_reading_gives_what_was_set(data: bytes, wishes: Wishes) -> None:
    cf = _edited(data, wishes)
    if cf is None:
        return
    found = facts(cf)
    if wishes.auth is not None and not (cf.is_msp and wishes.auth.programs == "none"):
        assert found["AuthMechanisms"].startswith(" ".join(wishes.auth.mechanisms))
        assert found["compulsory AUTH"] is wishes.auth.required
        assert found["authinfo ruleset"] is True
        assert found["login mechanisms"] == " ".join(wishes.auth.mechanisms)
    if not cf.is_msp:
        assert found["smart host"] == found["mail hub"] == wishes.relay.triple
        assert found["hub rule"] and found["relay rule"]
        assert ("k" in found["flags"]) is not wishes.loop.check


def test_taking_out_keeps_what_others_changed_and_tells_what_it_cannot() -> None:
    cf = Cf(CF)
    every_step(cf, Wishes())
    upgraded = cf.render().replace(b"# level 10", b"# level 11").replace(b"L=990", b"L=2000")
    wanted = CF.replace(b"# level 10", b"# level 11").replace(b"L=990", b"L=2000")
    assert take_out(CF, cf.render(), upgraded) == (wanted, ())
    tangled = cf.render().replace(b"O AuthOptions=A", b"O AuthOptions=S")
    assert take_out(CF, cf.render(), tangled) == (CF, ("'O AuthOptions=S'",))


def test_a_large_file_is_read_and_refused_in_one_go() -> None:
    for data in (b"x" * 100_000_000, b"\n" * 1_000_000, b"R\n\t" * 300_000):
        try:
            Cf(data)
        except CfError as error:
            assert "V line" in str(error)
        else:
            raise AssertionError("taken for a cf")
    large = CF.replace(b"Cwlocalhost\n", b"Cwlocalhost\n" + b"Cw a.example\n" * 100_000, 1)
    cf = Cf(large)
    every_step(cf, Wishes(relay=replace(RELAY, port=2525), auth=AUTH))
    assert missing(cf, Wishes(relay=replace(RELAY, port=2525))) == []
