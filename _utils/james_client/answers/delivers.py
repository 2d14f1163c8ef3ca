"""Look whether all mail reaches James and lives there; what failed stays failed until it passes."""

from __future__ import annotations

from typing import Any

from james_client.answers.probe import probe
from james_client.james.line import JamesError, NothingListensError
from james_client.run import carry, owed, proof
from james_client.run.plan import Plan, RunError
from james_client.run.reach import Reach, reach, required_in_words

Said = dict[str, Any]
"""What differs from a state's "all is well": result, comment, warnings."""


def delivers(plan: Plan) -> Said:
    """Prove routes and send test messages after a change, ask for names always.

    The routes, and the test messages where the pillar wants them, are proved after a change, and
    again in every run until they have passed. Raises RunError or JamesError; a James who is down
    while nothing has changed is a warning only.
    """
    closely = bool(plan.placed) or owed.is_owed(plan, owed.VERIFICATION)
    if closely:
        owed.owe(plan, owed.VERIFICATION)
    relayed = _is_relayed(plan)
    said, wrong = _thorough(plan) if closely else ([], [])
    warnings: list[str] = []
    if plan.settings.verify.names and relayed:
        try:
            found = reach(plan, patient=bool(plan.placed))
        except NothingListensError as err:
            if closely:
                raise
            warnings = [f"names at James were not looked at: {err}"]
        else:
            said += _in_words(found)
            wrong += found.wrong
    if wrong:
        owed.owe(plan, owed.VERIFICATION)
        return {"result": False, "comment": "\n".join(wrong + said)}
    owed.settle(plan, owed.VERIFICATION)
    comment = "; ".join([*said, *warnings]) or "nothing to look at"
    return {"comment": comment} | ({"warnings": warnings} if warnings else {})


def foretold(plan: Plan) -> Said:
    """Say what a real run would find, as far as James can be asked now."""
    if not plan.settings.verify.names:
        return {"comment": "would be looked at after a change"}
    try:
        found = reach(plan, coming={one.source for one in carry.look(plan).make})
    except JamesError as err:
        return {"comment": f"{required_in_words(plan)} ({err})"}
    if found.dying:
        said = ["this would fail:", *found.wrong, *found.notes]
        return {"result": None, "comment": "\n".join(said)}
    return {"comment": "; ".join(_in_words(found))}


def _thorough(plan: Plan) -> tuple[list[str], list[str]]:
    """Return what sendmail proves, and what James does not take of the test messages."""
    said = proof.verify(plan)
    if not plan.settings.verify.live:
        return said, []
    wrong: list[str] = probe(plan)["wrong"]
    return said + ["test messages of every form arrived"] * (not wrong), wrong


def _is_relayed(plan: Plan) -> bool:
    """Tell whether local mail goes to James, so that he must know local names."""
    try:
        plan.cf(plan.platform.cf)
    except RunError:
        return False
    return plan.hands_over()


def _in_words(found: Reach) -> list[str]:
    taken = (
        [] if found.dying else [f"James takes all {found.asked} addresses of names that get mail"]
    )
    return [*taken, *found.notes]
