"""The page says what moves to James as long as this host is not his client; verbose always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import run_world
from cf_world import CF
from james_client.answers import status as room
from james_client.verdict.finding import Verdict


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give what shows the page of a host whose sendmail.cf has more lines."""
    monkeypatch.setattr(room, "judge", lambda *_, **__: Verdict([]))
    monkeypatch.setattr(room, "require_sendmail", lambda _: None)
    monkeypatch.setattr(room, "PARTS", {room.MOVES: room.PARTS[room.MOVES]})

    def page(lines: str, *, verbose: bool = False) -> Any:
        more = f"O DaemonPortOptions=Addr=127.0.0.1\n{lines}\nSparse=0".encode()
        (tmp_path / "sendmail.cf").write_bytes(CF.replace(b"Sparse=0", more))
        plan = run_world.plan(cf=str(tmp_path / "sendmail.cf"))
        return room.status(plan, verbose=verbose).get("moves to James")

    return page


def test_before_the_first_apply_one_line_names_the_paper_and_the_things(page: Any) -> None:
    assert page("DSsmtp.isp.example\nC{TrustAuthMech}PLAIN") == (
        "docs/moving.md: logins of users (PLAIN), smart host (smtp.isp.example)"
    )


def test_nothing_to_move_is_no_line(page: Any) -> None:
    assert page("") is None


def test_later_it_is_in_the_verbose_page_alone(page: Any) -> None:
    lines = "DHesmtp:localhost\nC{TrustAuthMech}PLAIN"
    assert page(lines) is None
    assert page(lines, verbose=True) == ["logins of users (PLAIN)"]
