"""Name those whose mail James would not take, sending nothing."""

from __future__ import annotations

from typing import Any

from james_client.run import carry
from james_client.run.plan import Plan
from james_client.run.reach import reach


def names(plan: Plan) -> dict[str, Any]:
    """Return how many addresses James was asked about, those he refuses, what that leaves open.

    Returns ``{"addresses asked": …, "unknown to James": [...], "not proved": [...], "aliases
    without effect": {…}}``. Raises JamesError when James cannot be talked to.
    """
    found = reach(plan)
    return {
        "addresses asked": found.asked,
        "unknown to James": found.wrong,
        "not proved": list(found.notes),
        "aliases without effect": {
            name: "; ".join(said) for name, said in carry.look(plan).lost.items()
        },
    }
