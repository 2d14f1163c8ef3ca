"""Speak James's WebAdmin: users, domains, mail repositories."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.parse
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from james_client.james.line import JamesError, Line
from james_client.james.mappings import FORWARD, JamesMapping, Known
from james_client.james.peer import ROOT_ONLY, Trust
from james_client.scrub import Reveals, printable, scrub

_LIMIT = 16 * 1024 * 1024  # bytes of one answer
_SHOWN = 64 * 1024  # bytes of an answer that an error is made from
_CHUNK = 64 * 1024
_TOKEN_KEY, _PASSWORD_KEY = "account:token", "account:webadmin_password"
_CURE = (
    "Let James hold the port before that user does, or set account:webadmin to an https address "
    "with a certificate that this host trusts"
)


class UserExistsError(JamesError):
    """The account is there already; its password is left alone."""


class _StatusError(JamesError):
    """James answers with a status that says no."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


class DeniedError(_StatusError):
    """James does not let us in; `key` is the pillar's key that would."""

    @property
    def key(self) -> str:
        return _PASSWORD_KEY if _PASSWORD_KEY in str(self) else _TOKEN_KEY


class RefusedError(JamesError):
    """James has not made a mapping, and says why."""


class WebAdmin:
    """One WebAdmin server.

    base
        its URL, such as http://127.0.0.1:8000
    token
        its JWT, if it wants one
    password
        its own password, if it wants one (James 3.9)
    timeout
        seconds for each request and its answer, the connecting included
    trust
        who may hear a secret

    A request is sent on the connection whose other end was proved, and on no other. Source:
    James's documentation, WebAdmin REST API.
    """

    def __init__(
        self,
        base: str,
        token: Reveals | None = None,
        timeout: float = 10.0,
        trust: Trust = ROOT_ONLY,
        password: Reveals | None = None,
    ) -> None:
        parts = urllib.parse.urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            raise JamesError(
                f"WebAdmin: expected http://HOST:PORT without a password, got {shown!r}"
            )
        self._base = base.rstrip("/")
        self._encrypted = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._encrypted else 80)
        self._netloc, self._prefix = parts.netloc, parts.path.rstrip("/")
        self._token, self._password = token, password
        self._timeout = timeout
        self._trust = trust
        self._told: list[Reveals] = []

    def __repr__(self) -> str:
        return f"WebAdmin({self._base!r})"

    def user_exists(self, name: str) -> bool:
        """Tell whether James has an account of that name."""
        status, _ = self._ask("HEAD", "users", name, good=(200, 404))
        return status == 200

    def create_user(self, name: str, password: Reveals) -> None:
        """Create an account. Raises UserExistsError where it exists."""
        # Some versions answer a second PUT with 409, others change the password: ask first.
        if self.user_exists(name):
            raise UserExistsError(f"{self._base}: the user {name} exists already")
        status, _ = self._ask("PUT", "users", name, password=password, good=(200, 204, 409))
        if status == 409:
            raise UserExistsError(f"{self._base}: the user {name} exists already")

    def set_password(self, name: str, password: Reveals) -> None:
        """Give an account another password; James makes one that does not exist."""
        self._ask("PUT", "users", name, password=password, good=(200, 204), query="?force")

    def domains(self) -> tuple[str, ...]:
        """Return the domains whose mail James keeps."""
        return self._words(*self._ask("GET", "domains"))

    def add_domain(self, name: str) -> None:
        """Make a domain one of James's own."""
        self._ask("PUT", "domains", name, good=(200, 204))

    def health(self) -> dict[str, str]:
        """Return James's components that are not well, each with its state and the cause."""
        status, answer = self._ask("GET", "healthcheck", good=(200, 503))
        found = answer.get("checks") if isinstance(answer, Mapping) else None
        if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
            self._odd(status, answer)
        ill: dict[str, str] = {}
        for one in found:
            name, state, cause = (one.get(key) for key in ("componentName", "status", "cause"))
            if not isinstance(name, str) or state not in ("healthy", "degraded", "unhealthy"):
                self._odd(status, answer)
            if state != "healthy":
                why = f": {cause}" if isinstance(cause, str) and cause else ""
                ill[self._shown(name, 100)] = self._shown(f"{state}{why}", 200)
        return ill

    def known(self) -> Known:
        """Return James's domains, users and mappings."""
        status, answer = self._ask("GET", "users")
        if not isinstance(answer, list) or not all(isinstance(one, Mapping) for one in answer):
            self._odd(status, answer)
        users = self._words(status, [one.get("username") for one in answer])
        status, answer = self._ask("GET", "mappings")
        if not isinstance(answer, Mapping):
            self._odd(status, answer)
        mappings = [self._mappings(status, source, found) for source, found in answer.items()]
        return Known(
            frozenset(one.lower() for one in self.domains()),
            frozenset(one.lower() for one in users),
            frozenset(one for some in mappings for one in some),
        )

    def _mappings(self, status: int, source: str, found: object) -> list[JamesMapping]:
        if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
            self._odd(status, found)
        parts = [
            self._words(status, [source, one.get("type"), one.get("mapping")]) for one in found
        ]
        return [JamesMapping(*part) for part in parts]

    def put_mapping(self, mapping: JamesMapping) -> None:
        """Make a forward or a group's member; it may be there. Raises RefusedError."""
        try:
            self._ask("PUT", *self._place(mapping), good=(204,))
        except _StatusError as err:
            if err.status in (400, 404, 409):
                raise RefusedError(f"{mapping.source}, {mapping}: {err}") from None
            raise

    def delete_mapping(self, mapping: JamesMapping) -> None:
        """Take a forward or a group's member away; it may be gone."""
        self._ask("DELETE", *self._place(mapping), good=(200, 204))

    def _place(self, mapping: JamesMapping) -> tuple[str, ...]:
        if not mapping.ours:
            raise JamesError(f"{self._base}: {mapping!r} is no mapping that could be ours")
        # James decodes the addresses in these paths once more than others.
        source, target = (
            urllib.parse.quote(one, safe="") for one in (mapping.source, mapping.target)
        )
        if mapping.kind == FORWARD:
            return ("address", "forwards", source, "targets", target)
        return ("address", "groups", source, target)

    def repositories(self) -> tuple[str, ...]:
        """Return the paths of the mail repositories (var/mail/error, ...)."""
        status, answer = self._ask("GET", "mailRepositories")
        if not isinstance(answer, list) or not all(isinstance(one, Mapping) for one in answer):
            self._odd(status, answer)
        return self._words(status, [one.get("repository") for one in answer])

    def mails(self, repository: str) -> tuple[str, ...]:
        """Return the keys of a repository's mails; () where there is no such repository."""
        status, answer = self._ask("GET", "mailRepositories", repository, "mails", good=(200, 404))
        return () if status == 404 else self._words(status, answer)

    def mail_text(self, repository: str, key: str) -> str:
        """Return one mail as it is, header and all; "" if it is gone."""
        path = ("mailRepositories", repository, "mails", key)
        status, text = self._ask("GET", *path, good=(200, 404), accept="message/rfc822")
        return "" if status == 404 else str(text or "")

    def mail_head(self, repository: str, key: str) -> Mapping[str, Any]:
        """Return what James has noted of one mail, with its header; {} if it is gone."""
        path = ("mailRepositories", repository, "mails", key)
        query = "?additionalFields=attributes,headers"
        status, answer = self._ask("GET", *path, good=(200, 404), query=query)
        if status == 404:
            return {}
        if not isinstance(answer, Mapping):
            self._odd(status, answer)
        return answer

    def delete_mail(self, repository: str, key: str) -> None:
        """Remove one mail from a repository; it may be gone already."""
        self._ask("DELETE", "mailRepositories", repository, "mails", key, good=(200, 204, 404))

    def mailbox_count(self, user: str, mailbox: str = "INBOX") -> int | None:
        """Return how many messages a user's mailbox holds, or None without user or mailbox."""
        path = ("users", user, "mailboxes", mailbox, "messageCount")
        status, answer = self._ask("GET", *path, good=(200, 400, 404))
        if status != 200:
            return None
        if type(answer) is not int:
            self._odd(status, answer)
        return answer

    # -- underneath ---------------------------------------------------------------------------

    def _words(self, status: int, answer: object) -> tuple[str, ...]:
        """Return a list of printable words, of which names and paths are made."""
        if not isinstance(answer, list):
            self._odd(status, answer)
        if not all(isinstance(one, str) and one.isprintable() for one in answer):
            self._odd(status, answer)
        return tuple(answer)

    def _ask(
        self,
        method: str,
        *path: str,
        password: Reveals | None = None,
        good: Collection[int] = (200,),
        accept: str = "application/json",
        query: str = "",
    ) -> tuple[int, Any]:
        """Make one request; return its status, and the answer, parsed where JSON was asked for."""
        where = "/".join(urllib.parse.quote(part, safe="") for part in path) + query
        headers = {"Host": self._netloc, "Accept": accept, "Connection": "close"}
        body = None
        if password is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps({"password": password.reveal()}).encode()
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        if self._password is not None:
            headers["Password"] = self._password.reveal()
        if password is not None:
            self._told.append(password)  # from now on the server may repeat it
        secrets = self._secrets()
        tells = any(one is not None for one in (self._token, self._password, password))
        status, text = self._exchange(method, where, body, headers, secret=tells)
        if status not in good:
            said = _said(text) if len(text) <= _SHOWN else "a long answer"
            detail = _plain(scrub(said, secrets), 300)
            kind = DeniedError if status in (401, 403) else _StatusError
            raise kind(
                f"{self._base}: {_meaning(status, said, self._token)} "
                f"({method} /{where}: {status}{', ' + detail if detail else ''})",
                status,
            )
        if not text.strip() or method == "HEAD" or 300 <= status < 500:
            return status, None
        if accept != "application/json":
            return status, text
        try:
            return status, _json(text)
        except ValueError:
            self._odd(status, scrub(text[:_SHOWN], secrets))

    def _exchange(
        self, method: str, where: str, body: bytes | None, headers: dict[str, str], *, secret: bool
    ) -> tuple[int, str]:
        hint = "is WebAdmin enabled (webadmin.properties) and James up?"
        limit = _LIMIT + _SHOWN
        with Line(self._host, self._port, self._timeout, limit=limit, hint=hint) as line:
            if self._encrypted:
                line.encrypt(self._host)
            line.prove(self._trust, secret=secret, cure=_CURE)
            request: Any = http.client.HTTPConnection(self._host)
            request.sock, request.auto_open = _AsSocket(line), 0
            try:
                request.request(method, f"{self._prefix}/{where}", body, headers)
                with request.getresponse() as response:
                    data = b"".join(iter(partial(response.read, _CHUNK), b""))
                    status, missing = response.status, response.length
            except (http.client.HTTPException, ValueError):
                raise JamesError(f"{self._base}: what answers there is no HTTP server") from None
            if missing:
                raise JamesError(f"{self._base}: the answer breaks off")
        return status, data.decode("utf-8", "replace")

    def _secrets(self) -> list[Reveals]:
        return [one for one in (self._token, self._password, *self._told) if one is not None]

    def _shown(self, text: str, room: int) -> str:
        return _plain(scrub(text[:_SHOWN], self._secrets()), room)

    def _odd(self, status: int, answer: object) -> NoReturn:
        said = self._shown(answer, 80) if isinstance(answer, str) else type(answer).__name__
        raise JamesError(
            f"{self._base}: what answers there is not WebAdmin (status {status}: {said!r})"
        )


