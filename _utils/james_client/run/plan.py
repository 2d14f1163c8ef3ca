"""Gather one run's candidates: each step edits them in memory, to be proved and put in place.

A candidate is what a file shall become. Nothing here is written before ``go_live``, so a step that
fails, or a run that is killed before it, has cost nothing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from james_client.cf.text import Cf, CfError
from james_client.changes import Changes, HostChanges
from james_client.errors import FaultError
from james_client.files.backups import Store
from james_client.files.candidate import Candidate
from james_client.files.ledger import Ledger
from james_client.files.snapshot import Snapshot, read, read_or_absent
from james_client.files.walk import MissingDirectory
from james_client.mc.block import McError, McFile
from james_client.mta.knobs import overruled, turn
from james_client.mta.processes import uid_of
from james_client.wishes.platform import Platform
from james_client.wishes.settings import Settings

Document = TypeVar("Document", Cf, McFile)


class RunError(FaultError):
    """Say what a run can't do on this host, what was found and what is wanted."""


class Plan:
    """Hold the candidates of one run, in memory.

    settings
        the checked pillar
    platform
        the facts of the host's platform
    """

    def __init__(self, settings: Settings, platform: Platform) -> None:
        self.settings = settings
        self.platform = platform
        self.taken: set[str] = set()  # the steps that edited, by their states
        self.made_by: dict[str, set[str]] = {}  # the same, of each path that they changed
        self.placed: Changes | None = None
        self.told: Changes = {}  # what James is told before the run goes live
        self._before: dict[str, Snapshot] = {}
        self._after: dict[str, bytes] = {}
        self._access: dict[str, dict[str, Any]] = {}
        self._documents: dict[str, Cf | McFile] = {}
        self._cf_only: str | None = None
        self._step = ""
        self._ledger: Ledger | None = None

    def for_one(self, cf: str) -> Plan:
        """Return a plan that reads and edits one cf file and no other."""
        plan = Plan(self.settings, self.platform)
        plan._cf_only = cf
        return plan

    def take(self, step: str, edit: Callable[[Plan], HostChanges]) -> HostChanges:
        """Take one step, by its state: let it edit, and remember that."""
        self.taken.add(step)
        self._step = step
        return edit(self)

    # -- the candidates -----------------------------------------------------------------------

    def candidates(self) -> list[Candidate]:
        """Return what differs from the disk, in an order in which every prefix is safe.

        What a cf leans on comes before it; programs' mail is held in its queue before sendmail
        gives up port 25 to James; and sendmail has stopped listening, reboot included, before its
        cf relays to that port.
        """
        return [one for one in self._candidates() if one.differs]

    def to_check(self) -> list[Candidate]:
        """Return what is checked before anything is written: also a secret that stays as it is."""
        return [one for one in self._candidates() if one.differs or one.secret]

    def needs_restart(self) -> bool:
        """Tell whether sendmail must start anew for what differs.

        Not for a credential file alone: it is read anew for each login (`cf.login.map_line`).
        """
        return any(not one.secret for one in self.candidates())

    def paths(self) -> list[str]:
        """Return every file that a run may change, in the order of the renames."""
        if self._cf_only is not None:
            return [self._cf_only]
        order = [*self.leant_on(), self.platform.submit_mc, self.platform.submit_cf]
        order += [knob.file for knob in self.platform.knobs]
        return [*order, self.platform.mc, self.platform.cf]

    def leant_on(self) -> list[str]:
        """Return the files that a cf may name, by the pillar."""
        auth = self.settings.auth
        return [
            self.settings.relay.switch_file,
            *((auth.file, auth.programs_file) if auth else ()),
        ]

    def generated(self) -> list[str]:
        """Return the files that the platform's tools write anew from ours, each mc's cf as well."""
        if self._cf_only is not None:
            return []
        changed = {candidate.path for candidate in self.candidates()}
        built = [cf for mc, cf in self.managed_mcs() if mc in changed and cf not in changed]
        return [*self.platform.generated, *built]

    def cf(self, path: str) -> Cf:
        """Return a cf as this run's steps have left it. Raises RunError where there is none."""
        return self._document(path, Cf)

    def rendered(self, path: str) -> bytes | None:
        """Return what a file will hold after this run, None where it is absent."""
        document = self._documents.get(path)
        if document is None:
            return self.data(path)
        with naming(path):
            return document.render()

    def cf_paths(self) -> list[str]:
        """Return the host's cf files: sendmail's, and the submission program's if there is one."""
        if self._cf_only is not None:
            return [self._cf_only]
        paths = [self.platform.cf]
        return paths + [self.platform.submit_cf] * self.has_programs_queue()

    def edits_a_copy(self) -> bool:
        """Tell whether sendmail itself does not read what this plan edits."""
        return self._cf_only not in (None, self.platform.cf, self.platform.submit_cf)

    def edits_one_cf(self) -> bool:
        """Tell whether this plan is for one cf alone."""
        return self._cf_only is not None

    def refuse_relaying_to_itself(self) -> None:
        """Refuse a relay to this host's own port 25 while sendmail would still listen there."""
        relay = self.settings.relay
        if not (relay.loopback and relay.port in (25, 587)) or not self.hands_over():
            return
        if missing := self._knobs_to_turn():
            raise RunError(
                f"sendmail would still listen on port {relay.port} and relay to itself: apply "
                f"sendmail_james.daemon first, or set {missing}"
            )

    def runs_queues_only(self) -> bool:
        """Tell whether the knobs say, after this run, that sendmail runs its queues only."""
        return not self._knobs_to_turn()

    def _knobs_to_turn(self) -> str:
        found = []
        for knob in self.platform.knobs:
            _, missing = turn(knob, self.rendered(knob.file), self.intervals())
            found += [f"{key} in {knob.file}" for key in missing]
            found += overruled(knob, self.intervals())
        return ", ".join(found)

    def has_programs_queue(self) -> bool:
        """Tell whether programs' mail has a queue of its own (there is a submit.cf)."""
        return self._exists(self.platform.submit_cf)

    def queue_user(self) -> str:
        """Return whom sendmail delivers its queue as: root, or the cf's RunAsUser."""
        return self._run_as(self.platform.cf) or "root"

    def programs_user(self) -> str:
        """Return whom sendmail delivers programs' queue as: submit.cf's RunAsUser."""
        try:
            user = self._run_as(self.platform.submit_cf)
        except RunError:  # a torn submit.cf must not hide what runs
            user = ""
        return user or self.platform.submit_user

    def _run_as(self, cf: str) -> str:
        run_as = self.cf(cf).option("RunAsUser") if self._exists(cf) else None
        return re.split("[/:.]", run_as or "")[0].strip()

    def hands_over(self) -> bool:
        """Tell whether sendmail's cf hands local mail to James after this run."""
        cf = self._documents.get(self.platform.cf)
        return isinstance(cf, Cf) and cf.macro("H") == self.settings.relay.triple

    # -- what earlier runs left ----------------------------------------------------------------

    def ledger(self) -> Ledger:
        """Return what we have put on this host, and what is others' there; none for a copy."""
        if self._ledger is None:
            known = not self.edits_a_copy()
            self._ledger = Store(Path(self.platform.backups)).ledger() if known else {}
        return self._ledger

    def live(self) -> set[str] | None:
        """Return the steps whose work is on this host, by their states; None where unknown."""
        found: set[str] = set()
        for record in self.ledger().values():
            if record.steps is None and not record.secret:
                return None
            found |= set(record.steps or ())
        return found

    def made_once(self, step: str | None = None) -> list[str]:
        """Return the files that a step, any where None, has made or changed, by the ledger.

        Of an earlier form of it, the files whose step is known without it.
        """
        earlier = {self.settings.relay.switch_file: "relayed"}
        made = []
        for path, record in self.ledger().items():
            steps = record.steps
            if steps is None:
                steps = ("credentials",) if record.secret else (earlier.get(path, ""),)
            if step in steps or (step is None and any(steps)):
                made.append(path)
        return made

    def gone(self, step: str) -> list[str]:
        """Return the files of their own that a step made once and that the pillar no longer has."""
        if self._cf_only is not None:
            return []
        return [path for path in self.made_once(step) if self._is_left_over(path)]

    def said(self) -> list[str]:
        """Say, in words, where others' edits and ours met; nothing here."""
        return []

    # -- what steps edit ------------------------------------------------------------------------

    def before(self, path: str) -> Snapshot:
        """Return a file as this run found it; it is read once."""
        if path not in self._before:
            # of what was there once, the directory may have gone with its package
            self._before[path] = (read_or_absent if path in self.ledger() else read)(path)
        return self._before[path]

    def copy_from(self, plan: Plan) -> None:
        """Take over what another plan found on this host, and which steps it took."""
        self._ledger, self._before = plan._ledger, plan._before
        self.taken = set(plan.taken)

    def data(self, path: str) -> bytes | None:
        """Return what a file without a grammar of ours will hold, None where it is absent."""
        return self._after.get(path, self.found(path))

    def found(self, path: str) -> bytes | None:
        """Return the content that the steps begin with."""
        return self.before(path).data

    def put(self, path: str, data: bytes, mode: int, owner: tuple[int, int] = (0, 0)) -> None:
        """Make these bytes a file's candidate.

        mode
            permission bits, where the file is new
        owner
            uid and gid, likewise
        """
        self.before(path)
        self._note(path)
        self._after[path] = data
        self._access[path] = {"mode": mode, "uid": owner[0], "gid": owner[1]}

    def put_secret(self, path: str, data: bytes, owner: tuple[int, int]) -> None:
        """Make these bytes, which hold a password, the candidate of a file for its owner alone."""
        self.put(path, data, 0o600, owner)
        self._access[path] |= {"secret": True, "folder_uid": uid_of(self.platform.mail_owner)}

    def intervals(self) -> dict[str, str]:
        """Return what a knob's {queue_interval} and {programs_interval} stand for."""
        daemon = self.settings.daemon
        return {
            "queue_interval": daemon.queue_interval,
            "programs_interval": daemon.programs_interval,
        }

    def edit(
        self, edit_cf: Callable[[Cf], Changes], edit_mc: Callable[[McFile, Cf], Changes]
    ) -> HostChanges:
        """Edit each cf and the mc behind it; return what that changes.

        edit_cf, edit_mc
            edit one document in place and return what changed in it; edit_mc sees the edited cf too
        """
        changes: HostChanges = {}
        managed = self._managed_mcs()
        for path in self.cf_paths():
            cf = self.cf(path)
            with naming(path):
                if what := edit_cf(cf):
                    changes[path] = what
                    self._note(path)
            if path not in managed:
                continue
            mc = self._document(managed[path], McFile)
            with naming(managed[path]):
                if what := edit_mc(mc, cf):
                    changes[managed[path]] = what
                    self._note(managed[path])
        return changes

    def managed_mcs(self) -> list[tuple[str, str]]:
        """Return the pairs (mc, cf) whose mc this formula keeps in step."""
        return [(mc, cf) for cf, mc in self._managed_mcs().items() if self._exists(cf)]

    def rebuildable_mcs(self) -> list[tuple[str, str]]:
        """Return the pairs (mc, cf) that m4 can build on this host, kept in step or not."""
        facts = self.platform
        if self._cf_only or not (shutil.which("m4") and Path(facts.cf_dir).is_dir()):
            return []
        pairs = ((facts.mc, facts.cf), (facts.submit_mc, facts.submit_cf))
        return [(mc, cf) for mc, cf in pairs if self._exists(mc) and self._exists(cf)]

    # -- underneath ---------------------------------------------------------------------------

    def _is_left_over(self, path: str) -> bool:
        facts = self.platform
        shared = {facts.cf, facts.mc, facts.submit_cf, facts.submit_mc}
        return path not in shared and path not in self._after and self._exists(path)

    def _note(self, path: str) -> None:
        self.made_by.setdefault(path, set()).add(self._step)

    def _managed_mcs(self) -> dict[str, str]:
        """Return the mc that stands behind each cf, where a rebuild must give the same result."""
        manage, facts = self.settings.mc.manage, self.platform
        if manage is False or (manage == "auto" and not facts.rebuilds):
            return {}
        found = {cf: mc for mc, cf in self.rebuildable_mcs()}
        if manage is True and not self._cf_only and facts.cf not in found:
            raise RunError(
                f"mc:manage is true, but m4, {facts.cf_dir} or {facts.mc} is not on this host"
            )
        return found

    def _document(self, path: str, kind: Callable[[bytes], Document]) -> Document:
        if path not in self._documents:
            data = self.data(path)
            if data is None:
                raise RunError(f"{path}: does not exist; expected the configuration of sendmail")
            with naming(path):
                self._documents[path] = kind(data)
        return cast(Document, self._documents[path])

    def _candidates(self) -> Iterator[Candidate]:
        for path in self.paths():
            access, steps = self._access.get(path, {}), self._steps(path)
            yield Candidate(self.before(path), self.rendered(path), steps=steps, **access)

    def _steps(self, path: str) -> tuple[str, ...] | None:
        """Return which steps made a file what it will be, with those of earlier runs."""
        record = self.ledger().get(path)
        known = record.steps if record else ()
        if known is None or self.edits_a_copy():
            return known
        return tuple(sorted({*known, *self.made_by.get(path, ())}))

    def _exists(self, path: str) -> bool:
        try:
            return self.data(path) is not None
        except MissingDirectory:
            return False


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put the path before what is wrong in a file's text."""
    try:
        yield
    except (CfError, McError) as err:
        raise RunError(f"{path}: {err}") from None
