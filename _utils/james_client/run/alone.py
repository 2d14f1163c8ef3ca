"""Take one step of the recipe alone, from the edit to the live files."""

from __future__ import annotations

from james_client.changes import HostChanges
from james_client.run import proof, rotation, steps, whole
from james_client.run.load import Functions
from james_client.run.plan import Plan


def take(plan: Plan, command: str, functions: Functions, *, test: bool) -> HostChanges:
    """Edit, prove, put in place.

    command
        the step, as the command line calls it
    test
        say what would change and change nothing

    Returns what changed, or would, of each file.
    """
    step = next(step for step in steps.STEPS if step.command == command)
    changes = steps.take(step, plan)
    plan = whole.whole(plan)
    proof.prove(plan)
    placed, _ = rotation.go_live(plan, functions, holder="salt-call", test=test)
    # What the steps of earlier runs change with it, and what James was told, has no words above.
    return changes | {path: {"file": one} for path, one in placed.items() if path not in changes}
