"""Read what systemd's journal holds of the mail system, newest first, starting no journalctl.

Only what this needs of the format: the entries whose facility is mail. Who wrote an entry, its uid,
journald has from the kernel, so no user can write one in sendmail's name. What a file says of its
own offsets is checked; one that does not hold together is an error. Source: systemd's
JOURNAL_FILE_FORMAT.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from james_client.errors import FaultError

FOLDERS = ("/var/log/journal", "/run/log/journal")

_MAGIC = b"LPKSHHRH"
_KNOWN = 1 | 2 | 4 | 8 | 16  # compressed by xz, lz4; keyed hash; by zstd; compact
_COMPACT, _COMPRESSED = 16, 1 | 2 | 4
_DATA, _FIELD, _ENTRY, _ARRAY = 1, 2, 3, 6
_FACILITY, _MAIL = b"SYSLOG_FACILITY", b"SYSLOG_FACILITY=2"
_WANTED = {b"MESSAGE", b"SYSLOG_IDENTIFIER", b"SYSLOG_PID", b"_PID", b"_UID"}
_BLOCK = 64 * 1024  # bytes that are read at once
_BLOCKS = 256  # blocks that are kept
_FIELDS = 10_000  # fields that are kept
_LONGEST = 64 * 1024  # bytes of one field
_MOST = 1_000_000  # objects in a chain; more is a loop


class JournalError(FaultError):
    """Say why a journal can't be read."""


@dataclass(frozen=True)
class JournalEntry:
    """One entry: seconds since 1970, its writer's uid, what the writer calls itself, its words.

    `text` is None where journald has compressed it: a line of more than 512 bytes.
    """

    time: float
    uid: int
    tag: str
    pid: str
    text: str | None


def files(folders: tuple[str, ...] = FOLDERS) -> list[Path]:
    """Return the journals of the system itself, the newest first; none where none is kept."""
    found = [path for one in folders for path in Path(one).glob("*/system*.journal")]
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)


def entries(path: Path) -> Iterator[JournalEntry]:
    """Yield the entries of the mail system, the newest first. Raises JournalError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as err:
        raise JournalError(f"{path}: cannot be read: {err.strerror}") from err
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid or found.st_mode & stat.S_IWOTH:
            raise JournalError(f"{path}: wanted a file that root alone can write")
        yield from _Journal(fd).mail()
    except (OSError, struct.error, ValueError) as err:
        raise JournalError(f"{path}: is no journal that can be read: {err}") from err
    finally:
        os.close(fd)


class _Journal:
    """Read one file by its offsets; journald may go on writing behind them."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._blocks: dict[int, bytes] = {}
        self._fields: dict[int, tuple[bytes, bytes | None] | None] = {}
        magic, _, flags = struct.unpack("<8sII", self._read(0, 16))
        if magic != _MAGIC or flags & ~_KNOWN:
            raise ValueError("not its format, or a newer one")
        self._compact = bool(flags & _COMPACT)
        self._payload = 72 if self._compact else 64
        self._number, self._item = ("<I", 4) if self._compact else ("<Q", 16)

    def mail(self) -> Iterator[JournalEntry]:
        """Yield the entries whose facility is mail, the newest first."""
        if not (data := self._data_of_mail()):
            return
        first, array, count = struct.unpack("<QQQ", self._read(data + 40, 24))
        # Journald counts an entry when it is whole: what is read from now on has them all.
        self._blocks.clear()
        for offset in self._listed(array, count - 1):
            yield self._entry(offset)
        if count:
            yield self._entry(first)

    def _data_of_mail(self) -> int:
        """Return where the field's value stands, going through the table of all fields."""
        table, size = struct.unpack("<QQ", self._read(120, 16))
        for bucket in range(0, min(size, _MOST), 16):
            (field,) = self._numbers(table + bucket, 1)
            for at in self._chain(field, 24):
                if self._value(at, _FIELD, 40) == _FACILITY:
                    (head,) = self._numbers(at + 32, 1)
                    for data in self._chain(head, 32):
                        if self._value(data, _DATA, self._payload) == _MAIL:
                            return data
        return 0

    def _chain(self, at: int, link: int) -> Iterator[int]:
        for _ in range(_MOST):
            if not at:
                return
            yield at
            (at,) = self._numbers(at + link, 1)
        raise ValueError("a chain without an end")

    def _listed(self, array: int, count: int) -> Iterator[int]:
        """Yield the offsets in a chain of arrays from its end; the last one is not full."""
        wide, sign = (4, "I") if self._compact else (8, "Q")
        parts: list[tuple[int, int]] = []
        for at in self._chain(array, 16):
            holds = min((self._size(at, _ARRAY) - 24) // wide, count)
            parts.append((at, holds))
            count -= holds
            if count <= 0:
                break
        for at, holds in reversed(parts):
            for stop in range(holds, 0, -1024):
                start = max(stop - 1024, 0)
                part = self._read(at + 24 + start * wide, (stop - start) * wide)
                yield from reversed(struct.unpack(f"<{stop - start}{sign}", part))

    def _entry(self, at: int) -> JournalEntry:
        size = self._size(at, _ENTRY)
        (written,) = self._numbers(at + 24, 1)
        items = self._read(at + 64, min(size - 64, _LONGEST))
        found: dict[bytes, bytes | None] = {}
        for place in range(0, len(items) - self._item + 1, self._item):
            (offset,) = struct.unpack_from(self._number, items, place)
            if field := self._field(offset):
                found.setdefault(*field)
        text = found.get(b"MESSAGE")
        return JournalEntry(
            written / 1e6,
            int(found.get(b"_UID") or -1),
            _words(found.get(b"SYSLOG_IDENTIFIER")),
            _words(found.get(b"SYSLOG_PID") or found.get(b"_PID")),
            None if text is None else _words(text),
        )

    def _field(self, at: int) -> tuple[bytes, bytes | None] | None:
        if at not in self._fields:
            if len(self._fields) >= _FIELDS:
                self._fields.clear()
            self._fields[at] = self._parsed(at)
        return self._fields[at]

    def _parsed(self, at: int) -> tuple[bytes, bytes | None] | None:
        size = self._size(at, _DATA)
        if self._read(at + 1, 1)[0] & _COMPRESSED:
            return None
        payload = self._read(at + self._payload, min(size - self._payload, _LONGEST))
        name, _, value = payload.partition(b"=")
        return (name, value) if name in _WANTED else None

    def _value(self, at: int, kind: int, payload: int) -> bytes:
        return self._read(at + payload, min(self._size(at, kind) - payload, 100))

    def _size(self, at: int, kind: int) -> int:
        found, _, size = struct.unpack("<BB6xQ", self._read(at, 16))
        if found != kind or size < 24:
            raise ValueError("its parts do not hold together")
        return int(size)

    def _numbers(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}Q", self._read(at, 8 * count))

    def _read(self, at: int, size: int) -> bytes:
        found = b""
        while len(found) < size:
            number, start = divmod(at + len(found), _BLOCK)
            if number not in self._blocks:
                if len(self._blocks) >= _BLOCKS:
                    self._blocks.clear()
                self._blocks[number] = os.pread(self._fd, _BLOCK, number * _BLOCK)
            part = self._blocks[number][start : start + size - len(found)]
            if not part:
                raise ValueError("it breaks off")
            found += part
        return found


def _words(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")
