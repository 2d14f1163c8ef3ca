"""The knobs: set in place, everything else untouched; what can't be understood is refused."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from james_client.wishes.lookup import PLATFORM_FACTS
from james_client.wishes.platform import Knob, Platform, PlatformError, select, turn

FORMULA = Path(__file__).parents[3] / "sendmail_james"
PLATFORMS = yaml.safe_load((FORMULA / "platforms.yaml").read_text())
OWN = yaml.safe_load((FORMULA / "defaults.yaml").read_text())["lookup"]
VALUES = {"queue_interval": "10m", "programs_interval": "5s"}
KNOB = Knob(file="/etc/mail/sendmail.conf", assign={"DAEMON_MODE": "none", "MSP_INTERVAL": "p5s"})


@pytest.mark.parametrize("key", PLATFORMS)
def test_every_platform_names_every_fact(key: str) -> None:
    family, _, init = key.partition("/")
    facts = select(PLATFORMS, {"os_family": family, "init": init, "host": "h"}, OWN)
    assert facts.services and facts.packages and facts.knobs
    assert "{" not in facts.mc + facts.submit_mc
    for knob in facts.knobs:
        turned, changes = turn(knob, None, VALUES)
        assert changes
        assert b"{" not in turned
        assert turn(knob, turned, VALUES) == (turned, {})


def test_unknown_platform_names_what_is_missing() -> None:
    with pytest.raises(PlatformError, match=r"os_family 'Plan9'.*lookup.*packages"):
        select(PLATFORMS, {"os_family": "Plan9"}, {})


def test_lookup_describes_an_unknown_platform() -> None:
    lookup = dict(PLATFORMS["Debian"] | OWN, cf="/opt/sendmail.cf")
    assert select(PLATFORMS, {"os_family": "Plan9"}, lookup).cf == "/opt/sendmail.cf"
    assert set(lookup) == set(PLATFORM_FACTS) == {field.name for field in fields(Platform)}


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
    with pytest.raises(PlatformError, match="expected DAEMON_MODE"):
        turn(KNOB, line, VALUES)
