"""Drop from the backups the secrets of ours that are live no more, and nobody else's content.

A manifest says first, by one rename, that a secret is dropped; then its content goes. A kill in
between leaves a content that no manifest promises: the next run removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from james_client.files.backups import Store
from james_client.files.ledger import Entry
from james_client.files.lock import locked
from james_client.files.place import TIMEOUT
from james_client.files.snapshot import read_or_absent
from james_client.files.walk import FilesError, failure

Ours = Callable[[bytes], bool]


def drop(
    directory: str | os.PathLike[str],
    ours: Ours,
    *,
    lock: str | os.PathLike[str],
    holder: str,
    timeout: float = TIMEOUT,
) -> None:
    """Drop the old secrets from all backups, and end what a killed run began of it.

    ours
        tells by its form whether a content is a secret of ours, whoever edited it

    A secret stays that is live at any path of ours, that was at its path before us, or that others
    put there in a form of their own. Nothing is written where there is nothing to drop. Raises
    FilesError.
    """
    store = Store(Path(directory))
    if not store.ids():
        return
    with locked(lock, holder, timeout):
        ledger = store.ledger()
        manifests = {backup_id: _manifest(store, backup_id) for backup_id in store.ids()}
        paths = {path for path, record in ledger.items() if record.secret}
        paths |= {row["path"] for one in manifests.values() for row in _secrets(one)}
        versions = [one for record in ledger.values() for one in record.versions]
        theirs = {_sha256(one.theirs.data) for one in versions if one.theirs.data is not None}
        placed = {_content_of(one.fingerprint) for one in versions}
        placed |= {_content_of(row["after"]) for one in manifests.values() for row in _secrets(one)}
        keep = _Keep(_live(paths) | theirs, frozenset(placed), ours)
        for backup_id, manifest in manifests.items():
            if manifest:
                _drop(store, backup_id, manifest, keep)
            else:
                _clear(store, backup_id, keep)


def kept_live(targets: dict[str, Entry]) -> list[str]:
    """Return the paths whose secret of then was dropped and that keep the one of now.

    Raises FilesError where none is there now: a cf of then would name a file that is missing.
    """
    dropped = [path for path, entry in targets.items() if entry.dropped]
    missing = [path for path in dropped if read_or_absent(path).data is None]
    if missing:
        raise FilesError(
            f"{', '.join(missing)}: the password of then was dropped when it was live no more, and "
            "there is none now: nothing was restored. Apply the highstate instead"
        )
    return dropped


@dataclass(frozen=True)
class _Keep:
    """Know which secrets stay: by the hashes of what is live or others', and of what we placed."""

    fixed: frozenset[str]
    placed: frozenset[str]
    ours: Ours

    def __call__(self, sha256: str, content: Callable[[], bytes]) -> bool:
        """Tell whether a content stays; it is read only where that decides."""
        if sha256 in self.fixed or sha256 in self.placed:
            return sha256 in self.fixed
        return not self.ours(content())


def _drop(store: Store, backup_id: str, manifest: dict[str, Any], keep: _Keep) -> None:
    content = partial(_content, store.root / backup_id)
    promised = [row for row in _secrets(manifest) if not row.get("dropped")]
    old = [row for row in promised if not keep(row["sha256"], partial(content, row["sha256"]))]
    if old:
        for row in old:
            row["dropped"] = True
        store.rewrite(backup_id, manifest)
    needed = {row["sha256"] for row in manifest["files"] if not row.get("dropped")}
    gone = {row["sha256"] for row in _secrets(manifest) if row.get("dropped")} - needed
    _unlink(store.root / backup_id, gone)


def _clear(store: Store, backup_id: str, keep: _Keep) -> None:
    """Take secrets of ours out of a damaged backup, whose manifest says nothing."""
    folder = store.root / backup_id
    for name in os.listdir(folder):  # noqa: PTH208
        data = _content(folder, name)
        if keep.ours(data) and _sha256(data) not in keep.fixed:
            _unlink(folder, {name})


def _unlink(folder: Path, names: set[str]) -> None:
    try:
        for name in names:
            (folder / Path(name).name).unlink(missing_ok=True)
    except OSError as err:
        raise failure(str(folder), "an old secret cannot be removed", err) from err


def _manifest(store: Store, backup_id: str) -> dict[str, Any]:
    """Read what a backup says it holds; {} where it is damaged."""
    with contextlib.suppress(FilesError, KeyError, TypeError, AttributeError):
        found = store.manifest(backup_id)
        if all(row["path"] for row in _secrets(found)):
            return found
    return {}


def _secrets(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for row in manifest.get("files", ()):
        if row["secret"] and row["sha256"] is not None:
            yield row


def _content(folder: Path, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return (folder / Path(name).name).read_bytes()
    return b""


def _live(paths: set[str]) -> frozenset[str]:
    found = set()
    for path in paths:
        with contextlib.suppress(FilesError):
            if (data := read_or_absent(path).data) is not None:
                found.add(_sha256(data))
    return frozenset(found)


def _content_of(fingerprint: str) -> str:
    return fingerprint.split(":")[0]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
