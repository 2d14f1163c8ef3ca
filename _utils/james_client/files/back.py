"""Go back: to what a backup holds, or to what was there before us.

Going back is all or nothing: where one file holds what neither this formula nor any backup put
there (a package upgrade, an editor), nothing is restored and the error names it. Half a way back
could leave a sendmail.cf that names a removed credential file, and that would hold up mail; the
whole old or the whole new state never does. ``force`` goes ahead, for all or for named paths; what
it overwrites is in a new backup, so that even this can be undone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from james_client.changes import Changes
from james_client.files.backups import Backup, Store
from james_client.files.candidate import Candidate, changes, check
from james_client.files.ledger import Entry, Ledger, is_onward, merged
from james_client.files.lock import locked
from james_client.files.place import KEEP, TIMEOUT, carry_out, fingerprints, settled
from james_client.files.snapshot import read_or_absent
from james_client.files.walk import FilesError


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
    """Bring every path back to what it was before the run that made this backup.

    force
        True, or the paths, to overwrite also what others changed since
    test
        report only

    What this run and all later ones changed goes back: content, mode, owner, time and extended
    attributes. The way back is backed up like any change. Raises FilesError as `place` does, for
    an unknown or damaged backup, and for files changed by others.
    """
    with _reached(directory, lock, holder, timeout, test) as store:
        goal = store.load(backup_id)[0].steps[0]
        targets: dict[str, Entry] = {}
        order: list[str] = []
        ids = store.ids()
        for each in ids[ids.index(backup_id) :]:
            backup, entries = store.load(each)
            order = merged(order, backup.paths if is_onward(backup.steps) else backup.paths[::-1])
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
    """Bring every path back to what it was before we ever touched it, and forget that we did.

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
    found = fingerprints(ledger)
    return {
        path: "as placed"
        if found[path] in (record.placed, record.pending)
        else "as before us"
        if found[path] == record.first.fingerprint
        else "changed since"
        for path, record in ledger.items()
    }


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
    onward = is_onward((store.step(), goal))
    for path, entry in targets.items() if onward else reversed(targets.items()):
        now = read_or_absent(path)
        one = Candidate(
            now, entry.before.data, uid=now.uid, secret=entry.secret, exact=entry.before
        )
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
        carry_out(candidates, store, reason, keep, goal)
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
            yield settled(directory, ())
