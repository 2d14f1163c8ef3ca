"""Remember a restart that is owed, and a verification, until each has been seen to work.

A restart is owed from before the first rename on, a verification from the restart on: what a run
that fails or dies in between still owes, the next one makes good.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import psutil

from james_client.run.plan import Plan

RESTART, VERIFICATION = "restart-pending", "verification-pending"
_RUN = re.compile(r"run of pid (\d{1,9}) started ([\d.]{1,20})\n")
_LONGEST = 600  # seconds, after which a run that lives still no longer excuses what it owes
_CLOCK = 2.0  # seconds, by which the kernel's clock and ours may drift apart


def state_file(plan: Plan, name: str) -> Path:
    """Return the path of something that this formula remembers; its folder is made, 0700."""
    folder = Path(plan.platform.state_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / name


def is_owed(plan: Plan, what: str = RESTART) -> bool:
    """Tell whether files went live that sendmail has not been restarted for, or not verified."""
    return Path(plan.platform.state_dir, what).exists()


def owe(plan: Plan, what: str = RESTART) -> None:
    """Remember it, and of a restart which run owes it."""
    path = state_file(plan, what)
    path.touch(mode=0o600)
    if what == RESTART:
        run = psutil.Process()
        path.write_text(f"run of pid {run.pid} started {run.create_time():.2f}\n")


def blame(plan: Plan, why: str) -> None:
    """Remember that a restart is owed, and why the last one has failed."""
    state_file(plan, RESTART).write_text(why)


def text(plan: Plan, what: str = RESTART) -> str:
    """Return what was noted beside it, "" where it is not owed or nothing was noted."""
    return _RUN.sub("", _noted(plan, what))


def is_under_way(plan: Plan) -> bool:
    """Tell whether the run that owes a restart lives and is about to make it good."""
    path = Path(plan.platform.state_dir, RESTART)
    try:
        found = _RUN.fullmatch(_noted(plan, RESTART))
        if not found or time.time() - path.stat().st_mtime > _LONGEST:
            return False
        run = psutil.Process(int(found[1]))
        # Whoever asks is no run any more, nor is who has its pid now.
        same = bool(abs(run.create_time() - float(found[2])) < _CLOCK)
        return same and run.pid != os.getpid()
    except (FileNotFoundError, ValueError, psutil.Error):
        return False


def _noted(plan: Plan, what: str) -> str:
    try:
        return Path(plan.platform.state_dir, what).read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""


def settle(plan: Plan, what: str = RESTART) -> None:
    """Forget it."""
    Path(plan.platform.state_dir, what).unlink(missing_ok=True)
