"""Give the numbers of a host that a monitor draws, as far as they were seen."""

from __future__ import annotations

from james_client.run.load import ERRORS
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Figure
from james_client.verdict.queue_causes import thresholds


def figures(evidence: Evidence) -> dict[str, Figure]:
    """Return the numbers by their perfdata names; ages are in seconds."""
    found: dict[str, Figure] = {}
    watch = evidence.plan.settings.watch
    try:
        queues = evidence.queues
    except ERRORS:
        return found  # said under "not seen" already
    for one in queues:
        prefix = "programs_" if one.programs else ""
        count = Figure(one.glimpse.total, "", watch.count_warning, watch.count_critical)
        ages = [evidence.now - message.age.submitted for message in one.glimpse.read[:1]]
        oldest = Figure(round(max(0.0, *ages, 0.0)), "s", *thresholds(evidence, one))
        found |= {f"{prefix}waiting": count, f"{prefix}oldest": oldest}
    return found
