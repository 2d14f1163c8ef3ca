"""Read sendmail's log: systemd's journal, or the files of a syslog daemon; start nothing.

Any user can have a syslog daemon write a line in sendmail's name (logger(1)), so what such a file
says is a claim: `Log.forgeable`. The journal knows who wrote a line. Where both are kept the
journal is read.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from james_client.errors import FaultError
from james_client.mta import journal

LOOK = 4 * 1024 * 1024  # bytes of each file, from its end
LINES = 5000  # of all, the newest
ENTRIES, SECONDS = 200_000, 1.0  # of the journal, whoever wrote them
LONGEST = 2048  # characters of a line: sendmail's own end at 1024 (conf.h: SYSLOG_BUFSIZE)
_SYSLOG = "syslog"  # user and group of rsyslog on Ubuntu
_TAG = r"(?P<tag>(?:sendmail|sm)[A-Za-z0-9_.-]*)\[(?P<pid>\d{1,10})\]: "
_OLD = re.compile(rf"(?P<time>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d) \S+ {_TAG}(?P<text>.*)")
_NEW = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?P<zone>Z|[+-]\d\d:?\d\d) "
    rf"\S+ {_TAG}(?P<text>.*)"
)
_OURS = re.compile(r"(sendmail|sm)[A-Za-z0-9_.-]*")
_MAIN = ("sm-mta", "sm-que")  # how the main queue's runners call themselves in platforms.yaml
_DAY = 86400.0


@dataclass(frozen=True)
class LogLine:
    """One line of sendmail's log: seconds since 1970, its program's name and pid, its words."""

    time: float
    tag: str
    pid: str
    text: str


@dataclass(frozen=True)
class Log:
    """What was read of the log, the oldest line first.

    source
        the file, or "journal"; empty where there is no log
    forgeable
        whether any user of the host could have written any of it
    unseen
        what could not be read, and why
    """

    lines: tuple[LogLine, ...]
    source: str
    forgeable: bool
    unseen: tuple[str, ...]


def read(
    files: Sequence[str],
    uids: Collection[int],
    programs: Collection[int] = (),
    *,
    limit: int = LINES,
    folders: tuple[str, ...] | None = None,
) -> Log:
    """Return the newest lines that sendmail has logged.

    files
        where a syslog daemon may write them; each with its rotated one, ``.1``
    uids
        whose entries of the journal are sendmail's own
    programs
        those whose entries are, too, but not in the name of the main queue's runner
    limit
        how many lines at most
    folders
        where journals are kept, systemd's places where absent
    """
    unseen: list[str] = []
    entries = _entries(folders or journal.FOLDERS, unseen)
    found = _journal(entries, frozenset(uids), frozenset(programs), limit, unseen)
    if found is not None:
        return Log(tuple(reversed(found)), "journal", False, tuple(unseen))
    for file in files:
        if found := _file(file, limit, unseen):
            return Log(tuple(reversed(found)), file, True, tuple(unseen))
    if not unseen:
        unseen.append(f"no line of sendmail's in the journal or in {', '.join(files)}")
    return Log((), "", False, tuple(unseen))


def _entries(folders: tuple[str, ...], unseen: list[str]) -> Iterator[journal.JournalEntry]:
    for path in journal.files(folders):
        try:
            yield from journal.entries(path)
        except journal.JournalError as err:
            unseen.append(str(err))


def _journal(
    entries: Iterator[journal.JournalEntry],
    uids: frozenset[int],
    programs: frozenset[int],
    limit: int,
    unseen: list[str],
) -> list[LogLine] | None:
    """Return the journal's lines, the newest first; None where sendmail does not log there."""
    found: list[LogLine] = []
    long, cut, until = 0, False, time.monotonic() + SECONDS
    for number, entry in enumerate(entries):
        if len(found) >= limit:
            break
        # Any user can fill the journal: his entries take none of the room of sendmail's.
        if cut := number >= ENTRIES or time.monotonic() > until:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time))
            unseen.append(f"the journal before {when}: it holds too much since")
            break
        main = entry.tag.startswith(_MAIN)
        ours = entry.uid in uids or (entry.uid in programs and not main)
        if not ours or not _OURS.fullmatch(entry.tag):
            continue
        if entry.text is None or len(entry.text) > LONGEST:
            long += 1
        else:
            found.append(LogLine(entry.time, entry.tag, entry.pid, entry.text))
    if long:
        unseen.append(f"{long} lines that are too long to be read here: journalctl has them")
    return found if found or long or cut else None


def _file(file: str, limit: int, unseen: list[str]) -> list[LogLine]:
    """Return a file's lines and those of the one before it, the newest first."""
    found: list[LogLine] = []
    for path in (Path(file), Path(file + ".1")):
        try:
            now = time.time()
            for text in reversed(_tail(path).splitlines()):
                if line := _parsed(text, now):
                    found.append(line)
                    if len(found) >= limit:
                        return found
        except FileNotFoundError:
            continue
        except (OSError, FaultError) as err:
            if str(err) not in unseen:
                unseen.append(str(err))
    return found


def _tail(path: Path) -> str:
    """Return the end of a file, from a line's beginning on, that no user can write himself."""
    _refuse_shared(path.parent, path.parent.stat())
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as stream:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise FaultError(f"{path}: wanted a regular file")
        _refuse_shared(path, found)
        start = max(found.st_size - LOOK, 0)
        stream.seek(start)
        data = stream.read(LOOK)
    if start:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "replace")


def _refuse_shared(path: Path, seen: os.stat_result) -> None:
    """Refuse a log that others than root and the syslog daemon may write or put in its place."""
    owners, groups = {0}, {0}
    with suppress(KeyError):
        owners.add(pwd.getpwnam(_SYSLOG).pw_uid)
    with suppress(KeyError):
        groups.add(grp.getgrnam(_SYSLOG).gr_gid)
    shared = seen.st_mode & stat.S_IWGRP and seen.st_gid not in groups
    if seen.st_uid not in owners or shared or seen.st_mode & stat.S_IWOTH:
        raise FaultError(f"{path}: not believed: others than root and syslog may write there")


def _parsed(text: str, now: float) -> LogLine | None:
    if len(text) > LONGEST:
        return None
    if match := _NEW.fullmatch(text):
        when = _of_iso(match["time"] + match["zone"].replace("Z", "+00:00"))
    elif match := _OLD.fullmatch(text):
        when = _in_the_past(match["time"], now)
    else:
        return None
    return None if when is None else LogLine(when, match["tag"], match["pid"], match["text"])


def _of_iso(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return None


def _in_the_past(text: str, now: float) -> float | None:
    """Return a time without a year as the last one that it can be, a day's doubt left."""
    year = time.localtime(now).tm_year
    for one in (year, year - 1):
        with suppress(ValueError, OverflowError):
            found = time.mktime(time.strptime(f"{one} {text}", "%Y %b %d %H:%M:%S"))
            if found <= now + _DAY:
                return found
    return None
