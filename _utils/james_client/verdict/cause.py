"""Describe one row of the table of causes: its symptoms, how it is seen, what it explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level


@dataclass(frozen=True)
class Cause:
    """Hold one row.

    name
        the field's words with hyphens
    level
        the worst that it can be; what is found may be less
    symptoms
        exact texts that sendmail, James, Salt or cron print when this is the cause
    look
        says what of it is on a host; an error that it raises is "not seen"
    means
        in one sentence, what it is and what becomes of mail
    remedy
        what cures it, for people who read; a finding has the command for its host
    explains
        the causes that are not looked for where this one is found: they come of it
    deep
        whether looking starts processes, so that ``check`` leaves it out
    symptom
        whether it is said after all others: something else may have brought it about
    """

    name: str
    level: Level
    symptoms: tuple[str, ...]
    look: Callable[[Evidence], Iterable[Finding]]
    means: str
    remedy: str
    explains: tuple[str, ...] = ()
    deep: bool = False
    symptom: bool = False
