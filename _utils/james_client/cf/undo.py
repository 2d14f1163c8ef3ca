"""Take an edit back, also from a file in which other lines have changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from james_client.cf.text import CfError

__all__ = ["Hunk", "record", "undo"]

_CONTEXT = 3  # lines


class Hunk(NamedTuple):
    """Hold one place that an edit changed: where, the lines before and after, and those around."""

    at: int
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]
    above: tuple[bytes, ...]
    below: tuple[bytes, ...]


def record(before: bytes, after: bytes) -> tuple[Hunk, ...]:
    """Write down what an edit changed.

    before
        the file's bytes without the edit
    after
        the file's bytes with it

    Returns the places, from the top.
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    hunks = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
        if tag != "equal":
            above, below = new[max(k - _CONTEXT, 0) : k], new[m : m + _CONTEXT]
            hunks.append(Hunk(k, *map(tuple, (old[i:j], new[k:m], above, below))))
    return tuple(hunks)


def undo(data: bytes, hunks: Sequence[Hunk]) -> bytes:
    """Take an edit back, wholly or not at all.

    data
        the file's bytes now; lines far from the edit may have changed
    hunks
        what ``record`` gave

    Returns the file's bytes without the edit. Raises CfError where a place is not there any more,
    or there more than once; nothing is guessed.
    """
    lines = data.splitlines(keepends=True)
    places = [hunk.at for hunk in hunks]
    if not all(_is_at(lines, hunk, hunk.at - len(hunk.above)) for hunk in hunks):
        places = [_find(lines, hunk) for hunk in hunks]
    for at, hunk in sorted(zip(places, hunks, strict=True), reverse=True):
        lines[at : at + len(hunk.new)] = hunk.old
    return b"".join(lines)


def _is_at(lines: list[bytes], hunk: Hunk, at: int) -> bool:
    wanted = [*hunk.above, *hunk.new, *hunk.below]
    return lines[at : at + len(wanted)] == wanted


def _find(lines: list[bytes], hunk: Hunk) -> int:
    places = [at for at in range(len(lines)) if _is_at(lines, hunk, at)]
    if len(places) == 1:
        return places[0] + len(hunk.above)
    shown = b"".join(hunk.new or hunk.above)[:200].decode("utf-8", "replace").strip()
    found = "it is not there any more" if not places else f"it is there {len(places)} times"
    raise CfError(f"cannot be undone, {found}: {shown!r}")
