"""Look into sendmail's queues, and remove from them what carries a token of our own."""

from __future__ import annotations

import errno
import fcntl
import heapq
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from james_client.mta.ask import copy_of
from james_client.mta.process import TIMEOUT, ProcessError, run, words
from james_client.scrub import scrub

_PIECES = ("qf", "hf", "Qf", "df", "xf", "tf")
_SUBFOLDERS = ("qf", "df", "xf")
_CONTROLS = ("qf", "Qf", "hf")  # of what waits, is lost, is quarantined: sendmail.h
_LOOK = 1024 * 1024
_CONTROL = re.compile("(?:qf|Qf|hf)[A-Za-z0-9]{6,20}")  # others could be any text
_REASON = 300  # characters of it that are kept


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
    """A queued message that carries a token: its queue folder, control file, and why it waits."""

    folder: Path
    control: Path
    reason: str | None

    @property
    def id(self) -> str:
        """Return the queue identifier."""
        return self.control.name[2:]


def find(folders: Sequence[str], token: str) -> list[Found]:
    """Return the messages that carry `token` in their header or, if returned mail, their body."""
    return [found for folder in folders for found in _find(Path(folder), token.encode())]


@dataclass(frozen=True)
class Aged:
    """A queued message's age: when it was submitted (seconds since 1970), and how long it may wait.

    `kind` is what sendmail's timeouts tell apart: normal, urgent, non-urgent or dsn. `returnable`
    says whether it has a sender to go back to.
    """

    submitted: int
    kind: str
    returnable: bool


def ages(folders: Sequence[str]) -> list[Aged]:
    """Return the age of each queued message, the oldest first.

    Source: operations guide, appendix B (T, F, S and H lines of a qf file).
    """
    found: list[Aged] = []
    for folder in folders:
        with _places(Path(folder)) as places:
            heads = (_read(place, name) for place in places.values() for name in _controls(place))
            found += [aged for head in heads if (aged := _aged(head))]
    return sorted(found, key=lambda one: one.submitted)


@dataclass(frozen=True)
class Held:
    """One queued message as its control file says: its age, its last reason, how often tried."""

    id: str
    age: Aged
    reason: str
    tries: int


@dataclass(frozen=True)
class Glimpse:
    """What a short look into a queue has shown, by its files alone.

    total
        how many messages wait; at least so many where `whole` is false
    read
        the oldest of them, the oldest first
    lost, quarantined
        the control files of what sendmail has set aside, which no queue run looks at
    """

    total: int
    read: tuple[Held, ...]
    whole: bool
    lost: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()

    def reasons(self) -> dict[str, int]:
        """Return how many of the messages that were read wait for each reason, most first."""
        return dict(Counter(one.reason for one in self.read if one.tries).most_common())


def glimpse(folders: Sequence[str], limit: int, seconds: float) -> Glimpse:
    """Count the messages of a queue, and read the oldest, starting no process.

    limit
        how many files are read at most
    seconds
        after which counting and reading end with what there is

    The oldest are the first by name: a queue identifier begins with its time (assign_queueid() in
    sendmail's queue.c). Raises OSError where a folder cannot be read.
    """
    until, total, whole = time.monotonic() + seconds, 0, True
    read: list[Held] = []
    aside: dict[str, list[str]] = {"Qf": [], "hf": []}
    for folder in folders:
        with _places(Path(folder)) as places:
            if not places:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
            for below, place in places.items():
                found, all_ = _count(place, until)
                names = found["qf"]
                for letter, paths in aside.items():
                    paths += [str(Path(folder, below, name)) for name in sorted(found[letter])]
                total, whole = total + len(names), whole and all_
                for name in heapq.nsmallest(limit, names):
                    if time.monotonic() >= until:
                        whole = False
                        break
                    if held := _held(name, _read(place, name)):
                        read.append(held)
    read.sort(key=lambda one: one.age.submitted)
    return Glimpse(total, tuple(read[:limit]), whole, tuple(aside["Qf"]), tuple(aside["hf"]))


def heads(
    folders: Sequence[str], limit: int, seconds: float, only: str = ""
) -> Iterator[tuple[str, bytes]]:
    """Yield each queued message's identifier and control file, the newest of a folder first.

    limit, seconds
        after so many files of a folder, or so long, this ends with what there is
    only
        the identifier of the one message that is meant; all where empty
    """
    until = time.monotonic() + seconds
    for folder in folders:
        with _places(Path(folder)) as places:
            for place in places.values():
                names = [f"qf{only}"] if only else _count(place, until)[0]["qf"]
                for name in heapq.nlargest(limit, names):
                    if time.monotonic() < until and (head := _read(place, name)):
                        yield name[2:], head


def _count(place: int, until: float) -> tuple[dict[str, list[str]], bool]:
    """Return the control files of an open folder by their kind, and whether these are all."""
    names: dict[str, list[str]] = {kind: [] for kind in _CONTROLS}
    with os.scandir(place) as entries:
        for number, entry in enumerate(entries):
            if not number % 1000 and time.monotonic() >= until:
                return names, False
            if _CONTROL.fullmatch(entry.name):
                names[entry.name[:2]].append(entry.name)
    return names, True


