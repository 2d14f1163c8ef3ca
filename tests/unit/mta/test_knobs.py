"""The knobs: set in place, everything else untouched; what can't be understood is refused."""

from pathlib import Path

import pytest
import yaml
from james_client.mta.knobs import KnobError, overruled, turn
from james_client.mta.process import run
from james_client.wishes.platform import Knob

PLATFORMS = yaml.safe_load(
    Path(__file__).parents[3].joinpath("sendmail_james/platforms.yaml").read_text()
)
VALUES = {"queue_interval": "10m", "programs_interval": "5s"}
KNOB = Knob(file="/etc/mail/sendmail.conf", assign={"DAEMON_MODE": "none", "MSP_INTERVAL": "p5s"})


@pytest.mark.parametrize("key", PLATFORMS)
def test_every_platforms_knobs_turn_once(key: str) -> None:
    for facts in PLATFORMS[key]["knobs"]:
        knob = Knob(**facts)
        turned, changes = turn(knob, None, VALUES)
        assert changes
        assert b"{" not in turned
        assert turn(knob, turned, VALUES) == (turned, {})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'DAEMON_MODE="Daemon";\n', b'DAEMON_MODE="none";\n'),
        (b"DAEMON_MODE=daemon # why\n", b'DAEMON_MODE="none" # why\n'),
        (b"  export DAEMON_MODE='daemon'\r\n", b'  export DAEMON_MODE="none"\r\n'),
        (b"DAEMON_MODE=\n", b'DAEMON_MODE="none"\n'),
        (b'DAEMON_MODE="a"\nDAEMON_MODE="b"\n', b'DAEMON_MODE="a"\nDAEMON_MODE="none"\n'),
        (b'#DAEMON_MODE="x"\n\xff\n', b'#DAEMON_MODE="x"\n\xff\nDAEMON_MODE="none"\n'),
        (b"A=1", b'A=1\nDAEMON_MODE="none"\n'),
    ],
)
def test_an_assignment_is_set_where_the_shell_reads_it(line: bytes, expected: bytes) -> None:
    knob = Knob(file="/etc/x", assign={"DAEMON_MODE": "none"})
    turned, changes = turn(knob, line, VALUES)
    assert turned == expected
    assert changes["DAEMON_MODE"]["new"] == "none"


def test_what_is_right_already_stays() -> None:
    text = b"# mine\nMSP_INTERVAL='p5s'\nDAEMON_MODE=none\n"
    assert turn(KNOB, text, VALUES) == (text, {})


@pytest.mark.parametrize(
    "line", [b"DAEMON_MODE=$(date)\n", b'DAEMON_MODE="a" "b"\n', b'DAEMON_MODE="two\nlines"\n']
)
def test_an_assignment_that_is_no_plain_word_is_refused(line: bytes) -> None:
    with pytest.raises(KnobError, match=r"/etc/mail/sendmail\.conf: expected DAEMON_MODE"):
        turn(KNOB, line, VALUES)


def later(folder: Path, **files: str) -> Knob:
    """Give a knob behind which a file and a folder of files are read."""
    names = {"conf": folder / "rc.conf.local", "one": folder / "sendmail"}
    (folder / "d").mkdir()
    for key, text in files.items():
        (names.get(key) or folder / "d" / key).write_text(text)
    read_after = (*map(str, names.values()), str(folder / "d"), str(folder / "no" / "such"))
    return Knob(
        "/etc/rc.conf", assign={"a": "NO", "b": "-q{queue_interval}"}, read_after=read_after
    )


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, []),
        ({"one": "c=YES\n#a=YES\n"}, []),
        ({"one": "a='NO'\nb='-q10m'\n"}, []),
        ({"one": 'a="no"\n'}, []),
        ({"one": 'a="YES"\n', "z": "a=NO\n"}, []),
        ({"one": 'a="YES"\n'}, ["sendmail: a='YES'"]),
        ({"conf": "a=NONE\n"}, ["rc.conf.local: a='NONE'"]),
        ({"one": "a=NO\nb=-q1h\n", "conf": "b=-q2h\n"}, ["sendmail: b='-q1h'"]),
        ({"x": "a=NO\n", "y": "export a=YES\n"}, ["d/y: a='YES'"]),
        ({"y": "a=NO\n", "x": "a=YES\n"}, []),
        ({"x": "b=$flags\n"}, ["d/x: b='$flags'"]),
    ],
)
def test_what_is_read_after_a_knob_wins(
    tmp_path: Path, files: dict[str, str], found: list[str]
) -> None:
    """As FreeBSD's rc.subr does: each file after the other, a folder's in their order."""
    said = overruled(later(tmp_path, **files), VALUES)
    assert len(said) == len(found)
    for one, words in zip(said, found, strict=True):
        assert one.startswith(f"{tmp_path}/{words} is read after /etc/rc.conf, expected ")


def test_the_shell_agrees_about_who_wins(tmp_path: Path) -> None:
    """The oracle: a shell that reads the files in the order of FreeBSD's rc.subr."""
    files = {"conf": "a=1\nb=-q10m", "one": "a=2; c=3", "x": "a=YES # no", "y": "c=NO\n"}
    knob = later(tmp_path, **files)
    script = f". {tmp_path}/rc.conf.local; . {tmp_path}/sendmail\n"
    script += f'for one in {tmp_path}/d/*; do . "$one"; done; echo "$a $b"'
    assert run(["sh", "-c", script]).out == "YES -q10m\n"
    (said,) = overruled(knob, VALUES)
    assert "a='YES'" in said


def test_freebsds_later_files_are_known() -> None:
    (knob,) = PLATFORMS["FreeBSD"]["knobs"]
    assert "/etc/rc.conf.d/sendmail" in knob["read_after"]
    assert "/etc/rc.conf.local" in knob["read_after"]
