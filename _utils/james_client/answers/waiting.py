"""Say what waits in the queues, since when, and when sendmail gives it up."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from james_client.cf import timeouts
from james_client.cf.text import Cf
from james_client.mta import queue
from james_client.run.plan import Plan


def look(plan: Plan) -> tuple[dict[str, Any], list[str]]:
    """Return how many messages wait in each queue, why and how long; and that in words."""
    # Of what is no cf, a planted credential file, sendmail would quote each line.
    cfs = {path: plan.cf(path) for path in plan.cf_paths()}
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, (path, cf) in zip(("queue", "programs' queue"), cfs.items(), strict=False):
        seen = queue.listing(path, binary=plan.platform.sendmail)
        found[name] = {"messages": seen.total, "reasons": seen.reasons()}
        said = f"{name}: {seen.total} messages wait"
        if seen.total and (oldest := patience(queue.ages(seen.folders), cf, time.time())):
            found[name]["oldest"] = oldest
            said += f", the oldest {oldest}"
        wrong += [said] * bool(seen.total)
    return found, wrong


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


def duration(seconds: float) -> str:
    """Return a duration in its two greatest units: ``3 d 2 h``."""
    whole = max(int(seconds), 0)
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    for (size, unit), (smaller, small) in pairwise(units):
        if whole >= size:
            more = whole % size // smaller
            return f"{whole // size} {unit}" + f" {more} {small}" * bool(more)
    return f"{whole} s"
