"""A verdict is as bad as the worst that was found, and well only where nothing was."""

from __future__ import annotations

import pytest
from james_client.verdict.finding import Finding, Level, Verdict


@pytest.mark.parametrize(
    "levels, worst",
    [
        ([], Level.OK),
        ([Level.WARNING], Level.WARNING),
        ([Level.WARNING, Level.CRITICAL, Level.WARNING], Level.CRITICAL),
    ],
)
def test_a_verdict_is_as_bad_as_its_worst_finding(levels: list[Level], worst: Level) -> None:
    assert Verdict([Finding("a cause", level, "seen") for level in levels]).level is worst
