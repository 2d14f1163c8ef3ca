"""Tell a step's changes by what changes, each once and in a line; ``live`` names the files."""

from __future__ import annotations

from typing import Any

from james_client.changes import Change, Changes, HostChanges


def things(changes: HostChanges) -> dict[str, str]:
    """Return a step's changes as ``{thing: "NEW, was OLD"}``.

    changes
        ``{path: {thing: {old, new}}}``; what is the same in several files is told once, what is not
        with the file's path. Lines of an mc, which say the cf's values once more, are told in two
        words, and only where nothing else is
    """
    by_thing: dict[str, dict[str, str]] = {}
    is_mc_alone = all(map(_has_lines, (one for what in changes.values() for one in what.values())))
    for path, what in changes.items():
        for thing, change in what.items():
            if is_mc_alone or not _has_lines(change):
                by_thing.setdefault(thing, {})[path] = _in_words(change)
    told: dict[str, str] = {}
    for thing, files in by_thing.items():
        if len(set(files.values())) == 1:
            told[thing] = next(iter(files.values()))
        else:
            told |= {f"{thing} in {path}": words for path, words in files.items()}
    return told


def files(changes: Changes) -> dict[str, Any]:
    """Return what changes in files as ``{path: "NEW, was OLD"}``; what has more to say stays whole.

    changes
        ``{path: {old, new, …}}``
    """
    return {
        path: change if change.keys() - {"old", "new"} else _in_words(change)
        for path, change in changes.items()
    }


def _has_lines(change: Change) -> bool:
    return any(isinstance(value, list) for value in change.values())


def _in_words(change: Change) -> str:
    new, old = _value(change["new"], "builds the same"), _value(change["old"], "other lines")
    return new if old == "none" else f"{new}, was {old}"


def _value(value: Any, lines: str) -> str:
    if value is None or value == []:
        return "none"
    return lines if isinstance(value, list) else str(value)
