"""An edit is taken back where its place is known by the lines around it, and nowhere else."""

from __future__ import annotations

import pytest
from james_client.cf.text import CfError
from james_client.cf.undo import record, undo


def text(*words: str) -> bytes:
    """Give each letter of the words a line."""
    return "".join(f"{letter}\n" for letter in "".join(words)).encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("abcdefgh", "abcdXefgh"),
        ("abcdefgh", "abcefgh"),
        ("abcdefgh", "Xbcdefgh"),
        ("abcdefgh", "abcdefgX"),
        ("abcdefgh", "XabcdeYYfghZ"),
        ("", "X"),
        ("X", ""),
        ("abc", "abc"),
    ],
)
@pytest.mark.parametrize("more", ["", "12345"])
def test_an_edit_comes_off_again_also_further_down(before: str, after: str, more: str) -> None:
    hunks = record(text(before), text(after))
    if more and after and before != after and before:
        assert undo(text(more, after, more), hunks) == text(more, before, more)
    else:
        assert undo(text(after), hunks) == text(before)


@pytest.mark.parametrize("near", [1, 2, 3])
@pytest.mark.parametrize("side", [-1, 1])
def test_three_lines_on_each_side_know_the_place(near: int, side: int) -> None:
    before, after = "abcdefghijkl", "abcdefXghijkl"
    hunks, at = record(text(before), text(after)), after.index("X") + side * near
    changed = f"{after[:at]}?{after[at + 1 :]}"
    with pytest.raises(CfError, match="cannot be undone, it is not there any more: 'X'"):
        undo(text(changed), hunks)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_fourth_line_does_not(side: int) -> None:
    before, after = "abcdefghijkl", "abcdefXghijkl"
    at = after.index("X") + side * 4
    changed = after[:at] + "?" + after[at + 1 :]
    assert undo(text(changed), record(text(before), text(after))) == text(changed.replace("X", ""))


def test_a_place_that_is_there_twice_is_not_guessed() -> None:
    hunks = record(text("abcdef"), text("abcXdef"))
    with pytest.raises(CfError, match="cannot be undone, it is there 2 times: 'X'"):
        undo(text("1", "abcXdef", "2", "abcXdef"), hunks)


def test_a_line_taken_away_is_told_by_those_above() -> None:
    hunks = record(text("abcXdef"), text("abcdef"))
    with pytest.raises(CfError, match=r"it is not there any more: 'a\\nb\\nc'"):
        undo(text("ab?def"), hunks)


def test_nothing_is_taken_back_by_halves() -> None:
    before, after = "abcdefghijklmnop", "abcXdefghijklmYnop"
    hunks = record(text(before), text(after))
    with pytest.raises(CfError, match="not there any more: 'X'"):
        undo(text("1", after.replace("X", "")), hunks)
    assert undo(text("1", after), hunks) == text("1", before)
