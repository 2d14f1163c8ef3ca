"""See that James lets sendmail's account in and takes its mail; make the account where allowed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from james_client.changes import Changes
from james_client.james.smtp import Check, DialogueError, dialogue
from james_client.james.webadmin import WebAdmin, WebAdminError
from james_client.wishes.settings import Account, Settings

DOMAIN = "localhost"  # with the hub rules in place, local names leave as NAME@localhost
UNREACHABLE = (DialogueError, WebAdminError)
_PATIENCE = 10  # seconds, where the pillar has no account:timeout
_POLL = 0.5  # seconds

T = TypeVar("T")


def webadmin(account: Account) -> WebAdmin | None:
    """Return the way to James's WebAdmin, None where the pillar names none."""
    if account.webadmin is None:
        return None
    return WebAdmin(account.webadmin, account.token, account.timeout)


def missing(settings: Settings, *, patient: bool) -> Changes:
    """Return what has to be created on James, the account and the domain, if we may.

    patient
        wait up to ``account:timeout`` seconds for a James that is just starting

    Raises WebAdminError.
    """
    auth, account = settings.auth, settings.account
    server = webadmin(account) if account and account.create else None
    if auth is None or account is None or server is None:
        return {}
    changes: Changes = {}
    patience = _patience(settings) if patient else 0
    if not _patiently(lambda: server.user_exists(auth.username), patience):
        changes["account"] = {"old": None, "new": auth.username}
    if DOMAIN not in server.domains():
        changes["domain"] = {"old": None, "new": DOMAIN}
    return changes


def create(settings: Settings, changes: Changes) -> None:
    """Create what ``missing`` found; an account that exists keeps its password.

    Raises WebAdminError.
    """
    auth, account = settings.auth, settings.account
    server = webadmin(account) if account else None
    if auth is None or server is None:
        return
    if "domain" in changes:
        server.add_domain(DOMAIN)
    if "account" in changes:
        server.create_user(auth.username, auth.password)


def checks(settings: Settings, *, patient: bool) -> list[Check]:
    """Ask James, sending nothing: login, senders, null sender, localhost, a remote recipient.

    patient
        wait up to ``account:timeout`` seconds for a James that is just starting

    Raises DialogueError.
    """
    auth, relay, host = settings.auth, settings.relay, socket.getfqdn()

    def ask() -> list[Check]:
        return dialogue(
            relay.host,
            relay.port,
            auth.username if auth else None,
            auth.password if auth else None,
            senders=("", f"root@{host}"),
            domains=(DOMAIN,),
            remote=settings.verify.remote_address or "postmaster@example.net",
            mechanisms=auth.mechanisms if auth else (),
            helo=host,
        )

    return _patiently(ask, _patience(settings) if patient else 0)


def _patience(settings: Settings) -> float:
    return settings.account.timeout if settings.account else _PATIENCE


def in_words(found: list[Check]) -> list[str]:
    """Return what James does not do, each with its answer and the setting to change."""
    return [
        f"{check.what}: no, James says {check.said!r}; {check.change or 'see its log'}"
        for check in found
        if not check.ok
    ]


def _patiently(ask: Callable[[], T], seconds: float) -> T:
    """Ask again while James, which may be waiting for sendmail's port, is not there yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except UNREACHABLE as err:
            if "nothing listens" not in str(err) or time.monotonic() > deadline:
                raise
        time.sleep(_POLL)


def report(settings: Settings, *, make: bool, test: bool) -> dict[str, Any]:
    """Return what was created, and every check as ``{what: "yes" | "no, …"}``.

    make
        create what is missing, even where pillar ``account:create`` is not true
    test
        say it and create nothing
    """
    changes = missing(settings, patient=False) if make else {}
    if not test:
        create(settings, changes)
    answers: dict[str, Any] = {}
    if not (test and changes):
        words = iter(in_words(found := checks(settings, patient=False)))
        answers = {c.what: "yes" if c.ok else next(words).partition(": ")[2] for c in found}
    return {"created": changes, "checks": answers}
