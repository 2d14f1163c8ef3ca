"""`clean` gives back all of /etc, byte for byte but for what others did, and stock sendmail."""

from __future__ import annotations

import os
import re
import shlex
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
BACKUPS = "/var/backups/sendmail_james"
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
    reinstall()
    world.apply(minion_call, CLEAN)
    # The package's own scripts date more files anew than these, and keep a cf as .old, on any host.
    left = world.differences(contents, etc(times=False))
    ours = ("sendmail.cf", "sendmail.mc", "submit", "sendmail.conf", "cron", "Makefile", "james")
    left = [one for one in left if ".old: " not in one]
    assert [one for one in left if any(name in one for name in ours)] == []
    assert pristine.sendmail_is_stock()


MASQUERADE = "MASQUERADE_AS(`masked.example.test')dnl\n"


def test_what_an_administrator_did_since_stays(stock: Tree, applied: Any) -> None:
    """A package's reinstall in between: test_life.py."""
    mc = MC.read_text()
    MC.write_text(mc.replace("MAILER_DEFINITIONS\n", f"{MASQUERADE}MAILER_DEFINITIONS\n"))
    conf, submit = Path("/etc/mail/sendmail.conf"), Path("/etc/mail/submit.mc")
    conf.write_text(conf.read_text().replace('\nCRON_PARMS="";', '\nCRON_PARMS="-v";'))
    submit.chmod(0o640)
    Path("/etc/mail/james-auth-info").chmod(0o640)
    pristine.run("systemctl", "restart", "sendmail.service")
    assert b"DMmasked.example.test" in CF.read_bytes(), "the restart was to build it"
    foretold = world.results(applied("state.apply", CLEAN, test=True))[GIVEN_BACK][1]
    assert world.apply(applied, CLEAN)[GIVEN_BACK] == foretold
    before = pristine.COPY.joinpath("etc/mail/sendmail.mc").read_text()
    wanted = before.replace("MAILER_DEFINITIONS\n", f"{MASQUERADE}MAILER_DEFINITIONS\n")
    assert MC.read_text() == wanted
    assert 'CRON_PARMS="-v"' in settings(conf) and "None" not in settings(conf)
    cf = CF.read_bytes()
    assert b"DMmasked.example.test" in cf
    for ours in (b"sendmail_james", b"jamesauth", b"James", b"esmtp:localhost"):
        assert ours not in cf
    assert submit.stat().st_mode & 0o777 == 0o640
    assert not any(Path("/etc/mail", name).exists() for name in MADE)
    assert pristine.sendmail_is_stock(), pristine.sendmail_daemons()
    assert answers(25)
    assert world.apply(applied, CLEAN) == {}


def settings(conf: Path) -> str:
    """Give what a shell file sets."""
    lines = conf.read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


def reinstall() -> None:
    packages = ("sendmail-base", "sendmail-bin", "sendmail-cf")
    subprocess.run(
        ["apt-get", "install", "--reinstall", "--no-download", "--yes", *packages],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        check=True,
    )


def test_our_own_lines_changed_are_refused_and_the_command_told_forces_it(
    stock: Tree, applied: Any
) -> None:
    CF.write_bytes(CF.read_bytes().replace(b"DSesmtp:localhost", b"DSesmtp:other.example"))
    before = world.tree(inodes=True)
    said = world.refused(applied, CLEAN)
    assert f"{CF}: others have changed our own lines to 'DSesmtp:other.example'" in said
    assert world.differences(before, world.tree(inodes=True)) == []
    (command,) = re.findall(r"salt-call (state\.single .*)$", said, re.MULTILINE)
    name, state, title, force = shlex.split(command)
    forced = applied(name, state, title, **dict([force.split("=")]))
    assert forced.returncode == 0, forced
    assert world.differences(contents(stock), contents(etc())) == []
    assert pristine.sendmail_is_stock(), pristine.sendmail_daemons()
    overwritten = applied("sendmail_james.backups").data[0]
    assert str(CF) in overwritten["files"]
    kept = [one.read_bytes() for one in Path(BACKUPS, overwritten["id"]).iterdir()]
    assert any(b"DSesmtp:other.example" in data for data in kept)
    # The password is not kept, and a cf that asks for its file is not brought back without it.
    undone = applied("sendmail_james.restore", overwritten["id"], force=True)
    assert undone.returncode != 0
    assert "Apply the highstate instead" in undone.stdout + undone.stderr


def contents(tree: Tree) -> Tree:
    """Give a tree without the time of what Debian's tools build anew."""
    return {path: (*entry[:3], None, *entry[4:]) for path, entry in tree.items()}


def test_what_sendmail_refuses_is_not_given_back(stock: Tree, applied: Any) -> None:
    CF.write_bytes(CF.read_bytes() + b"O NoSuchOption=1\n")
    before = world.tree(inodes=True)
    for test in (True, False):
        assert "NoSuchOption" in world.refused(applied, CLEAN, test=test)
    assert world.differences(before, world.tree(inodes=True)) == []


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
