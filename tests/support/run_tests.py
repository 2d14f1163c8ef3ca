#!/usr/bin/python3
"""Run the test suites, each in a disposable host of its own, and sum up what they did.

Usage: run_tests.py [SUITE]... [-- PYTEST-ARGUMENT...]; without a suite, all but those of further
releases, some at a time.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cache

HOST = cache.SUPPORT / "host"
DURATIONS = cache.CACHE / "durations.json"
SILENCE = 10  # seconds after which a line says what is still at work
LINT = "lint"
NO_TESTS = 5  # pytest's exit code where the arguments select none
STARTED = time.monotonic()


@dataclass(frozen=True)
class Suite:
    """Some tests, and the Debian release that they run on; without folders, the linters."""

    name: str
    release: str
    folders: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Give the name under which suites of a kind are asked for together."""
        return self.name.partition("-")[0]

    def command(self, results: Path, extra: Sequence[str], salt: str) -> list[str]:
        """Give the command that runs the suite in a new host and leaves its counts in RESULTS."""
        boot = [str(HOST), "with", "--release", self.release, "--salt", salt]
        boot += [
            "--shared",
            str(results),
            *self.settings,
            *(["--env", "CI=true"] if os.environ.get("CI") == "true" else []),
        ]
        if not self.folders:
            return [*boot, "--", "tests/support/lint"]
        there = [folder for folder in self.folders if (cache.REPOSITORY / folder).exists()]
        counts = ["--junitxml", f"/srv/shared/{self.name}.xml"]
        arguments = self.arguments or ("-v",)
        return [*boot, "--", "python", "-m", "pytest", *there, *arguments, *counts, *extra]


FAST = ("tests/unit", "tests/functional", "tests/oracle")
# Long, and not about what differs between releases: once is enough.
ONCE = (
    "tests/unit/files/test_files_kill",
    "tests/unit/files/test_files_kill_back",
    "tests/unit/files/test_files_strace",
    "tests/unit/cf/test_cf_properties",
    "tests/unit/run/test_whole_machine",
    "tests/unit/wishes/test_settings_hostile",
    "tests/unit/wishes/test_settings_values",
    "tests/unit/test_architecture",
    "tests/unit/test_papers",
    "tests/unit/test_reference",
    "tests/unit/test_release",
    "tests/unit/test_scrub_time",
    "tests/unit/test_support",
    "tests/functional/test_module_errors",
)
# On the other release test_oracle.py edits each variant for some wishes only.
SAMPLED = ("--env", "SAMPLED=1")
SLOW = "tests/integration"
AT_ONCE = 7  # integration tests wait more than they compute


def further_suites() -> list[Suite]:
    """Give the suites of the releases that are only tested when one of them is named."""
    return [Suite(release, release, (SLOW,), ("-m", "smoke")) for release in cache.FURTHER]


def all_suites() -> list[Suite]:
    """Give all suites, long ones first; each file of integration tests has a host of its own."""
    files = sorted((cache.REPOSITORY / SLOW).glob("test_*.py"), key=lambda f: -f.stat().st_size)
    slow = [
        Suite(f"integration-{f.stem.removeprefix('test_')}", "bookworm", (f"{SLOW}/{f.name}",))
        for f in files
    ]
    return [
        Suite("trixie", "trixie", (SLOW,), ("-m", "smoke")),
        Suite("unit", "bookworm", FAST, ("-q",)),
        Suite(
            "trixie-unit",
            "trixie",
            FAST,
            ("-q", *(f"--ignore={name}.py" for name in ONCE)),
            SAMPLED,
        ),
        *slow,
        Suite(LINT, "bookworm", ()),
    ]


class Line(threading.Thread):
    """Run suites from a common list one after the other; `codes` tells how they went."""

    def __init__(
        self, suites: queue.Queue[Suite], results: Path, extra: Sequence[str], salt: str
    ) -> None:
        super().__init__(daemon=True)
        self.suites, self.results, self.extra, self.salt = suites, results, extra, salt
        self.codes: dict[str, int] = {}
        self.took: dict[str, float] = {}
        self.running: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while True:
            try:
                suite = self.suites.get_nowait()
            except queue.Empty:
                return
            begun = time.monotonic()
            self.codes[suite.name] = self.follow(suite)
            self.took[suite.name] = time.monotonic() - begun

    def follow(self, suite: Suite) -> int:
        """Run one suite, passing on every line that it prints and, in silence, the one it is at."""
        command = suite.command(self.results, self.extra, self.salt)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.running = process
        chunks: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=pump, args=(process, chunks), daemon=True).start()
        rest = b""
        while True:
            try:
                chunk = chunks.get(timeout=SILENCE)
            except queue.Empty:
                say(suite.name, "... " + rest.decode(errors="replace")[-150:])
                continue
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                say(suite.name, line.decode(errors="replace"))
        if rest:
            say(suite.name, rest.decode(errors="replace"))
        return process.wait()


