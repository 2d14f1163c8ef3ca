"""Ask James what he would take, in an SMTP dialogue that sends nothing (never DATA)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from james_client.james.line import JamesError
from james_client.james.smtp import Reply, Server, Talk, conversation
from james_client.scrub import Reveals

MECHANISMS = ("LOGIN", "PLAIN")
_GROUP = 20  # recipients of one transaction
_NOBODY = "nosuch-sendmail-james-check"

_ANNOUNCE = (
    "smtpserver.xml: <auth> with <announce>always</announce>, <requireSSL>false</requireSSL>"
    " and <plainAuthEnabled>true</plainAuthEnabled>"
)
_ACCOUNT = "the account: James has another password for it, or no such user (WebAdmin: PUT /users)"
_IDENTITY = "smtpserver.xml: <verifyIdentity>false</verifyIdentity> (from 3.9 on: disabled)"
_SENDER = "smtpserver.xml: <handlerchain> has a handler that refuses this sender"
_DOMAIN = "the domain list: add {} (domainlist.xml, or WebAdmin: PUT /domains/{})"
_ANYBODY = "smtpserver.xml: <handlerchain> lacks ValidRcptHandler, which refuses unknown users"
_RELAY = "smtpserver.xml: let an authenticated sender relay (<auth>), or see <authorizedAddresses>"


@dataclass(frozen=True)
class Login:
    """Who logs in, and by which mechanisms."""

    username: str
    password: Reveals
    mechanisms: Sequence[str] = MECHANISMS


@dataclass(frozen=True)
class Questions:
    """What sendmail will want of James.

    senders
        addresses, "" for the null sender
    domains
        names that must be James's own
    remote
        an address elsewhere that he must relay to, if any
    """

    senders: Sequence[str] = ("",)
    domains: Sequence[str] = ("localhost",)
    remote: str | None = None


@dataclass(frozen=True)
class Check:
    """One question to James: whether it went well, his answer, and what to change if not."""

    what: str
    ok: bool
    said: str
    change: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return the check as a dict, without `change` where nothing is to be changed."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def dialogue(server: Server, login: Login | None, questions: Questions) -> list[Check]:
    """Ask James for all that sendmail will want of him, and send nothing.

    login
        tried with each of its mechanisms that James offers; None asks without a login

    A login that fails ends it. Raises JamesError when James cannot be talked to at all, PeerError
    when it is not James.
    """
    checks: list[Check] = []
    with conversation(server) as talk:
        known = {name: _recipient(talk, "", f"{_NOBODY}@{name}") for name in questions.domains}
        if login is not None:
            checks += _login_checks(server, talk, login)
        if all(check.ok for check in checks):
            checks += _mail_checks(talk, questions, known)
            talk.ask("QUIT")
    return checks


def _mail_checks(talk: Talk, questions: Questions, known: dict[str, Reply]) -> Iterator[Check]:
    asked = {sender: _sender_check(talk, sender) for sender in questions.senders}
    yield from asked.values()
    taken = next((sender for sender, check in asked.items() if check.ok), "")
    for domain in questions.domains:
        reply = _recipient(talk, taken, f"{_NOBODY}@{domain}")
        yield from _domain_checks(domain, known[domain], reply)
    if questions.remote is not None:
        reply = _recipient(talk, taken, questions.remote)
        change = None if reply.good else _RELAY
        yield Check(f"recipient {questions.remote}", reply.good, str(reply), change)


def _recipient(talk: Talk, sender: str, recipient: str) -> Reply:
    """Ask for one recipient, in a transaction that is taken back."""
    reply = talk.ask(f"MAIL FROM:<{sender}>")
    if reply.good:
        reply = talk.ask(f"RCPT TO:<{recipient}>")
    talk.ask("RSET")
    return reply


def _login_checks(server: Server, talk: Talk, login: Login) -> list[Check]:
    """Log in by each mechanism: the first in this conversation, others in one of their own."""
    wanted = [name for name in MECHANISMS if name in login.mechanisms]
    usable = [name for name in wanted if name in talk.offers]
    said = " ".join(talk.offers) or "no AUTH"
    checks = [Check(f"login by {' or '.join(wanted)} is offered", bool(usable), said)]
    if not usable:
        return [replace(checks[0], change=_ANNOUNCE)]
    for mechanism in usable:
        if mechanism == usable[0]:
            reply = talk.log_in(mechanism, login.username, login.password)
        else:
            with conversation(server) as other:
                reply = other.log_in(mechanism, login.username, login.password)
        what = f"log in as {login.username} with {mechanism}"
        checks.append(Check(what, reply.good, str(reply), None if reply.good else _ACCOUNT))
    return checks


def _sender_check(talk: Talk, sender: str) -> Check:
    reply = talk.ask(f"MAIL FROM:<{sender}>")
    talk.ask("RSET")
    change = _IDENTITY if reply.code == 503 or "5.7" in reply.text else _SENDER
    what = f"sender {sender}" if sender else "null sender"
    return Check(what, reply.good, str(reply), None if reply.good else change)


def _domain_checks(domain: str, stranger: Reply, reply: Reply) -> list[Check]:
    """Judge a domain by what James says of a user that no host has.

    A sender that has not logged in may reach James's own domains only; one that has may reach
    any, so that a yes alone proves nothing.
    """
    own = stranger.good or stranger.unknown_user or reply.unknown_user
    change = None if own else _DOMAIN.format(domain, domain)
    checks = [Check(f"domain {domain} is James's own", own, str(reply), change)]
    if own:
        refused = not reply.good
        change = None if refused else _ANYBODY
        checks.append(Check(f"unknown user at {domain} is refused", refused, str(reply), change))
    return checks


def unknown_recipients(
    server: Server, names: Iterable[str], login: Login | None = None, *, domain: str = "localhost"
) -> dict[str, str]:
    """Return those of NAMES that James would not take, with his answer; {} if he takes all.

    domain
        where a name without a domain is asked for

    Nothing is sent. Raises JamesError when James cannot be talked to, refuses the login, or takes
    no sender.
    """
    refused: dict[str, str] = {}
    with conversation(server) as talk:
        if login is not None:
            usable = [name for name in MECHANISMS if name in talk.offers]
            reply = talk.log_in((*usable, MECHANISMS[0])[0], login.username, login.password)
            if not reply.good:
                where = f"{server.host}:{server.port}"
                raise JamesError(f"{where}: James refuses the login: {reply}")
        for number, name in enumerate(dict.fromkeys(names)):
            if number % _GROUP == 0:
                talk.ask("RSET")
                talk.expect("MAIL FROM:<>", "James refuses the null sender")
            reply = talk.ask(f"RCPT TO:<{name if '@' in name else f'{name}@{domain}'}>")
            if not reply.good:
                refused[name] = str(reply)
        talk.ask("QUIT")
    return refused
