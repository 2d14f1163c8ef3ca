"""What is wrong with a host: how bad, from which cause, what was seen, and what cures it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class Level(enum.IntEnum):
    """How bad; the numbers are a monitoring plugin's exit codes (Nagios plugin guidelines)."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True)
class Finding:
    """One cause that was found on a host.

    cause
        its name in the table of causes
    said
        the thing, the value found and the value wanted
    cure
        a command that can be pasted as it is, or the pillar key to change
    """

    cause: str
    level: Level
    said: str
    cure: str = ""


@dataclass(frozen=True)
class Figure:
    """A number for monitors: its unit is a perfdata unit, empty for a count."""

    value: float
    unit: str = ""
    warning: float | None = None
    critical: float | None = None


@dataclass(frozen=True)
class Verdict:
    """All that a look at a host gave, causes before symptoms.

    unseen
        what could not be looked at, each with its reason: "well" does not cover it
    """

    findings: Sequence[Finding]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    unseen: Sequence[str] = ()

    @property
    def level(self) -> Level:
        """Return the worst level."""
        return max((one.level for one in self.findings), default=Level.OK)
