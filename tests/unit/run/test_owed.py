"""A restart is owed until it is seen to have worked, and excused while its run lives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import run_world
from james_client.run import owed
from james_client.run.plan import Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Give a plan whose memory is in a folder of the test's."""
    return run_world.plan(state_dir=str(tmp_path))


@pytest.fixture
def run() -> Iterator[psutil.Process]:
    """Give a process that stands for a run."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield psutil.Process(started.pid)


def owes(plan: Plan, run: psutil.Process, started: float) -> Path:
    """Have a run owe a restart."""
    path = owed.state_file(plan, owed.RESTART)
    path.write_text(f"run of pid {run.pid} started {started:.2f}\n")
    return path


def test_a_run_that_lives_is_under_way(plan: Plan, run: psutil.Process) -> None:
    path = owes(plan, run, run.create_time())
    assert owed.is_owed(plan) and owed.is_under_way(plan)
    assert owed.text(plan) == "", "that is no reason"
    os.utime(path, (time.time() - 3600,) * 2)
    assert not owed.is_under_way(plan), "it hangs"


def test_a_run_that_has_ended_is_not(plan: Plan, run: psutil.Process) -> None:
    owes(plan, run, run.create_time() - 60)
    assert not owed.is_under_way(plan), "another process has its pid"
    owes(plan, run, run.create_time())
    run.kill()
    run.wait()
    assert owed.is_owed(plan) and not owed.is_under_way(plan)


def test_who_asks_is_no_run_and_a_reason_excuses_nothing(plan: Plan) -> None:
    assert not owed.is_under_way(plan)
    owed.owe(plan)
    mark = owed.state_file(plan, owed.RESTART)
    started = psutil.Process().create_time()
    assert mark.read_text() == f"run of pid {os.getpid()} started {started:.2f}\n"
    assert mark.stat().st_mode & 0o777 == 0o600
    assert not owed.is_under_way(plan)
    owed.blame(plan, "no such option")
    assert (owed.text(plan), owed.is_under_way(plan)) == ("no such option", False)
    owed.owe(plan)
    assert owed.text(plan) == "", "it is tried again"
    owed.owe(plan, owed.VERIFICATION)
    assert owed.state_file(plan, owed.VERIFICATION).read_text() == ""
