"""Have the host watched as the pillar says: Salt's schedule, and what is left of earlier wishes.

What is ours is noted before it is made: that there is a job, and the textfile's path. A textfile
is known by its first line, too.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from james_client.changes import Changes
from james_client.files import report
from james_client.run.owed import state_file
from james_client.run.plan import Plan, RunError
from james_client.wishes import checks

MARK = b"# Written by sendmail_james.watch at each check.\n"
"""The first line of a textfile of ours."""
JOB = "sendmail_james_watch"
TOLD = "watch-told"
"""Name of the note on what an event has told last."""
_TEXTFILES, _SCHEDULED = "watch-textfiles", "watch-scheduled"
Functions = Mapping[str, Callable[..., Any]]


def keep(plan: Plan, functions: Functions, *, test: bool) -> dict[str, Any]:
    """Have the schedule and the textfile as the pillar says; return a state's words.

    functions
        Salt's

    Raises FilesError where the textfile's place will not do, RunError where Salt's schedule takes
    no job.
    """
    watch = plan.settings.watch
    if watch.textfile:
        report.check(watch.textfile, MARK)
    job = _job(plan)
    runs = job is None or _minion_runs(functions)
    changes = _schedule(plan, functions, job, online=runs, test=test)
    if job and runs and not test:
        # A job of the schedule sees the pillar that the minion has in memory.
        functions["saltutil.refresh_pillar"]()
    changes |= _sweep(plan, [watch.textfile] if watch.textfile else [], test=test)
    if watch.event == "never" and not test:
        Path(plan.platform.state_dir, TOLD).unlink(missing_ok=True)
    said = f"checked every {watch.every}" if watch.every else "not wanted"
    ret: dict[str, Any] = {"changes": changes, "comment": said}
    if changes and test:
        ret["result"] = None
    if not runs:
        ret["warnings"] = [
            "no salt-minion runs here, so nobody checks this host: systemctl start salt-minion, or "
            "set sendmail_james:watch:every to null and use a timer (docs/monitoring.md)"
        ]
    return ret


def take_back(plan: Plan, functions: Functions, *, test: bool) -> Changes:
    """Take the schedule's job and the textfile away; return what that changes."""
    changes = _schedule(plan, functions, None, online=False, test=test)
    changes |= _sweep(plan, [], test=test)
    if not test:
        Path(plan.platform.state_dir, TOLD).unlink(missing_ok=True)
    return changes


def put(plan: Plan, path: str, text: str) -> bool:
    """Write the textfile, and tell whether; not where no state has asked for it, or none any more.

    A check goes on for seconds, and what it tells of may have been taken back meanwhile.
    """
    if path not in noted(plan):
        return False
    with _alone(plan):
        wanted = path in noted(plan)
        if wanted:
            report.write(path, MARK + text.encode(), MARK)
    return wanted


def noted(plan: Plan) -> list[str]:
    """Return the paths at which a textfile of ours may be."""
    path = Path(plan.platform.state_dir, _TEXTFILES)
    return path.read_text().splitlines() if path.exists() else []


def _note(plan: Plan, paths: Collection[str]) -> None:
    file = state_file(plan, _TEXTFILES)
    if not paths:
        file.unlink(missing_ok=True)
        return
    new = file.with_suffix(".new")
    new.write_text("".join(f"{path}\n" for path in paths))
    new.rename(file)


@contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    """Let nobody else write a textfile, or take one away, meanwhile."""
    fd = os.open(state_file(plan, _TEXTFILES).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _sweep(plan: Plan, wanted: list[str], *, test: bool) -> Changes:
    """Note which textfile is wanted, and remove those of ours that nobody wants any more."""
    before = noted(plan)
    if before == wanted:
        return {}
    old = [path for path in before if path not in wanted]
    changes: Changes = {
        path: {"old": "the last check", "new": None} for path in old if report.is_there(path, MARK)
    }
    if not test:
        with _alone(plan):
            _note(plan, wanted)
            for path in old:
                report.remove(path, MARK)
    return changes


def _job(plan: Plan) -> dict[str, Any] | None:
    """Return what Salt's schedule shall have, None where it shall have nothing of ours."""
    every = plan.settings.watch.every
    if every is None:
        return None
    seconds = checks.seconds(every)
    return {
        "function": "sendmail_james.watch",
        "seconds": seconds,
        "maxrunning": 1,
        "return_job": False,
    }


def _minion_runs(functions: Functions) -> bool:
    """Tell whether a minion takes events here, which is the one that runs the schedule."""
    return bool(functions["event.fire"]({}, "sendmail_james/watch/asked"))


def _schedule(
    plan: Plan, functions: Functions, job: dict[str, Any] | None, *, online: bool, test: bool
) -> Changes:
    """Have our job, or none, in Salt's schedule: the running minion's, and the one it will load.

    online
        whether a minion runs; not known, and asked, where no job is wanted
    """
    made = Path(plan.platform.state_dir, _SCHEDULED)
    if job is None:
        if not made.exists():
            return {}
        online = _minion_runs(functions)
    listed = functions["schedule.list"](show_all=True, return_yaml=False, offline=not online)
    found = listed.get(JOB)
    wanted = job and {**functions["schedule.build_schedule_item"](JOB, **job), "enabled": True}
    if not test:
        if job:
            state_file(plan, _SCHEDULED).touch(mode=0o600)
        if found and found != wanted:
            _took(functions["schedule.delete"](JOB, offline=not online))
        if job and found != wanted:
            _took(functions["schedule.add"](JOB, offline=not online, **job))
        if not job:
            made.unlink()
    if found == wanted:
        return {}
    return {"schedule": {"old": _in_words(found), "new": _in_words(wanted)}}


def _took(answer: Mapping[str, Any]) -> None:
    if not answer["result"]:
        raise RunError(f"Salt's schedule: {answer['comment']}")


def _in_words(job: Mapping[str, Any] | None) -> str | None:
    return f"{job['function']} every {job['seconds']} s" if job else None
