"""
Change the host's files so that each is old or new and whole at every moment, and go back.

The order of a run: take the lock, sweep what a killed run left, compare every file with what was
read, back up, write all new files beside the old ones, compare again, rename one by one. A failure
puts back what was renamed. After a kill every file is whole, and the next run sweeps.

Going back is all or nothing: where one file holds what neither this formula nor any backup put
there (a package upgrade, an editor), nothing is restored and the error names it. Half a way back
could leave a sendmail.cf that names a removed credential file, and that would hold up mail; the
whole old or the whole new state never does. ``force`` goes ahead, for all or for named paths; what
it overwrites is in a new backup, so that even this can be undone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from james_client.changes import Changes
from james_client.files import renames as sendmail_stage
from james_client.files.backups import Backup, Entry, Ledger, Store, begin, merged, settle
from james_client.files.candidate import Candidate, changes, check
from james_client.files.lock import locked
from james_client.files.renames import NotPutBack
from james_client.files.walk import FilesError, MissingDirectory, Snapshot, read

__all__ = [
    "Backup",
    "Candidate",
    "Changes",
    "FilesError",
    "NotPutBack",
    "Snapshot",
    "backups",
    "changes",
    "check",
    "place",
    "read",
    "restore",
    "restore_first",
    "status",
    "sweep",
]

KEEP = 10
TIMEOUT = 60.0


def place(
    candidates: Sequence[Candidate],
    backups: str | os.PathLike[str],
    *,
    lock: str | os.PathLike[str],
    holder: str,
    timeout: float = TIMEOUT,
    reason: str = "",
    keep: int = KEEP,
    also: Sequence[str] = (),
) -> Backup | None:
    """
    Put candidates in place, in their order; None where none of them differs.

    backups: directory, made 0700 if missing. lock: lock file. holder: who this is, for those who
    wait. timeout: seconds to wait for the lock. reason: kept with the backup, default the holder.
    keep: how many backups stay. also: paths that others will write because of ours; backed up with
    them, so that the way back includes them. `changes` of the same candidates is what this
    reports, `check` what it refuses. Raises FilesError, with every file as it was; NotPutBack,
    naming files, where that could not be had.
    """
    with locked(lock, holder, timeout):
        store = _settled(backups, candidates)
        return _place(candidates, store, reason or holder, keep, also=also)


def sweep(
    paths: Sequence[str],
    backups: str | os.PathLike[str],
    *,
    lock: str | os.PathLike[str],
    holder: str,
    timeout: float = TIMEOUT,
) -> None:
    """Remove what a killed run left beside these paths, beside all we know, and in backups."""
    with locked(lock, holder, timeout):
        sendmail_stage.sweep(paths)
        _settled(backups, ())


def backups(directory: str | os.PathLike[str]) -> list[Backup]:
    """List the backups, oldest first; of a damaged one, ``reason`` says what is wrong with it."""
    store = Store(Path(directory))
    return [store.describe(backup_id) for backup_id in store.ids()]


def restore(
    directory: str | os.PathLike[str],
    backup_id: str,
    *,
    lock: str | os.PathLike[str],
    holder: str,
    timeout: float = TIMEOUT,
    force: bool | Collection[str] = False,
    test: bool = False,
    keep: int = KEEP,
) -> Changes:
    """
    Bring every path back to what it was before the run that made this backup.

    That means what this run and all later ones changed, content, mode, owner, time and extended
    attributes. force: True, or the paths, to overwrite also what others changed since. test:
    report only. The way back is backed up like any change. Raises FilesError as `place` does, for
    an unknown or damaged backup, and for files changed by others.
    """
    with _reached(directory, lock, holder, timeout, test) as store:
        goal = store.load(backup_id)[0].steps[0]
        targets: dict[str, Entry] = {}
        order: list[str] = []
        ids = store.ids()
        for each in ids[ids.index(backup_id) :]:
            backup, entries = store.load(each)
            order = merged(order, backup.paths if _onward(backup.steps) else backup.paths[::-1])
            for entry in entries:
                targets.setdefault(entry.before.path, entry)
        targets = {path: targets[path] for path in order}
        reason = f"restore {backup_id}, {holder}"
        return _go_back(store, targets, goal, force, None if test else reason, keep)


def restore_first(
    directory: str | os.PathLike[str],
    *,
    lock: str | os.PathLike[str],
    holder: str,
    timeout: float = TIMEOUT,
    force: bool | Collection[str] = False,
    test: bool = False,
    keep: int = KEEP,
) -> Changes:
    """
    Bring every path back to what it was before we ever touched it, and forget that we did.

    Files that we made are removed. force, test and errors as in `restore`; a path that others
    changed between two runs of ours counts as changed too, because their change would be undone.
    """
    with _reached(directory, lock, holder, timeout, test) as store:
        ledger = store.ledger()
        _refuse_others(ledger, force)
        targets = {path: Entry(one.first, "", one.secret) for path, one in ledger.items()}
        reason = f"first state, {holder}"
        done = _go_back(store, targets, 0, force, None if test else reason, keep)
        if ledger and not test:
            store.write_ledger({})
        return done


def status(directory: str | os.PathLike[str]) -> dict[str, str]:
    """Say of each path that we touched: ``as placed``, ``as before us`` or ``changed since``."""
    store = Store(Path(directory))
    ledger = store.ledger()
    found = _found(ledger)
    return {
        path: "as placed"
        if found[path] in (record.placed, record.pending)
        else "as before us"
        if found[path] == record.first.fingerprint
        else "changed since"
        for path, record in ledger.items()
    }


def _place(
    candidates: Sequence[Candidate],
    store: Store,
    reason: str,
    keep: int,
    goal: int | None = None,
    also: Sequence[str] = (),
) -> Backup | None:
    check(candidates)
    todo = [one for one in candidates if one.differs]
    if not todo:
        return None
    entries = [Entry(found, found.fingerprint) for found in _found_also(also)]
    entries += [Entry(one.before, one.wanted.fingerprint, one.secret) for one in todo]
    now = _step(store)
    backup = store.save(entries, reason, (now, now + 1 if goal is None else goal))
    back = not _onward(backup.steps)
    try:
        store.write_ledger(begin(store.ledger(), entries, backup.when, back=back))
        sendmail_stage.put(todo)
    except NotPutBack:
        raise
    except BaseException:
        # Nothing changed, so there is nothing to go back to.
        with contextlib.suppress(FilesError):
            store.drop(backup.id)
            _settle(store)
        raise
    # The files are in place: what cannot be tidied now (a full disk), the next run tidies.
    with contextlib.suppress(FilesError):
        _settle(store)
        store.prune(keep)
    return backup


def _found_also(paths: Sequence[str]) -> Iterator[Snapshot]:
    # What is no plain file here is not what those others write: nothing to keep.
    for path in paths:
        with contextlib.suppress(FilesError):
            yield read(path)


def _go_back(
    store: Store,
    targets: dict[str, Entry],
    goal: int,
    force: bool | Collection[str],
    reason: str | None,
    keep: int,
) -> Changes:
    known = _recorded(store)
    candidates, strange = [], []
    # On the way back the last renamed comes first: if every prefix of the way there was safe, so
    # is every one of the way back. Undoing a way back goes onward.
    onward = _onward((_step(store), goal))
    for path, entry in targets.items() if onward else reversed(targets.items()):
        now = _now(path)
        one = Candidate(now, entry.before.data, None, now.uid, None, entry.secret, entry.before)
        if not one.differs:
            continue
        candidates.append(one)
        if now.fingerprint not in known[path] and not _forced(path, force):
            strange.append(path)
    if strange:
        raise FilesError(
            f"{', '.join(strange)}: changed by others since we placed it (a package upgrade?); "
            f"nothing was restored: look at it, then force it"
        )
    if reason is None:
        check(candidates)
    else:
        _place(candidates, store, reason, keep, goal)
    return changes(candidates)


def _refuse_others(ledger: Ledger, force: bool | Collection[str]) -> None:
    wrong = [
        f"{path}: others had changed it before our run of {record.others[-1][0]} (a package "
        f"upgrade?), and its first state would undo that"
        for path, record in ledger.items()
        if record.others and not _forced(path, force)
    ]
    if wrong:
        hint = "nothing was restored: restore a later backup, or force it"
        raise FilesError("\n".join([*wrong, hint]))


def _recorded(store: Store) -> dict[str, set[str]]:
    # What is in a record is nobody else's work, or can be had back from there.
    known: dict[str, set[str]] = {}
    for path, record in store.ledger().items():
        known[path] = {record.first.fingerprint, record.placed or "", record.pending or ""}
    for each in store.ids():
        for entry in store.whole(each):
            known.setdefault(entry.before.path, set()).update(
                (entry.before.fingerprint, entry.after)
            )
    return known


def _forced(path: str, force: bool | Collection[str]) -> bool:
    return force if isinstance(force, bool) else path in force


def _step(store: Store) -> int:
    newest = (store.describe(each) for each in reversed(store.ids()))
    return next((backup.steps[1] for backup in newest if backup.paths), 0)


def _onward(steps: tuple[int, int]) -> bool:
    return steps[0] < steps[1]


@contextlib.contextmanager
def _reached(
    directory: str | os.PathLike[str],
    lock: str | os.PathLike[str],
    holder: str,
    timeout: float,
    test: bool,
) -> Iterator[Store]:
    # A test touches nothing, not even the lock.
    if test:
        yield Store(Path(directory))
    else:
        with locked(lock, holder, timeout):
            yield _settled(directory, ())


def _settled(directory: str | os.PathLike[str], candidates: Sequence[Candidate]) -> Store:
    store = Store(Path(directory))
    sendmail_stage.sweep([*store.ledger(), *(one.path for one in candidates)])
    store.sweep()
    _settle(store)
    return store


def _settle(store: Store) -> None:
    ledger = store.ledger()
    if any(record.pending is not None for record in ledger.values()):
        store.write_ledger(settle(ledger, _found(ledger)))


def _found(ledger: Ledger) -> dict[str, str]:
    found = {}
    for path in ledger:
        try:
            found[path] = _now(path).fingerprint
        except FilesError:
            found[path] = "unreadable"
    return found


def _now(path: str) -> Snapshot:
    try:
        return read(path)
    except MissingDirectory:
        return Snapshot(path)  # with its package, perhaps
