"""Show on one page how a host is, what is wrong, and what to do next."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

from james_client.answers import waiting
from james_client.answers.unread import unread
from james_client.files import back
from james_client.james.account import answer, checks, in_words
from james_client.mta import processes
from james_client.run import owed, port, proof, service
from james_client.run.domains import host_domains
from james_client.run.load import ERRORS
from james_client.run.plan import Plan
from james_client.run.reach import reach
from james_client.run.whole import drift

Part = tuple[Any, list[str]]
"""What a part of the page shows, and what is wrong there, in words."""


def status(plan: Plan) -> dict[str, Any]:
    """Return one page on this host: each thing as it is, what is wrong, what to do next."""
    page: dict[str, Any] = {}
    wrong: list[str] = []
    for title, look in PARTS.items():
        try:
            page[title], found = look(plan)
        except ERRORS as err:
            page[title], found = f"not known: {err}", [f"{title}: {err}"]
        wrong += found
    page["wrong"] = wrong
    page["next"] = _next_step(page, wrong)
    return page


def _listeners(plan: Plan) -> Part:
    seen = processes.look(service.signs(plan)).listeners
    return {f"{one.address}:{one.port}": one.program or "not seen" for one in seen}, []


def _runners(plan: Plan) -> Part:
    seen = processes.look(service.signs(plan))
    wrong = []
    if owed.is_owed(plan):
        wrong.append(f"files went live and sendmail was not restarted yet: {plan.platform.restart}")
    if plan.runs_queues_only():
        wrong += seen.wrong(programs=plan.has_programs_queue()) + seen.strays()
    else:
        wrong += seen.waiting()
    return {"queue": seen.queue_runner, "programs' queue": seen.programs_runner}, wrong


def _files(plan: Plan) -> Part:
    """Show mode, owner and our own knowledge of each file."""
    known = back.status(plan.platform.backups)
    found = {}
    for path in plan.paths():
        try:
            seen = os.lstat(path)
        except FileNotFoundError:
            continue
        said = f"{stat.S_IMODE(seen.st_mode):04o} {seen.st_uid}:{seen.st_gid}"
        found[path] = f"{said}, {known.get(path, 'never touched by us')}"
    return found, []


def _drift(plan: Plan) -> Part:
    found = drift(plan)
    return found, [f"{path} differs from the pillar" for path in found]


def _routes(plan: Plan) -> Part:
    shown: dict[str, str] = {}
    wrong: list[str] = []
    forms = proof.address_forms(plan.settings)
    for path in plan.cf_paths():
        lost = {f"{a} by {path}": why for a, why in proof.lost(path, plan, forms).items()}
        shown |= lost | {
            path: f"{len(forms) - len(lost)} of {len(forms)} address forms reach James"
        }
        wrong += [f"{address}: {why}" for address, why in lost.items()]
    return shown, wrong


def _james(plan: Plan) -> Part:
    with port.asking(plan):
        found = checks(plan.settings, host_domains(plan), patient=False)
    return {check.what: answer(check) for check in found}, in_words(found)


def _names(plan: Plan) -> Part:
    if not plan.settings.verify.names:
        return "not looked at: verify:names is false", []
    found = reach(plan)
    return {"addresses asked": found.asked, "not proved": list(found.notes)}, found.wrong


def _rebuild(plan: Plan) -> Part:
    found = {path: "; ".join(lost) for path, lost in proof.lost_by_rebuild(plan).items()}
    shown = {path: lost or "the same" for path, lost in found.items()}
    return shown, [
        f"a rebuild of {path} would lose: {lost}" for path, lost in found.items() if lost
    ]


def _next_step(page: dict[str, Any], wrong: list[str]) -> str:
    if not wrong:
        return "nothing to do"
    if page["differs from the pillar"]:
        return "salt-call state.apply sendmail_james test=True, then without test=True"
    return wrong[0]


PARTS: dict[str, Callable[[Plan], Part]] = {
    "listeners": _listeners,
    "queue runners": _runners,
    "files": _files,
    "differs from the pillar": _drift,
    "routes": _routes,
    "waiting": waiting.look,
    "James": _james,
    "names": _names,
    "mail nobody reads": unread,
    "after a rebuild": _rebuild,
}
