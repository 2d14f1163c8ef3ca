"""
A run killed before and after each of its calls into the system leaves each file old or new.

By default at every call that changes something; with ``CAMPAIGN=1`` in the environment at those
that only look, too (some 5,000 kills, a few minutes).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from files_world import NEW, World
from james_client.files import back as files_back
from james_client.files import place as files_place
from james_client.files import renames as files_renames
from kill_points import killed


def campaign(folder: Path, task: Callable[[World], object]) -> int:
    """Kill the task before and after each call and check what is left; give the kills."""
    for number in itertools.count():
        world = World(folder / str(number)).build()
        first = world.states()
        if not killed(lambda world=world: task(world), 1 + number // 2, bool(number % 2)):
            return number
        world.assert_whole()
        assert all(backup.paths for backup in files_back.backups(world.backups))
        world.assert_goes_on()
        assert world.states() == first
    raise AssertionError


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "second name"])
def test_placing_survives_a_kill_at_every_call(tmp_path, monkeypatch, exchange) -> None:
    if not exchange:
        monkeypatch.setattr(files_renames, "_renameat2", lambda *_: False)
    assert campaign(tmp_path, World.place) >= 100


def test_going_back_survives_a_kill_at_every_call(tmp_path) -> None:
    for number in itertools.count():
        world = World(tmp_path / str(number)).build()
        first = world.states()
        world.place()

        def back(world: World = world) -> None:
            files_back.restore_first(world.backups, **world.call)

        if not killed(back, 1 + number // 2, bool(number % 2)):
            break
        world.assert_whole()
        back()
        assert world.states() == first
        assert world.litter() == []
    assert number >= 100


def test_a_plain_write_is_caught_by_the_same_checks(tmp_path) -> None:
    def plain(world: World) -> None:
        for name in ("knobs", "auth", "cf"):
            fd = os.open(world.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.write(fd, NEW[name] or b"")
            os.close(fd)

    with pytest.raises(AssertionError, match=r"neither old nor new|pa55word|\['"):
        campaign(tmp_path, plain)


def test_the_wrong_order_is_caught_by_the_same_checks(tmp_path) -> None:
    def backwards(world: World) -> None:
        turned = world.candidates()[::-1]
        files_place.place(turned, world.backups, **world.call)

    with pytest.raises(AssertionError, match="no prefix"):
        campaign(tmp_path, backwards)
