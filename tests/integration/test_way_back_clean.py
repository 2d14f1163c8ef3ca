"""`clean` gives back everything in /etc, byte for byte, and stock sendmail with it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rebuild_world as world
from rebuild_world import CF, MC, Tree
from support import pristine

CLEAN = "sendmail_james.clean"
GIVEN_BACK = "All files are as they were before James"
MADE = ("james-auth-info", "james-msp-auth-info")
# Debian's start of sendmail makes the alias map anew each time: a stock restart does as much.
MAP = ("/etc/mail/aliases.db", "/etc/aliases.db")


def etc(*, times: bool = True) -> Tree:
    """Give all that `clean` answers for."""
    return world.tree(but=MAP, times=times)


def answers(port: int) -> bool:
    """Say whether a mail server greets on a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as talk:
            return talk.recv(3) == b"220"
    except ConnectionRefusedError:
        return False


def daemons_and_files() -> tuple[list[str], Tree, Tree]:
    """Give what a test run must not touch."""
    backups = world.tree("/var/backups", inodes=True)
    return pristine.sendmail_daemons(), world.tree(inodes=True), backups


@pytest.fixture
def stock(pristine_host: None) -> Tree:
    """Give what a stock host's /etc holds, after one more restart of its sendmail."""
    pristine.run("systemctl", "restart", "sendmail.service")
    return etc()


@pytest.fixture
def applied(stock: Tree, minion_call: Any) -> Any:
    """Give a salt-call on a host that the formula was applied to; no James is needed for that."""
    world.apply(minion_call, world.STEPS, pillar=world.formula())
    assert not pristine.sendmail_is_stock()
    assert etc() != stock
    return minion_call


def is_stock(stock: Tree) -> None:
    """See that files, daemons and ports are those of a host that the formula never saw."""
    assert world.differences(stock, etc()) == []
    assert pristine.sendmail_is_stock(), pristine.sendmail_daemons()
    assert answers(25)
    assert answers(587)


@pytest.mark.smoke
def test_gives_back_all_of_etc_and_stock_sendmail(stock: Tree, applied: Any) -> None:
    assert not answers(25)
    before = daemons_and_files()
    result, predicted, _ = world.results(applied("state.apply", CLEAN, test=True))[GIVEN_BACK]
    assert daemons_and_files() == before
    assert result is None
    assert world.apply(applied, CLEAN) == {GIVEN_BACK: predicted}
    is_stock(stock)
    assert world.apply(applied, CLEAN) == {}
    is_stock(stock)


@pytest.mark.smoke
def test_gives_back_what_was_rebuilt_meanwhile(stock: Tree, applied: Any) -> None:
    pristine.run("touch", str(MC), "/etc/mail/submit.mc")
    pristine.run("systemctl", "restart", "sendmail.service")
    world.apply(applied, CLEAN)
    is_stock(stock)


def test_gives_back_a_cf_that_only_the_restart_rebuilt(stock: Tree, minion_call: Any) -> None:
    # Of the submission program's files this changes the mc alone, and the restart builds its cf.
    alone = world.formula(auth=world.formula()["sendmail_james"]["auth"] | {"programs": "none"})
    changed = world.apply(minion_call, world.STEPS, pillar=alone)
    live = changed["The configuration is proved and live"]
    assert "/etc/mail/submit.mc" in live and "/etc/mail/submit.cf" not in live
    assert b"sendmail_james" in Path("/etc/mail/submit.cf").read_bytes()
    world.apply(minion_call, CLEAN)
    is_stock(stock)


def test_gives_back_what_a_reinstalled_package_left(pristine_host: None, minion_call: Any) -> None:
    contents = etc(times=False)
    world.apply(minion_call, world.STEPS, pillar=world.formula())
    packages = ("sendmail-base", "sendmail-bin", "sendmail-cf")
    subprocess.run(
        ["apt-get", "install", "--reinstall", "--no-download", "--yes", *packages],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        check=True,
    )
    world.apply(minion_call, CLEAN)
    # The package's own scripts date more files anew than these, and keep a cf as .old, on any host.
    left = world.differences(contents, etc(times=False))
    ours = ("sendmail.cf", "sendmail.mc", "submit", "sendmail.conf", "cron", "Makefile", "james")
    left = [one for one in left if ".old: " not in one]
    assert [one for one in left if any(name in one for name in ours)] == []
    assert pristine.sendmail_is_stock()


@pytest.mark.parametrize("path", [CF, Path("/etc/mail/sendmail.conf")], ids=lambda p: p.name)
def test_a_hand_edit_is_said_and_nothing_is_guessed(stock: Tree, applied: Any, path: Path) -> None:
    with path.open("a") as file:
        file.write("# by hand\n")
    before = world.tree(inodes=True)
    said = world.refused(applied, CLEAN)
    assert f"{path}: " in said or str(path) in said.split(": ")[0], said
    assert "force" in said
    assert world.differences(before, world.tree(inodes=True)) == []

    forced = applied("state.single", "sendmail_james.restored", "by force", force=True)
    assert forced.returncode == 0, forced
    is_stock(stock)
    overwritten = applied("sendmail_james.backups").data[0]
    assert str(path) in overwritten["files"]
    assert applied("sendmail_james.restore", overwritten["id"], force=True).returncode == 0
    assert path.read_text().endswith("# by hand\n")


def test_a_host_that_was_never_touched_stays_so(stock: Tree, minion_call: Any) -> None:
    daemons = pristine.sendmail_daemons()
    before = world.tree(inodes=True)
    assert world.apply(minion_call, CLEAN, pillar=world.formula()) == {}
    assert world.differences(before, world.tree(inodes=True)) == []
    assert pristine.sendmail_daemons() == daemons


def test_the_comparison_sees_a_byte_a_mode_and_a_time(stock: Tree) -> None:
    """The twin of all tests above: what they compare can differ."""
    text = CF.read_bytes()
    for change in (
        lambda: CF.write_bytes(text.replace(b"esmtp", b"ESMTP", 1)),
        lambda: CF.chmod(0o600),
        lambda: os.utime(CF, ns=(0, 1)),
        lambda: Path("/etc/mail/new").touch(),
    ):
        before = etc()
        change()
        assert len(world.differences(before, etc())) == 1
