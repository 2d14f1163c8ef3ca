"""Gather one run's candidates: each step edits them in memory, to be proved and put in place.

A candidate is what a file shall become. Nothing here is written before ``go_live``, so a step that
fails, or a run that is killed before it, has cost nothing.
"""

from __future__ import annotations

import pwd
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

from james_client.cf import auth as cf_auth
from james_client.cf import relay as cf_relay
from james_client.cf.text import Cf, CfError
from james_client.changes import Changes, HostChanges
from james_client.errors import FaultError
from james_client.files import place as files
from james_client.mc.block import Mc, McError
from james_client.wishes.platform import Platform, turn
from james_client.wishes.settings import Auth, Settings

STATE_DIR = Path("/var/lib/sendmail_james")
BACKUPS = Path("/var/backups/sendmail_james")
LOCK = Path("/var/run/sendmail_james.lock")  # FreeBSD has no /run
LOCK_TIMEOUT = 60.0  # seconds that one run waits for another


Document = TypeVar("Document", Cf, Mc)


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
        self.steps: list[str] = []
        self.placed: Changes | None = None
        self._before: dict[str, files.Snapshot] = {}
        self._after: dict[str, bytes] = {}
        self._owner: dict[str, tuple[int, int, int]] = {}
        self._documents: dict[str, Cf | Mc] = {}
        self._cf_only: str | None = None

    def for_one(self, cf: str) -> Plan:
        """Return a plan that reads and edits one cf file and no other."""
        plan = Plan(self.settings, self.platform)
        plan._cf_only = cf
        return plan

    # -- the steps ----------------------------------------------------------------------------

    def queue_only(self) -> HostChanges:
        """Turn the platform's knobs: run queues, listen nowhere (how-to, step 1)."""
        changes: HostChanges = {}
        for knob in self.platform.knobs:
            data, what = turn(knob, self._data(knob.file), self._intervals())
            if what:
                self._put(knob.file, data, 0o644)
                changes[knob.file] = what
        self.steps.append("daemon")
        return changes

    def relayed(self) -> HostChanges:
        """Make James the smart host, local relay and mail hub (how-to, step 2)."""
        relay = self.settings.relay
        changes: HostChanges = {}
        if not relay.dns:
            _require_fqdn_in_hosts()
            if self._data(relay.switch_file) != cf_relay.SWITCH:
                self._put(relay.switch_file, cf_relay.SWITCH, 0o644)
                changes[relay.switch_file] = {"hosts": {"old": None, "new": "files"}}
        changes |= self._edit(
            lambda cf: cf_relay.relay(cf, relay), lambda mc, cf: mc.relay(cf, relay)
        )
        self.steps.append("relay")
        return changes

    def loop_check_off(self) -> HostChanges:
        """Let sendmail talk to a James that greets with this host's own name (how-to, step 3)."""
        relay, loop = self.settings.relay, self.settings.loop
        self.steps.append("loop")
        return self._edit(
            lambda cf: cf_relay.loop_check(cf, relay, loop),
            lambda mc, cf: mc.loop_check(cf, relay, loop),
        )

    def authenticated(self) -> HostChanges:
        """Log in to James with SMTP AUTH, or keep the mail queued (how-to, step 4)."""
        auth, relay = self.settings.auth, self.settings.relay
        self.steps.append("auth")
        if auth is None:
            return {}
        return self._edit(
            lambda cf: cf_auth.client_auth(cf, auth, relay),
            lambda mc, cf: mc.client_auth(cf, auth, relay),
        )

    def login_in_words(self) -> str:
        """Say whether sendmail logs in, and what an earlier run left where it shall not."""
        if self.settings.auth is not None:
            return "sendmail logs in to James as the pillar says"
        left = [path for path in self.cf_paths() if cf_auth.requires_auth(self.cf(path))]
        if not left:
            return "no login is wanted"
        return (
            f"no login is wanted, but {', '.join(left)} still asks for the one of an earlier run: "
            "apply sendmail_james.clean, then this again"
        )

    def credentials(self) -> HostChanges:
        """Write the credential files: user, user, password, realm, each for its one reader only."""
        changes: HostChanges = {}
        auth = self.settings.auth
        if auth is None:
            return changes
        readers = {auth.file: "root"}
        if auth.programs == "queue" and self.has_programs_queue():
            readers[auth.programs_file] = self.platform.submit_user
        for path, reader in readers.items():
            before, owner = self._read(path), _ids(reader)
            self._put(path, credential_lines(auth), 0o600, owner)
            what: dict[str, dict[str, str | None]] = {}
            if before.data != credential_lines(auth):
                old = None if before.data is None else "(not shown)"
                what["credentials"] = {"old": old, "new": "(not shown)"}
            if before.data is not None and (before.mode, before.uid, before.gid) != (0o600, *owner):
                found = f"{before.mode:04o} {before.uid}:{before.gid}"
                what["access"] = {"old": found, "new": f"0600 {owner[0]}:{owner[1]}"}
            if what:
                changes[path] = what
        return changes

    # -- the candidates -----------------------------------------------------------------------

    def candidates(self) -> list[files.Candidate]:
        """Return what differs from the disk, in an order in which every prefix is safe.

        What a cf leans on comes before it; programs' mail is held in its queue before sendmail
        gives up port 25 to James; and sendmail has stopped listening, reboot included, before its
        cf relays to that port.
        """
        return [one for path in self.paths() if (one := self._candidate(path)).differs]

    def paths(self) -> list[str]:
        """Return every file that a run may change, in the order of the renames."""
        if self._cf_only is not None:
            return [self._cf_only]
        auth = self.settings.auth
        order = [
            self.settings.relay.switch_file,
            *((auth.file, auth.programs_file) if auth else ()),
        ]
        order += [self.platform.submit_mc, self.platform.submit_cf]
        order += [knob.file for knob in self.platform.knobs]
        return [*order, self.platform.mc, self.platform.cf]

    def generated(self) -> list[str]:
        """Return the files that the platform's tools write anew from ours."""
        return [] if self._cf_only is not None else list(self.platform.generated)

    def cf(self, path: str) -> Cf:
        """Return a cf as this run's steps have left it. Raises RunError where there is none."""
        return self._document(path, Cf)

    def rendered(self, path: str) -> bytes | None:
        """Return what a file will hold after this run, None where it is absent."""
        document = self._documents.get(path)
        if document is None:
            return self._data(path)
        with naming(path):
            return document.render()

    def cf_paths(self) -> list[str]:
        """Return the host's cf files: sendmail's, and the submission program's if there is one."""
        if self._cf_only is not None:
            return [self._cf_only]
        paths = [self.platform.cf]
        return paths + [self.platform.submit_cf] * self.has_programs_queue()

    def is_live(self) -> bool:
        """Tell whether sendmail itself reads what this plan edits: it is no copy."""
        return self._cf_only in (None, self.platform.cf, self.platform.submit_cf)

    def refuse_relaying_to_itself(self) -> None:
        """Refuse a relay to this host's own port 25 while sendmail would still listen there."""
        relay = self.settings.relay
        if not (relay.loopback and relay.port in (25, 587)) or not self.relays():
            return
        if missing := self._knobs_to_turn():
            raise RunError(
                f"sendmail would still listen on port {relay.port} and relay to itself: apply "
                f"sendmail_james.daemon first, or set {missing}"
            )

    def queues_only(self) -> bool:
        """Tell whether the knobs say, after this run, that sendmail runs its queues only."""
        return not self._knobs_to_turn()

    def _knobs_to_turn(self) -> str:
        found = []
        for knob in self.platform.knobs:
            _, missing = turn(knob, self.rendered(knob.file), self._intervals())
            found += [f"{key} in {knob.file}" for key in missing]
        return ", ".join(found)

    def has_programs_queue(self) -> bool:
        """Tell whether programs' mail has a queue of its own (there is a submit.cf)."""
        return self._exists(self.platform.submit_cf)

    def relays(self) -> bool:
        """Tell whether sendmail's cf hands local mail to James after this run."""
        cf = self._documents.get(self.platform.cf)
        return isinstance(cf, Cf) and cf.macro("H") == self.settings.relay.triple

    # -- underneath ---------------------------------------------------------------------------

    def _edit(
        self, edit_cf: Callable[[Cf], Changes], edit_mc: Callable[[Mc, Cf], Changes]
    ) -> HostChanges:
        changes: HostChanges = {}
        managed = self._managed_mcs()
        for path in self.cf_paths():
            cf = self.cf(path)
            with naming(path):
                if what := edit_cf(cf):
                    changes[path] = what
            if path not in managed:
                continue
            mc = self._document(managed[path], Mc)
            with naming(managed[path]):
                if what := edit_mc(mc, cf):
                    changes[managed[path]] = what
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
            data = self._data(path)
            if data is None:
                raise RunError(f"{path}: does not exist; expected the configuration of sendmail")
            with naming(path):
                self._documents[path] = kind(data)
        return cast(Document, self._documents[path])

    def _candidate(self, path: str) -> files.Candidate:
        mode, uid, gid = self._owner.get(path, (None, None, None))
        return files.Candidate(
            self._read(path), self.rendered(path), mode=mode, uid=uid, gid=gid, secret=mode == 0o600
        )

    def _put(
        self,
        path: str,
        data: bytes,
        mode: int,
        owner: tuple[int, int] = (0, 0),
    ) -> None:
        self._read(path)
        self._after[path] = data
        self._owner[path] = (mode, *owner)

    def _read(self, path: str) -> files.Snapshot:
        if path not in self._before:
            self._before[path] = files.read(path)
        return self._before[path]

    def _data(self, path: str) -> bytes | None:
        return self._after.get(path, self._read(path).data)

    def _exists(self, path: str) -> bool:
        return self._data(path) is not None

    def _intervals(self) -> dict[str, str]:
        daemon = self.settings.daemon
        return {
            "queue_interval": daemon.queue_interval,
            "programs_interval": daemon.programs_interval,
        }


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put the path before what is wrong in a file's text."""
    try:
        yield
    except (CfError, McError) as err:
        raise RunError(f"{path}: {err}") from None


def credential_lines(auth: Auth) -> bytes:
    """Return a DefaultAuthInfo file: user, user, password, realm (how-to, step 4)."""
    lines = (auth.username, auth.username, auth.password.reveal(), auth.realm)
    return "".join(line + "\n" for line in lines).encode()


def _ids(user: str) -> tuple[int, int]:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise RunError(
            f"user {user} does not exist; expected the owner of the submission program's queue "
            "(pillar sendmail_james:lookup:submit_user)"
        ) from None
    return entry.pw_uid, entry.pw_gid


def _require_fqdn_in_hosts() -> None:
    """Refuse a life without DNS where /etc/hosts does not hold the host's full name."""
    host = socket.gethostname()
    short = host.split(".")[0]
    text = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace")
    names = [line.split("#")[0].split()[1:] for line in text.splitlines()]
    for found in names:
        if {host, short} & set(found) and any("." in name for name in found):
            return
    raise RunError(
        f"sendmail_james:relay:dns is false, but /etc/hosts has no full name for {host!r}: every "
        "sendmail call would sleep 60 s. Expected a line such as "
        f"'127.0.1.1 {short}.example.org {short}'"
    )
