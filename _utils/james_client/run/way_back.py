"""Take what is ours off the host and off James, and have sendmail run as it did before us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from james_client.run import before_us, carry, live, owed, service, watching
from james_client.run.load import ERRORS
from james_client.run.plan import Plan

_HOLDER = "state.apply"


@dataclass(frozen=True)
class WayBack:
    """Say how to go back.

    test
        say it and change nothing
    force
        also where others have changed our own lines
    timeout
        seconds to wait until James has given sendmail's ports back
    """

    test: bool
    force: bool
    timeout: int


def give_back(
    plan: Plan, fresh: Callable[[], Plan], functions: service.Functions, wish: WayBack
) -> dict[str, Any]:
    """Give every file back, restart sendmail, take from James what is ours; return a state's words.

    fresh
        makes the plan anew, when the files are others

    Raises FilesError or RunError, with all files as they were.
    """
    changes = live.go_back(plan, test=True, force=wish.force, holder=_HOLDER)
    restarts = not wish.test and (changes or owed.is_owed(plan))
    waits = restarts and not service.is_offline(functions)
    if waits and (held := before_us.held(plan, wish.timeout)):
        return {"result": False, "comment": "; ".join(["nothing was changed", *held])}
    if not wish.test:
        changes = live.go_back(plan, test=False, force=wish.force, holder=_HOLDER)
    said, wrong = [], []
    if changes or owed.is_owed(plan):
        said = [f"what is ours {_would(wish)} taken out"]
        wrong = [] if wish.test else _restart(plan, fresh, functions, wish, said)
    # Not before: as long as sendmail hands its mail to James, he must know the names.
    left = carry.take_back(plan, test=wish.test, holder=_HOLDER)
    if left.changes:
        changes["James"] = left.changes
        said.append(f"what James had of ours {_would(wish)} taken away")
    wrong += [left.why] if left.why else []
    if watched := watching.take_back(plan, functions, test=wish.test):
        changes |= watched
        said.append(f"nobody {'would watch' if wish.test else 'watches'} this host for us any more")
    return {
        "result": None if wish.test and said else not wrong,
        "changes": changes,
        "comment": "; ".join([*said, *wrong]) or "nothing to give back",
    }


def _would(wish: WayBack) -> str:
    return "would be" if wish.test else "was"


def _restart(
    plan: Plan,
    fresh: Callable[[], Plan],
    functions: service.Functions,
    wish: WayBack,
    said: list[str],
) -> list[str]:
    """Restart sendmail on the files that were given back; return what is wrong."""
    if service.is_offline(functions):
        said.append(service.not_restarted(plan, test=False))
        return []
    try:
        done = before_us.restart(fresh(), functions, wish.timeout)
    except ERRORS as err:
        return [str(err)]
    said += done.said
    return done.wrong
