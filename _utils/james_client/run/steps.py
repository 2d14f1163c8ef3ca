"""The recipe's steps, in their order: what each edits in a run's candidates.

``STEPS`` is the one place where their sequence stands; states, command line, ``drift`` and SLS
files follow it.
"""

from __future__ import annotations

import base64
import pwd
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from james_client.cf import auth as cf_auth
from james_client.cf import loop as cf_loop
from james_client.cf import masquerade, timeouts
from james_client.cf import relay as cf_relay
from james_client.changes import Changes, HostChanges
from james_client.files.snapshot import Snapshot
from james_client.files.walk import MissingDirectory
from james_client.mta.knobs import overruled, turn
from james_client.run.plan import Plan, RunError
from james_client.wishes.secret import Secret
from james_client.wishes.settings import Auth

_CREDENTIAL_MAP = re.compile(rb'user\t"U:[^\n]*"\nrealm\t"R:[^\n]*"\npassword\t"P=[^\n]*"\n?')


def daemon(plan: Plan) -> HostChanges:
    """Turn the platform's knobs: run queues, listen nowhere (how-to, step 1); set the patience."""
    changes: HostChanges = {}
    for knob in plan.platform.knobs:
        data, what = turn(knob, plan.data(knob.file), plan.intervals())
        if wins := overruled(knob, plan.intervals()):
            raise RunError("; ".join(wins))
        if what:
            plan.put(knob.file, data, 0o644)
            changes[knob.file] = what
    wish = plan.settings.daemon
    if wish.give_up_after is None and wish.warn_after is None:
        return changes
    return changes | plan.edit(lambda cf: timeouts.edit(cf, wish), lambda mc, _: mc.timeouts(wish))


def relay(plan: Plan) -> HostChanges:
    """Make James the smart host, local relay and mail hub (how-to, step 2)."""
    wish = plan.settings.relay
    changes: HostChanges = {}
    if not wish.dns:
        _require_fqdn_in_hosts()
        if plan.data(wish.switch_file) != cf_relay.SWITCH:
            changes[wish.switch_file] = {"hosts": {"old": None, "new": "files"}}
        plan.put(wish.switch_file, cf_relay.SWITCH, 0o644)
    for path in plan.gone("relayed"):
        changes[path] = {"hosts": {"old": "files", "new": None}}
    return changes | plan.edit(
        lambda cf: cf_relay.edit(cf, wish) | masquerade.edit(cf, wish),
        lambda mc, cf: mc.relay(cf, wish) | mc.masquerade(cf, wish),
    )


def loop(plan: Plan) -> HostChanges:
    """Let sendmail talk to a James that greets with this host's own name (how-to, step 3)."""
    wish, check = plan.settings.relay, plan.settings.loop
    return plan.edit(
        lambda cf: cf_loop.edit(cf, wish, check),
        lambda mc, cf: mc.loop(cf, wish, check),
    )


def credentials(plan: Plan) -> HostChanges:
    """Write the credential files: user, password, realm, each for its one reader only."""
    changes: HostChanges = {}
    wish = plan.settings.auth
    if wish is not None:
        for path, reader in credential_readers(plan, wish).items():
            if what := _write_credentials(plan, wish, path, reader):
                changes[path] = what
    for path in plan.gone("credentials"):
        changes[path] = {"credentials": {"old": "(not shown)", "new": None}}
    return changes


def _write_credentials(plan: Plan, wish: Auth, path: str, reader: str) -> Changes:
    before, owner = _before(plan, path), _ids(reader)
    plan.put_secret(path, credential_map(wish), owner)
    what: Changes = {}
    if before.data != credential_map(wish):
        old = None if before.data is None else "(not shown)"
        what["credentials"] = {"old": old, "new": "(not shown)"}
    if before.data is not None and (before.mode, before.uid, before.gid) != (0o600, *owner):
        found = f"{before.mode:04o} {before.uid}:{before.gid}"
        what["access"] = {"old": found, "new": f"0600 {owner[0]}:{owner[1]}"}
    return what


def credential_readers(plan: Plan, auth: Auth) -> dict[str, str]:
    """Return each credential file that the pillar wants, with the user who alone reads it."""
    readers = {auth.file: plan.queue_user()}
    if auth.programs == "queue" and plan.has_programs_queue():
        readers[auth.programs_file] = plan.programs_user()
    return readers


