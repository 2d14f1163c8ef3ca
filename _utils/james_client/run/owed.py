"""Remember a restart that is owed, from before the first rename until sendmail has come back.

What a run that dies in between still owes, the next one makes good.
"""

from __future__ import annotations

from pathlib import Path

from james_client.run.plan import Plan


def state_file(plan: Plan, name: str) -> Path:
    """Return the path of something that this formula remembers; its folder is made, 0700."""
    folder = Path(plan.platform.state_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / name


def is_owed(plan: Plan) -> bool:
    """Tell whether files went live that sendmail has not been restarted for."""
    return _marker(plan).exists()


def owe(plan: Plan) -> None:
    """Remember it."""
    state_file(plan, _marker(plan).name).touch(mode=0o600)


def settle(plan: Plan) -> None:
    """Forget it."""
    _marker(plan).unlink(missing_ok=True)


def _marker(plan: Plan) -> Path:
    return Path(plan.platform.state_dir, "restart-pending")
