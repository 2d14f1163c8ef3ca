"""Take the table of causes through one host, in bounded time: what was found, in causal order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from james_client.errors import ClientError
from james_client.verdict.cause import Cause
from james_client.verdict.causes import CAUSES
from james_client.verdict.evidence import Evidence
from james_client.verdict.figures import figures
from james_client.verdict.finding import Figure, Finding, Verdict
from james_client.verdict.words import shown

_NOT_SHOWN = "by hand: a name in it has characters that no terminal shows"
SHARE = 0.85  # of the time that is left, for one look: the next ones want some, too
T = TypeVar("T")


@dataclass
class _Asked(Generic[T]):
    """Hold what a look gave, which may come too late to count, or why it gave nothing."""

    found: T
    unseen: str = ""


def judge(evidence: Evidence, *, deep: bool = False, table: Sequence[Cause] = CAUSES) -> Verdict:
    """Return the verdict on a host: causes, the worst first, and then symptoms.

    deep
        also ask the rows that start sendmail or m4
    """
    found: list[tuple[bool, int, Finding]] = []
    none: list[Finding] = []
    unseen: list[str] = []
    explained: set[str] = set()
    for cause in table:
        if cause.name in explained or (cause.deep and not deep):
            continue
        asked = _ask(cause.name, partial(_findings, cause), evidence, none)
        found += [(cause.symptom, -one.level, one) for one in asked.found]
        # Of what is only a warning here, nothing worse may come.
        if any(one.level is cause.level for one in asked.found):
            explained |= set(cause.explains)
        if (why := shown(asked.unseen)) and why not in unseen:
            unseen.append(why)
    findings = [one for *_, one in sorted(found, key=lambda each: each[:2])]
    # What is not seen of these, the rows have told.
    numbers: dict[str, Figure] = {}
    return Verdict(findings, _ask("figures", figures, evidence, numbers).found, unseen)


def _findings(cause: Cause, evidence: Evidence) -> list[Finding]:
    return [_shown(one) for one in cause.look(evidence)]


def _shown(one: Finding) -> Finding:
    """Take out of a finding what others' names and texts would do to a terminal."""
    cure = one.cure if one.cure.isprintable() else _NOT_SHOWN
    return replace(one, said=shown(one.said), cure=cure)


def _ask(name: str, look: Callable[[Evidence], T], evidence: Evidence, nothing: T) -> _Asked[T]:
    """Look, and go on without it where it takes too long, as with a dead name server."""
    asked, patience = _Asked(nothing), evidence.left * SHARE

    def ask() -> None:
        try:
            asked.found = look(evidence)
        except (ClientError, OSError) as err:
            asked.unseen = str(err)
        except Exception as err:  # a verdict that dies at two in the morning is none
            asked.unseen = f"{name}: {type(err).__name__}"

    thread = threading.Thread(target=ask, name=f"sendmail_james {name}", daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        return _Asked(nothing, f"{name}: no answer within {patience:.1f} s")
    return asked