def _before(plan: Plan, path: str) -> Snapshot:
    try:
        return plan.before(path)
    except MissingDirectory as err:
        raise RunError(f"{err}: install -d -m 0755 {Path(path).parent}") from None


def auth(plan: Plan) -> HostChanges:
    """Log in to James with SMTP AUTH, or keep the mail queued (how-to, step 4)."""
    wish, to = plan.settings.auth, plan.settings.relay
    return plan.edit(
        lambda cf: cf_auth.edit(cf, wish, to),
        lambda mc, cf: mc.auth(cf, wish, to),
    )


def login_in_words(plan: Plan) -> str:
    """Say whether sendmail logs in."""
    if plan.settings.auth is None:
        return "no login is wanted"
    return "sendmail logs in to James as the pillar says"


@dataclass(frozen=True)
class Step:
    """Name one step, in every language that it is called in.

    word
        the pillar's section, and the SLS file
    state
        the state that takes it
    command
        the function of the execution module that takes it alone, None where there is none
    edit
        edits a plan's candidates and returns what that changes
    would
        what it would make true, in words
    already
        what is true of a plan in which it had nothing to change, in words
    """

    word: str
    state: str
    command: str | None
    edit: Callable[[Plan], HostChanges]
    would: str
    already: Callable[[Plan], str]


def _says(words: str) -> Callable[[Plan], str]:
    return lambda _: words


STEPS = (
    Step(
        "daemon",
        "queue_only",
        None,
        daemon,
        "sendmail would only run its queues",
        _says("sendmail only runs its queues"),
    ),
    Step(
        "relay",
        "relayed",
        "relay",
        relay,
        "all mail would be relayed to James",
        _says("all mail is relayed to James"),
    ),
    Step(
        "loop",
        "loop_check_off",
        "loop_check",
        loop,
        "the loop check would be as the pillar wants it",
        _says("as the pillar wants it"),
    ),
    Step(
        "auth",
        "credentials",
        "credentials",
        credentials,
        "the credential files would be as the pillar wants them",
        _says("as the pillar wants them"),
    ),
    Step(
        "auth",
        "authenticated",
        "client_auth",
        auth,
        "sendmail would log in to James as the pillar says",
        login_in_words,
    ),
)


def take(step: Step, plan: Plan) -> HostChanges:
    """Take one step: edit the plan's candidates, and remember that it was taken."""
    if plan.placed is not None:
        raise RunError("sendmail_james.live ran already: this must come before it")
    return plan.take(step.state, step.edit)


def credential_map(auth: Auth) -> bytes:
    """Return the credential file: a text map of what ruleset authinfo answers (how-to, step 4).

    Each value is in the form that getauth() in sendmail's usersmtp.c reads; the password is in
    base64, so that no character of it means anything on its way through the rules. It is the third
    line, as in the how-to's file, for a sendmail that still reads that: James refuses it, no more.
    """
    password = base64.b64encode(auth.password.reveal().encode()).decode()
    lines = {"user": f"U:{auth.username}", "realm": f"R:{auth.realm}", "password": f"P={password}"}
    return "".join(f'{key}\t"{value}"\n' for key, value in lines.items()).encode()


def read_credentials(data: bytes) -> tuple[str, Secret] | None:
    """Return user and password of a credential file of ours; None of anything else."""
    if not is_credential_map(data):
        return None
    found = dict(line.split(b"\t", 1) for line in data.splitlines())
    try:
        password = base64.b64decode(found[b"password"][3:-1], validate=True).decode()
        return found[b"user"][3:-1].decode(), Secret(password)
    except ValueError:
        return None


def is_credential_map(data: bytes) -> bool:
    """Tell whether a file's content is a credential file of ours, whoever's password it holds."""
    return bool(_CREDENTIAL_MAP.fullmatch(data))


def _ids(user: str) -> tuple[int, int]:
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        raise RunError(
            f"user {user} does not exist; expected whom sendmail works as: RunAsUser in its cf, or "
            "where submit.cf names none sendmail_james:lookup:submit_user"
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
