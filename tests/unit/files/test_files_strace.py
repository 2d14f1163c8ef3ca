"""
A run killed by strace as it enters a system call leaves each file old or new.

Unlike the fault points of test_files_kill, this sees what Python itself asks of the kernel. By
default a sample; with ``CAMPAIGN=1`` in the environment every call (some 1,500 kills).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from files_world import EVERY_CALL, World
from james_client.files import back as files_back

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root"),
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed"),
]

HERE = Path(__file__).parents[1]
RUN = f"""
import os, sys
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parents[1] / "_utils")!r}]
from pathlib import Path
from files_world import World
os.sched_yield()
World(Path(sys.argv[1])).place()
os.sched_yield()
"""
CHANGING = re.compile(r"(rename|link|unlink|mkdir|rmdir|write|pwrite|fsync|fch|chmod|ftrunc|utime)")
IGNORED = {"sched_yield", "exit_group", "munmap"}
SAMPLE = 3  # take one call in so many


def traced(world: World, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = ["strace", "-qq", *options, sys.executable, "-B", "-c", RUN, str(world.root)]
    return subprocess.run(command, capture_output=True, check=False)


def counted(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Give how often each system call is made before the run and in it."""
    log = folder / "log"
    done = traced(World(folder / "count").build(), "-o", str(log))
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^(\w+)\(", log.read_text(errors="replace"), re.MULTILINE)
    start = names.index("sched_yield")
    end = names.index("sched_yield", start + 1)
    return Counter(names[:start]), Counter(names[start + 1 : end])


def fault_points(before: Counter[str], within: Counter[str]) -> Iterator[tuple[str, int]]:
    number = 0
    for name, count in sorted(within.items()):
        if name in IGNORED or not (EVERY_CALL or CHANGING.match(name)):
            continue
        for at in range(1, count + 1):
            number += 1
            if EVERY_CALL or number % SAMPLE == 0:
                yield name, before[name] + at


def test_placing_survives_a_kill_at_system_calls(tmp_path) -> None:
    kills = 0
    for call, at in fault_points(*counted(tmp_path)):
        world = World(tmp_path / f"{call}-{at}").build()
        first = world.states()
        inject = f"inject={call}:signal=KILL:when={at}"
        done = traced(world, "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        kills += done.returncode != 0
        world.assert_whole()
        assert all(backup.paths for backup in files_back.backups(world.backups))
        world.assert_goes_on()
        assert world.states() == first
    assert kills >= (1000 if EVERY_CALL else 10)
    print(f"{kills} kills")
