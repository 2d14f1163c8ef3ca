"""Say whether James lets sendmail's account in, and whose mail it would not take."""

from __future__ import annotations

from typing import Any

from james_client.answers.strangers import strangers
from james_client.james.account import report as account_report
from james_client.run.plan import Plan


def account(plan: Plan, *, create: bool, test: bool) -> dict[str, Any]:
    """Return whether James lets sendmail's account in, and whose mail it would not take."""
    report = account_report(plan.settings, make=create, test=test)
    if report["checks"] and set(report["checks"].values()) == {"yes"}:
        report |= strangers(plan, [])
    return report
