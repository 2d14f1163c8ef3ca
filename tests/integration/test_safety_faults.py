"""A file system that refuses: a clear error, each file as it was; the next highstate goes on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from forked_salt import ForkedSalt
from safety_host import (
    PILLAR,
    STEPS,
    Worlds,
    contents,
    exposed,
    failed,
    litter,
    temporary,
    write_pillar,
)
from support import leaks, pristine

LIVE = "The configuration is proved and live"
MAIL = "/etc/mail"


@pytest.fixture(scope="module")
def salt(minion: Any, pillar_folder: Path) -> ForkedSalt:
    """Give a masterless Salt in forks, with the pillar that holds the password."""
    write_pillar(pillar_folder, PILLAR)
    return ForkedSalt(minion.config_file)


@pytest.fixture
def worlds(salt: ForkedSalt, pristine_host: None, pillar_folder: Path) -> Worlds:
    """Give the host as it was at first."""
    write_pillar(pillar_folder, PILLAR)
    return Worlds(salt, contents())


@contextmanager
def mounted(path: str, *command: str) -> Iterator[None]:
    """Mount something over a folder for a while."""
    pristine.run("mount", *command)
    try:
        yield
    finally:
        pristine.run("umount", "--lazy", path)


@contextmanager
def full(path: str, room: int) -> Iterator[None]:
    """Move a folder to a file system with ROOM kB left for a while."""
    Path(path).mkdir(parents=True, exist_ok=True)
    used = int(pristine.run("du", "-sk", path).split()[0])
    with mounted("/mnt", "-t", "tmpfs", "-o", f"size={used + room + 64}k", "tmpfs", "/mnt"):
        pristine.run("rsync", "-aAX", f"{path}/", "/mnt/")
        subprocess.run(["dd", "if=/dev/zero", "of=/mnt/filler"], capture_output=True, check=False)
        filler = Path("/mnt/filler")
        with filler.open("r+b") as stream:
            stream.truncate(max(0, filler.stat().st_size - room * 1024))
        with mounted(path, "--bind", "/mnt", path):
            yield


@contextmanager
def read_only(path: str) -> Iterator[None]:
    """Let nothing be written in a folder for a while."""
    Path(path).mkdir(parents=True, exist_ok=True)
    with mounted(path, "--bind", path, path):
        pristine.run("mount", "-o", "remount,bind,ro", path)
        yield


FAULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "no room in /etc/mail": (lambda: full(MAIL, 60), "No space left"),
    "no room for the backup": (lambda: full("/var/backups", 20), "No space left"),
    "/etc/mail is read-only": (lambda: read_only(MAIL), "Read-only file system"),
    "backups are read-only": (lambda: read_only("/var/backups"), "Read-only file system"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refusing_file_system_changes_nothing(worlds: Worlds, fault: str) -> None:
    since, before = time.time(), temporary()
    with ExitStack() as stack:
        stack.enter_context(FAULTS[fault][0]())
        result = worlds.salt.call("state.apply", STEPS)
        wrong = failed(result)
        if FAULTS[fault][1]:
            assert FAULTS[fault][1] in wrong[LIVE], wrong
            now = {name: data for name, data in contents().items() if name in worlds.old}
            assert now == worlds.old
        assert leaks.shown(str(result)) == []
        assert exposed(since) == {}
    if FAULTS[fault][1]:
        assert worlds.mixture() == []
    worlds.apply()
    assert litter(before) == []


def test_an_immutable_file_changes_nothing(worlds: Worlds) -> None:
    pristine.run("chattr", "+i", f"{MAIL}/sendmail.cf")
    try:
        wrong = failed(worlds.salt.call("state.apply", STEPS))
        assert f"{MAIL}/sendmail.cf" in wrong[LIVE]
        assert worlds.mixture() == []
    finally:
        pristine.run("chattr", "-i", f"{MAIL}/sendmail.cf")
    worlds.apply()
