#!/usr/bin/python3
"""Run what tells Salts and Pythons apart on each of them, and write the result into README.md.

Usage: matrix.py [CELL]..., such as `matrix.py "Python 3.14" "Salt 3006"`; without a cell, all of
them. README.md is written only after all of them. Not part of `make test`: it takes a while.
"""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cache
import run_tests

README = cache.REPOSITORY / "README.md"
BEGIN, END = "<!-- matrix, by make test-matrix -->", "<!-- end of matrix -->"
AT_ONCE = 2

# Rooms that know neither Salt nor sendmail; what takes long there says nothing about a Python.
ROOMS = ("cf", "mc", "wishes", "files")
LONG = ("files/test_files_kill", "files/test_files_kill_back", "files/test_files_strace")
PURE = (
    *(f"tests/unit/{room}" for room in ROOMS),
    "tests/unit/test_scrub.py",
    *(f"--ignore=tests/unit/{name}.py" for name in LONG),
)
BY_SALT = ("tests/functional", "tests/unit/run", "tests/unit/answers")
SMOKE = ("tests/integration", "-m", "smoke")

#: Pythons that a Debian release has of its own, and those of the jars of org.bytedeco:cpython.
RELEASES = {"3.11": "bookworm", "3.13": "trixie"}
JARS = {"3.10": "3.10.8-1.5.8", "3.12": "3.12.1-1.5.10", "3.14": "3.14.3-1.5.13"}
#: The newest of each older line that still installs on Debian 12.
OLDER_SALTS = ("3006.28", "3007.15")


@dataclass(frozen=True)
class Cell:
    """One interpreter or one Salt, and what is run there."""

    name: str
    what: str
    command: tuple[str, ...]

    def run(self) -> tuple[int, str]:
        """Run it in a host of its own; give the exit code and pytest's closing words."""
        ran = subprocess.run(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        words = closing(ran.stdout)
        print(f"{self.name}: {self.what}: {words}", flush=True)
        if ran.returncode:
            print(ran.stdout[-20_000:], flush=True)
        return ran.returncode, words


def closing(output: str) -> str:
    """Give the counts of pytest's last line, without the time it took and what is no result."""
    lines = re.findall(r"(?m)^=* ?(\d+ (?:passed|failed|error|skipped).*?) in [\d.]+s", output)
    counts = re.findall(r"\d+ (?:passed|failed|errors?|skipped)\b", lines[-1] if lines else "")
    return ", ".join(counts) or "did not run"


def python_item(minor: str) -> cache.Item:
    """Give the cache's item with the interpreter of a jar."""
    builder, wanted = cache.SUPPORT / "build_python.py", cache.SUPPORT / "requirements.txt"
    command = ("/usr/bin/python3", str(builder), JARS[minor], str(wanted))
    return cache.Item(f"python/{minor}", (builder, wanted, JARS[minor]), command)


def made(item: cache.Item) -> Path:
    """Give an item's folder, which is made where it is missing."""
    with cache.locked(cache.CACHE, exclusive=True):
        if not item.ready:
            item.build(cache.CACHE / "log" / (item.name.replace("/", "-") + ".log"))
    return item.path


def pytest(*arguments: str) -> tuple[str, ...]:
    """Give a command that runs tests by the Python that a host has on its path."""
    return ("--", "python", "-m", "pytest", "-q", *arguments)


def python_cell(minor: str) -> Cell:
    """Give the cell of one Python."""
    with_host = (str(run_tests.HOST), "with")
    if minor in RELEASES:
        release = RELEASES[minor]
        name = f"Python {minor}, of Debian's {release}"
        return Cell(name, "rooms", (*with_host, "--release", release, *pytest(*PURE)))
    tests = " ".join(PURE)
    # by ldconfig, not by a variable that programs which tests start would inherit
    script = f"ldconfig /srv/shared && exec /srv/shared/bin/python{minor} -m pytest -q {tests}"
    shared = ("--shared", str(made(python_item(minor))))
    name = f"Python {JARS[minor].partition('-')[0]}"
    return Cell(name, "rooms", (*with_host, *shared, "--", "sh", "-c", script))


def salt_cells(version: str) -> list[Cell]:
    """Give the cells of one Salt, on Debian 12's Python."""
    with_host = (str(run_tests.HOST), "with", "--salt", version)
    made(cache.salt_layer("bookworm", version))
    name = f"Salt {version}, Python 3.11"
    return [
        Cell(name, "functional", (*with_host, *pytest(*BY_SALT))),
        Cell(name, "integration", (*with_host, *pytest(*SMOKE))),
    ]


def all_cells() -> list[Cell]:
    """Give all cells, the long ones first."""
    salts = (*OLDER_SALTS, cache.SALT)
    slow = [cell for version in salts for cell in salt_cells(version)]
    pythons = sorted({*RELEASES, *JARS}, key=lambda minor: int(minor.split(".")[1]))
    return [
        *sorted(slow, key=lambda cell: cell.what, reverse=True),
        *map(python_cell, pythons),
    ]


def table(day: str, cells: Sequence[Cell], results: Sequence[str]) -> str:
    """Give README's block: each cell with what it ended with."""
    rows = [f"Last run: {day}.\n", "| on | what | |", "| --- | --- | --- |"]
    rows += sorted(
        f"| {cell.name} | {cell.what} | {words} |"
        for cell, words in zip(cells, results, strict=True)
    )
    return "\n".join([BEGIN, "", *rows, "", END])


def main() -> int:
    wanted = sys.argv[1:]
    cells = [c for c in all_cells() if not wanted or any(word in c.name for word in wanted)]
    if not cells:
        raise SystemExit(f"no cell {', '.join(wanted)}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(Cell.run, cells))
    if not wanted:
        block = table(datetime.date.today().isoformat(), cells, [words for _, words in done])
        text = re.sub(f"{BEGIN}.*?{END}", lambda _: block, README.read_text(), flags=re.DOTALL)
        README.write_text(text)
    return 1 if any(code for code, _ in done) else 0


if __name__ == "__main__":
    sys.exit(main())
