"""Speak SMTP with James: one connection, one deadline, and a login only to a proved James."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from james_client.james.line import JamesError, Line
from james_client.james.peer import ROOT_ONLY, Trust
from james_client.scrub import Reveals, printable, scrub

TIMEOUT = 10.0  # seconds
_REPLY_LIMIT = 64 * 1024  # bytes of one reply
_LIMIT = 16 * 1024 * 1024  # bytes of one conversation
_MECHANISM = re.compile(r"(?<!\S)[A-Z0-9_-]{1,20}(?!\S)")  # RFC 4422, 3.1
_CURE = (
    "End what listens there, or give James a port that users may not take (relay:port) or an "
    "address of this host"
)


@dataclass(frozen=True)
class Server:
    """Say where James's SMTP is and how he is spoken to; the timeout, in seconds, is for each
    connection."""

    host: str
    port: int
    helo: str = "localhost"
    timeout: float = TIMEOUT
    trust: Trust = ROOT_ONLY


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


class Talk:
    """A conversation on one line, encrypted where the server offers that, as sendmail's are.

    encrypted
        whether it is
    offers
        the mechanisms of AUTH that the server offers
    limit
        bytes that it takes of one message; None where it says nothing, or that all is welcome

    No reply shows `secrets`, which who answers may have heard in another conversation.
    Not smtplib: its exceptions hold what was sent, and its replies have no limit.
    """

    def __init__(self, server: Server, line: Line, secrets: Sequence[Reveals] = ()) -> None:
        self._server = server
        self._line = line
        self.where = line.where
        self._reader = line.makefile()
        self._secrets = tuple(secrets)
        self._last: list[str] = []
        self.encrypted = False
        self.expect(None, "James turns us away")
        self._greet()
        if self._announced("STARTTLS"):
            self._encrypt()
        offers = " ".join(self._announced("AUTH"))
        self.offers = tuple(dict.fromkeys(_MECHANISM.findall(offers)))
        sizes = [re.fullmatch("[0-9]{1,18}", said) for said in self._announced("SIZE")]
        self.limit = next((int(size[0]) for size in sizes if size and int(size[0])), None)
        self._pipelines = any(said[4:].upper() == "PIPELINING" for said in self._last)

    def _greet(self) -> None:
        self.expect(f"EHLO {self._server.helo}", "James refuses EHLO")

    def _encrypt(self) -> None:
        """Go on encrypted, whoever the certificate names: sendmail without a CA does that."""
        self.expect("STARTTLS", "James offers STARTTLS and refuses it")
        self._reader.detach()  # with what was said in clear after that answer, by whomever
        self._line.encrypt(None)
        self._reader = self._line.makefile()
        self.encrypted = True
        self._greet()

    def ask(self, command: str | None = None) -> Reply:
        """Send a command, if any, and return the reply. Raises JamesError when there is none."""
        if command is not None:
            self._line.sendall(command.encode("utf-8", "surrogateescape") + b"\r\n")
        lines = self._last = list(self._lines())
        shown = scrub("\n".join(lines), self._secrets).splitlines()
        text = " ".join(" ".join(part[4:] for part in shown).split())
        # what moves a terminal comes from whoever answers
        return Reply(int(lines[-1][:3]), printable(text))

    def ask_all(self, commands: Sequence[str]) -> list[Reply]:
        """Send commands at once where James takes that (RFC 2920), and return the replies.

        commands
            so few that their replies fit into what a connection holds
        """
        if not self._pipelines:
            return [self.ask(command) for command in commands]
        return [self.ask("\r\n".join(commands)), *(self.ask() for _ in commands[1:])]

    def expect(self, command: str | None, what: str) -> Reply:
        """Ask, and raise JamesError unless the answer is yes."""
        reply = self.ask(command)
        if not reply.good:
            raise JamesError(f"{self._line.where}: {what}: {reply}")
        return reply

    def log_in(self, mechanism: str, username: str, password: Reveals) -> Reply:
        """Authenticate as sendmail does: PLAIN in one line, LOGIN in answers (RFC 4954).

        Raises PeerError, before a secret leaves, where it is not James who would hear it.
        """
        self._line.prove(self._server.trust, secret=True, cure=_CURE)
        self._secrets = (*self._secrets, password)
        secret = password.reveal()
        if mechanism == "PLAIN":
            return self.ask(f"AUTH PLAIN {_b64(chr(0).join((username, username, secret)))}")
        reply = self.ask("AUTH LOGIN")
        for answer in (username, secret):
            if reply.code == 334:
                reply = self.ask(_b64(answer))
        return reply

    def _announced(self, extension: str) -> list[str]:
        """Return what the EHLO reply, which came last, says of an extension, once for each line."""
        pattern = re.compile(rf"250[ -]{extension}(?:[ =](.*)|$)", re.IGNORECASE)
        found = (pattern.match(line) for line in self._last)
        return [(match[1] or "").strip().upper() for match in found if match]

    def _lines(self) -> Iterator[str]:
        room = _REPLY_LIMIT
        while True:
            raw = self._reader.readline(room + 1)
            if not raw:
                raise JamesError(f"{self._line.where}: the connection was closed without an answer")
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            room -= len(raw)
            if not re.match(r"[2-5][0-9]{2}([ -]|$)", line) or room < 0:
                said = scrub(line[:1000], self._secrets)[:60]
                raise JamesError(
                    f"{self._line.where}: what answers there is no SMTP server: {said!r}"
                )
            yield line
            if line[3:4] != "-":
                return


@contextmanager
def conversation(server: Server, secrets: Sequence[Reveals] = ()) -> Iterator[Talk]:
    """Give a conversation in which both sides have greeted. Raises JamesError.

    secrets
        what no reply and no error may show, before a login as well
    """
    with Line(server.host, server.port, server.timeout, limit=_LIMIT) as line:
        yield Talk(server, line, secrets)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")
