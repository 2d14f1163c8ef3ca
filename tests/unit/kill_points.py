"""Kill a task before or after each of its calls into the system.

By default at calls that change something; with ``CAMPAIGN=1`` in the environment at those that only
look, too.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from files_world import EVERY_CALL, forked
from james_client.files import renames as files_renames

CHANGING = [
    *("open", "write", "pwrite", "ftruncate", "fsync", "fchown", "fchmod", "utime"),
    *("rename", "link", "unlink", "mkdir", "rmdir", "setxattr", "removexattr"),
]
LOOKING = ["close", "read", "stat", "fstat", "scandir"]
KILLED = signal.SIGKILL


def fault_points(kill_at: int, after: bool) -> list[str]:
    """Wrap what the modules call in ``os``; the kill_at-th call ends the process."""
    seen: list[str] = []

    def wrapped(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if name == "open" and not EVERY_CALL and not int(str(args[1])) & os.O_CREAT:
                return real(*args, **kwargs)
            seen.append(name)
            mine = len(seen) == kill_at
            if mine and not after:
                os.kill(os.getpid(), KILLED)
            try:
                return real(*args, **kwargs)
            finally:
                if mine:
                    os.kill(os.getpid(), KILLED)

        return call

    for name in CHANGING + LOOKING * EVERY_CALL:
        setattr(os, name, wrapped(name, getattr(os, name)))
    files_renames._renameat2 = wrapped("renameat2", files_renames._renameat2)  # type: ignore
    return seen


def killed(task: Callable[[], object], point: int, after: bool) -> bool:
    """Run the task in a child with one fault point; False if it ended before reaching that."""

    def child() -> None:
        fault_points(point, after)
        task()

    if (status := forked(child)) == 0:
        return False
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == KILLED, f"point {point}: {status}"
    return True
