"""Whatever makes Debian rebuild sendmail.cf, all mail still goes to James, authenticated."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rebuild_world as world
from rebuild_world import CF, MAIL, MC, MSP_CF, Applied
from support import pristine

QUIET = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
MCS = [str(MC), str(MAIL / "submit.mc")]
APT = ["apt-get", "install", "--reinstall", "--no-download", "--yes"]
FLAGS = "authwarnings,needmailhelo,novrfy,noexpn"


def run(*command: str, answers: str = "") -> None:
    """Run a command as an administrator would, with answers to what it asks."""
    done = subprocess.run(
        command, input=answers, env=QUIET, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def touch_and_restart() -> None:
    run("touch", *MCS)
    run("systemctl", "restart", "sendmail.service")


def make() -> None:
    run("touch", *MCS)
    run("make", "-C", str(MAIL))


def reconfigure() -> None:
    run("touch", *MCS)
    run("dpkg-reconfigure", "sendmail-base")
    run("dpkg-reconfigure", "sendmail-bin")


def reinstall() -> None:
    run("touch", *MCS)
    run(*APT, "sendmail-base", "sendmail-bin", "sendmail-cf")


def other_feature() -> None:
    text = MC.read_text()
    changed, times = re.subn(r"define\(`confPRIVACY_FLAGS',dnl\n.*\)dnl", _privacy, text)
    assert times == 1, text
    MC.write_text(changed)
    run("systemctl", "restart", "sendmail.service")
    assert f"\nO PrivacyOptions={FLAGS}\n" in CF.read_text()


def _privacy(_: re.Match[str]) -> str:
    return f"define(`confPRIVACY_FLAGS', `{FLAGS}')dnl"


def sendmailconfig() -> None:
    run("touch", *MCS)
    run("sendmailconfig", answers="y\n" * 5)


REBUILDS = [
    pytest.param(touch_and_restart, marks=pytest.mark.smoke),
    make,
    reconfigure,
    reinstall,
    other_feature,
    sendmailconfig,
]


@pytest.fixture(scope="module")
def kept() -> list[Applied]:
    """Hold the applied host of this module, once the first test has made it."""
    return []


@pytest.fixture
def applied(kept: list[Applied], minion_call: Any) -> Any:
    """Give a salt-call on a host, with a James, as the first highstate left it."""
    if kept:
        kept[0].put_back()
    else:
        world.fresh_james()
        world.apply(minion_call, pillar=world.formula())
        kept.append(Applied())
    return minion_call


@pytest.mark.parametrize("rebuild", REBUILDS, ids=lambda one: one.__name__)
def test_after_a_rebuild_all_mail_goes_to_james_and_nothing_is_to_do(
    applied: Any, rebuild: Any
) -> None:
    before = [path.stat().st_mtime_ns for path in (CF, MSP_CF)]
    rebuild()
    assert CF.stat().st_mtime_ns != before[0], "it was no rebuild"
    world.all_mail_reaches_james()
    assert world.apply(applied, pillar=world.formula()) == {}


def test_without_the_block_a_rebuild_undoes_it_and_the_next_run_does_it_again(applied: Any) -> None:
    """The twin of the tests above: what they show is the block's doing."""
    pillar = world.formula(mc={"manage": False})
    for mc in MCS:
        Path(mc).write_bytes(pristine.COPY.joinpath(mc[1:]).read_bytes())
    assert world.apply(applied, pillar=pillar) == {}

    page = applied("sendmail_james.status", "verbose=True").data
    told = " ".join(page["after a rebuild"].values())
    assert "smart host" in told and "authinfo" in told, page
    assert any("rebuild of /etc/mail/sendmail.cf would lose" in one for one in page["wrong"])

    touch_and_restart()
    routes = applied("sendmail_james.routes", "bob").data
    assert routes[str(CF)]["bob"]["to James"] != "yes"
    assert applied("sendmail_james.drift").data

    assert str(CF) in world.apply(applied)["The configuration is proved and live"]
    world.all_mail_reaches_james()
    assert world.apply(applied) == {}
