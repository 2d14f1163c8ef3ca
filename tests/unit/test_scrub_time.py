"""A hostile answer costs no more than its length: twice the text takes about twice the time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from james_client.scrub import scrub
from james_client.wishes.secret import Secret

LINEAR = 3.5  # of a quadratic time four comes, of a cubic one eight
BITS = [
    *(" ", "\t", "2", "25", "250", "334", "334 ", "250 ", "-", "x", "'", '"', "b'", "\\", "\\n"),
    *("\\r", "AUTH", "AUTH ", "AUTH PLAIN ", "AUTH GS2-", ">>>", ">>> ", "<<< ", "send:"),
    *("reply: ", "dXNlcg", "QUJD", "A", "a", "aaaa", "=", "%", "%61", "&#", "&#x0", "&#0", "0"),
    *("&amp;", "\\\\", "\\x", "\\x61", "\n", "\r\n", "\x0b", "é", "+", "aab"),
]
PIECES = st.lists(st.sampled_from(BITS), max_size=3).map("".join)
SECRETS = ["", "aaaaaaaaab", "\\" * 40 + "x", "%25" * 20, "\0" * 12 + "x", "a\\.\\.\\.\\."]


def seconds(text: str, secrets: list[Secret]) -> float:
    """Give the least time that a text takes, of several tries, without what others compute."""
    taken = []
    for _ in range(4):
        start = time.thread_time()
        scrub(text, secrets)
        taken.append(time.thread_time() - start)
    return min(taken)


def growth(texts: tuple[str, str], secrets: tuple[list[Secret], list[Secret]]) -> float:
    """Give how many times longer the second takes, measured anew where that seems too much."""
    for _ in range(4):
        found = seconds(texts[1], secrets[1]) / seconds(texts[0], secrets[0])
        if found < LINEAR:
            break
    return found


@settings(max_examples=150, deadline=None)
@given(head=PIECES, piece=PIECES.filter(bool), tail=PIECES, secret=st.sampled_from(SECRETS))
def test_any_repetition_takes_linear_time(head: str, piece: str, tail: str, secret: str) -> None:
    size = 1500 // len(piece) + 1
    texts = (head + piece * size + tail, head + piece * 2 * size + tail)
    assert growth(texts, ([Secret(secret)],) * 2) < LINEAR


@pytest.mark.parametrize(
    "shape", [*BITS, "250 {}x", "{}x", ">>> {}x", "1 {}x", "reply: {}x", "AUTH{}", "a{}x"]
)
def test_a_known_shape_takes_linear_time(shape: str) -> None:
    whole = shape if "{}" in shape else "250 {}x"
    piece = " " if "{}" in shape else shape
    texts = [whole.replace("{}", piece * n) for n in (1500, 3000)]
    assert growth((texts[0], texts[1]), ([Secret("aab")],) * 2) < LINEAR


@pytest.mark.parametrize("unit", ["a", "\\", "ab", "%4", "\0", "a\\.", "&", "é", "QUJD"])
@pytest.mark.parametrize("end", ["", "x"])
def test_a_long_secret_in_a_long_text_takes_linear_time(unit: str, end: str) -> None:
    """The worst there is: the text begins the secret anew at each place, and never ends it."""
    secrets = tuple([Secret(unit * n + "!")] for n in (200, 400))
    texts = tuple((unit * n + end) * 3 for n in (400, 800))
    assert growth(texts, secrets) < LINEAR
