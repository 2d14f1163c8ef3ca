"""Reading holds still only for a file at rest, follows nothing, and leaves nothing open."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from files_world import OLD, World
from james_client.files import snapshot as files_snapshot
from james_client.files.candidate import Candidate, check
from james_client.files.snapshot import Snapshot, read
from james_client.files.walk import FilesError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path).build()


def before(
    monkeypatch: pytest.MonkeyPatch, call: str, times: int, act: Callable[[], object]
) -> None:
    """Let somebody act right before a system call of ours, the first few times."""
    real = getattr(os, call)
    left = [times]

    def late(*args: object, **more: object) -> object:
        if left[0] and (call != "open" or args[0] == "cf"):
            left[0] -= 1
            act()
        return real(*args, **more)

    monkeypatch.setattr(files_snapshot.os, call, late)


def swap(path: Path, plant: Callable[[Path], object]) -> None:
    path.unlink()
    plant(path)


@pytest.mark.parametrize(
    ("plant", "said"),
    [(lambda path: path.symlink_to("/etc/passwd"), "a symlink"), (os.mkfifo, "a FIFO")],
)
def test_what_is_swapped_in_right_before_it_is_opened_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[Path], object], said: str
) -> None:
    path = world.path("cf")
    before(monkeypatch, "open", 1, lambda: swap(path, plant))
    with pytest.raises(FilesError, match=f"cf: found {said}"):
        read(path)


def test_a_file_that_is_written_while_it_is_read_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.path("cf")
    before(monkeypatch, "read", 1, lambda: path.write_bytes(b"whole and new\n"))
    assert read(path).data == b"whole and new\n"


def test_a_file_that_never_rests_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.path("cf")

    def write() -> None:
        with path.open("ab") as stream:
            stream.write(b"more\n")

    before(monkeypatch, "fstat", 99, write)
    with pytest.raises(FilesError, match="cf: changed 5 times while it was read"):
        read(path)


def test_a_third_name_is_a_hard_link_even_beside_our_own(world: World) -> None:
    path = world.path("cf")
    (world.etc / ".sendmail_james").mkdir(mode=0o700)
    os.link(path, world.etc / ".sendmail_james" / "cf.new")
    assert read(path).data == OLD["cf"]
    os.link(path, world.root / "third")
    with pytest.raises(FilesError, match="a file with 3 names"):
        read(path)


def test_a_system_users_file_is_not_roots(world: World) -> None:
    os.chown(world.path("cf"), 1, 1)
    with pytest.raises(FilesError, match="a file of uid 1"):
        check([Candidate(read(world.path("cf")), b"x\n")])


def test_a_new_file_is_readable_by_all_unless_it_is_secret() -> None:
    assert Candidate(Snapshot("/a"), b"x").wanted.mode == 0o644
    assert Candidate(Snapshot("/a"), b"x", secret=True).wanted.mode == 0o600


def test_nothing_stays_open(world: World) -> None:
    def opened() -> set[str]:
        return set(os.listdir("/proc/self/fd"))  # noqa: PTH208

    read(world.path("cf"))
    known = opened()
    world.place()
    (world.root / "link").symlink_to("/etc/passwd")
    for path in (world.root / "link", world.etc / "nowhere" / "x", world.root / "link" / "x"):
        with pytest.raises(FilesError):
            read(path)
    assert opened() == known
