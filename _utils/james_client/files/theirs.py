"""Say what a file would be without us, whoever else has changed it since."""

from __future__ import annotations

from dataclasses import replace

from james_client.files.ledger import Record, Theirs
from james_client.files.merge import take_out
from james_client.files.snapshot import Snapshot


def without_us(now: Snapshot, record: Record | None) -> Theirs:
    """Return what a file would be without us.

    now
        the file as it is
    record
        what we know of its path, None where we never touched it

    Exactly what was there before, with its time, where nobody else has changed it; what is secret
    is ours alone. Of a file that others changed, mode, owner and attributes are theirs.
    """
    if record is None:
        return Theirs(now)
    placed = [one for one in (record.pending, record.placed) if one is not None]
    if now.fingerprint in (one.theirs.fingerprint for one in placed):
        return Theirs(now)
    version = record.at(now.fingerprint)
    if now.fingerprint == version.fingerprint or (record.secret and version.is_ours):
        return Theirs(version.theirs if version.known else now, known=version.known)
    if now.data is None or not version.is_ours:
        return Theirs(now)
    if version.data is None or not version.known:
        return Theirs(now, known=False)
    return _without(now, version.theirs, version.data)


def _without(now: Snapshot, theirs: Snapshot, placed: bytes) -> Theirs:
    data, lost = take_out(theirs.data or b"", placed, now.data or b"")
    if not data and theirs.data is None:
        return Theirs(theirs, lost)
    if data == now.data:
        return Theirs(now, lost)
    time = theirs.mtime_ns if data == theirs.data else 0
    return Theirs(replace(now, data=data, mtime_ns=time), lost)
