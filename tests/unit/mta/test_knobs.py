"""The knobs: set in place, everything else untouched; what can't be understood is refused."""

from pathlib import Path

import pytest
import yaml
from james_client.mta.knobs import KnobError, turn
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
