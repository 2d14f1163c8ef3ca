"""A temporary folder goes with its run, or with the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from james_client.scratch import scratch


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def ended() -> int:
    """Give the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_the_folder_goes_with_its_run(temporary: Path) -> None:
    with scratch() as folder:
        (folder / "file").touch()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next(temporary: Path) -> None:
    left = temporary / f"sendmail_james.{ended()}.abc"
    left.mkdir()
    (left / "sendmail.cf").touch()
    with scratch():
        assert not left.exists()


@pytest.mark.parametrize(
    "name", ["sendmail_james.{alive}.abc", "sendmail_james.x.abc", "other.{ended}.x"]
)
def test_what_is_not_left_by_a_killed_run_stays(temporary: Path, name: str) -> None:
    stays = temporary / name.format(alive=os.getpid(), ended=ended())
    stays.mkdir()
    with scratch():
        assert stays.exists()


def test_a_link_or_a_strangers_folder_is_left_alone(temporary: Path) -> None:
    outside = temporary / "outside"
    outside.mkdir()
    (outside / "file").touch()
    link = temporary / f"sendmail_james.{ended()}.link"
    link.symlink_to(outside)
    with scratch():
        assert link.is_symlink()
    assert (outside / "file").exists()
