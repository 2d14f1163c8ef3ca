"""Check a host and tell monitors: a textfile for Prometheus, an event for Salt."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from james_client.answers.check import check, level_of, line
from james_client.run import watching
from james_client.run.owed import state_file
from james_client.run.plan import Plan
from james_client.verdict import textfile
from james_client.verdict.finding import Level, Verdict

TAG = "sendmail_james/check"
Send = Callable[[str, dict[str, Any]], bool]


def watch(plan: Plan, mistakes: Sequence[str], send: Send, *, test: bool) -> dict[str, Any]:
    """Check the host and tell whom pillar ``watch`` names; return what was seen and told.

    mistakes
        of the pillar, whose keys the plan has at their defaults
    send
        sends an event, by tag and data, and tells whether anybody took it
    test
        check, and tell nobody

    Raises FilesError where the textfile cannot be written; the event is sent all the same.
    """
    wish = plan.settings.watch
    begun = time.monotonic()
    verdict = check(plan, mistakes)
    took = time.monotonic() - begun
    told: dict[str, Any] = {"check": line(verdict)}
    if wish.event != "never":
        told["event"] = _tell(plan, verdict, send, always=wish.event == "always", test=test)
    if wish.textfile:
        text = textfile.render(verdict, level_of(verdict), when=time.time(), took=took)
        told["textfile"] = _write(plan, wish.textfile, text, test=test)
    return told


def _write(plan: Plan, path: str, text: str, *, test: bool) -> str:
    """Write the textfile; return in words what became of it."""
    if test:
        return f"{path} would be written"
    if watching.put(plan, path, text):
        return f"{path} was written"
    return f"{path} was not written: first salt-call state.apply sendmail_james.watch"


def event(verdict: Verdict, was: str | None) -> dict[str, Any]:
    """Return the data of an event: the level, the one before, and all that a reactor may want.

    was
        the level that was told last, None where none was
    """
    return {
        "level": level_of(verdict).name,
        "was": was,
        "line": line(verdict),
        "causes": sorted({one.cause for one in verdict.findings if one.level}),
        "findings": [
            {"cause": one.cause, "level": one.level.name, "said": one.said, "cure": one.cure}
            for one in verdict.findings
        ],
        "figures": {name: one.value for name, one in verdict.figures.items()},
        "unseen": list(verdict.unseen),
    }


def _tell(plan: Plan, verdict: Verdict, send: Send, *, always: bool, test: bool) -> str:
    """Send the event where it is due; return in words what became of it."""
    level, before = level_of(verdict).name, _told(plan)
    data = event(verdict, before.get("level"))
    now = {"level": level, "causes": data["causes"]}
    # A host that is well from the start is no news.
    first = {"level": Level.OK.name, "causes": []}
    if not always and now == (before or first):
        return "nothing has changed"
    tag = f"{TAG}/{level}"
    if test:
        return f"{tag} would be sent"
    if not send(tag, data):
        return f"{tag} was not sent: no salt-minion runs here that would take it"
    file = state_file(plan, watching.TOLD)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(now))
    new.rename(file)
    return f"{tag} was sent"


def _told(plan: Plan) -> dict[str, Any]:
    """Return what was told last; empty where nothing is known."""
    try:
        found = json.loads(Path(plan.platform.state_dir, watching.TOLD).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