def pump(process: subprocess.Popen[bytes], chunks: queue.Queue[bytes]) -> None:
    """Put what PROCESS prints into CHUNKS as it comes, an empty chunk at its end."""
    assert process.stdout is not None
    while chunk := os.read(process.stdout.fileno(), 65536):
        chunks.put(chunk)
    chunks.put(b"")


def durations() -> dict[str, float]:
    """Give the seconds that each suite took when it last ran; long ones had best begin first."""
    try:
        return dict(json.loads(DURATIONS.read_text()))
    except (OSError, ValueError):
        return {}


def say(name: str, text: str) -> None:
    """Print one line with the suite that it comes from and the seconds since the start."""
    print(f"[{name} {time.monotonic() - STARTED:.0f} s] {text}", flush=True)


def count(results: Path, codes: dict[str, int]) -> Counter[str]:
    """Sum up what the suites counted; linting is one test, and so is a failure without a count."""
    total: Counter[str] = Counter(passed=0, failed=0, skipped=0)
    for name, code in codes.items():
        counted: Counter[str] = Counter()
        report = results / f"{name}.xml"
        if report.exists():
            for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
                failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
                skipped = int(suite.get("skipped", 0))
                counted["failed"] += failed
                counted["skipped"] += skipped
                counted["passed"] += int(suite.get("tests", 0)) - failed - skipped
        if name == LINT and code == 0:
            counted["passed"] += 1
        if code not in (0, NO_TESTS) and not counted["failed"]:
            counted["failed"] += 1
        total += counted
    return total


def chosen(names: Sequence[str], known: Mapping[str, float]) -> queue.Queue[Suite]:
    """Give the suites of these names or kinds, all where there is no name, long ones first."""
    there = all_suites() + (further_suites() if names else [])
    suites = [one for one in there if not names or {one.name, one.kind} & set(names)]
    if unknown := set(names) - {word for one in suites for word in (one.name, one.kind)}:
        there_are = ", ".join(one.name for one in there)
        raise SystemExit(f"no suite {', '.join(sorted(unknown))}; there are {there_are}")
    waiting: queue.Queue[Suite] = queue.Queue()
    for suite in sorted(suites, key=lambda one: -known.get(one.name, 0)):
        waiting.put(suite)
    return waiting


def work(lines: Sequence[Line]) -> None:
    """Let all lines run to their end, or end what they run when this process is told to."""
    try:
        for line in lines:
            line.start()
        for line in lines:
            line.join()
    finally:
        for line in lines:
            if line.running and line.running.poll() is None:
                line.running.terminate()
                line.running.wait()


def main() -> int:
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    names, extra = sys.argv[1:split], sys.argv[split + 1 :]
    salt = os.environ.get("SALT") or cache.SALT
    known = durations()
    suites = chosen(names, known)
    with tempfile.TemporaryDirectory(prefix="sendmail-james-results-") as folder:
        lines = [Line(suites, Path(folder), extra, salt) for _ in range(AT_ONCE)]
        work(lines)
        codes = {name: code for line in lines for name, code in line.codes.items()}
        total = count(Path(folder), codes)
    if not extra:
        took = {name: seconds for line in lines for name, seconds in line.took.items()}
        DURATIONS.write_text(json.dumps(known | took))
    for name, code in codes.items():
        if code:
            print(f"{name}: {'no test selected' if code == NO_TESTS else f'exit code {code}'}")
    print(f"all suites took {time.monotonic() - STARTED:.0f} s")
    print(
        f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped",
        flush=True,
    )
    return 1 if total["failed"] or not total["passed"] + total["skipped"] else 0


if __name__ == "__main__":
    sys.exit(main())
