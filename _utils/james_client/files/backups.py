"""Keep what was there before: numbered backups, and for ever the very first state of each path.

The directory is 0700 and root's, its files 0600, because credentials are among them::

    000007-20260131T020304Z/manifest.json   one run: each path before it, and what it then wrote
    000007-20260131T020304Z/<sha256>        the contents
    first/ledger.json                       per path: what is others', what we last placed there
    first/<sha256>

A backup is complete under a hidden name before it gets its own, so half a one is never listed.
Ids sort by number, which only grows: a clock that jumps back changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from james_client.files import stored
from james_client.files.ledger import Entry, Ledger
from james_client.files.walk import FilesError, directory, failure, roots, trusted_uids

_ID = re.compile(r"(\d{6,})-\d{8}T\d{6}Z")
_MANIFEST = "manifest.json"
_LEDGER = "ledger.json"
_FORMAT = 1
_LEDGER_FORMAT = 2  # 1 knew the first state, and of what we placed the fingerprint only


@dataclass(frozen=True)
class Backup:
    """Describe one backup.

    when
        UTC
    reason
        who asked
    paths
        in the order of the renames
    steps
        how many runs from the first state the host was before and after it; a run that went back
        has the smaller number second
    """

    id: str
    when: str
    reason: str
    paths: tuple[str, ...]
    steps: tuple[int, int]


@dataclass
class Store:
    """Read and write the backup directory; every method raises FilesError."""

    root: Path
    _checked: bool = field(default=False, repr=False)

    def ids(self) -> list[str]:
        """Give the ids of all backups, oldest first."""
        if not self.root.is_dir():
            return []
        self._check()
        names = [path.name for path in self.root.iterdir() if _ID.fullmatch(path.name)]
        return sorted(names, key=_number)

    def load(self, backup_id: str) -> tuple[Backup, list[Entry]]:
        """Read one backup whole; FilesError where it is unknown or damaged."""
        if backup_id not in (known := self.ids()):
            raise FilesError(
                f"{self.root}: no backup {backup_id!r}; there are: {', '.join(known) or 'none'}"
            )
        folder = self.root / backup_id
        with _damage(folder / _MANIFEST):
            found = stored.load_json(folder / _MANIFEST, _FORMAT)
            entries = [stored.read_entry(one, folder) for one in found["files"]]
            paths = tuple(entry.before.path for entry in entries)
            first, second = (int(step) for step in found["steps"])
            reason = str(found["reason"])
            return Backup(backup_id, str(found["when"]), reason, paths, (first, second)), entries

    def manifest(self, backup_id: str) -> dict[str, Any]:
        """Read what a backup says it holds, without the contents."""
        path = self.root / backup_id / _MANIFEST
        with _damage(path):
            return stored.load_json(path, _FORMAT)

    def rewrite(self, backup_id: str, manifest: Mapping[str, Any]) -> None:
        """Let a backup say something else, by one rename."""
        folder = self.root / backup_id
        new = folder / f".{_MANIFEST}"
        try:
            new.unlink(missing_ok=True)  # a killed run's
            stored.write(new, stored.to_json(manifest))
            new.rename(folder / _MANIFEST)
            stored.sync(folder)
        except OSError as err:
            raise failure(str(folder), "the backup cannot be changed", err) from err

    def describe(self, backup_id: str) -> Backup:
        """Read what a backup is; of a damaged one, ``reason`` says so and ``paths`` is empty."""
        try:
            return self.load(backup_id)[0]
        except FilesError as err:
            return Backup(backup_id, "", str(err), (), (0, 0))

    def whole(self, backup_id: str) -> list[Entry]:
        """Read the entries of a backup, none where it is damaged."""
        return self.load(backup_id)[1] if self.describe(backup_id).paths else []

    def step(self) -> int:
        """Give how many runs from the first state the host is now."""
        newest = (self.describe(each) for each in reversed(self.ids()))
        return next((backup.steps[1] for backup in newest if backup.paths), 0)

    def save(self, entries: Sequence[Entry], reason: str, steps: tuple[int, int]) -> Backup:
        """Write a new backup, durable and whole when it gets its name."""
        self._make()
        number = max(map(_number, self.ids()), default=0) + 1
        now = time.gmtime()
        name = f"{number:06d}-{time.strftime('%Y%m%dT%H%M%SZ', now)}"
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", now)
        paths = tuple(entry.before.path for entry in entries)
        files = [
            {**stored.describe(one.before), "after": one.after, "secret": one.secret}
            for one in entries
        ]
        manifest = {
            "format": _FORMAT,
            "when": when,
            "reason": reason,
            "steps": steps,
            "files": files,
        }
        folder = self.root / f".new-{name}"
        try:
            folder.mkdir(mode=0o700)
            for entry in entries:
                if entry.before.data is not None:
                    stored.write_content(folder, entry.before.data)
            stored.write(folder / _MANIFEST, stored.to_json(manifest))
            stored.sync(folder)
            folder.rename(self.root / name)
            stored.sync(self.root)
        except OSError as err:
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
            raise failure(str(self.root), "the backup cannot be written", err) from err
        return Backup(name, when, reason, paths, steps)

    def drop(self, backup_id: str) -> None:
        """Remove one backup; its name goes first, so half a one is never listed."""
        gone = self.root / f".old-{backup_id}"
        try:
            (self.root / backup_id).rename(gone)
            shutil.rmtree(gone)
        except OSError as err:
            raise failure(str(gone), "the backup cannot be removed", err) from err

    def prune(self, keep: int) -> None:
        """Remove all but the newest ``keep`` backups; the first states are not among them."""
        for backup_id in self.ids()[: -max(keep, 1)]:
            self.drop(backup_id)

    def sweep(self) -> None:
        """Remove what a killed run left half written or half removed."""
        if not self.root.is_dir():
            return
        self._check()
        try:
            for path in self.root.iterdir():
                if path.name.startswith((".new-", ".old-")):
                    shutil.rmtree(path)
            named = _named(self.ledger())
            for path in self.root.glob("first/*"):
                if path.name not in named:
                    path.unlink()
        except OSError as err:
            raise failure(str(self.root), "left-overs cannot be removed", err) from err

    def ledger(self) -> Ledger:
        """Read what is known for ever, paths in the order of their renames."""
        path = self.root / "first" / _LEDGER
        if not path.exists():
            return {}
        self._check()
        with _damage(path):
            found = stored.load_json(path, _LEDGER_FORMAT)
            read = (
                stored.read_record
                if found["format"] == _LEDGER_FORMAT
                else stored.read_first_record
            )
            return {one["path"]: read(one, path.parent) for one in found["files"]}

    def write_ledger(self, ledger: Ledger) -> None:
        """Replace the ledger by one rename, and drop contents it no longer names."""
        self._make()
        folder = self.root / "first"
        files = [stored.describe_record(path, record) for path, record in ledger.items()]
        kept = [data for record in ledger.values() for data in stored.contents(record)]
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            for data in kept:
                stored.write_content(folder, data)
            stored.write(
                folder / f".{_LEDGER}", stored.to_json({"format": _LEDGER_FORMAT, "files": files})
            )
            (folder / f".{_LEDGER}").rename(folder / _LEDGER)
            stored.sync(folder)
            named = _named(ledger)
            for path in [path for path in folder.iterdir() if path.name not in named]:
                path.unlink()
        except OSError as err:
            raise failure(str(folder), "the first states cannot be written", err) from err

    def _make(self) -> None:
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        try:
            for path in reversed(missing):
                with directory(str(path.parent), roots):
                    path.mkdir(mode=0o700)
                stored.sync(path.parent)
        except OSError as err:
            raise failure(str(self.root), "the directory cannot be made", err) from err
        self._check()

    def _check(self) -> None:
        if self._checked:
            return
        with directory(str(self.root), roots) as fd:
            info = os.fstat(fd)
        mode = stat.S_IMODE(info.st_mode)
        if info.st_uid not in trusted_uids() or mode & 0o077:
            raise FilesError(
                f"{self.root}: found owner uid {info.st_uid} and mode {mode:04o}, wanted root and "
                f"0700, because it holds credentials"
            )
        self._checked = True


def _named(ledger: Ledger) -> set[str]:
    """Name the files of the folder that belong to a ledger."""
    kept = [data for record in ledger.values() for data in stored.contents(record)]
    return {_LEDGER, *map(stored.sha256, kept)}


def _number(backup_id: str) -> int:
    match = _ID.fullmatch(backup_id)
    return int(match[1]) if match else 0


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise failure(str(path), "the backup is damaged, it cannot be read", err) from err
    except KeyError as err:
        raise FilesError(f"{path}: the backup is damaged: {err} is missing") from err
    except (ValueError, TypeError, AttributeError) as err:
        raise FilesError(f"{path}: the backup is damaged: {err}") from err
