"""Reckon what is known for ever about each path: its first state, what we and others put there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from james_client.files.snapshot import Snapshot


@dataclass(frozen=True)
class Entry:
    """Say what a run found at a path, and what it wrote there.

    after
        a fingerprint
    secret
        whether it holds a password
    """

    before: Snapshot
    after: str
    secret: bool = False


@dataclass(frozen=True)
class Record:
    """Say what is known for ever about one path.

    first
        what was there before we ever touched it
    placed
        fingerprint of what we last put there, None until then
    pending
        fingerprint of what a run is just placing there
    others
        when something was found there that neither of us had put there, and its fingerprint
    """

    first: Snapshot
    secret: bool = False
    placed: str | None = None
    pending: str | None = None
    others: tuple[tuple[str, str], ...] = ()


Ledger = dict[str, Record]


def begin(ledger: Ledger, entries: Sequence[Entry], when: str, *, back: bool = False) -> Ledger:
    """Return the ledger with a run announced: what it will place, and what others did meanwhile.

    back
        the run goes back to an earlier state, so its order is not the order to remember
    """
    new = dict(ledger)
    for entry in entries:
        path, found = entry.before.path, entry.before.fingerprint
        record = new.get(path) or Record(first=entry.before)
        others = record.others
        if found not in (record.placed, record.first.fingerprint):
            others += ((when, found),) if found not in (what for _, what in others) else ()
        new[path] = replace(
            record, secret=record.secret or entry.secret, pending=entry.after, others=others
        )
    if back:
        return new
    order = merged(new, [entry.before.path for entry in entries])
    return {path: new[path] for path in order}


def settle(ledger: Ledger, found: Mapping[str, str]) -> Ledger:
    """Return the ledger with pending entries decided by what is there now.

    found
        path to fingerprint

    A path where a run never got to place anything is forgotten.
    """
    new = {}
    for path, record in ledger.items():
        if record.pending is not None:
            untouched = record.placed is None and found.get(path) == record.first.fingerprint
            if untouched and found.get(path) != record.pending:
                continue
            # Where something else is there now, it may have come after our rename: remember ours.
            reached = found.get(path) != record.placed
            record = replace(
                record, placed=record.pending if reached else record.placed, pending=None
            )
        new[path] = record
    return new


def merged(order: Iterable[str], run: Sequence[str]) -> list[str]:
    """Give all paths so that those of a run stand in its order, in the places they had together."""
    places = iter(run)
    return [next(places) if path in run else path for path in dict.fromkeys([*order, *run])]


def is_onward(steps: tuple[int, int]) -> bool:
    """Tell whether a run led away from the first state; steps from it: before, after."""
    return steps[0] < steps[1]
