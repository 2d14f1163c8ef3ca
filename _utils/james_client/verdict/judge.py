"""Take the table of causes through one host, in bounded time: what was found, in causal order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from james_client.errors import ClientError
from james_client.verdict.cause import Cause
from james_client.verdict.causes import CAUSES
from james_client.verdict.evidence import Evidence
from james_client.verdict.figures import figures
from james_client.verdict.finding import Finding, Verdict

SHARE = 0.6  # of the time that is left, for one row: the next ones want some, too


@dataclass
class _Asked:
    """Hold what a row gave, which may come too late to count."""

    found: list[Finding] = field(default_factory=list)
    unseen: str = ""


def judge(evidence: Evidence, *, deep: bool = False, table: Sequence[Cause] = CAUSES) -> Verdict:
    """Return the verdict on a host: causes, the worst first, and then symptoms.

    deep
        also ask the rows that start sendmail or m4
    """
    found: list[tuple[bool, int, Finding]] = []
    unseen: list[str] = []
    explained: set[str] = set()
    for cause in table:
        if cause.name in explained or (cause.deep and not deep):
            continue
        asked = _ask(cause, evidence)
        found += [(cause.symptom, -one.level, one) for one in asked.found]
        if asked.found:
            explained |= set(cause.explains)
        if asked.unseen and asked.unseen not in unseen:
            unseen.append(asked.unseen)
    findings = [one for *_, one in sorted(found, key=lambda each: each[:2])]
    return Verdict(findings, figures(evidence), unseen)


def _ask(cause: Cause, evidence: Evidence) -> _Asked:
    """Ask one row, and go on without it where it takes too long, as a dead name server does."""
    asked, patience = _Asked(), evidence.left * SHARE

    def ask() -> None:
        try:
            asked.found = list(cause.look(evidence))
        except (ClientError, OSError) as err:
            asked.unseen = str(err)
        except Exception as err:  # a verdict that dies at two in the morning is none
            asked.unseen = f"{cause.name}: {type(err).__name__}"

    thread = threading.Thread(target=ask, name=f"sendmail_james {cause.name}", daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        return _Asked(unseen=f"{cause.name}: no answer within {patience:.1f} s")
    return asked
