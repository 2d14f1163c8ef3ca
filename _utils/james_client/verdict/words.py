"""Hold what several rows of the table say: durations, counts, others' words."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice, pairwise

from james_client.scrub import printable

_LONGEST = 400


def duration(seconds: float) -> str:
    """Return a duration in its two greatest units: ``3 d 2 h``."""
    whole = max(int(seconds), 0)
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    for (size, unit), (smaller, small) in pairwise(units):
        if whole >= size:
            more = whole % size // smaller
            return f"{whole // size} {unit}" + f" {more} {small}" * bool(more)
    return f"{whole} s"


def shown(text: str) -> str:
    """Return a text of others in one line that a terminal may be shown, cut where it is long."""
    line = printable("".join(" " if c.isspace() else c for c in text))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def some(words: Collection[str], shown: int = 3) -> str:
    """Return the first of many, and how many more there are."""
    more = len(words) - shown
    return ", ".join(islice(words, shown)) + (f" and {more} more" if more > 0 else "")