def _held(name: str, head: bytes) -> Held | None:
    age = _aged(head)
    if age is None:
        return None  # delivered meanwhile, or still being written
    reason, tries = (re.search(rb"(?m)^%b(.*)$" % letter, head) for letter in (b"M", b"N"))
    said = scrub(reason[1].decode("utf-8", "replace")) if reason else "no reason noted"
    return Held(name[2:], age, said[:_REASON], int(tries[1]) if tries and tries[1].isdigit() else 0)


def _aged(head: bytes) -> Aged | None:
    submitted = re.search(rb"(?m)^T([0-9]{1,12})$", head)
    if submitted is None:
        return None
    returnable = re.search(rb"(?m)^S<>$", head) is None
    return Aged(int(submitted[1]), _kind(head), returnable)


# The P lines that m4 writes; what is in none of them is of normal precedence.
_PRECEDENCE = {
    "special-delivery": "urgent",
    **dict.fromkeys(("list", "bulk", "junk"), "non-urgent"),
}


def _kind(head: bytes) -> str:
    """Return which of sendmail's timeouts holds for a message: eatheader() in headers.c."""
    priority = _header(head, b"priority")
    if priority in ("urgent", "normal", "non-urgent"):
        return priority
    if re.search(rb"(?m)^F[a-zA-Z0-9]*r", head):
        return "dsn"
    body = _header(head, b"content-type")
    if re.match(r"multipart/report\b.*\breport-type ?= ?\"?delivery-status", body):
        return "dsn"
    return _PRECEDENCE.get(_header(head, b"precedence"), "normal")


def _header(head: bytes, name: bytes) -> str:
    found = re.search(rb"(?mi)^H(?:\?[^?\n]*\?)*%b:[ \t]*(.*(?:\n[ \t].*)*)" % name, head)
    return " ".join(found[1].decode("utf-8", "replace").lower().split()) if found else ""


def _find(folder: Path, token: bytes) -> Iterator[Found]:
    with _places(folder) as places:
        for below, place in places.items():
            for name in _controls(place):
                head = _read(place, name)
                if token in head or _carries(places, name, ("df",), token):
                    reason = re.search(rb"(?m)^M(.*)$", head)
                    said = scrub(reason[1].decode("utf-8", "replace")) if reason else None
                    yield Found(folder, folder / below / name, said)


def _controls(place: int) -> list[str]:
    with os.scandir(place) as entries:
        return sorted(entry.name for entry in entries if re.match("qf.", entry.name))


@contextmanager
def _places(folder: Path) -> Iterator[dict[str, int]]:
    """Open a queue folder and its subfolders, where sendmail may keep qf, df and xf files apart.

    All that follows goes by these descriptors. Who owns a queue may put links into it, so none is
    followed but one in a folder that is root's alone, such as /var/spool.
    """
    with ExitStack() as opened:
        above = folder.parent.stat()
        roots = above.st_uid == 0 and not above.st_mode & 0o022
        found: dict[str, int] = {}
        for name in ("", *_SUBFOLDERS):
            flags = os.O_RDONLY | os.O_DIRECTORY
            try:
                if name == "":
                    place = os.open(folder, flags | (0 if roots else os.O_NOFOLLOW))
                else:
                    place = os.open(name, flags | os.O_NOFOLLOW, dir_fd=found[""])
            except OSError:
                if name == "":
                    break
                continue
            opened.callback(os.close, place)
            found[name] = place
        yield found


def _carries(
    places: Mapping[str, int], control: str, prefixes: Sequence[str], token: bytes
) -> bool:
    """Tell whether a token is in one of the files of a message."""
    names = [prefix + control[2:] for prefix in prefixes]
    return any(token in _read(place, name) for place in places.values() for name in names)


def _read(place: int, name: str) -> bytes:
    try:
        with open(name, "rb", opener=partial(_own, place)) as stream:
            return stream.read(_LOOK)
    except OSError:
        # Delivered and removed meanwhile, or not a file of sendmail's.
        return b""


def _own(place: int, name: str, flags: int) -> int:
    """Open neither a link nor a pipe: the submission program's user may write there."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)


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
    name = found.control.name
    below = str(found.control.relative_to(found.folder).parent)
    while True:
        try:
            with _places(found.folder) as places:
                place = places["" if below == "." else below]
                with open(name, "rb+", opener=partial(_own, place)) as control:
                    # sendmail locks with flock or with fcntl, depending on how it was built.
                    fcntl.flock(control, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    fcntl.lockf(control, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _carries(places, name, _PIECES, token.encode()):
                        _unlink(places, name)
            return True
        except (FileNotFoundError, KeyError):
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)


def _unlink(places: Mapping[str, int], control: str) -> None:
    for prefix in _PIECES:
        for place in places.values():
            name = prefix + control[2:]
            with suppress(FileNotFoundError):
                if stat.S_ISREG(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=place)
