"""Ask James what it would take, in an SMTP dialogue that sends nothing (never DATA)."""

from __future__ import annotations

import base64
import re
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from james_client.errors import FaultError
from james_client.scrub import Reveals, scrub

TIMEOUT = 10.0
MECHANISMS = ("LOGIN", "PLAIN")
_LIMIT = 64 * 1024
_GROUP = 20
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


class DialogueError(FaultError):
    """James cannot be talked to: nothing listens, no answer in time, or no SMTP."""


@dataclass(frozen=True)
class Check:
    """One question to James: whether it went well, its answer, and what to change if not."""

    what: str
    ok: bool
    said: str
    change: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return the check as a dict, without `change` where nothing is to be changed."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Reply:
    """A server's reply: its code, and its text on one line."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        """Tell whether the server says yes."""
        return 200 <= self.code < 300

    @property
    def unknown_user(self) -> bool:
        """Tell whether the server refuses a recipient because there is no such user."""
        words = r"5\.1\.1\b|unknown user|user unknown|no such user"
        return 500 <= self.code < 600 and bool(re.search(words, self.text, re.IGNORECASE))

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()[:300]


class _Talk:
    """An SMTP connection with one deadline for all that is said on it.

    Not smtplib: its exceptions hold what was sent, and its replies have no limit.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._where = f"{host}:{port}"
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._rest = b""
        self.secrets: tuple[Reveals, ...] = ()
        self.last: list[str] = []
        self.offers: tuple[str, ...] = ()
        try:
            self._socket = socket.create_connection((host.strip("[]"), port), timeout)
        except OSError as err:
            raise self._trouble(err) from None

    def close(self) -> None:
        """End the connection without a word."""
        self._socket.close()

    def ask(self, line: str | None = None) -> Reply:
        """Send a line, if any, and return the reply; DialogueError when there is none."""
        try:
            self._wait()
            if line is not None:
                self._socket.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")
            lines = self.last = list(self._lines())
        except OSError as err:
            raise self._trouble(err) from None
        shown = scrub("\n".join(lines), self.secrets).splitlines()
        return Reply(int(lines[-1][:3]), " ".join(" ".join(part[4:] for part in shown).split()))

    def offered(self) -> tuple[str, ...]:
        """Return the mechanisms of the EHLO reply that came last."""
        lines = (re.match(r"250[ -]AUTH[ =](.*)", line, re.IGNORECASE) for line in self.last)
        return tuple(
            dict.fromkeys(name for auth in lines if auth for name in auth[1].upper().split())
        )

    def expect(self, line: str | None, what: str) -> Reply:
        """Ask, and raise DialogueError unless the answer is yes."""
        reply = self.ask(line)
        if not reply.good:
            raise DialogueError(f"{self._where}: {what}: {reply}")
        return reply

    def _wait(self) -> None:
        self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))

    def _lines(self) -> Iterator[str]:
        seen = 0
        while True:
            line = self._line()
            seen += len(line)
            if not re.match(r"[2-5]\d\d([ -]|$)", line) or seen > _LIMIT:
                said = scrub(line, self.secrets)[:60]
                raise DialogueError(
                    f"{self._where}: what answers there is no SMTP server: {said!r}"
                )
            yield line
            if line[3:4] != "-":
                return

    def _line(self) -> str:
        while b"\n" not in self._rest and len(self._rest) <= _LIMIT:
            self._wait()
            data = self._socket.recv(4096)
            if not data:
                raise DialogueError(f"{self._where}: the connection was closed without an answer")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def _trouble(self, err: OSError) -> DialogueError:
        if isinstance(err, ConnectionRefusedError):
            words = "nothing listens there; is James up?"
        elif isinstance(err, TimeoutError):
            words = f"no answer within {self._timeout:g} s"
        else:
            words = f"cannot be reached: {err.strerror or type(err).__name__}"
        return DialogueError(f"{self._where}: {words}")


@contextmanager
def _talk(host: str, port: int, timeout: float, helo: str) -> Iterator[_Talk]:
    talk = _Talk(host, port, timeout)
    try:
        talk.expect(None, "James turns us away")
        talk.expect(f"EHLO {helo}", "James refuses EHLO")
        talk.offers = talk.offered()
        yield talk
    finally:
        talk.close()


def _log_in(talk: _Talk, mechanism: str, username: str, password: Reveals) -> Reply:
    """Authenticate as sendmail does: PLAIN in one line, LOGIN in answers (RFC 4954)."""
    talk.secrets = (password,)
    secret = password.reveal()
    if mechanism == "PLAIN":
        return talk.ask(f"AUTH PLAIN {_b64(chr(0).join((username, username, secret)))}")
    reply = talk.ask("AUTH LOGIN")
    for answer in (username, secret):
        if reply.code == 334:
            reply = talk.ask(_b64(answer))
    return reply


