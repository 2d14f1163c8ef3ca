"""Show on one page what is wrong with a host, causes first, each with the command that cures it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from typing import Any

from james_client.answers.check import level_of
from james_client.files import back
from james_client.james.account import answer, checks
from james_client.mta import processes
from james_client.run import mail_log, moving, other_tools, port, proof, service
from james_client.run.domains import host_domains
from james_client.run.load import ERRORS, require_sendmail
from james_client.run.plan import Plan
from james_client.run.reach import reach
from james_client.run.whole import drift
from james_client.verdict import waiting
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level, Verdict
from james_client.verdict.judge import judge
from james_client.verdict.unread import unread
from james_client.verdict.words import duration

TIMEOUT = 60.0  # seconds
_SHOWN = 6  # findings, and mailboxes: the page is for one screen
_NOTHING = "nothing to do"
MOVES = "moves to James"
LEVELS = {level.name: int(level) for level in Level}
"""The exit code of each verdict."""


def status(plan: Plan, mistakes: Sequence[str] = (), *, verbose: bool = False) -> dict[str, Any]:
    """Return the page.

    mistakes
        of the pillar, whose keys the plan has at their defaults
    verbose
        with each part of the host as it is
    """
    require_sendmail(plan)
    found = judge(Evidence(plan, TIMEOUT, mistakes), deep=True)
    page = summary(found, all_=verbose)
    if verbose:
        page |= {title: _part(look, plan) for title, look in PARTS.items()}
    elif moves := _part(moving.still_to_move, plan):
        said = moves if isinstance(moves, str) else ", ".join(moves)
        page[MOVES] = f"docs/moving.md: {said}"
    return page


def summary(found: Verdict, *, all_: bool = False) -> dict[str, Any]:
    """Return a verdict as people read it: how bad, what is wrong, what to type next.

    all_
        leave nothing out
    """
    shown = found.findings if all_ else found.findings[:_SHOWN]
    page: dict[str, Any] = {"verdict": level_of(found).name}
    page["wrong"] = [_in_words(one) for one in shown]
    if left := len(found.findings) - len(shown):
        page["wrong"].append(f"{left} more: salt-call sendmail_james.status verbose=True")
    if found.unseen:
        page["not seen"] = list(found.unseen if all_ else found.unseen[:_SHOWN])
    cures = [one.cure for one in found.findings if one.cure]
    page["next"] = next(iter((*cures, *found.unseen)), _NOTHING)
    return page


def _in_words(one: Finding) -> str:
    return f"{one.level.name} {one.cause}: {one.said}" + f": {one.cure}" * bool(one.cure)


def _part(look: Callable[[Plan], Any], plan: Plan) -> Any:
    try:
        return look(plan)
    except ERRORS as err:
        return f"not known: {err}"


def _listeners(plan: Plan) -> dict[str, str]:
    seen = processes.look(service.signs(plan)).listeners
    return {f"{one.address}:{one.port}": one.program or "not seen" for one in seen}


def _runners(plan: Plan) -> dict[str, bool]:
    seen = processes.look(service.signs(plan))
    return {"queue": seen.queue_runner, "programs' queue": seen.programs_runner}


def _files(plan: Plan) -> dict[str, str]:
    """Show mode, owner and our own knowledge of each file, and which other tool writes it."""
    known, tools = back.status(plan.platform.backups), other_tools.owned(plan, plan.paths())
    found = {}
    for path in plan.paths():
        try:
            seen = os.lstat(path)
        except FileNotFoundError:
            continue
        said = f"{stat.S_IMODE(seen.st_mode):04o} {seen.st_uid}:{seen.st_gid}"
        also = f"; it says {tools[path]!r}" if path in tools else ""
        found[path] = f"{said}, {known.get(path, 'never touched by us')}{also}"
    return found


def _routes(plan: Plan) -> dict[str, str]:
    shown: dict[str, str] = {}
    forms = proof.address_forms(plan.settings)
    for path in plan.cf_paths():
        lost = {f"{a} by {path}": why for a, why in proof.lost(path, plan, forms).items()}
        said = f"{len(forms) - len(lost)} of {len(forms)} address forms reach James"
        shown |= lost | {path: said}
    return shown


def _james(plan: Plan) -> dict[str, str]:
    with port.asking(plan):
        found = checks(plan.settings, host_domains(plan), patient=False)
    return {check.what: answer(check) for check in found}


def _names(plan: Plan) -> Any:
    if not plan.settings.verify.names:
        return "not looked at: verify:names is false"
    found = reach(plan)
    return {"addresses asked": found.asked, "not proved": list(found.notes)}


def _last(plan: Plan) -> Any:
    found = mail_log.lately(plan)
    if found.forgeable:
        return f"not told: any user of this host can add lines to {found.source}"
    now, shown = time.time(), {}
    for what, one in (("taken", found.taken), ("refused", found.refused)):
        if one:
            shown[what] = f"{duration(now - one.time)} ago"
    return shown or "; ".join(found.unseen) or "none"


def _unread(plan: Plan) -> dict[str, Any]:
    found = unread(plan)
    shown: dict[str, Any] = {str(box.path): str(box) for box in found.dead}
    shown |= {str(box.path): str(box) for box in found.boxes[:_SHOWN]}
    if len(found.boxes) > _SHOWN:
        shown["other mailboxes"] = len(found.boxes) - _SHOWN
    return shown


def _rebuild(plan: Plan) -> dict[str, str]:
    found = {path: "; ".join(lost) for path, lost in proof.lost_by_rebuild(plan).items()}
    return {path: lost or "the same" for path, lost in found.items()}


PARTS: dict[str, Callable[[Plan], Any]] = {
    MOVES: moving.look,
    "listeners": _listeners,
    "queue runners": _runners,
    "files": _files,
    "differs from the pillar": drift,
    "routes": _routes,
    "waiting": waiting.look,
    "James": _james,
    "names": _names,
    "last mail to James": _last,
    "mail nobody reads": _unread,
    "after a rebuild": _rebuild,
}
