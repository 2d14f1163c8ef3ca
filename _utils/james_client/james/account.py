"""See that James lets sendmail's account in and takes its mail; make the account where allowed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from james_client.changes import Changes
from james_client.james.dialogue import Check, Login, Questions, dialogue, login_replies
from james_client.james.line import JamesError, NothingListensError, PeerError
from james_client.james.peer import Trust, first_unprivileged_port
from james_client.james.recipients import Recipients, ask
from james_client.james.smtp import Server
from james_client.james.webadmin import WebAdmin
from james_client.wishes.settings import Settings

HIDDEN = "(not shown)"
DOMAIN = "localhost"  # with the hub rules in place, local names leave as NAME@localhost
_PATIENCE = 10  # seconds, where the pillar has no account section
_POLL = 0.5  # seconds

T = TypeVar("T")


def trust(settings: Settings) -> Trust:
    """Return who may hear the login and the token, as the pillar and this host's ports say."""
    relay, auth = settings.relay, settings.auth
    allowed = auth is not None and auth.allow_unprivileged_port
    known = relay.loopback and (relay.port < first_unprivileged_port() or allowed)
    return Trust(relay.port if known else None, auth is not None and auth.allow_cleartext)


def server(settings: Settings) -> Server:
    """Return the way to James's SMTP."""
    relay = settings.relay
    return Server(relay.host, relay.port, socket.getfqdn(), trust=trust(settings))


def login(settings: Settings) -> Login | None:
    """Return whom James is to let in, None where the pillar wants no login."""
    auth = settings.auth
    return None if auth is None else Login(auth.username, auth.password, auth.mechanisms)


def webadmin(settings: Settings) -> WebAdmin | None:
    """Return the way to James's WebAdmin, None where the pillar names none."""
    account = settings.account
    if account is None or account.webadmin is None:
        return None
    return WebAdmin(
        account.webadmin,
        account.token,
        account.timeout,
        trust(settings),
        account.webadmin_password,
    )


def refusal(settings: Settings, *, patient: bool = False) -> str | None:
    """Return James's words where he refuses the pillar's login, None where he takes it.

    patient
        wait up to ``account:timeout`` seconds for a James that is just starting

    Nothing is sent. Raises JamesError where he says neither yes nor no, PeerError where it is not
    James.
    """
    james, wanted = server(settings), login(settings)
    if wanted is None:
        return None
    wait = patience(settings) if patient else 0
    replies = patiently(lambda: login_replies(james, wanted), wait)
    if any(reply.good for reply in replies):
        return None  # sendmail, too, tries one mechanism after the other
    refused = [str(reply) for reply in replies if reply.code >= 500]
    if not refused:
        said = ", ".join(map(str, replies)) or f"it offers no {' or '.join(wanted.mechanisms)}"
        raise JamesError(f"{james.host}:{james.port}: James says nothing of the login: {said}")
    return refused[0]


def missing(
    settings: Settings,
    domains: Sequence[str] = (DOMAIN,),
    *,
    patient: bool,
    refused: bool = False,
) -> Changes:
    """Return what has to be made on James, the account, its password, domains, if we may.

    domains
        that must be his own
    patient
        wait up to ``account:timeout`` seconds for a James that is just starting
    refused
        whether he refuses the pillar's login, see `refusal`

    Raises JamesError.
    """
    auth, account, admin = settings.auth, settings.account, webadmin(settings)
    if auth is None or account is None or admin is None:
        return {}
    may_change = account.update and refused
    if not (account.create or may_change):
        return {}
    changes: Changes = {}
    wait = patience(settings) if patient else 0
    exists = patiently(lambda: admin.user_exists(auth.username), wait)
    if account.create and not exists:
        changes["account"] = {"old": None, "new": auth.username}
    if may_change and exists:
        changes["password"] = {"old": HIDDEN, "new": HIDDEN}
    if account.create:
        known = {name.lower() for name in admin.domains()}
        if wanted := [name for name in domains if name not in known]:
            changes["domain"] = {"old": None, "new": ", ".join(wanted)}
    return changes


def create(settings: Settings, changes: Changes) -> None:
    """Make on James what ``missing`` found.

    Raises JamesError.
    """
    auth, admin = settings.auth, webadmin(settings)
    if auth is None or admin is None:
        return
    for name in str(changes.get("domain", {}).get("new", "")).split(", "):
        if name:
            admin.add_domain(name)
    if "account" in changes:
        admin.create_user(auth.username, auth.password)
    if "password" in changes:
        admin.set_password(auth.username, auth.password)


def checks(settings: Settings, domains: Sequence[str] = (DOMAIN,), *, patient: bool) -> list[Check]:
    """Ask James, sending nothing: login, senders, null sender, domains, a remote recipient.

    domains
        that must be his own
    patient
        wait up to ``account:timeout`` seconds for a James that is just starting

    Raises JamesError.
    """
    james = server(settings)
    questions = Questions(
        senders=("", f"root@{james.helo}"),
        domains=domains,
        remote=settings.verify.remote_address,
    )
    wait = patience(settings) if patient else 0
    return patiently(lambda: dialogue(james, login(settings), questions), wait)


def recipients(settings: Settings, addresses: Sequence[str], *, patient: bool) -> Recipients:
    """Ask James for addresses, in one dialogue that sends nothing.

    patient
        wait up to ``account:timeout`` seconds for a James that is just starting

    Raises JamesError.
    """
    wait = patience(settings) if patient else 0
    return patiently(lambda: ask(server(settings), login(settings), addresses), wait)


def patience(settings: Settings) -> float:
    """Return for how many seconds James may be starting."""
    return settings.account.timeout if settings.account else _PATIENCE


def in_words(found: list[Check]) -> list[str]:
    """Return what James does not do, each with its answer and the setting to change."""
    return [f"{check.what}: {answer(check)}" for check in found if check.ok is False]


def answer(check: Check) -> str:
    """Return a check as people read it: "yes", or "no", James's words and the setting to change.

    What could not be seen says why.
    """
    if check.ok:
        return "yes"
    if check.ok is None:
        return f"not seen: {check.said}"
    if not check.said:
        return f"no, {check.change}"
    return f"no, James says {check.said!r}; {check.change or 'see its log'}"


def patiently(ask: Callable[[], T], seconds: float) -> T:
    """Ask again while James, who may be waiting for sendmail's port, is not there yet.

    Until he holds that port, a WebAdmin of a user of his own is not known to be his.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except (NothingListensError, PeerError):
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL)
