"""Take an edit out of a file that somebody else has edited too, and keep what is his."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_WORD = re.compile(rb"\w+|\W")
_SHOWN = 80  # bytes


class Merged(NamedTuple):
    """Hold a file without our edit, and which lines of others' stood in the way, in words."""

    data: bytes
    lost: tuple[str, ...]


class _Change(NamedTuple):
    start: int
    stop: int
    new: tuple[bytes, ...]


def take_out(before: bytes, after: bytes, now: bytes) -> Merged:
    """Give what a file would be without an edit.

    before, after
        the file's bytes without the edit and with it
    now
        what became of ``after`` in others' hands

    Where others changed the very words that the edit wrote, what was there before it counts, and
    ``lost`` shows what they had made of them. A file in which no line of the edit is left is
    theirs as it is.
    """
    old, mine, found = (side.splitlines(keepends=True) for side in (before, after, now))
    lines, lost = _merge(mine, old, found)
    if lost and not (set(mine) - set(old)) & set(found):
        return Merged(now, ())
    return Merged(b"".join(lines), lost)


def _merge(
    mine: Sequence[bytes], old: Sequence[bytes], found: Sequence[bytes], *, words: bool = False
) -> tuple[list[bytes], tuple[str, ...]]:
    back, theirs = list(_changes(mine, old)), list(_changes(mine, found))
    merged: list[bytes] = []
    lost: list[str] = []
    at = 0
    for group in _groups([*back, *theirs]):
        start, stop = group[0].start, max(change.stop for change in group)
        merged += mine[at:start]
        ours = _applied(mine, start, stop, (one for one in back if one in group))
        other = _applied(mine, start, stop, (one for one in theirs if one in group))
        taken, gone = _settled(list(mine[start:stop]), ours, other, words)
        merged += taken
        lost += gone
        at = stop
    return [*merged, *mine[at:]], tuple(lost)


def _changes(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[_Change]:
    for tag, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            continue
        if j - i == m - k:  # line by line: a change of one says nothing about its neighbour
            yield from (_Change(i + n, i + n + 1, (new[k + n],)) for n in range(j - i))
        else:
            yield _Change(i, j, tuple(new[k:m]))


def _groups(changes: Iterable[_Change]) -> Iterator[list[_Change]]:
    """Give the changes from the top, those together that touch the same lines."""
    group: list[_Change] = []
    for one in sorted(changes, key=lambda change: change[:2]):
        stop = max((other.stop for other in group), default=0)
        together = group and (one.start < stop or one[:2] == group[-1][:2])
        if group and not together:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _applied(
    mine: Sequence[bytes], start: int, stop: int, changes: Iterable[_Change]
) -> list[bytes]:
    lines, at = [], start
    for one in changes:
        lines += [*mine[at : one.start], *one.new]
        at = one.stop
    return [*lines, *mine[at:stop]]


def _settled(
    mine: list[bytes], ours: list[bytes], other: list[bytes], words: bool
) -> tuple[list[bytes], tuple[str, ...]]:
    """Give the lines of one place, and what is lost there.

    ours, other
        ``mine`` as it was before us, and as others have made it
    """
    if ours == other or other == mine:
        return ours, ()
    if ours == mine:
        return other, ()
    if not mine:  # we had taken lines away, and others have added some
        both = b"".join(other)
        return (other if b"".join(ours) in both else [*ours, *other]), ()
    if not words and len(mine) == len(ours) == len(other):
        parts = [[_WORD.findall(line) for line in lines] for lines in (mine, ours, other)]
        done = [_merge(*lines, words=True) for lines in zip(*parts, strict=True)]
        taken = [
            line if gone else b"".join(found)
            for line, (found, gone) in zip(ours, done, strict=True)
        ]
        lost = [_shown(line) for line, (_, gone) in zip(other, done, strict=True) if gone]
        return taken, tuple(lost)
    return ours, (_shown(b"".join(other) or b"(taken away)"),)


def _shown(text: bytes) -> str:
    return repr(text[:_SHOWN].decode("utf-8", "replace").strip())
