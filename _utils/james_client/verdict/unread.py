"""Find mail on this host that nobody will read: dead.letter, and mailboxes of before James."""

from __future__ import annotations

import pwd
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from james_client.run.names import MAILBOXES
from james_client.run.plan import Plan


@dataclass(frozen=True)
class Box:
    """One file with mail: its path, bytes, and when it was last written (seconds since 1970)."""

    path: Path
    size: int
    written: float

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.written))
        return f"{self.size} bytes, last written {when}"


@dataclass(frozen=True)
class Unread:
    """Show the mail that nobody reads.

    dead
        what could be neither delivered nor returned, until somebody has read and emptied it
    boxes
        the mailboxes, the newest first; what is older than James an owner may still want to read
    late
        those of them to which mail came after sendmail.cf last changed: something delivers here
    """

    dead: tuple[Box, ...]
    boxes: tuple[Box, ...]
    late: tuple[Box, ...]


def unread(plan: Plan) -> Unread:
    """Return what mail is on this host that nobody will read."""
    boxes = sorted(_filled(_mailboxes()), key=lambda one: one.written, reverse=True)
    since, kept = _changed(plan), plan.settings.relay.stay_local
    late = [] if since is None else [box for box in boxes if box.written > since]
    return Unread(
        tuple(_filled(_dead_letters(plan))),
        tuple(boxes),
        tuple(box for box in late if box.path.name not in kept),
    )


def _dead_letters(plan: Plan) -> Iterator[Path]:
    """Give where sendmail puts what it cannot return (operations guide, 5.6; savemail.c)."""
    for path in plan.cf_paths():
        if dropped := plan.cf(path).option("DeadLetterDrop"):
            yield Path(dropped)
    yield Path(pwd.getpwuid(0).pw_dir, "dead.letter")


def _mailboxes() -> Iterator[Path]:
    for folder in MAILBOXES:
        with suppress(OSError):
            yield from folder.iterdir()


def _filled(paths: Iterator[Path]) -> Iterator[Box]:
    """Give the regular files that are not empty, each once."""
    known = set()
    for path in paths:
        with suppress(OSError):
            seen = path.lstat()
            if stat.S_ISREG(seen.st_mode) and seen.st_size and seen.st_ino not in known:
                known.add(seen.st_ino)
                yield Box(path, seen.st_size, seen.st_mtime)


def _changed(plan: Plan) -> float | None:
    """Return when sendmail.cf last changed, None where it is not James's yet."""
    path = plan.platform.cf
    plan.cf(path)
    return Path(path).stat().st_mtime if plan.hands_over() else None
