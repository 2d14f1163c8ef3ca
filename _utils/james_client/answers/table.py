"""Show what became of the test messages on one screen: a line each, dialogues where one failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from james_client.mta.transcript import REFUSED

_TITLES = ("ADDRESS", "SENT BY", "OUTCOME")
_IN_LINE = ("address", "sent by", "wrong")
_KEPT = ("messages", "wrong")


def table(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a probe's report as people read it.

    report
        what `messages.send` returns, with the names that James does not know

    Returns ``{"messages": [a line each], "failed": {name: all that is known}, …, "wrong": [...]}``;
    what is empty is left out, but for the messages and what is wrong.
    """
    rows = report["messages"]
    lines = [_TITLES, *((row["address"], row["sent by"], _outcome(row)) for row in rows.values())]
    failed = {
        name: {key: value for key, value in row.items() if key not in _IN_LINE}
        for name, row in rows.items()
        if "wrong" in row
    }
    page = dict(report) | {"messages": _aligned(lines), "failed": failed}
    return {key: value for key, value in page.items() if value or key in _KEPT}


def _outcome(row: Mapping[str, Any]) -> str:
    # A dialogue that nobody could watch leaves the place, or a note, as the only evidence.
    said = row.get("result") or row.get("note", "not watched")
    if "wrong" in row:
        said = f"WRONG: {said}"
    elif said == REFUSED:
        said += ", as it must be"
    # What sendmail itself says of a failure may have lines.
    return " ".join(", in ".join([said, *row.get("arrived", [])]).split())


def _aligned(lines: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
