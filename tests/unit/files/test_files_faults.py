"""Full disks, read-only file systems, immutable files, failing renames: old files stay whole."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from files_world import FIRST, NEW, OLD, World, mount, with_private_mounts
from james_client.files import back as files_back
from james_client.files import place as files_place
from james_client.files import renames as files_renames
from james_client.files.backups import Store
from james_client.files.renames import NotPutBack
from james_client.files.walk import STAGE, FilesError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems: needs root")

FS_IOC_SETFLAGS, IMMUTABLE, APPEND_ONLY = 0x40086602, 0x10, 0x20


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path).build()


def on_tmpfs(tmp_path: Path, folder: str, options: str) -> World:
    """Build a host of which one directory is a small file system of its own."""
    (tmp_path / folder).mkdir(mode=0o700)
    mount("-t", "tmpfs", "-o", options, "tmpfs", tmp_path / folder)
    world = World(tmp_path)
    if folder == "etc":
        spare = World(tmp_path / "spare").build()
        for name in ("cf", "stale"):
            (world.etc / name).write_bytes((spare.etc / name).read_bytes())
        (world.root / "default").mkdir()
        (world.root / "default" / "knobs").write_bytes(OLD["knobs"])
    else:
        world.build()
    return world


@pytest.mark.parametrize("folder", ["etc", "backups"])
def test_a_full_disk_costs_nothing(tmp_path, folder) -> None:
    """Leave one page more each time until the run succeeds: the disk fills up at every write."""

    def task() -> None:
        world = on_tmpfs(tmp_path, folder, "size=160k,mode=0700")
        failures = 0
        for pages in range(40):
            fill(world.root / folder, pages)
            try:
                world.place()
                break
            except FilesError as err:
                failures += 1
                assert str(world.root / folder) in str(err)
                assert "No space left" in str(err)
            assert world.contents() == FIRST
            assert not (world.etc / STAGE).exists()
            assert files_back.backups(world.backups) == []
        assert failures > 1
        assert world.contents() == NEW
        (world.root / folder / "filler").unlink()
        files_back.restore_first(world.backups, **world.call)
        assert world.contents() == FIRST
        assert [p for p in world.litter() if "spare" not in p] == []

    with_private_mounts(task)


def fill(folder: Path, pages_left: int) -> None:
    filler = folder / "filler"
    filler.unlink(missing_ok=True)
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while os.write(fd, bytes(4096)):
            continue
    except OSError as err:
        assert err.errno == errno.ENOSPC
    finally:
        os.ftruncate(fd, max(os.fstat(fd).st_size - 4096 * pages_left, 0))
        os.close(fd)


def test_a_plain_write_on_a_full_disk_loses_the_file(tmp_path) -> None:
    def task() -> None:
        world = on_tmpfs(tmp_path, "etc", "size=160k,mode=0700")
        fill(world.etc, 0)
        # The truncated file frees its page; what is larger than that does not fit.
        with pytest.raises(OSError, match="No space"), world.path("cf").open("wb") as stream:
            stream.write(bytes(1 << 20))
        assert world.path("cf").read_bytes() != OLD["cf"]

    with_private_mounts(task)


@pytest.mark.parametrize("folder", ["etc", "backups", "default"])
def test_a_read_only_file_system_is_named(tmp_path, folder) -> None:
    def task() -> None:
        world = World(tmp_path).build()
        world.backups.mkdir(mode=0o700)
        mount("--bind", world.root / folder, world.root / folder)
        mount("-o", "remount,ro,bind", world.root / folder)
        with pytest.raises(FilesError, match=f"{folder}.*Read-only file system"):
            world.place()
        assert world.contents() == FIRST
        assert world.litter() == []

    with_private_mounts(task)


def test_a_file_that_is_a_mount_of_its_own_is_named(tmp_path) -> None:
    """As containers like to do it: such a file cannot be replaced."""

    def task() -> None:
        world = World(tmp_path).build()
        (tmp_path / "outside").write_bytes(OLD["cf"])
        mount("--bind", tmp_path / "outside", world.path("cf"))
        with pytest.raises(
            FilesError, match=r"cf: cannot be put in place: .*busy\nput back: .*kno"
        ):
            world.place()
        assert world.contents() == FIRST

    with_private_mounts(task)


@pytest.mark.parametrize(("flag", "word"), [(IMMUTABLE, "immutable"), (APPEND_ONLY, "append-only")])
def test_a_frozen_file_is_named_before_anything_is_written(world, flag, word) -> None:
    set_flag(world.path("cf"), flag)
    try:
        with pytest.raises(FilesError, match=f"cf: found it {word}, wanted a file that may be"):
            world.place()
    finally:
        set_flag(world.path("cf"), 0)
    assert world.contents() == FIRST
    assert not world.backups.exists()
    world.place()


def test_an_immutable_directory_is_named(world) -> None:
    set_flag(world.etc, IMMUTABLE)
    try:
        with pytest.raises(FilesError, match=f"{STAGE}: .*Operation not permitted"):
            world.place()
    finally:
        set_flag(world.etc, 0)
    assert world.contents() == FIRST
    assert world.litter() == []


def set_flag(path: Path, flag: int) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, flag.to_bytes(8, "little"))
    except OSError as err:
        pytest.skip(f"no file flags on this file system: {err}")
    finally:
        os.close(fd)


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "second name"])
@pytest.mark.parametrize("call", ["rename", "link", "unlink", "fsync"])
@pytest.mark.parametrize("at", range(1, 12))
def test_a_failure_in_the_middle_puts_back(world, monkeypatch, call, at, exchange) -> None:
    """Fail the at-th call while files are renamed; the very same files must be there afterwards."""
    if not exchange:
        monkeypatch.setattr(files_renames, "_renameat2", lambda *_: False)
    first = world.states()
    calls = fail_once_renaming(monkeypatch, call, at)
    try:
        world.place()
        assert len(calls) < at, "the failure was swallowed"
        assert world.contents() == NEW
    except FilesError as err:
        assert "Input/output error" in str(err)
        assert world.states() == first
        assert files_back.backups(world.backups) == []
        assert files_back.status(world.backups) == {}
    assert world.litter() == []


def fail_once_renaming(monkeypatch, name: str, at: int) -> list[int]:
    """Let ``os.name`` fail with EIO at its at-th call after the renames began; give the calls."""
    calls: list[int] = []
    real, real_rename = getattr(os, name), files_renames._rename_all

    def failing(*args, **kwargs):
        calls.append(1)
        if len(calls) == at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*args, **kwargs)

    def begun(staged):
        monkeypatch.setattr(os, name, failing)
        try:
            real_rename(staged)
        finally:
            monkeypatch.setattr(os, name, real)

    monkeypatch.setattr(files_renames, "_rename_all", begun)
    return calls


def test_an_exchange_that_fails_is_told_with_what_was_put_back(world, monkeypatch) -> None:
    fail_exchange(monkeypatch, "cf", lasting=False)
    with pytest.raises(FilesError, match=r"cf: cannot be .*Input/output error\nput back: .*auth, "):
        world.place()
    assert world.contents() == FIRST


def test_what_cannot_be_put_back_is_named_and_in_the_backup(world, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        fail_exchange(patch, "cf", lasting=True)
        with pytest.raises(NotPutBack, match=r"knobs: could not be put back .*newest backup"):
            world.place()
    assert world.path("knobs").read_bytes() == NEW["knobs"]
    assert not world.path("auth").exists()
    newest = files_back.backups(world.backups)[-1]
    files_back.restore(world.backups, newest.id, **world.call)
    assert world.contents() == FIRST
    assert world.litter() == []


def fail_exchange(monkeypatch, name: str, *, lasting: bool) -> None:
    real, failed = files_renames._renameat2, []

    def failing(old_fd: int, old: str, new_fd: int, new: str) -> bool:
        if new == name or (lasting and failed):
            failed.append(new)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(old_fd, old, new_fd, new)

    monkeypatch.setattr(files_renames, "_renameat2", failing)


def test_what_somebody_changed_meanwhile_is_not_put_back(world, monkeypatch) -> None:
    real = files_renames._renameat2

    def failing(old_fd: int, old: str, new_fd: int, new: str) -> bool:
        if new == "cf":
            world.path("knobs").write_bytes(b"edited between two renames\n")
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(old_fd, old, new_fd, new)

    monkeypatch.setattr(files_renames, "_renameat2", failing)
    with pytest.raises(NotPutBack, match="knobs: was put in place and then changed by somebody"):
        world.place()
    assert world.path("knobs").read_bytes() == b"edited between two renames\n"


def test_an_interrupt_puts_back(world, monkeypatch) -> None:
    def interrupted(*args: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(files_renames, "_renameat2", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.place()
    assert world.contents() == FIRST
    assert world.litter() == []


def test_a_full_backup_disk_after_the_renames_is_no_failure(world, monkeypatch) -> None:
    real = Store.write_ledger
    calls = []

    def second_fails(self, ledger) -> None:
        calls.append(ledger)
        if len(calls) == 2:
            raise FilesError("no space left")
        real(self, ledger)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write_ledger", second_fails)
        world.place()
    assert world.contents() == NEW
    assert set(files_back.status(world.backups).values()) == {"as placed"}
    files_back.restore_first(world.backups, **world.call)
    assert world.contents() == FIRST


def test_sweep_removes_what_a_killed_run_left(world) -> None:
    world.place()
    for folder in (world.etc, world.root / "default"):
        (folder / STAGE).mkdir(mode=0o700)
        (folder / STAGE / "cf.new").write_bytes(b"half")
    (world.backups / ".new-000009-20200101T000000Z").mkdir()
    (world.backups / "first" / ".ledger.json").write_bytes(b"half")
    files_place.sweep([str(world.path("cf"))], world.backups, **world.call)
    assert world.litter() == []
    assert world.contents() == NEW


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL])
@pytest.mark.parametrize("known", [True, False])
def test_where_the_system_cannot_exchange_a_second_name_does(
    world: World, monkeypatch, known, code
) -> None:
    def library(*_, **__) -> SimpleNamespace:
        return SimpleNamespace(renameat2=lambda *_: -1) if known else SimpleNamespace()

    monkeypatch.setattr(files_renames.ctypes, "CDLL", library)
    monkeypatch.setattr(files_renames.ctypes, "get_errno", lambda: code)
    world.place()
    assert world.contents() == NEW
    assert world.litter() == []
