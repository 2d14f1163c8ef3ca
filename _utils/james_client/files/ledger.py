"""Reckon what is known for ever about each path: what is others' in it, and what we put there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from james_client.files.snapshot import Snapshot


@dataclass(frozen=True)
class Theirs:
    """Say what a file would be without us.

    file
        that file; ``mtime_ns`` 0 means that it never was just so
    lost
        what others had made of our own lines, in words: it is not in the file
    known
        False where that cannot be told; the file is then as it was found
    """

    file: Snapshot
    lost: tuple[str, ...] = ()
    known: bool = True


@dataclass(frozen=True)
class Entry:
    """Say what a run found at a path, and what it wrote there.

    after
        a fingerprint
    secret
        whether it holds a password
    data
        the content that it wrote, None where there is none or it is secret
    theirs
        what the file would be without us
    steps
        which steps made the difference, None for those that are known
    bystander
        whether others write the file, because of ours
    dropped
        the password that was found is kept no more, see `old_secrets`; the snapshot lacks content
    """

    before: Snapshot
    after: str
    secret: bool = False
    data: bytes | None = field(default=None, repr=False)
    theirs: Theirs | None = None
    steps: tuple[str, ...] | None = ()
    bystander: bool = False
    dropped: bool = False


@dataclass(frozen=True)
class Version:
    """Say what a run put at a path.

    theirs
        what the file would be without us
    fingerprint
        of what was put there
    data
        its content; None where there is none, it is secret, or an earlier form of this ledger kept
        it not
    steps
        which steps made the difference; None where an earlier form kept them not
    known
        False where ``theirs`` is older than what others have changed since
    replaces
        fingerprint of what was there until then
    """

    theirs: Snapshot
    fingerprint: str
    data: bytes | None = field(default=None, repr=False)
    steps: tuple[str, ...] | None = ()
    known: bool = True
    replaces: str = ""

    @property
    def is_ours(self) -> bool:
        """Tell whether anything of ours is in it."""
        return self.fingerprint != self.theirs.fingerprint


@dataclass(frozen=True)
class Record:
    """Say what is known for ever about one path.

    placed
        what we last put there, None until then
    pending
        what a run is just placing there
    """

    placed: Version | None = None
    pending: Version | None = None
    secret: bool = False

    @property
    def versions(self) -> list[Version]:
        """Give both, as far as they are there."""
        return [one for one in (self.placed, self.pending) if one is not None]

    @property
    def newest(self) -> Version:
        """Give what we last put there, or are just placing there."""
        found = self.pending or self.placed
        assert found is not None, "a record has one of the two"
        return found

    def at(self, mark: str) -> Version:
        """Give what we last put there, by the fingerprint of what is there now.

        A run that was killed may not have got to it; where something else is there now, that may
        have come after our rename, so that ours is the newest.
        """
        if self.pending and self.placed:
            before = mark in (self.placed.fingerprint, self.pending.replaces)
            return self.placed if before and mark != self.pending.fingerprint else self.pending
        return self.newest

    @property
    def steps(self) -> tuple[str, ...] | None:
        """Give the steps whose work is there, or may be after a kill; None where not known."""
        ours = [one.steps for one in (self.placed, self.pending) if one and one.is_ours]
        known = [steps for steps in ours if steps is not None]
        return tuple(sorted(set().union(*known))) if len(known) == len(ours) else None


Ledger = dict[str, Record]


def begin(ledger: Ledger, entries: Sequence[Entry], *, back: bool = False) -> Ledger:
    """Return the ledger with a run announced: what it will place.

    back
        the run goes back to an earlier state, so its order is not the order to remember
    """
    new = dict(ledger)
    for entry in entries:
        path = entry.before.path
        record = new.get(path, Record())
        if entry.bystander and path in new:
            continue
        theirs = entry.theirs or Theirs(entry.before)
        steps = entry.steps
        if steps is None:
            steps = record.newest.steps if path in new else ()
        replaces = entry.before.fingerprint
        version = Version(theirs.file, entry.after, entry.data, steps, theirs.known, replaces)
        new[path] = replace(record, secret=record.secret or entry.secret, pending=version)
    if back:
        return new
    order = merged(new, [entry.before.path for entry in entries])
    return {path: new[path] for path in order}


def settle(ledger: Ledger, found: Mapping[str, Snapshot | None]) -> Ledger:
    """Return the ledger with pending entries decided by what is there now.

    found
        path to what is there, None for what is no plain file

    A path where a run never got to place anything is forgotten. Where an earlier form of the ledger
    kept no content, that is made good if it is there still.
    """
    new = {}
    for path, record in ledger.items():
        now = found.get(path)
        mark = now.fingerprint if now else ""
        if (pending := record.pending) is not None:
            untouched = mark in (pending.replaces, pending.theirs.fingerprint)
            if record.placed is None and untouched and mark != pending.fingerprint:
                continue
            record = replace(record, placed=record.at(mark), pending=None)
        if lacks_content(record) and now and mark == record.newest.fingerprint:
            record = replace(record, placed=replace(record.newest, data=now.data))
        new[path] = record
    return new


def lacks_content(record: Record) -> bool:
    """Tell whether an earlier form of the ledger kept not what we placed."""
    version = record.newest
    return version.data is None and not record.secret and version.fingerprint != "absent"


def merged(order: Iterable[str], run: Sequence[str]) -> list[str]:
    """Give all paths so that those of a run stand in its order, in the places they had together."""
    places = iter(run)
    return [next(places) if path in run else path for path in dict.fromkeys([*order, *run])]


def is_onward(steps: tuple[int, int]) -> bool:
    """Tell whether a run led away from the first state; steps from it: before, after."""
    return steps[0] < steps[1]
