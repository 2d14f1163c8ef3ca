"""The probe's report on one screen: a line a message, all that is known only of what failed."""

from __future__ import annotations

from typing import Any

from james_client.answers.table import table

GOOD = {
    "address": "alice@localhost",
    "sent by": "root",
    "result": "accepted",
    "arrived": ["var/mail/local"],
    "dialogue": ">>> EHLO\n250 OK",
}
RETURNED = {"address": "nosuch", "sent by": "bob", "result": "refused", "dialogue": ">>> EHLO"}
WAITS = {
    "address": "x@example.org",
    "sent by": "bob, as <>",
    "result": "queued",
    "why": "451 later",
    "dialogue": ">>> RSET",
    "wrong": ["queued, not accepted: 451 later"],
}


def report(**rows: dict[str, Any]) -> dict[str, Any]:
    """Give a probe's report of these messages."""
    wrong = [said for row in rows.values() for said in row.get("wrong", [])]
    return {"messages": rows, "addresses asked": 8, "left behind": [], "wrong": wrong}


def test_where_all_went_well_there_are_lines_and_no_dialogue() -> None:
    assert table(report(a=GOOD, b=RETURNED)) == {
        "messages": [
            "ADDRESS          SENT BY  OUTCOME",
            "alice@localhost  root     accepted, in var/mail/local",
            "nosuch           bob      refused, as it must be",
        ],
        "addresses asked": 8,
        "wrong": [],
    }


def test_what_failed_is_marked_and_shown_with_all_that_is_known() -> None:
    page = table(report(a=GOOD, x=WAITS))
    assert page["messages"][2] == "x@example.org    bob, as <>  WRONG: queued"
    assert page["failed"] == {
        "x": {"result": "queued", "why": "451 later", "dialogue": ">>> RSET"},
    }
    assert page["wrong"] == ["queued, not accepted: 451 later"]


def test_what_failed_alike_has_one_dialogue() -> None:
    other = WAITS | {"why": "452 full", "dialogue": ">>> QUIT"}
    failed = table(report(x=WAITS, y=WAITS, z=other))["failed"]
    said = {name: row["dialogue"] for name, row in failed.items()}
    assert said == {"x": ">>> RSET", "y": "failed as that of x did", "z": ">>> QUIT"}


def test_a_message_that_nobody_watched_has_its_place_or_its_note() -> None:
    seen = {"address": "a", "sent by": "bob", "arrived": ["var/mail/local"]}
    noted = {"address": "b", "sent by": "bob", "note": "the runner\n  took it"}
    lost = {"address": "c", "sent by": "bob", "note": "did not end", "wrong": ["did not end"]}
    assert table(report(a=seen, b=noted, c=lost))["messages"][1:] == [
        "a        bob      not watched, in var/mail/local",
        "b        bob      the runner took it",
        "c        bob      WRONG: did not end",
    ]


def test_what_is_left_or_not_known_to_james_stays() -> None:
    said = {"left behind": ["a file"], "unknown to James": ["root dies"], "not proved": []}
    page = table(report(a=GOOD) | said)
    assert page["left behind"] == ["a file"]
    assert page["unknown to James"] == ["root dies"]
    assert "not proved" not in page
