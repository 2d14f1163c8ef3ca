"""Find mail on this host that nobody will read: dead.letter, and mailboxes of before James."""

from __future__ import annotations

import os
import pwd
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate
from pathlib import Path

from james_client.run.names import MAILBOXES
from james_client.run.plan import Plan

_TAIL = 64 * 1024  # bytes at a mailbox's end, where its newest message begins
_FROM = re.compile(rb"(?m)^From \S+ +([A-Z].{18,40})$")


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
        those of them to which mail came, as it says itself, after sendmail.cf last changed:
        something delivers here
    """

    dead: tuple[Box, ...]
    boxes: tuple[Box, ...]
    late: tuple[Box, ...]


def unread(plan: Plan) -> Unread:
    """Return what mail is on this host that nobody will read."""
    boxes = sorted(_filled(_mailboxes()), key=lambda one: one.written, reverse=True)
    since, kept = _changed(plan), plan.settings.relay.stay_local
    late = [] if since is None else [one for one in boxes if _came(one) > since]
    return Unread(
        tuple(one for one in _filled(_dead_letters(plan)) if _read(one, 0, 5) == b"From "),
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


def _came(box: Box) -> float:
    """Return when the newest message came, by the line that begins it; 0 where none is seen.

    Who reads the mailbox, and any user whose own it is, writes to the file as well.
    """
    if lines := _FROM.findall(_read(box, max(box.size - _TAIL, 0), _TAIL)):
        # Its time is the host's own (ctime).
        when = parsedate(lines[-1].decode("ascii", "replace"))
        with suppress(ValueError, OverflowError, TypeError):
            return min(time.mktime((*when[:6], 0, 0, -1)), box.written) if when else 0.0
    return 0.0


def _read(box: Box, start: int, length: int) -> bytes:
    """Read a part of a regular file, which others may have put another thing in place of."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    with suppress(OSError):
        file = os.open(box.path, flags)
        try:
            if stat.S_ISREG(os.fstat(file).st_mode):
                return os.pread(file, length, start)
        finally:
            os.close(file)
    return b""


def _changed(plan: Plan) -> float | None:
    """Return when sendmail.cf last changed, None where it is not James's yet."""
    path = plan.platform.cf
    plan.cf(path)
    return Path(path).stat().st_mtime if plan.hands_over() else None
