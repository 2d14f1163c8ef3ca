"""Find mail on this host that nobody will read: dead.letter, and mailboxes of before James."""

from __future__ import annotations

import pwd
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from james_client.run.names import MAILBOXES
from james_client.run.plan import Plan

SHOWN = 20  # mailboxes, the newest first


def unread(plan: Plan) -> tuple[dict[str, Any], list[str]]:
    """Return each place with its size and time, and what is wrong, in words.

    A dead.letter is wrong until somebody has read and emptied it: it holds what could be neither
    delivered nor returned. A mailbox is wrong where mail came after sendmail.cf last changed: then
    something still delivers here. What is older its owner may still want to read, so it is shown
    and no more.
    """
    shown: dict[str, Any] = {}
    wrong = []
    for path, (size, written) in _filled(_dead_letters(plan)):
        shown[str(path)] = _in_words(size, written)
        wrong.append(
            f"{path}: mail that could be neither delivered nor returned, {_in_words(size, written)}"
            f"; read it, then empty it: truncate -s 0 {path}"
        )
    boxes = sorted(_filled(_mailboxes()), key=lambda one: one[1][1], reverse=True)
    since = _changed(plan)
    for path, (size, written) in boxes[:SHOWN]:
        shown[str(path)] = _in_words(size, written)
        if (
            since is not None
            and written > since
            and path.name not in plan.settings.relay.stay_local
        ):
            wrong.append(
                f"{path}: mail came here after James took over ({_in_words(size, written)}); find "
                "what delivers it, or name its owner in relay:stay_local"
            )
    if len(boxes) > SHOWN:
        shown["other mailboxes"] = len(boxes) - SHOWN
    return shown, wrong


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


def _filled(paths: Iterator[Path]) -> Iterator[tuple[Path, tuple[int, float]]]:
    """Give the regular files that are not empty, each once, with size and time."""
    known = set()
    for path in paths:
        with suppress(OSError):
            seen = path.lstat()
            if stat.S_ISREG(seen.st_mode) and seen.st_size and seen.st_ino not in known:
                known.add(seen.st_ino)
                yield path, (seen.st_size, seen.st_mtime)


def _changed(plan: Plan) -> float | None:
    """Return when sendmail.cf last changed, None where it is not James's yet."""
    path = plan.platform.cf
    plan.cf(path)
    return Path(path).stat().st_mtime if plan.hands_over() else None


def _in_words(size: int, written: float) -> str:
    return (
        f"{size} bytes, last written {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(written))}"
    )
