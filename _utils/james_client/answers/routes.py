"""Say where addresses go, by the host's own sendmail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from james_client.run import proof
from james_client.run.plan import Plan


def routes(plan: Plan, addresses: Sequence[str]) -> dict[str, Any]:
    """Return ``{cf: {address: {mailer, host, user, to James}}}``, by default of the five forms."""
    asked = list(addresses) or proof.address_forms(plan.settings)
    return {
        path: {
            route.address: {
                "mailer": route.mailer,
                "host": route.host,
                "user": route.user,
                "to James": why or "yes",
            }
            for route, why in proof.judged(path, plan, asked)
        }
        for path in plan.cf_paths()
    }
