"""Make a run's candidates as a fresh apply of its pillar would: from the files as without us.

What the pillar no longer says is taken back by that, for nothing of an earlier run is in what the
steps begin with.
"""

from __future__ import annotations

from collections.abc import Iterator

from james_client.changes import HostChanges
from james_client.files.candidate import Candidate
from james_client.files.candidate import changes as changes_of
from james_client.files.ledger import Theirs
from james_client.run.plan import Plan
from james_client.run.steps import STEPS, take
from james_client.run.theirs import without_us


class Whole(Plan):
    """Hold the candidates that a plan's steps make of the files as they would be without us."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.settings, plan.platform)
        self.copy_from(plan)
        self._theirs: dict[str, Theirs] = {}

    def theirs(self, path: str) -> Theirs:
        """Return what a file would be without us."""
        if path not in self._theirs:
            now, record = self.before(path), self.ledger().get(path)
            self._theirs[path] = without_us(now, record, self.platform)
        return self._theirs[path]

    def found(self, path: str) -> bytes | None:
        """Return the content that the steps begin with: what is others'."""
        return self.theirs(path).file.data

    def paths(self) -> list[str]:
        """Return every file that a run may change, in the order of the renames.

        What a cf leans on comes before it; what none leans on any more, after it.
        """
        order = super().paths()
        leant_on = [path for path in order if path in self.leant_on() and path in self._after]
        stay = [path for path in order if path not in self.leant_on()]
        gone = [*self.leant_on(), *self.made_once()]
        return list(dict.fromkeys([*leant_on, *stay, *gone]))

    def said(self) -> list[str]:
        """Say where others' edits and ours met, in words."""
        said = []
        for one in self.candidates():
            theirs = self.theirs(one.path)
            if theirs.lost:
                lines = ", ".join(theirs.lost)
                said.append(f"{one.path}: others had changed lines of ours to {lines}")
            if not theirs.known:
                said.append(f"{one.path}: edited as it was found, others' edits and ours are one")
        return said

    def _candidates(self) -> Iterator[Candidate]:
        for path in self.paths():
            before, theirs, data = self.before(path), self.theirs(path), self.rendered(path)
            if data == theirs.file.data and path not in self._access:
                yield self._given_back(path)
                continue
            access = self._access.get(path, {})
            owned = theirs.file.data is None and not access.get("secret")
            steps = tuple(sorted(self.made_by.get(path, ())))
            yield Candidate(before, data, **access, owned=owned, theirs=theirs, steps=steps)

    def _given_back(self, path: str) -> Candidate:
        before, theirs, record = self.before(path), self.theirs(path), self.ledger().get(path)
        changed = theirs.file.fingerprint != before.fingerprint
        return Candidate(
            before,
            theirs.file.data,
            uid=before.uid,
            secret=bool(record and record.secret),
            exact=theirs.file if changed else before,
            theirs=theirs,
            steps=(),
        )


def whole(plan: Plan) -> Plan:
    """Return the plan whose candidates are what a fresh apply of the pillar would make.

    plan
        in which a run's steps were taken on what is on the disk; the steps of earlier runs are
        taken again, so that a run of some of them keeps the others

    A plan for one cf is returned as it is, and one without steps; so is one of some steps where an
    earlier form of the ledger does not say which were taken.
    """
    if plan.edits_one_cf() or not plan.taken:
        return plan
    live = plan.live()
    if live is None and plan.taken != {step.state for step in STEPS}:
        return plan
    fresh = Whole(plan)
    for step in STEPS:
        if step.state in plan.taken | (live or set()):
            fresh.take(step.state, step.edit)
    return fresh


def drift(plan: Plan) -> HostChanges:
    """Return what all steps would change, ``{path: {thing: {old, new}}}``; empty means none.

    plan
        goes on showing what is there: the steps are taken on a plan of their own

    What no step has words for is told as ``file``, with old, new and diff.
    """
    trial = Plan(plan.settings, plan.platform)
    said: HostChanges = {}
    for step in STEPS:
        for path, what in take(step, trial).items():
            said.setdefault(path, {}).update(what)
    fresh = whole(trial)
    changes: HostChanges = {}
    for path, change in changes_of(fresh.candidates()).items():
        changes[path] = said.get(path, {})
        if path not in said or trial.rendered(path) != fresh.rendered(path):
            changes[path]["file"] = change
    return changes
