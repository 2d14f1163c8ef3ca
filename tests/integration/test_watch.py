"""Salt's own schedule, in a real minion without a master, tells how a host is; clean ends it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james

SALT = Path(sys.executable).parent
FOLDER = Path("/srv/metrics")
TEXTFILE, OTHER = FOLDER / "sendmail_james.prom", FOLDER / "other.prom"
JOB = "sendmail_james_watch"
WATCHED = "This host is watched as the pillar says"
WATCH = {"every": "1s", "textfile": str(TEXTFILE), "event": "change"}
CHECK = "sendmail_james.check perfdata=True"


@pytest.fixture(scope="module")
def applied(module_call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a salt-call on a host that is James's client and that nobody watches yet."""
    recipe.fresh_host()
    FOLDER.mkdir()
    OTHER.write_text("other_metric 1\n")
    recipe.apply(module_call)
    return module_call


@pytest.fixture(scope="module")
def daemon(minion: Any, applied: Callable[..., Any]) -> Iterator[None]:
    """Start the minion itself, which keeps the schedule."""
    command = [SALT / "salt-minion", "--config-dir", minion.config_dir, "--log-level=quiet"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    james.wait_for(lambda: applied("event.fire", "{}", "hello").data, 60, "a minion")
    yield
    running.terminate()
    running.wait()


def value(name: str) -> float | None:
    """Give a number of the textfile, None where it is not there."""
    if not TEXTFILE.exists():
        return None
    found = re.search(rf"^sendmail_james_{name} (\S+)$", TEXTFILE.read_text(), re.MULTILINE)
    return float(found[1]) if found else None


def jobs(call: Callable[..., Any]) -> set[str]:
    """Give the jobs of the schedule."""
    return set(call("schedule.list", "return_yaml=False").data)


def level(wanted: int) -> None:
    """Wait until the schedule has told this level."""
    james.wait_for(lambda: value("check_level") == wanted, 60, f"level {wanted} in the textfile")


def watch_only(call: Callable[..., Any], **watch: Any) -> Any:
    """Apply this SLS alone, with another wish."""
    return recipe.states(recipe.apply(call, "sendmail_james.watch", watch=watch))[WATCHED]


def test_without_a_minion_the_state_says_that_nobody_watches(applied: Callable[..., Any]) -> None:
    said = watch_only(applied, **WATCH)
    assert "systemctl start salt-minion" in " ".join(said["warnings"])
    assert watch_only(applied)["changes"]["schedule"]["new"] is None


def exit_code(minion: Any) -> tuple[int, str]:
    """Call the check as docs/monitoring.md has Nagios call it; give its exit code and its line."""
    options = ("--log-level=quiet", "--out=txt", "--retcode-passthrough")
    command = [SALT / "salt-call", "--config-dir", minion.config_dir, *options, *CHECK.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout


def test_nagios_gets_its_line_and_its_exit_code(applied: Callable[..., Any], minion: Any) -> None:
    assert exit_code(minion)[0] == 0
    james.stop()
    code, said = exit_code(minion)
    recipe.usual_james()
    assert code == 2
    assert re.match(r"local: CRITICAL - .* \| .*\bwaiting=\d+;", said), said
    assert len(said.splitlines()) == 1


def test_the_papers_nagios_line_is_the_one_that_was_tried() -> None:
    paper = (Path(__file__).resolve().parents[2] / "docs/monitoring.md").read_text()
    wanted = f"salt-call --local --log-level=quiet --out=txt --retcode-passthrough {CHECK}"
    assert paper.count(wanted) == 2


def test_the_schedule_tells_what_happens_and_a_new_wish_and_clean_end_it(
    applied: Callable[..., Any], daemon: None
) -> None:
    would = applied(
        "state.apply", "sendmail_james.watch", "test=True", pillar=recipe.pillar(watch=WATCH)
    )
    assert watch_only(applied, **WATCH)["changes"] == recipe.changes(would)[WATCHED]
    assert watch_only(applied, **WATCH)["changes"] == {}
    assert jobs(applied) == {JOB}
    level(0)
    assert TEXTFILE.stat().st_mode & 0o7777 == 0o644
    before = value("check_timestamp_seconds")
    james.wait_for(lambda: value("check_timestamp_seconds") != before, 60, "the next check")
    james.stop()
    level(2)
    assert "james-down" in TEXTFILE.read_text()
    assert recipe.leaks(TEXTFILE.read_bytes(), recipe.PASSWORD) == []
    recipe.usual_james()
    level(0)

    moved = FOLDER / "moved.prom"
    watch_only(applied, **WATCH | {"textfile": str(moved)})
    assert not TEXTFILE.exists()
    james.wait_for(moved.exists, 60, "the textfile at its new place")
    recipe.apply(applied, "sendmail_james.clean", watch=WATCH)
    assert jobs(applied) == set()
    assert sorted(FOLDER.iterdir()) == [OTHER]
