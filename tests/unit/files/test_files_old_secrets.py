"""A secret that is live no more is in no backup; what was others' stays."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from files_world import FIRST, NEW, SECRET, World, forked
from james_client.files import back as files_back
from james_client.files import old_secrets
from james_client.files import snapshot as files_snapshot
from james_client.files.backups import Store
from james_client.files.walk import FilesError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root")

SECOND, THIRD = b"user\nsecond-pa55word\n", b"user\nthird-pa55word\n"
THEIRS = b"their own login, of before us\n"


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path).build()


def drop(world: World) -> None:
    old_secrets.drop(world.backups, lambda data: b"pa55word" in data, **world.call)


def restore(world: World, backup_id: str, **more: object) -> dict[str, dict[str, object]]:
    return files_back.restore(world.backups, backup_id, **world.call, **more)


def places(world: World, data: bytes) -> list[str]:
    """Name the files below the world that hold a secret."""
    found = [path for path in world.root.rglob("*") if path.is_file()]
    return [str(path) for path in found if data in path.read_bytes()]


def rotate(world: World, *secrets: bytes) -> list[str]:
    """Place all, then one secret after the other; give the ids of the backups."""
    world.place()
    for secret in secrets:
        world.place({"auth": secret})
    return [one.id for one in files_back.backups(world.backups)]


def test_an_old_secret_is_nowhere(world) -> None:
    rotate(world, SECOND, THIRD)
    assert places(world, SECRET) and places(world, SECOND)  # the twin: they lie in the backups
    drop(world)
    assert places(world, SECRET) == places(world, SECOND) == []
    assert places(world, THIRD) == [str(world.path("auth"))]
    assert world.litter() == []


def test_the_first_state_of_the_others_stays_and_comes_back(world) -> None:
    world.path("auth").write_bytes(THEIRS)
    world.path("auth").chmod(0o600)
    rotate(world, SECOND)
    drop(world)
    assert places(world, SECRET) == []
    files_back.restore_first(world.backups, **world.call)
    assert world.path("auth").read_bytes() == THEIRS
    drop(world)
    assert places(world, SECOND) == []


def test_a_restore_keeps_the_live_secret_and_says_so(world) -> None:
    *_, newest = rotate(world, SECOND)
    world.place({"cf": b"later\n"})
    drop(world)
    foretold = restore(world, newest, test=True)
    assert restore(world, newest) == foretold
    auth, cf = (str(world.path(name)) for name in ("auth", "cf"))
    assert foretold.keys() == {auth, cf}
    assert "stays as it is" in str(foretold[auth]["kept"])
    assert world.contents() == {**NEW, "auth": SECOND}


def test_a_restore_to_before_the_secret_takes_it_away(world) -> None:
    first, *_ = rotate(world, SECOND)
    drop(world)
    restore(world, first)
    assert world.contents() == FIRST
    drop(world)
    assert places(world, SECOND) == []


def test_no_restore_brings_a_cf_without_its_secret(world) -> None:
    first, second = rotate(world, SECOND)
    restore(world, first)
    drop(world)
    before = world.snapshot_tree()
    newest = files_back.backups(world.backups)[-1].id
    for backup_id in (second, newest):
        for more in ({}, {"test": True}, {"force": True}):
            with pytest.raises(FilesError, match=r"/auth: the password of then .* highstate"):
                restore(world, backup_id, **more)
    before.pop(str(world.root))  # the lock file's folder
    assert {**before, **world.snapshot_tree()} == world.snapshot_tree()


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_what_others_wrote_there_stays_unless_it_has_our_form(world, mode: int) -> None:
    rotate(world)
    for found in (b"an admin's own map\n", b"user\nby-hand-pa55word\n"):
        world.path("auth").write_bytes(found)
        world.path("auth").chmod(mode)
        world.place({"auth": SECRET})
    drop(world)
    assert len(places(world, b"an admin's own map")) == 1
    assert places(world, b"by-hand") == []


def test_a_mode_that_others_changed_hides_no_secret_of_ours(world) -> None:
    rotate(world)
    world.path("auth").chmod(0o640)
    world.place({"auth": SECOND})
    drop(world)
    assert places(world, SECRET) == []


def test_what_is_live_elsewhere_stays(world) -> None:
    """Two files may hold one password; the backup of one holds what is live in the other."""
    rotate(world, SECOND)
    world.path("drop-in").write_bytes(SECRET)
    ledger = Store(world.backups).ledger()
    record = ledger[str(world.path("drop-in"))]
    ledger[str(world.path("drop-in"))] = replace(record, secret=True)
    Store(world.backups).write_ledger(ledger)
    drop(world)
    assert len(places(world, SECRET)) == 2


def test_where_nothing_is_to_drop_nothing_is_written(world) -> None:
    drop(world)
    assert not world.backups.exists()
    rotate(world, SECOND)
    drop(world)
    before = {path: state for path, state in world.snapshot_tree().items() if "lock" not in path}
    drop(world)
    assert {path: world.snapshot_tree()[path] for path in before} == before


def test_a_damaged_backup_keeps_no_secret_either(world) -> None:
    *_, newest = rotate(world, SECOND)
    for text in ("{", '{"format": 1, "files": [{"secret": true, "sha256": "x"}]}'):
        Path(world.backups, newest, "manifest.json").write_text(text)
        Path(world.backups, newest, "planted").write_bytes(SECRET)
        drop(world)
        assert places(world, SECRET) == []


def killed_at(world: World, module: object, name: str, at: int) -> bool:
    """Drop in a child that kills itself as it enters the AT-th call of a function."""
    real: Callable[..., object] = getattr(module, name)
    calls = 0

    def counted(*arguments: object, **keywords: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **keywords)

    def task() -> None:
        setattr(module, name, counted)
        drop(world)

    return os.WIFSIGNALED(forked(task))


@pytest.mark.parametrize(
    ("name", "at"), [("rename", 1), ("rename", 2), *(("unlink", at) for at in range(1, 5))]
)
def test_the_next_run_ends_what_a_kill_broke_off(world, name: str, at: int) -> None:
    *_, newest = rotate(world, SECOND, THIRD)
    assert killed_at(world, Path, name, at)
    for one in files_back.backups(world.backups):
        assert one.paths, "a backup can be read after a kill"
    restore(world, newest, test=True)
    drop(world)
    assert places(world, SECRET) == places(world, SECOND) == []
    assert world.litter() == []


def test_a_backup_of_another_run_is_whole_after_it(world) -> None:
    first, *_ = rotate(world, SECOND)
    drop(world)
    entries = {entry.before.path: entry for entry in Store(world.backups).load(first)[1]}
    assert entries[str(world.path("cf"))].before.data == FIRST["cf"]
    assert not any(entry.dropped for entry in entries.values())
    assert files_snapshot.read(world.path("auth")).data == SECOND
    rotated = partial(Store(world.backups).load, files_back.backups(world.backups)[-1].id)
    assert [entry.dropped for entry in rotated()[1]] == [True]
