"""Read an aliases file, and name what of it no longer counts for programs' mail."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Alias:
    """One entry: its name, its targets as written, and the line where it begins."""

    name: str
    targets: tuple[str, ...]
    line: int

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the targets that are addresses."""
        return tuple(target for target in self.targets if kind(target) == "address")


def kind(target: str) -> str:
    """Return what a target is: "program", "file", "include" or "address" (aliases(5))."""
    bare = target.strip().strip('"').lstrip()
    if bare.startswith("|"):
        return "program"
    if bare.lower().startswith(":include:"):
        return "include"
    return "file" if bare.startswith("/") else "address"


def parse(text: str) -> tuple[Alias, ...]:
    """Return the entries of an aliases file, in its order; the last of a name counts.

    Lines without a colon, which newaliases refuses, are left out. Source: aliases(5).
    """
    found: dict[str, Alias] = {}
    for number, line in _logical(text):
        match = re.match(r'("(?:[^"\\]|\\.)*"|[^:\s"#][^:]*?)\s*:(.*)$', line, re.DOTALL)
        if match and (name := match[1].strip('"').lower()):
            found.pop(name, None)
            found[name] = Alias(name, _split(match[2]), number)
    return tuple(found.values())


def _logical(text: str) -> list[tuple[int, str]]:
    """Join continuation lines: those that begin with blanks, or follow a backslash."""
    lines: list[tuple[int, str]] = []
    open_ended = False
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.rstrip()
        if lines and (open_ended or (raw[:1] in (" ", "\t") and line)):
            lines[-1] = (lines[-1][0], lines[-1][1].rstrip("\\") + " " + line.strip())
        else:
            lines.append((number, line))
        open_ended = line.endswith("\\")
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _split(value: str) -> tuple[str, ...]:
    """Split at commas that stand outside quotes."""
    parts = re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+', value)
    return tuple(part.strip() for part in parts if part.strip())


def lost(aliases: tuple[Alias, ...]) -> dict[str, str]:
    """Return the entries that sendmail no longer applies to programs' mail, and the cure.

    The submission program hands a name over as it is, and James knows nothing of this file.
    """
    return {entry.name: _cure(entry) for entry in aliases if entry.targets != (entry.name,)}


def _cure(entry: Alias) -> str:
    shown = ", ".join(entry.targets)
    kinds = {kind(target) for target in entry.targets}
    if kinds == {"address"}:
        where = "aliases" if len(entry.targets) == 1 and "@" not in shown else "forwards or groups"
        return f"{shown}: give it to James (WebAdmin, /address/{where})"
    return f"{shown}: James runs no program and reads no list; give it to a mailet or a group"
