"""Say what waits in the queues, since when, and when sendmail gives it up."""

from __future__ import annotations

import time
from typing import Any

from james_client.cf import timeouts
from james_client.cf.text import Cf
from james_client.mta import queue
from james_client.run.plan import Plan
from james_client.verdict.words import duration


def look(plan: Plan) -> dict[str, Any]:
    """Return how many messages wait in each queue, why and how long."""
    # Of what is no cf, a planted credential file, sendmail would quote each line.
    cfs = {path: plan.cf(path) for path in plan.cf_paths()}
    found: dict[str, Any] = {}
    for name, (path, cf) in zip(("queue", "programs' queue"), cfs.items(), strict=False):
        seen = queue.listing(path, binary=plan.platform.sendmail)
        found[name] = {"messages": seen.total, "reasons": seen.reasons()}
        if seen.total and (oldest := patience(queue.ages(seen.folders), cf, time.time())):
            found[name]["oldest"] = oldest
    return found


def patience(ages: list[queue.Aged], cf: Cf, now: float) -> str:
    """Return in words how long the oldest message waits, and when sendmail gives it up.

    ages
        the messages, the oldest first
    cf
        the configuration of their queue
    now
        seconds since 1970

    Returns an empty text where there is no message.
    """
    if not ages:
        return ""
    limits = timeouts.read(cf).give_up
    left = [one.submitted + limits[one.kind] - now for one in ages]
    said = f"waits {duration(now - ages[0].submitted)}, {_end(ages[0], left[0])}"
    soonest = min(range(len(ages)), key=left.__getitem__)
    if left[soonest] < left[0]:
        said += f"; another one {_end(ages[soonest], left[soonest])}"
    return said


def _end(one: queue.Aged, left: float) -> str:
    what = "returned to its sender" if one.returnable else "given up"
    return f"{what} in {duration(left)}" if left > 0 else f"{what} after the next try that fails"
