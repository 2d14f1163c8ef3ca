"""What WebAdmin answers is told as what it is: no entry, or a James who is not well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from james_client.james.line import JamesError
from james_client.james.webadmin import DeniedError
from james_client.verdict.finding import Level
from james_client.verdict.webadmin_causes import CAUSES

DENIED, ILL = CAUSES
SETTINGS = SimpleNamespace(account=SimpleNamespace(webadmin="http://127.0.0.1:8000"))


class Made:
    """Evidence as one answer of WebAdmin makes it."""

    plan = SimpleNamespace(settings=SETTINGS)

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def _look(self) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    domains = health = property(_look)


@pytest.mark.parametrize(
    "said, key",
    [
        ("it does not take the token (account:token), which expired", "account:token"),
        ("it wants its own password (account:webadmin_password)", "account:webadmin_password"),
    ],
)
def test_who_is_not_let_in_is_told_with_what(said: str, key: str) -> None:
    (found,) = DENIED.look(Made(DeniedError(said, 401)))  # type: ignore[arg-type]
    assert (found.level, found.cure) == (
        Level.WARNING,
        f"sendmail_james:{key}: one that James takes",
    )
    assert found.said == said


@pytest.mark.parametrize("answer", [("localhost",), JamesError("nothing listens there")])
def test_who_is_let_in_or_not_even_heard_is_not_denied(answer: Any) -> None:
    assert list(DENIED.look(Made(answer))) == []  # type: ignore[arg-type]


def test_what_james_calls_ill_is_as_bad_as_he_says() -> None:
    found = ILL.look(Made({"A": "degraded: full", "B": "unhealthy"}))  # type: ignore[arg-type]
    assert [(one.level, one.said) for one in found] == [
        (Level.WARNING, "James calls his A degraded: full"),
        (Level.CRITICAL, "James calls his B unhealthy"),
    ]
    assert list(ILL.look(Made({}))) == []  # type: ignore[arg-type]