class _AsSocket:
    """What http.client wants of a socket; it must not end the line before the answer is read."""

    def __init__(self, line: Line) -> None:
        self.sendall = line.sendall
        self.makefile = line.makefile

    def close(self) -> None:
        """Leave the line to who opened it."""


def _json(text: str) -> Any:
    """Parse JSON. Raises ValueError for all that is none or is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _said(text: str) -> str:
    """Return James's own details on an error."""
    try:
        answer = _json(text)
    except ValueError:
        return text
    if not isinstance(answer, Mapping):
        return text
    said = [answer.get("message"), answer.get("details")]
    return ": ".join(dict.fromkeys(one for one in said if isinstance(one, str) and one))


def _plain(text: str, room: int) -> str:
    """Return the first words of a text on one line, without what a terminal would act on."""
    line = " ".join(text[: 2 * room].split())[:room]
    return printable(line)


def _meaning(status: int, said: str, token: Reveals | None) -> str:
    """Say in plain words what a status means here."""
    if status == 401 and "Password header" in said:
        return f"it wants its own password ({_PASSWORD_KEY})"
    if status == 401 and token is not None:
        return f"it does not take the token ({_TOKEN_KEY}){_expired(token)}"
    if 300 <= status < 400:
        return "it redirects elsewhere, which is not followed; set account:webadmin to that place"
    return {
        400: "it refuses the request",
        401: f"it wants a token ({_TOKEN_KEY})",
        403: f"the token does not allow this ({_TOKEN_KEY})",
        404: "it does not know this; an older James, or not WebAdmin",
        409: "it is there already, or in the way of something",
    }.get(status, "it fails" if status >= 500 else "it answers what it should not")


def _expired(token: Reveals) -> str:
    """Say since when a token (a JWT, RFC 7519) is no longer valid, "" where it does not say."""
    with suppress(ValueError, LookupError, TypeError, AttributeError, OverflowError):
        part = token.reveal().split(".")[1]
        claims = _json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
        until = float(claims["exp"])
        if until < time.time():
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(until))
            return f", which expired on {when} UTC"
    return ""
