"""Speak James's WebAdmin: users, domains, mail repositories, aliases."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping
from typing import Any

from james_client.errors import FaultError
from james_client.scrub import Reveals, scrub

_LIMIT = 16 * 1024 * 1024


class WebAdminError(FaultError):
    """WebAdmin does not answer, or says no; in plain words, with what it said."""


class UserExistsError(WebAdminError):
    """The account is there already; its password is left alone."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: it would carry the token, or a password, to somebody else."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class WebAdmin:
    """One WebAdmin server.

    `base` is its URL (http://127.0.0.1:8000), `token` its JWT if it wants one, `timeout` the
    seconds to wait for each answer. Source: James's documentation, WebAdmin REST API.
    """

    def __init__(self, base: str, token: Reveals | None = None, timeout: float = 10.0) -> None:
        parts = urllib.parse.urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            raise WebAdminError(
                f"WebAdmin: expected http://HOST:PORT without a password, got {shown!r}"
            )
        self._base = base.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def __repr__(self) -> str:
        return f"WebAdmin({self._base!r})"

    def health(self) -> dict[str, str]:
        """Return the components of James that are not healthy, with the cause; {} if all are."""
        status, answer = self._ask("GET", "healthcheck", good=(200, 500, 503))
        if not isinstance(answer, Mapping):
            raise self._odd(status, answer)
        return {
            str(item.get("componentName")): str(item.get("cause") or item.get("status"))
            for item in answer.get("checks", ())
            if item.get("status") != "healthy"
        }

    def user_exists(self, name: str) -> bool:
        """Tell whether James has an account of that name."""
        status, _ = self._ask("HEAD", "users", name, good=(200, 404))
        return status == 200

    def create_user(self, name: str, password: Reveals, *, force: bool = False) -> None:
        """Create an account; with `force`, give an account that exists this password.

        Raises UserExistsError for an account that exists when not forced.
        """
        # Some versions answer a second PUT with 409, others change the password: ask first.
        if not force and self.user_exists(name):
            raise UserExistsError(f"{self._base}: the user {name} exists already")
        body = {"password": password.reveal()}
        query = {"force": ""} if force else {}
        status, _ = self._ask(
            "PUT", "users", name, body=body, query=query, secrets=(password,), good=(200, 204, 409)
        )
        if status == 409:
            raise UserExistsError(f"{self._base}: the user {name} exists already")

    def domains(self) -> tuple[str, ...]:
        """Return the domains whose mail James keeps."""
        return tuple(map(str, self._list("domains")))

    def add_domain(self, name: str) -> None:
        """Make a domain one of James's own."""
        self._ask("PUT", "domains", name, good=(200, 204))

    def aliases(self, address: str) -> tuple[str, ...]:
        """Return the addresses that James takes as other names of `address`."""
        return tuple(str(item["source"]) for item in self._list("address", "aliases", address))

    def repositories(self) -> tuple[str, ...]:
        """Return the paths of the mail repositories (var/mail/error, ...)."""
        return tuple(str(item["repository"]) for item in self._list("mailRepositories"))

    def count(self, repository: str) -> int:
        """Return how many mails a repository holds."""
        _, answer = self._ask("GET", "mailRepositories", repository)
        return int(answer["size"])

    def mails(self, repository: str) -> tuple[str, ...]:
        """Return the keys of a repository's mails; () where there is no such repository."""
        status, answer = self._ask("GET", "mailRepositories", repository, "mails", good=(200, 404))
        return () if status == 404 else tuple(map(str, answer))

    def mail(self, repository: str, key: str) -> dict[str, Any] | None:
        """Return one mail (sender, recipients, state, headers, textBody), or None if it is gone."""
        query = {"additionalFields": "headers,textBody"}
        path = ("mailRepositories", repository, "mails", key)
        status, answer = self._ask("GET", *path, query=query, good=(200, 404))
        return None if status == 404 else dict(answer)

    def mail_text(self, repository: str, key: str) -> str:
        """Return one mail as it is, header and all; "" if it is gone."""
        path = ("mailRepositories", repository, "mails", key)
        status, text = self._ask("GET", *path, good=(200, 404), accept="message/rfc822")
        return "" if status == 404 else str(text)

    def delete_mail(self, repository: str, key: str) -> None:
        """Remove one mail from a repository; it may be gone already."""
        self._ask("DELETE", "mailRepositories", repository, "mails", key, good=(200, 204, 404))

    def mailbox_count(self, user: str, mailbox: str = "INBOX") -> int | None:
        """Return how many messages a user's mailbox holds, or None without user or mailbox."""
        status, answer = self._ask(
            "GET", "users", user, "mailboxes", mailbox, "messageCount", good=(200, 400, 404)
        )
        return int(answer) if status == 200 else None

    def _list(self, *path: str) -> list[Any]:
        status, answer = self._ask("GET", *path)
        if not isinstance(answer, list):
            raise self._odd(status, answer)
        return answer

    def _ask(
        self,
        method: str,
        *path: str,
        body: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        secrets: Collection[Reveals] = (),
        good: Collection[int] = (200,),
        accept: str = "application/json",
    ) -> tuple[int, Any]:
        where = "/".join(urllib.parse.quote(part, safe="") for part in path)
        url = f"{self._base}/{where}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Accept": accept, "Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        request = urllib.request.Request(
            url,
            None if body is None else json.dumps(body).encode(),
            headers,
            method=method,
        )
        hidden = [*secrets, *([self._token] if self._token is not None else [])]
        status, text = self._answer(request, hidden)
        if status not in good:
            raise WebAdminError(
                f"{self._base}: {_words(status, method, where, scrub(text, hidden))}"
            )
        if not text.strip() or method == "HEAD":
            return status, None
        if accept != "application/json":
            return status, text
        try:
            return status, json.loads(text)
        except ValueError:
            raise self._odd(status, scrub(text, hidden)) from None

    def _answer(
        self, request: urllib.request.Request, hidden: Collection[Reveals]
    ) -> tuple[int, str]:
        try:
            try:
                response = self._opener.open(request, timeout=self._timeout)
            except urllib.error.HTTPError as err:
                response = err
            with response:
                data = response.read(_LIMIT + 1)
        except (OSError, http.client.HTTPException, ValueError) as err:
            reason = getattr(err, "reason", err)
            raise WebAdminError(f"{self._base}: {scrub(self._trouble(reason), hidden)}") from None
        if len(data) > _LIMIT:
            raise WebAdminError(f"{self._base}: the answer is longer than {_LIMIT} bytes")
        return response.status or 0, data.decode("utf-8", "replace")

    def _trouble(self, reason: object) -> str:
        if isinstance(reason, ConnectionRefusedError):
            return "nothing listens there; is WebAdmin enabled (webadmin.properties) and James up?"
        if isinstance(reason, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        if isinstance(reason, http.client.HTTPException):
            return "what answers there is no HTTP server"
        said = reason.strerror if isinstance(reason, OSError) else None
        return f"cannot be reached: {said or type(reason).__name__}"

    def _odd(self, status: int, answer: object) -> WebAdminError:
        said = " ".join(str(answer).split())[:80]
        return WebAdminError(
            f"{self._base}: what answers there is not WebAdmin (status {status}: {said!r})"
        )


def _words(status: int, method: str, where: str, text: str) -> str:
    """Say in plain words what a status means here, with James's own details."""
    try:
        answer = json.loads(text)
        said = [answer.get("message"), answer.get("details")]
        detail = ": ".join(dict.fromkeys(str(part) for part in said if part))[:300]
    except (ValueError, AttributeError):
        detail = " ".join(text.split())[:80]
    meaning = {
        400: "it refuses the request",
        401: "it wants a token (account:token)",
        403: "the token does not allow this (account:token)",
        404: "it does not know this; an older James, or not WebAdmin",
        409: "it is there already",
    }.get(status, "it fails" if status >= 500 else "it answers what it should not")
    if 300 <= status < 400:
        meaning = (
            "it redirects elsewhere, which is not followed; set account:webadmin to that place"
        )
    return f"{meaning} ({method} /{where}: {status}{', ' + detail if detail else ''})"
