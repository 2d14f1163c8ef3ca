"""Any earlier state can be had back; backups are few, and closed to everybody but root."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rebuild_world as world
from rebuild_world import CF, PASSWORD
from support import pristine

BACKUPS = Path("/var/backups/sendmail_james")
KEPT = 10
# What a restart of Debian's sendmail writes anew, from the other files.
MADE_AGAIN = ("/etc/mail/aliases.db", "/etc/aliases.db")


@pytest.fixture
def host(pristine_host: None, minion_call: Any) -> Any:
    """Give a salt-call on a stock host."""
    return minion_call


def pillar(host: str) -> dict[str, Any]:
    """Give a pillar whose relay can be told apart, and that is no loop on this host."""
    return {"sendmail_james": {"relay": {"host": host, "port": 2525}}}


def relay_command(call: Any, host: str) -> None:
    """Point sendmail at another host from the command line: a change, a backup, no restart."""
    returned = call("sendmail_james.relay", pillar=pillar(host))
    assert returned.returncode == 0, returned


def state() -> world.Tree:
    """Give all of /etc that backups answer for."""
    return world.tree(but=MADE_AGAIN)


def test_every_earlier_state_can_be_had_back(host: Any) -> None:
    names, states = ("one", "two", "three"), [state()]
    for name in names:
        relay_command(host, f"{name}.example.test")
        states.append(state())
    newest_first = host("sendmail_james.backups").data
    ids = [one["id"] for one in reversed(newest_first)]
    assert len(ids) == len(names)
    # from the last state to the second, the first, the last again: also forth, not only back
    for number in (1, 0, 2):
        returned = host("sendmail_james.restore", ids[number], test=True)
        predicted, before = returned.data, state()
        done = host("sendmail_james.restore", ids[number])
        assert done.data == predicted
        assert state() != before
        assert world.differences(states[number], state()) == []


def test_an_unknown_backup_is_refused(host: Any) -> None:
    relay_command(host, "one.example.test")
    before = state()
    returned = host("sendmail_james.restore", "000099-20261123T101500Z")
    assert returned.returncode != 0
    assert "000099-20261123T101500Z" in returned.stdout + returned.stderr
    assert state() == before


def test_backups_are_limited_and_the_first_state_survives_them(host: Any) -> None:
    before = CF.read_bytes()
    for number in range(KEPT + 2):
        relay_command(host, f"number-{number}.example.test")
    assert len(host("sendmail_james.backups").data) == KEPT
    world.apply(host, "sendmail_james.clean")
    assert CF.read_bytes() == before


def test_nobody_but_root_reads_a_backup_or_the_password(host: Any) -> None:
    world.apply(host, world.STEPS, pillar=world.formula(auth=secret("Older-Secret-1")))
    world.apply(host, world.STEPS, pillar=world.formula(auth=secret("Newer-Secret-2")))
    inside = [path for path in (BACKUPS, *BACKUPS.rglob("*")) if path.lstat()]
    assert {oct(path.stat().st_mode) for path in inside if path.is_file()} == {"0o100600"}
    assert {oct(path.stat().st_mode) for path in inside if path.is_dir()} == {"0o40700"}
    assert {(path.stat().st_uid, path.stat().st_gid) for path in inside} == {(0, 0)}
    folders = ("/etc", "/var/backups", "/var/lib", "/var/log", "/run")
    for password in ("Older-Secret-1", "Newer-Secret-2"):
        words = (password, base64.b64encode(password.encode()).decode())
        assert readable_with(words, folders) == []


def secret(password: str) -> dict[str, str]:
    """Give a pillar section auth."""
    return {"username": "sendmail", "password": password}


def readable_with(words: tuple[str, ...], folders: tuple[str, ...]) -> list[str]:
    """Name the files that an ordinary user can read and that hold one of these words."""
    command = ["runuser", "-u", "bob", "--", "grep", "-rlsF"]
    for word in words:
        command += ["-e", word]
    done = subprocess.run([*command, *folders], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def test_the_search_for_a_password_finds_a_planted_one(pristine_host: None) -> None:
    Path("/etc/mail/planted").write_text(f"x {PASSWORD} y")
    assert readable_with((PASSWORD,), ("/etc",)) == ["/etc/mail/planted"]
    Path("/etc/mail/planted").chmod(0o600)
    assert readable_with((PASSWORD,), ("/etc",)) == []
    assert pristine.sendmail_is_stock()
