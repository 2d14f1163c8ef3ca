"""Write and read what the backup directory holds: contents by their hash, manifests, the ledger."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from james_client.files.ledger import Entry, Record, Version
from james_client.files.snapshot import Snapshot


def describe(one: Snapshot) -> dict[str, Any]:
    """Return what a snapshot is, without its content."""
    return {
        "path": one.path,
        "sha256": None if one.data is None else sha256(one.data),
        "mode": one.mode,
        "uid": one.uid,
        "gid": one.gid,
        "mtime_ns": one.mtime_ns,
        "xattrs": {name: base64.b64encode(value).decode() for name, value in one.xattrs},
    }


def read_entry(one: Mapping[str, Any], folder: Path) -> Entry:
    """Read what a run found at a path and wrote there."""
    dropped = bool(one.get("dropped"))
    before = _read_snapshot({**one, "sha256": None} if dropped else one, folder)
    return Entry(before, str(one["after"]), bool(one["secret"]), dropped=dropped)


def _read_snapshot(one: Mapping[str, Any], folder: Path) -> Snapshot:
    data = None
    if (wanted := one["sha256"]) is not None:
        data = _content(folder, wanted, one["path"])
    xattrs = sorted((str(k), base64.b64decode(v)) for k, v in one["xattrs"].items())
    return Snapshot(
        path=str(one["path"]),
        data=data,
        mode=int(one["mode"]),
        uid=int(one["uid"]),
        gid=int(one["gid"]),
        mtime_ns=int(one["mtime_ns"]),
        xattrs=tuple(xattrs),
    )


def describe_record(path: str, record: Record) -> dict[str, Any]:
    """Return what is known for ever of a path, without contents."""
    versions = {"placed": record.placed, "pending": record.pending}
    return {
        "path": path,
        "secret": record.secret,
        **{name: one and _describe_version(one) for name, one in versions.items()},
    }


def _describe_version(one: Version) -> dict[str, Any]:
    return {
        "theirs": describe(one.theirs),
        "fingerprint": one.fingerprint,
        "sha256": None if one.data is None else sha256(one.data),
        "steps": one.steps,
        "known": one.known,
        "replaces": one.replaces,
    }


def contents(record: Record) -> Iterator[bytes]:
    """Give the contents that a record names."""
    for one in (record.placed, record.pending):
        for data in (one.theirs.data, one.data) if one else ():
            if data is not None:
                yield data


def read_record(one: Mapping[str, Any], folder: Path) -> Record:
    """Read what is known for ever of a path."""
    placed, pending = (
        one[name] and _read_version(one[name], folder) for name in ("placed", "pending")
    )
    return Record(placed, pending, bool(one["secret"]))


def _read_version(one: Mapping[str, Any], folder: Path) -> Version:
    theirs, wanted, steps = _read_snapshot(one["theirs"], folder), one["sha256"], one["steps"]
    return Version(
        theirs=theirs,
        fingerprint=str(one["fingerprint"]),
        data=None if wanted is None else _content(folder, wanted, theirs.path),
        steps=None if steps is None else tuple(map(str, steps)),
        known=bool(one["known"]),
        replaces=str(one["replaces"]),
    )


def read_first_record(one: Mapping[str, Any], folder: Path) -> Record:
    """Read a record of format 1, in which ``others`` tells that the first state is outdated."""
    first = _read_snapshot(one, folder)

    def version(mark: str | None) -> Version | None:
        if mark is None:
            return None
        data = first.data if mark == first.fingerprint else None
        return Version(first, mark, data, steps=None, known=not one["others"])

    return Record(version(one["placed"]), version(one["pending"]), bool(one["secret"]))


def _load(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as stream:
        return stream.read()


def _content(folder: Path, wanted: str, path: str) -> bytes:
    data = _load(folder / Path(wanted).name)
    if (found := sha256(data)) != wanted:
        raise ValueError(f"the content of {path} has sha256 {found}, wanted {wanted}")
    return data


def load_json(path: Path, newest: int) -> dict[str, Any]:
    """Read a manifest or a ledger of a format up to the newest. Raises ValueError or OSError."""
    found = json.loads(_load(path))
    if found["format"] not in range(1, newest + 1):
        raise ValueError(f"found format {found['format']!r}, wanted {newest}")
    return dict(found)


def to_json(value: object) -> bytes:
    """Return the bytes of a manifest or a ledger."""
    return json.dumps(value, indent=1).encode("ascii")


def sha256(data: bytes) -> str:
    """Return the name of a content."""
    return hashlib.sha256(data).hexdigest()


def write_content(folder: Path, data: bytes) -> None:
    """Write a content under its name, unless it is there."""
    name = sha256(data)
    if not (folder / name).exists():
        write(folder / f".{name}", data)
        (folder / f".{name}").rename(folder / name)


def write(path: Path, data: bytes) -> None:
    """Write a new file, 0600 and durable."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(fd)


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
