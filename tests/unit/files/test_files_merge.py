"""What is ours comes out of a file again, and what is others' stays; what is neither is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from james_client.files.merge import take_out


def text(letters: str) -> bytes:
    """Give each letter a line."""
    return "".join(f"{letter}\n" for letter in letters).encode()


def out(before: str, after: str, now: str) -> tuple[str, int]:
    """Give what is left, a letter for each line, and how much was lost."""
    data, lost = take_out(text(before), text(after), text(now))
    return data.decode().replace("\n", ""), len(lost)


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
def test_an_edit_comes_out_also_where_others_have_lines_above_and_below(
    before: str, after: str, more: str
) -> None:
    if not after:
        more = ""  # nothing tells where we took it away
    assert out(before, after, more + after + more[::-1]) == (more + before + more[::-1], 0)


@pytest.mark.parametrize(
    ("before", "after", "now", "left"),
    [
        ("abcdef", "abcXdef", "abcXYdef", "abcYdef"),
        ("abcdef", "abcXdef", "abcYXdef", "abcYdef"),
        ("abcdef", "abcXdef", "abYXdef", "abYdef"),
        ("abcdef", "abXdef", "abXYef", "abcYef"),
        ("abcdef", "abdef", "abcZdef", "abcZdef"),
        ("abcdef", "abdef", "abZdef", "abcZdef"),
        ("abcdef", "abcXYdef", "abcdef", "abcdef"),
        ("abcdef", "abcXYdef", "uvw", "uvw"),
        ("abcdef", "aXcdYf", "aQcdRf", "aQcdRf"),
    ],
    ids=[
        "a line behind ours",
        "a line before ours",
        "a neighbour of ours",
        "a neighbour of what we replaced",
        "what we took away put back, and more",
        "a line where we took one away",
        "ours taken out by hand",
        "another file",
        "nothing of ours left",
    ],
)
def test_what_others_did_near_us_stays(before: str, after: str, now: str, left: str) -> None:
    assert out(before, after, now) == (left, 0)


@pytest.mark.parametrize(
    ("after", "now", "left"),
    [("abcXYdef", "abcXQdef", "abcdef"), ("aXcdYf", "aQcdYf", "abcdef")],
)
def test_others_words_for_our_lines_are_told_and_left_out(after: str, now: str, left: str) -> None:
    assert out("abcdef", after, now) == (left, 1)


def test_two_edits_of_one_line_are_told_apart_by_its_words() -> None:
    before, after = b"M1, F=ab, L=990\nx\n", b"M1, F=abk0, L=990\nx\n"
    data, lost = take_out(before, after, b"M1, F=abk0, L=2000\nx\n")
    assert (data, lost) == (b"M1, F=ab, L=2000\nx\n", ())


def test_what_is_lost_is_shown_and_cut() -> None:
    before, after = b"a\n", b"ours\nmore\na\n"
    _, lost = take_out(before, after, b"ours\n" + b"x" * 1000 + b"\na\n")
    (line,) = lost
    assert line.startswith("'ours\\nxxx")
    assert len(line) < 100


LINES = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=8).map(
    lambda lines: "".join(f"{line}\n" for line in lines).encode()
)


@given(LINES, LINES)
def test_untouched_ours_goes_wholly_and_an_empty_edit_takes_nothing(a: bytes, b: bytes) -> None:
    assert take_out(a, b, b) == (a, ())
    assert take_out(a, a, b) == (b, ())


@given(LINES, LINES, LINES)
def test_it_ends_for_any_three_files(a: bytes, b: bytes, c: bytes) -> None:
    take_out(a, b, c)
