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
    page = dict(report) | {"messages": _aligned(lines), "failed": _failed(rows)}
    return {key: value for key, value in page.items() if value or key in _KEPT}


def _failed(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what is known of each message that failed; what failed alike has one dialogue."""
    shown: dict[tuple[str, ...], str] = {}
    failed: dict[str, dict[str, Any]] = {}
    for name, row in rows.items():
        if "wrong" not in row:
            continue
        failed[name] = {key: value for key, value in row.items() if key not in _IN_LINE}
        first = shown.setdefault((row.get("why", name), *row["wrong"]), name)
        if first != name:
            failed[name]["dialogue"] = f"failed as that of {first} did"
    return failed


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
