"""A way back that is killed is finished by the next one, and leaves nothing with a password."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from files_world import SECRET, World
from james_client.files import back as files_back
from james_client.run import live, owed
from james_client.run.plan import Plan
from kill_points import killed


def plan(world: World) -> Plan:
    """Give what the way back asks of a plan."""
    facts = {"backups": world.backups, "lock": world.root / "lock", "state_dir": world.root / "var"}
    none = {"generated": (), "sendmail": "/nonexistent"}
    none |= dict.fromkeys(("cf", "mc", "submit_cf", "submit_mc"), "")
    no_mc = {"managed_mcs": list, "rebuildable_mcs": list, "generated": list}
    no_mc["ledger"] = lambda: {"a file": "was placed"}
    return cast(Plan, SimpleNamespace(platform=SimpleNamespace(**facts, **none), **no_mc))


def clean(world: World) -> None:
    live.go_back(plan(world), holder="a test", test=False)


def restore(world: World) -> None:
    oldest = files_back.backups(world.backups)[0].id
    live.restore(plan(world), oldest, holder="a test", test=False)


def secrets(world: World) -> list[str]:
    """Name the files with a password, but for the numbered backups, which are kept."""
    kept = [world.backups / one.id for one in files_back.backups(world.backups)]
    return [
        str(path)
        for path in world.root.rglob("*")
        if path.is_file() and path.parent not in kept and SECRET in path.read_bytes()
    ]


@pytest.mark.parametrize("way", [clean, restore])
def test_the_next_one_finishes_it(tmp_path: Path, way: Callable[[World], None]) -> None:
    forgotten: list[Any] = []
    for number in itertools.count():
        world = World(tmp_path / str(number)).build()
        first = world.states()
        world.place()
        assert secrets(world)
        if not killed(lambda world=world: way(world), 1 + number // 2, bool(number % 2)):
            break
        world.assert_whole()
        changed = world.states() == first
        forgotten.append(changed and not owed.is_owed(plan(world)))
        way(world)
        assert world.states() == first
        assert (number, world.litter()) == (number, [])
        assert (number, secrets(world)) == (number, [])
        if way is clean:
            left = [path.name for path in (world.backups / "first").iterdir()]
            assert (number, left) == (number, ["ledger.json"])
            assert files_back.status(world.backups) == {}
    assert number >= 100
    assert not any(forgotten)
