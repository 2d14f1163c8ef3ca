"""Go back: to what a backup holds, or to what would be there without us.

Going back is all or nothing: where one file holds what can't be told apart or had again, nothing is
restored and the error names it. Half a way back could leave a sendmail.cf that names a removed
credential file, and that would hold up mail; the whole old or the whole new state never does.
``force`` goes ahead, for all or for named paths; what it overwrites is in a new backup, so that
even this can be undone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from james_client.changes import Changes
from james_client.files.backups import Backup, Store
from james_client.files.candidate import Candidate, changes, check
from james_client.files.ledger import Entry, Record, Theirs, is_onward, merged
from james_client.files.lock import locked
from james_client.files.old_secrets import kept_live
from james_client.files.place import KEEP, TIMEOUT, carry_out, found_at, settled
from james_client.files.snapshot import Snapshot, read_or_absent
from james_client.files.theirs import without_us
from james_client.files.walk import FilesError

_KEPT = {
    "old": "(not shown)",
    "new": "(not shown)",
    "kept": "stays as it is: the password of then was dropped when it was live no more",
}


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
    an unknown or damaged backup, and for files changed by others. A file whose password of then was
    dropped stays as it is, and its change says ``kept``.
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
        kept = kept_live(targets)
        back = [_to_backup(store, entry) for path, entry in targets.items() if path not in kept]
        _refuse_unknown(store, back, force)
        reason = f"restore {backup_id}, {holder}"
        done = _go_back(store, back, goal, None if test else reason, keep)
        return done | {path: dict(_KEPT) for path in kept}


def restore_first(
    directory: str | os.PathLike[str],
    *,
    lock: str | os.PathLike[str],
    holder: str,
    timeout: float = TIMEOUT,
    force: bool | Collection[str] = False,
    test: bool = False,
    keep: int = KEEP,
    theirs: Callable[[Snapshot, Record], Theirs] = without_us,
    prove: Callable[[Sequence[Candidate]], None] = lambda _: None,
    cure: str = "look at it, then force it",
) -> Changes:
    """Take what is ours out of every path that we ever touched, and forget that we did.

    force
        True, or the paths, to go back also where others have changed our own lines: what is there
        of them then goes, all else that is theirs stays
    theirs
        tells what a file would be without us
    prove
        raises where a candidate must not go live; not asked by force
    cure
        what to do where nothing is given back, in words

    Files that nobody else has changed are as before us, to the time; files that we made are
    removed. test and errors as in `restore`.
    """
    with _reached(directory, lock, holder, timeout, test) as store:
        ledger = store.ledger()
        candidates, wrong = [], []
        for path, record in ledger.items():
            now = read_or_absent(path)
            one = theirs(now, record)
            if why := _why_not(one):
                wrong += [] if _forced(path, force) else [f"{path}: {why}"]
            goal = one.file
            if _forced(path, force) and (goal.data is None or not one.known):
                goal = record.at(now.fingerprint).theirs
            candidates.append(_exactly(now, goal, secret=record.secret, steps=()))
        if wrong:
            raise FilesError("\n".join([*wrong, f"nothing was given back: {cure}"]))
        if force is not True:
            prove([one for one in candidates if one.differs])
        done = _go_back(store, candidates, 0, None if test else f"first state, {holder}", keep)
        if ledger and not test:
            store.write_ledger({})
        return done


def _why_not(one: Theirs) -> str:
    if not one.known:
        return "changed by others since we placed it, and what we placed there is not known"
    return f"others have changed our own lines to {', '.join(one.lost)}" if one.lost else ""


def status(directory: str | os.PathLike[str]) -> dict[str, str]:
    """Say of each path that we touched: ``as placed``, ``as before us`` or ``changed since``."""
    ledger = Store(Path(directory)).ledger()
    return {path: _state(now, ledger[path]) for path, now in found_at(ledger).items()}


def _state(now: Snapshot | None, record: Record) -> str:
    placed = [one for one in (record.placed, record.pending) if one]
    if now and now.fingerprint in (one.fingerprint for one in placed):
        return "as placed"
    if now and now.fingerprint == record.newest.theirs.fingerprint:
        return "as before us"
    return "changed since"


def _to_backup(store: Store, entry: Entry) -> Candidate:
    # What is others' stays what it is; only where we know nothing is it what is there.
    record = store.ledger().get(entry.before.path)
    version = record.newest if record else None
    theirs = Theirs(version.theirs, known=version.known) if version else None
    now = read_or_absent(entry.before.path)
    return _exactly(now, entry.before, secret=entry.secret, theirs=theirs)


def _exactly(now: Snapshot, goal: Snapshot, **more: Any) -> Candidate:
    return Candidate(now, goal.data, uid=now.uid, exact=goal, **more)


def _refuse_unknown(
    store: Store, candidates: Sequence[Candidate], force: bool | Collection[str]
) -> None:
    known = _recorded(store)
    strange = [
        one.path
        for one in candidates
        if one.differs
        and one.before.fingerprint not in known[one.path]
        and not _forced(one.path, force)
    ]
    if strange:
        raise FilesError(
            f"{', '.join(strange)}: changed by others since we placed it (a package upgrade?); "
            f"nothing was restored: look at it, then force it"
        )


def _go_back(
    store: Store, candidates: list[Candidate], goal: int, reason: str | None, keep: int
) -> Changes:
    # On the way back the last renamed comes first: if every prefix of the way there was safe, so
    # is every one of the way back. Undoing a way back goes onward.
    if not is_onward((store.step(), goal)):
        candidates = candidates[::-1]
    candidates = [one for one in candidates if one.differs]
    if reason is None:
        check(candidates)
    else:
        carry_out(candidates, store, reason, keep, goal)
    return changes(candidates)


def _recorded(store: Store) -> dict[str, set[str]]:
    # What is in a record is nobody else's work, or can be had back from there.
    known: dict[str, set[str]] = {}
    for path, record in store.ledger().items():
        placed = [one for one in (record.placed, record.pending) if one]
        known[path] = {mark for one in placed for mark in (one.fingerprint, one.theirs.fingerprint)}
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
