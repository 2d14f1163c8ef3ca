"""An mc may be of any length: reading it costs no more than that."""

from __future__ import annotations

from contextlib import suppress

import pytest
from james_client.mc.block import without_quoted_block
from james_client.mc.parts import BEGIN, LAST_BEGIN
from james_client.mc.place import McError, find_place, holds_mailer, refuse_overrides
from support.growth import LINEAR, growth

PIECES = ["MAILER(`x')", "MAILER(", "`", "'", " F", ", F", ",F=", "F=a ", " ", "\n ", "\nMAILER(x)"]
PIECES += ["define(", "define(`x", "_MAILER_ARGS", "MODIFY_MAILER_FLAGS(", "dnl", "\nO x", "\nDS"]


def read(data: bytes) -> None:
    """Read an mc as the block does before it is written."""
    lines = data.splitlines(keepends=True)
    with suppress(McError):
        holds_mailer(lines, "esmtp", "5")
    with suppress(McError):
        refuse_overrides(lines, find_place(lines), {"DS", "O x"})


@pytest.mark.parametrize("shape", ["MAILER(`smtp')\n{}", "MAILER(`smtp')\nMesmtp, P=x{}"])
@pytest.mark.parametrize("piece", PIECES)
def test_an_mc_takes_linear_time(shape: str, piece: str) -> None:
    size = 12000 // len(piece)
    small, double = (shape.replace("{}", piece * n).encode() for n in (size, 2 * size))
    assert growth(read, small, double) < LINEAR


@pytest.mark.parametrize("piece", [f"# {BEGIN}\n", f"# {LAST_BEGIN}\n", f"`'{LAST_BEGIN}\n"])
def test_a_cf_of_parts_without_an_end_takes_linear_time(piece: str) -> None:
    small, double = ((piece * n).encode() for n in (400, 800))
    assert without_quoted_block(small) == small
    assert growth(without_quoted_block, small, double) < LINEAR
