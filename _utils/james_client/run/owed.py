"""Remember a restart that is owed, and a verification, until each has been seen to work.

A restart is owed from before the first rename on, a verification from the restart on: what a run
that fails or dies in between still owes, the next one makes good.
"""

from __future__ import annotations

from pathlib import Path

from james_client.run.plan import Plan

RESTART, VERIFICATION = "restart-pending", "verification-pending"


def state_file(plan: Plan, name: str) -> Path:
    """Return the path of something that this formula remembers; its folder is made, 0700."""
    folder = Path(plan.platform.state_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / name


def is_owed(plan: Plan, what: str = RESTART) -> bool:
    """Tell whether files went live that sendmail has not been restarted for, or not verified."""
    return Path(plan.platform.state_dir, what).exists()


def owe(plan: Plan, what: str = RESTART) -> None:
    """Remember it."""
    state_file(plan, what).touch(mode=0o600)


def blame(plan: Plan, why: str) -> None:
    """Remember that a restart is owed and why the last one has failed, "" where none has."""
    state_file(plan, RESTART).write_text(why)


def text(plan: Plan, what: str = RESTART) -> str:
    """Return what was noted beside it, "" where it is not owed or nothing was noted."""
    try:
        return Path(plan.platform.state_dir, what).read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""


def settle(plan: Plan, what: str = RESTART) -> None:
    """Forget it."""
    Path(plan.platform.state_dir, what).unlink(missing_ok=True)
