"""Find in James's repositories the mail that sendmail handed to him, by its queue identifier.

Sendmail writes that into the ``Received`` line that it adds on top of a header. A sender writes
what stands below, the Message-Id too, and so neither is believed. No message's content is read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from james_client.james import account
from james_client.james.webadmin import WebAdmin
from james_client.mta.story import ID
from james_client.run.plan import Plan

LOOKED = 300  # mails, the newest
_FROM = re.compile(r"\(from ([^\s()]+)\) by ")  # who handed it in on this host
_BY = re.compile(rf".*\) id ({ID.pattern})(?![0-9A-Za-z])|.* with \S+ id ({ID.pattern})\b")
_LOGIN = "org.apache.james.SMTPAuthUser"  # James's own note, whatever a client says


@dataclass(frozen=True)
class Letter:
    """One mail that James keeps: its queue identifier, where it is, for whom, and how it came.

    `login` is whom James had let in, empty where nobody; `by` is who handed it in on this host,
    user@localhost, empty where another host did.
    """

    id: str
    repository: str
    recipients: tuple[str, ...]
    sender: str
    login: str
    error: str
    by: str

    def of_sendmail(self, username: str) -> bool:
        """Tell whether it came with sendmail's login, which no other user of the host has."""
        login, wanted = self.login.lower(), username.lower()
        return login == wanted or login.startswith(f"{wanted}@")


@dataclass(frozen=True)
class Letters:
    """What was found in James's repositories, and what could not be seen there."""

    found: tuple[Letter, ...]
    unseen: tuple[str, ...]


def find(plan: Plan, names: Collection[str], until: float) -> Letters:
    """Return the mails that James keeps of some queue identifiers.

    until
        when the monotonic clock is there, the look ends with what it has

    Raises JamesError where WebAdmin does not answer.
    """
    repositories = _admin(plan, until).repositories()
    unseen: list[str] = []
    # A key begins with its time.
    keys = [(key, one) for one in repositories for key in _keys(plan, one, until, unseen)]
    found: list[Letter] = []
    for number, (key, repository) in enumerate(sorted(keys, reverse=True)):
        if number >= LOOKED or time.monotonic() >= until:
            unseen.append(f"{len(keys) - number} older mails in James's repositories")
            break
        mail = read(repository, _admin(plan, until).mail_head(repository, key))
        if mail and mail.id in names:
            found.append(mail)
    return Letters(tuple(found), tuple(unseen))


def _keys(plan: Plan, repository: str, until: float, unseen: list[str]) -> tuple[str, ...]:
    if time.monotonic() < until:
        return _admin(plan, until).mails(repository)
    unseen.append(f"James's {repository}: the time was up")
    return ()


def _admin(plan: Plan, until: float) -> WebAdmin:
    """Return WebAdmin with no more patience than is left."""
    settings = plan.settings
    if settings.account is not None:
        seconds = max(1, min(settings.account.timeout, int(until - time.monotonic())))
        settings = replace(settings, account=replace(settings.account, timeout=seconds))
    admin = account.webadmin(settings)
    assert admin is not None, "asked for only where the pillar names one"
    return admin


def read(repository: str, head: Mapping[str, Any]) -> Letter | None:
    """Return a mail that came from sendmail, None for any other."""
    headers = head.get("headers")
    lines = _words(headers.get("Received")) if isinstance(headers, Mapping) else ()
    # Whom a mail is for its sender has chosen.
    tops = [" ".join(line.split()).partition(" for ")[0] for line in lines]
    # James adds one, too.
    by = _BY.match(tops[1]) if len(tops) > 1 else None
    if by is None:
        return None
    notes = head.get("attributes")
    login = notes.get(_LOGIN) if isinstance(notes, Mapping) else None
    given = (head.get("sender"), login, head.get("error"))
    sender, login, error = (one if isinstance(one, str) else "" for one in given)
    return Letter(
        by[1] or by[2],
        repository,
        _words(head.get("recipients")),
        sender,
        login,
        error,
        local[1] if (local := _FROM.match(tops[1])) else "",
    )


def _words(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
