"""Say whether James lets sendmail's account in, and whose mail it would not take."""

from __future__ import annotations

from typing import Any

from james_client.answers.names import names
from james_client.answers.preflight import found as preflight
from james_client.james.account import answer, create, missing
from james_client.run import port
from james_client.run.domains import host_domains
from james_client.run.plan import Plan


def account(plan: Plan, *, make: bool, test: bool) -> dict[str, Any]:
    """Return what was created on James, his answers, and whose mail he would not take.

    make
        create what is missing, where pillar ``account:create`` is true
    test
        say it and create nothing; what is still to be created is not asked about

    Raises JamesError when James cannot be talked to.
    """
    with port.asking(plan):
        changes = missing(plan.settings, host_domains(plan), patient=False) if make else {}
        if not test:
            create(plan.settings, changes)
        report: dict[str, Any] = {"created": changes, "checks": {}}
        if test and changes:
            return report
        found = preflight(plan)
        if found.failure:
            raise found.failure
    report["checks"] = {check.what: answer(check) for check in found.checks}
    if not any(check.ok is False for check in found.smtp):
        report |= names(plan)
    return report
