"""Tell from a table's first bytes whether sendmail can open it, starting no process.

Source: Berkeley DB's db_page.h and db.in (magic numbers at offset 12), cdb(5).
"""

from __future__ import annotations

import os
import stat

_MAGIC = {0x00061561: "hash", 0x00053162: "btree"}
_HEAD, _AT = 16, 12
_CDB_TABLES = 2048  # bytes, of pointers behind which the records begin


def unusable(kind: str, file: str) -> str:
    """Return why sendmail can't open a map's file, empty where it seems that it can.

    kind
        the map's class, such as hash

    Raises OSError where the file cannot be read.
    """
    # A pipe in its place would keep us waiting.
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        info = os.fstat(handle)
        head = os.read(handle, _HEAD) if stat.S_ISREG(info.st_mode) else None
    finally:
        os.close(handle)
    if head is None:
        return "is no regular file"
    if kind not in _MAGIC.values():
        return ""
    if not head:
        return f"is empty, which no {kind} is"
    found = _kind(head)
    if found is None and not _is_cdb(head, info.st_size):
        return f"is no {kind}"
    return "" if found in (kind, None) else f"is a {found}, expected a {kind}"


def _kind(head: bytes) -> str | None:
    magic = head[_AT:_HEAD]
    either = (int.from_bytes(magic, "little"), int.from_bytes(magic, "big"))
    return next((_MAGIC[number] for number in either if number in _MAGIC), None)


def _is_cdb(head: bytes, size: int) -> bool:
    """Tell whether it may be a cdb, which sendmail has for a hash where it is built without DB."""
    return _CDB_TABLES <= int.from_bytes(head[:4], "little") <= size
