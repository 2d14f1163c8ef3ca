"""Show whether James allows what a client needs, before or after sendmail is one."""

from __future__ import annotations

from typing import Any

from james_client.james import preflight as james
from james_client.james.account import answer, in_words
from james_client.run.domains import local_domains
from james_client.run.plan import Plan, RunError

_OPTION = "MaxMessageSize"


def found(plan: Plan) -> james.Preflight:
    """Ask James for all that this host's sendmail needs of him, sending nothing."""
    return james.preflight(plan.settings, local_domains(plan), _largest(plan))


def preflight(plan: Plan) -> dict[str, Any]:
    """Return what is wrong, and each thing with yes, no and its cure, or why it is not seen."""
    checks = found(plan).checks
    return {"wrong": in_words(checks), "checks": {check.what: answer(check) for check in checks}}


def _largest(plan: Plan) -> int | None:
    """Return how many bytes sendmail takes of one message, 0 for any; None without sendmail."""
    try:
        sizes = [plan.cf(path).option(_OPTION) or "0" for path in plan.cf_paths()]
    except RunError:
        return None
    limits = [int(size) if size.isdecimal() and len(size) < 19 else 0 for size in sizes]
    return 0 if 0 in limits else max(limits)
