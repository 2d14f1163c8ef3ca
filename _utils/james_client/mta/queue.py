"""Look into sendmail's queues, and remove from them what carries a token of our own."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from james_client.mta.ask import copy_of
from james_client.mta.process import TIMEOUT, ProcessError, run, words
from james_client.scrub import scrub

_PIECES = ("qf", "hf", "Qf", "df", "xf", "tf")
_LOOK = 1024 * 1024


@dataclass(frozen=True)
class Waiting:
    """One message in a queue, as mailq lists it."""

    id: str
    size: int
    sender: str
    recipients: tuple[str, ...]
    reason: str | None
    state: str


@dataclass(frozen=True)
class Queue:
    """A queue: its folders, how many messages it holds, and these messages."""

    folders: tuple[str, ...]
    total: int
    waiting: tuple[Waiting, ...]

    def reasons(self) -> dict[str, int]:
        """Return how many messages wait for each reason."""
        found: dict[str, int] = {}
        for item in self.waiting:
            reason = item.reason or "not tried yet"
            found[reason] = found.get(reason, 0) + 1
        return found


_STATES = {"*": "being delivered", "X": "load is too high", "-": "too young", "?": "unreadable"}
_FOLDER = re.compile(r"^\s*(/.*?)(?: is empty| \((\d+) requests?.*\)?.*)\s*$")
_ENTRY = re.compile(r"^([A-Za-z0-9]{6,})([*X?-]?)\s+(\d+)\s\S+ \S+ +\d+ \d\d:\d\d\s+(.*)$")
_TOTAL = re.compile(r"^\s*Total requests: (\d+)")


def listing(cf: Path | str, *, binary: str, timeout: float = TIMEOUT) -> Queue:
    """Return what waits in the queue of a cf: sendmail's, or the submission program's.

    Raises ProcessError when sendmail cannot tell. Source: mailq(1).
    """
    with copy_of(cf) as copy:
        done = run([binary, "-C", str(copy), "-bp"], timeout=timeout)
    if done.status != 0 or not _TOTAL.search(done.out.splitlines()[-1] if done.out else ""):
        raise ProcessError(f"{cf}: its queue cannot be listed: {words(done)}")
    return parse(done.out)


def parse(text: str) -> Queue:
    """Return the queue that mailq's output describes."""
    folders: list[str] = []
    waiting: list[Waiting] = []
    total = 0
    for line in text.splitlines():
        if match := _TOTAL.match(line):
            total = int(match[1])
        elif match := _FOLDER.match(line):
            folders.append(match[1])
        elif match := _ENTRY.match(line):
            state = _STATES.get(match[2], "waiting")
            waiting.append(Waiting(match[1], int(match[3]), match[4].strip(), (), None, state))
        elif waiting and line[:1].isspace() and line.strip():
            waiting[-1] = _more(waiting[-1], line)
    return Queue(tuple(folders), total, tuple(waiting))


def _more(item: Waiting, line: str) -> Waiting:
    """Add a line below an entry: the reason stands in parentheses, recipients do not."""
    said = line.strip()
    reason, recipients = item.reason, item.recipients
    if said.startswith("(") and said.endswith(")") and not line.startswith("\t\t"):
        reason = scrub(said[1:-1])
    else:
        recipients = (*recipients, said)
    return Waiting(item.id, item.size, item.sender, recipients, reason, item.state)


@dataclass(frozen=True)
class Found:
    """A queued message that carries a token: its control file, and why it waits."""

    control: Path
    reason: str | None

    @property
    def id(self) -> str:
        """Return the queue identifier."""
        return self.control.name[2:]


def find(folders: Sequence[str], token: str) -> list[Found]:
    """Return the messages that carry `token` in their header or, if returned mail, their body."""
    return [found for folder in folders for found in _find(Path(folder), token.encode())]


def _find(folder: Path, token: bytes) -> Iterator[Found]:
    for control in _files(folder, "qf"):
        head = _read(control)
        if token in head or any(token in _read(body) for body in _pieces(control, ("df",))):
            reason = re.search(rb"(?m)^M(.*)$", head)
            yield Found(control, scrub(reason[1].decode("utf-8", "replace")) if reason else None)


def _files(folder: Path, prefix: str) -> list[Path]:
    """List the files of a kind, in a queue folder or in its qf/df/xf subfolders."""
    places = [place for place in (folder, folder / prefix) if place.is_dir()]
    return [path for place in places for path in sorted(place.glob(f"{prefix}?*"))]


def _pieces(control: Path, prefixes: Sequence[str]) -> list[Path]:
    """Return the files that belong to a control file."""
    top = control.parent.parent if control.parent.name == "qf" else control.parent
    places = [(place, prefix) for prefix in prefixes for place in (top, top / prefix)]
    paths = [place / (prefix + control.name[2:]) for place, prefix in places]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_own) as stream:
            return stream.read(_LOOK)
    except OSError:
        # Delivered and removed meanwhile, or not a file of sendmail's.
        return b""


def _own(path: str, flags: int) -> int:
    """Open neither a link nor a pipe: the submission program's user may write there."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def gone(control: Path, deadline: float) -> bool:
    """Wait until a control file is gone, or the monotonic clock is at `deadline`."""
    while control.exists():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def remove(found: Found, token: str, deadline: float) -> bool:
    """Remove one message of ours from a queue; False if it was still being delivered.

    Takes sendmail's own lock first, and looks for the token again under it.
    """
    while True:
        try:
            with open(found.control, "rb+", opener=_own) as control:
                # sendmail locks with flock or with fcntl, depending on how it was built.
                fcntl.flock(control, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.lockf(control, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if any(token.encode() in _read(path) for path in _pieces(found.control, _PIECES)):
                    for path in _pieces(found.control, _PIECES):
                        with suppress(FileNotFoundError):
                            path.unlink()
                return True
        except FileNotFoundError:
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
