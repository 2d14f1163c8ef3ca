"""Give the numbers of a host that a monitor draws, as far as they were seen."""

from __future__ import annotations

from contextlib import suppress

from james_client.run.load import ERRORS
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Figure
from james_client.verdict.queue_causes import thresholds
from james_client.verdict.queues import SeenQueue


def figures(evidence: Evidence) -> dict[str, Figure]:
    """Return the numbers by their perfdata names; ages are in seconds."""
    found: dict[str, Figure] = {}
    # What can't be seen is told by the rows that ask for it.
    with suppress(*ERRORS):
        for one in evidence.queues:
            found |= _of_queue(evidence, one)
    with suppress(*ERRORS):
        # What any user could have written in the log is no figure.
        for name in () if evidence.lately.forgeable else ("taken", "refused"):
            if last := getattr(evidence.lately, name):
                found[f"last_{name}"] = Figure(round(max(evidence.now - last.time, 0.0)), "s")
    return found


def _of_queue(evidence: Evidence, one: SeenQueue) -> dict[str, Figure]:
    watch, prefix = evidence.plan.settings.watch, "programs_" if one.programs else ""
    ages = [evidence.now - message.age.submitted for message in one.glimpse.read[:1]]
    return {
        f"{prefix}waiting": Figure(
            one.glimpse.total, "", watch.count_warning, watch.count_critical
        ),
        f"{prefix}oldest": Figure(round(max(0.0, *ages, 0.0)), "s", *thresholds(evidence, one)),
    }
