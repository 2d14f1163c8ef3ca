"""What sendmail makes of a cf is read whole, whatever it says before; sendmail here is real."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from james_client.cf.options import OPTIONS
from james_client.cf.text import Cf
from james_client.mta import reading as mta_reading
from james_client.mta.process import ProcessError, run

SENDMAIL = "/usr/sbin/sendmail"
STOCK = Path("/etc/mail/sendmail.cf").read_bytes()
LINES = b"\nCLroot bob\nSparse=0\n"
reading = partial(mta_reading.reading, binary=SENDMAIL)


@pytest.fixture
def cf(tmp_path: Path) -> Path:
    """Give a cf with two names of class L."""
    path = tmp_path / "sendmail.cf"
    path.write_bytes(STOCK.replace(b"\nSparse=0\n", LINES, 1))
    path.chmod(0o644)
    return path


def said_first(path: Path) -> list[str]:
    """Give what sendmail says of a cf before its address test mode."""
    before = run([SENDMAIL, "-C", str(path), "-bt"]).out.partition("ADDRESS TEST MODE")[0]
    return before.splitlines()


@pytest.mark.parametrize(
    ("old", "new", "warnings"),
    [
        (b"V10/Berkeley", b"V10/Berkeley", 0),
        (b"V10/Berkeley", b"V9/Berkeley", 1),
        (b"V10/Berkeley", b"V7", 1),
        (b"V10/Berkeley", b"V5", 1),
        (b"\nO HelpFile", b"\nO HelpF", 1),
        (b"V10/Berkeley", b"V8\nO HelpF=/etc/mail/h\nO DeadL=/d", 3),
    ],
)
def test_warnings_are_no_part_of_an_answer(cf: Path, old: bytes, new: bytes, warnings: int) -> None:
    """However many lines sendmail says first, an answer begins where it begins."""
    plain = reading(cf, "LQw")
    cf.write_bytes(cf.read_bytes().replace(old, new, 1))
    assert len(said_first(cf)) == warnings
    seen = reading(cf, "LQw")
    assert seen.classes == plain.classes
    assert seen.classes["L"] == ("bob", "root")
    assert seen.classes["Q"] == ()
    assert "localhost" in seen.classes["w"]
    assert seen.mailers.keys() == plain.mailers.keys() > {"local", "esmtp"}
    assert mta_reading.senders(cf, "esmtp", ["bob"], binary=SENDMAIL)[0][0].startswith("bob@")


@pytest.mark.parametrize("line", [b"Kx nosuch /x", b"V11/Berkeley", b"V10/Sun", b"Xgarbled"])
def test_a_refusal_has_sendmails_words_and_no_option(cf: Path, line: bytes) -> None:
    """Its trace of the options is ours alone to see."""
    cf.write_bytes(cf.read_bytes() + line + b"\n")
    with pytest.raises(ProcessError, match=f"{cf}: sendmail refuses it: ") as refused:
        reading(cf)
    assert "setoption" not in str(refused.value)
    assert "Daemon " not in str(refused.value)


def test_options_are_read_in_every_spelling(cf: Path) -> None:
    """Old letters, cut names, parts in any case: the last counts, and ours read the same."""
    lines = (
        b"O authMech=ONE\nO AuthMechanisms = TWO  # three\nOV[192.0.2.1]\nO Fallb=last.example\n"
        b"O Timeout.QUEUERETURN.* = 3d\nO Timeout.queuewarn.normal=2h\nOA/etc/one\n"
        b"O AliasFile=hash:/etc/two\n\t, /etc/three\nOdq\nO DeliveryMode\nO MaxMessageSize\n"
    )
    cf.write_bytes(STOCK + lines.replace(b"Fallb=", b"FallbackM="))
    seen, ours = reading(cf).options, Cf(cf.read_bytes())
    assert seen["authmechanisms"] == ["ONE", "TWO"]
    assert seen["timeout.queuereturn"] == ["5d", "3d"]
    assert [one.replace("\\n\\t", "\n\t") for one in seen["aliasfile"]] == ours.option_values(
        "AliasFile"
    )
    for name in OPTIONS.keys() - {"AliasFile"}:
        assert list(seen.get(name.lower(), ()))[-1:] == ours.option_values(name)[-1:], name


def test_the_delivery_mode_is_the_cfs_and_not_test_modes(cf: Path) -> None:
    """Test mode sets its own after all others."""
    assert reading(cf).options["deliverymode"] == ["background"]
    cf.write_bytes(cf.read_bytes().replace(b"\nO DeliveryMode=background\n", b"\n", 1))
    assert not reading(cf).options["deliverymode"]
    cf.write_bytes(cf.read_bytes() + b"O DeliveryMode=\n")
    assert reading(cf).options["deliverymode"] == [""]