def _b64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def dialogue(
    host: str,
    port: int,
    username: str | None = None,
    password: Reveals | None = None,
    *,
    senders: Sequence[str] = ("",),
    domains: Sequence[str] = ("localhost",),
    remote: str | None = None,
    mechanisms: Sequence[str] = MECHANISMS,
    timeout: float = TIMEOUT,
    helo: str = "localhost",
) -> list[Check]:
    """Ask James for all that sendmail will want of it, and send nothing.

    Logging in (where there is a `password`) with those of `mechanisms` that James offers, each
    of `senders` ("" is the null sender), each of `domains` as James's own, and `remote` as a
    recipient. Stops at a login that fails. `timeout` is for each connection, in seconds.
    Raises DialogueError when James cannot be talked to at all.
    """
    checks: list[Check] = []
    with _talk(host, port, timeout, helo) as talk:
        known = {domain: _recipient(talk, "", f"{_NOBODY}@{domain}") for domain in domains}
        if username is not None and password is not None:
            checks += _login_checks(
                talk, mechanisms, (host, port, timeout, helo), username, password
            )
            if not all(check.ok for check in checks):
                return checks
        asked = {sender: _sender_check(talk, sender) for sender in senders}
        checks += asked.values()
        taken = next((sender for sender, check in asked.items() if check.ok), "")
        for domain in domains:
            reply = _recipient(talk, taken, f"{_NOBODY}@{domain}")
            checks += _domain_checks(domain, known[domain], reply)
        if remote is not None:
            reply = _recipient(talk, taken, remote)
            change = None if reply.good else _RELAY
            checks.append(Check(f"recipient {remote}", reply.good, str(reply), change))
        talk.ask("QUIT")
    return checks


def _recipient(talk: _Talk, sender: str, recipient: str) -> Reply:
    """Ask for one recipient, in a transaction that is taken back."""
    reply = talk.ask(f"MAIL FROM:<{sender}>")
    if reply.good:
        reply = talk.ask(f"RCPT TO:<{recipient}>")
    talk.ask("RSET")
    return reply


def _login_checks(
    talk: _Talk,
    mechanisms: Sequence[str],
    again: tuple[str, int, float, str],
    username: str,
    password: Reveals,
) -> list[Check]:
    """Log in by each mechanism: the first on `talk`, others on a connection of their own."""
    wanted = [name for name in MECHANISMS if name in mechanisms]
    usable = [name for name in wanted if name in talk.offers]
    said = " ".join(talk.offers) or "no AUTH"
    checks = [Check(f"AUTH {' or '.join(wanted)} is offered", bool(usable), said)]
    if not usable:
        return [replace(checks[0], change=_ANNOUNCE)]
    for mechanism in usable:
        if mechanism == usable[0]:
            reply = _log_in(talk, mechanism, username, password)
        else:
            with _talk(*again) as other:
                reply = _log_in(other, mechanism, username, password)
        what = f"log in as {username} with {mechanism}"
        checks.append(Check(what, reply.good, str(reply), None if reply.good else _ACCOUNT))
    return checks


def _sender_check(talk: _Talk, sender: str) -> Check:
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
    host: str,
    port: int,
    names: Iterable[str],
    username: str | None = None,
    password: Reveals | None = None,
    *,
    domain: str = "localhost",
    timeout: float = TIMEOUT,
    helo: str = "localhost",
) -> dict[str, str]:
    """Return those of `names` that James would not take, with its answer; {} if it takes all.

    A name without a domain is asked for at `domain`. Nothing is sent. Raises DialogueError when
    James cannot be talked to, or takes no sender.
    """
    refused: dict[str, str] = {}
    with _talk(host, port, timeout, helo) as talk:
        if username is not None and password is not None:
            usable = [name for name in MECHANISMS if name in talk.offers]
            reply = _log_in(talk, (*usable, MECHANISMS[0])[0], username, password)
            if not reply.good:
                raise DialogueError(f"{host}:{port}: James refuses the login: {reply}")
        for number, name in enumerate(dict.fromkeys(names)):
            if number % _GROUP == 0:
                talk.ask("RSET")
                talk.expect("MAIL FROM:<>", "James refuses the null sender")
            reply = talk.ask(f"RCPT TO:<{name if '@' in name else f'{name}@{domain}'}>")
            if not reply.good:
                refused[name] = str(reply)
        talk.ask("QUIT")
    return refused
