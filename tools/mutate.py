#!/usr/bin/python3
"""Change a room's code at random, one place at a time, and count what its unit tests notice.

  mutate.py ROOM [SAMPLE [SEED]]

ROOM may also be a module of the ground floor, such as scrub. Runs in a disposable host, on a copy;
SAMPLE (default 200) mutants are drawn from all that cosmic-ray makes, the same ones for the same
SEED and code. Prints the score and each survivor. `make mutate ROOM=cf` installs cosmic-ray and
starts it. It takes minutes, so it is no part of `make test`; docs/mutation.md has the last figures.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PACKAGE, TESTS = "_utils/james_client", "tests/unit"
TIMEOUT = 120.0  # seconds for one run of the tests
CONFIG = """
[cosmic-ray]
module-path = {modules}
timeout = {timeout}
excluded-modules = []
test-command = "python -m pytest -x -q {tests}"
[cosmic-ray.distributor]
name = "local"
"""
# What says nothing about behaviour: annotations (X | None), and strings that people read.
NO_CHANGE = ("BitOr",)


def cosmic_ray(*arguments: str, folder: Path) -> str:
    """Call cosmic-ray in a folder; CalledProcessError on failure."""
    command = [sys.executable, "-m", "cosmic_ray.cli", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def parts(folder: Path, room: str) -> tuple[list[str], list[str]]:
    """Give the modules of a room, or of the ground floor, and the tests that are theirs alone."""

    def some(*patterns: str) -> list[str]:
        found = [path for pattern in patterns for path in folder.glob(pattern)]
        return sorted(str(path.relative_to(folder)) for path in found)

    modules = some(f"{PACKAGE}/{room}/[!_]*.py", f"{PACKAGE}/{room}.py")
    tests = some(f"{TESTS}/{room}", f"{TESTS}/test_{room}*.py")
    if not modules or not tests:
        raise SystemExit(f"expected a room of {PACKAGE} with tests in {TESTS}, got {room!r}")
    return modules, tests


def draw(session: Path, sample: int, seed: int) -> int:
    """Keep SAMPLE mutants of a session, the same ones for a seed; give how many there were."""
    with sqlite3.connect(session) as store:
        # cosmic-ray names a job at random: the order has to come from the mutants themselves.
        rows = store.execute(
            "select job_id, operator_name from mutation_specs "
            "order by module_path, operator_name, operator_args, occurrence"
        ).fetchall()
        jobs = [job for job, name in rows if not any(word in name for word in NO_CHANGE)]
        kept = set(random.Random(seed).sample(jobs, min(sample, len(jobs))))
        for job, _ in rows:
            if job not in kept:
                store.execute("delete from mutation_specs where job_id = ?", (job,))
                store.execute("delete from work_items where job_id = ?", (job,))
    return len(jobs)


def main() -> int:
    room, *numbers = sys.argv[1:]
    sample, seed = (*map(int, numbers), *(200, 2026)[len(numbers) :])
    modules, tests = parts(TOP, room)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "copy")
        shutil.copytree(TOP, folder, ignore=shutil.ignore_patterns(".git", "__pycache__"))
        config = CONFIG.format(modules=json.dumps(modules), timeout=TIMEOUT, tests=" ".join(tests))
        (folder / "mutate.toml").write_text(config)
        cosmic_ray("init", "mutate.toml", "session", folder=folder)
        total = draw(folder / "session", sample, seed)
        cosmic_ray("baseline", "mutate.toml", folder=folder)
        cosmic_ray("exec", "mutate.toml", "session", folder=folder)
        report(folder / "session", room, total)
    return 0


def report(session: Path, room: str, total: int) -> None:
    """Print what became of a session's mutants."""
    with sqlite3.connect(session) as store:
        rows = store.execute(
            "select module_path, operator_name, start_pos_row, test_outcome, diff, output "
            "from mutation_specs join work_results using (job_id) order by module_path, "
            "start_pos_row"
        ).fetchall()
    survivors = [row for row in rows if "SURVIVED" in str(row[3]).upper()]
    for path, operator, line, _, diff, _ in survivors:
        changed = [
            one for one in (diff or "").splitlines() if one[:1] in "+-" and one[1:2] != one[:1]
        ]
        print(f"{path}:{line} {operator}: " + " => ".join(one.strip() for one in changed))
    killed = sum(str(row[3]).upper().endswith("KILLED") for row in rows)
    share = 100 * killed / len(rows) if rows else 0
    neither = len(rows) - killed - len(survivors)
    print(f"{room}: {total} mutants, {len(rows)} tried, {killed} killed: {share:.0f} %", end="")
    slow = sum(row[5] == "timeout" for row in rows)
    print(f"; {slow} of these by time, {neither} could not be tried")


if __name__ == "__main__":
    sys.exit(main())
