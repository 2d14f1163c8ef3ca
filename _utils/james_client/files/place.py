"""Change the host's files so that each is old or new and whole at every moment.

The order of a run: take the lock, sweep what a killed run left, compare every file with what was
read, back up, write all new files beside the old ones, compare again, rename one by one. A failure
puts back what was renamed. After a kill every file is whole, and the next run sweeps.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from james_client.files import renames
from james_client.files.backups import Backup, Store
from james_client.files.candidate import Candidate, check
from james_client.files.ledger import Entry, Ledger, begin, is_onward, lacks_content, settle
from james_client.files.lock import locked
from james_client.files.renames import NotPutBack
from james_client.files.snapshot import Snapshot, read, read_or_absent
from james_client.files.theirs import without_us
from james_client.files.walk import FilesError

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
    """Put candidates in place, in their order; None where none of them differs.

    backups
        directory, made 0700 if missing
    lock
        lock file
    holder
        who this is, for those who wait
    timeout
        seconds to wait for the lock
    reason
        kept with the backup, default the holder
    keep
        how many backups stay
    also
        paths that others will write because of ours; backed up with them, so that the way back
        includes them

    `changes` of the same candidates is what this reports, `check` what it refuses. Raises
    FilesError, with every file as it was; NotPutBack, naming files, where that could not be had.
    """
    with locked(lock, holder, timeout):
        store = settled(backups, candidates)
        return carry_out(candidates, store, reason or holder, keep, also=also)


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
        renames.sweep(paths)
        settled(backups, ())


def carry_out(
    candidates: Sequence[Candidate],
    store: Store,
    reason: str,
    keep: int,
    goal: int | None = None,
    also: Sequence[str] = (),
) -> Backup | None:
    """Put candidates in place as `place` does, under the lock.

    goal
        how many runs from the first state the host will be, None for one more
    """
    own = (str(store.root),)
    check(candidates, own)
    todo = [one for one in candidates if one.differs]
    if not todo:
        return None
    ledger = store.ledger()
    entries = [*_bystanders(also), *(_entry(one, ledger) for one in todo)]
    now = store.step()
    backup = store.save(entries, reason, (now, now + 1 if goal is None else goal))
    back = not is_onward(backup.steps)
    try:
        store.write_ledger(begin(ledger, entries, back=back))
        renames.put(todo, own)
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


def _entry(one: Candidate, ledger: Ledger) -> Entry:
    return Entry(
        before=one.before,
        after=one.wanted.fingerprint,
        secret=one.secret,
        data=None if one.secret else one.wanted.data,
        theirs=one.theirs or without_us(one.before, ledger.get(one.path)),
        steps=one.steps,
    )


def _bystanders(paths: Sequence[str]) -> Iterator[Entry]:
    # What is no plain file here is not what those others write: nothing to keep.
    for path in paths:
        with contextlib.suppress(FilesError):
            found = read(path)
            yield Entry(found, found.fingerprint, data=found.data, bystander=True)


def settled(directory: str | os.PathLike[str], candidates: Sequence[Candidate]) -> Store:
    """Return a backup directory, swept of what killed runs left there and beside all we know."""
    store = Store(Path(directory))
    renames.sweep([*store.ledger(), *(one.path for one in candidates)])
    store.sweep()
    _settle(store)
    return store


def _settle(store: Store) -> None:
    ledger = store.ledger()
    if any(one.pending is not None or lacks_content(one) for one in ledger.values()):
        settled = settle(ledger, found_at(ledger))
        if settled != ledger:
            store.write_ledger(settled)


def found_at(paths: Iterable[str]) -> dict[str, Snapshot | None]:
    """Return what each path holds now, None for what is no plain file."""
    found: dict[str, Snapshot | None] = {}
    for path in paths:
        try:
            found[path] = read_or_absent(path)
        except FilesError:
            found[path] = None
    return found
