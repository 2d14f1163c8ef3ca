"""Answer the administrator: where does mail go, does it arrive, what is wrong, what next."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from james_client.answers import probe as sendmail_probe
from james_client.files import place as files
from james_client.james import account as james_account
from james_client.mta import ask as run
from james_client.mta import processes
from james_client.mta import queue as sendmail_queue
from james_client.run import live, service
from james_client.run.load import ERRORS
from james_client.run.plan import BACKUPS, Plan


def routes(plan: Plan, addresses: Sequence[str]) -> dict[str, Any]:
    """Return ``{cf: {address: {mailer, host, user, to James}}}``, by default of the five forms."""
    asked = list(addresses) or live.address_forms(plan.settings)
    found: dict[str, Any] = {}
    for path in plan.cf_paths():
        wrong = live.unproved_routes(path, plan, asked)
        found[path] = {
            route.address: {
                "mailer": route.mailer,
                "host": route.host,
                "user": route.user,
                "to James": wrong.get(route.address, "yes"),
            }
            for route in run.routes(path, asked, binary=plan.platform.sendmail)
        }
    return found


def probe(plan: Plan) -> dict[str, Any]:
    """Send the how-to's test messages as root and as an ordinary user; leave nothing behind.

    Returns the probe's report, and whose mail James would not take: ``{"messages": {…}, "unknown to
    James": {…}, "aliases without effect": {…}, "wrong": [...]}``; nothing is wrong where "wrong" is
    empty.
    """
    settings, facts = plan.settings, plan.platform
    auth, account = settings.auth, settings.account
    user = _ordinary_user()
    msp = facts.submit_cf if plan.has_programs_queue() else None
    wish = sendmail_probe.Wish(
        local_user=settings.verify.local_user or "root",
        user=user,
        fqdn=socket.getfqdn(),
        remote=settings.verify.remote_address or "postmaster@example.net",
        cf=facts.cf,
        msp=msp,
        queue_only=auth is not None and auth.programs == "queue",
        authenticated=auth is not None and auth.required,
        binary=facts.sendmail,
    )
    secrets = (auth.password,) if auth else ()
    server = james_account.webadmin(account) if account else None
    report = sendmail_probe.probe(wish, server, secrets)
    return report | strangers(plan, [user])


def strangers(plan: Plan, senders: Sequence[str]) -> dict[str, Any]:
    """Return whose mail James would bounce, and the aliases that programs' mail ignores."""
    auth, relay = plan.settings.auth, plan.settings.relay
    return sendmail_probe.strangers(
        relay.host,
        relay.port,
        senders,
        (auth.username, auth.password) if auth else None,
        aliases_file=Path(plan.platform.aliases),
        helo=socket.getfqdn(),
    )


def account(plan: Plan, *, create: bool, test: bool) -> dict[str, Any]:
    """Return whether James lets sendmail's account in, and whose mail it would not take."""
    report = james_account.report(plan.settings, make=create, test=test)
    if report["checks"] and set(report["checks"].values()) == {"yes"}:
        report |= strangers(plan, [])
    return report


def status(plan: Plan) -> dict[str, Any]:
    """Return one page on this host: each thing as it is, what is wrong, what to do next."""
    seen = processes.look(plan.platform.submit_user)
    wrong: list[str] = []
    page: dict[str, Any] = {
        "listeners": {
            f"{one.address}:{one.port}": one.program or "not seen" for one in seen.listeners
        },
        "queue runners": {"queue": seen.queue_runner, "programs' queue": seen.programs_runner},
        "files": _files(plan),
    }
    if service.restart_pending():
        wrong.append(f"files went live and sendmail was not restarted yet: {plan.platform.restart}")
    if plan.queues_only():
        wrong += seen.wrong(programs=plan.has_programs_queue())
    for title, ask in (
        ("differs from the pillar", live.drift),
        ("routes", _routes),
        ("waiting", _waiting),
        ("James", _james),
        ("after a rebuild", live.after_rebuild),
    ):
        try:
            page[title] = ask(plan)
        except ERRORS as err:
            page[title] = f"not known: {err}"
            wrong.append(f"{title}: {err}")
            continue
        wrong += _judged(title, page[title])
    page["wrong"] = wrong
    page["next"] = _next_step(page, wrong)
    return page


def _routes(plan: Plan) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in plan.cf_paths():
        forms = live.address_forms(plan.settings)
        wrong = live.unproved_routes(path, plan, forms)
        found |= {f"{address} by {path}": reason for address, reason in wrong.items()}
        found[path] = f"{len(forms) - len(wrong)} of {len(forms)} address forms reach James"
    return found


def _waiting(plan: Plan) -> dict[str, Any]:
    """Return how many messages wait in each queue, and why."""
    queues = {"queue": False} | ({"programs' queue": True} if plan.has_programs_queue() else {})
    found: dict[str, Any] = {}
    for name, msp in queues.items():
        seen = sendmail_queue.listing(msp=msp, binary=plan.platform.sendmail)
        found[name] = {"messages": seen.total, "reasons": seen.reasons()}
    return found


def _james(plan: Plan) -> dict[str, str]:
    checks: dict[str, str] = james_account.report(plan.settings, make=False, test=True)["checks"]
    return checks


def _judged(title: str, found: Any) -> list[str]:
    """Return what is wrong in one part of the page."""
    if title == "differs from the pillar":
        return [f"{path} differs from the pillar" for path in found]
    if title == "routes":
        return [
            f"{key}: {said}" for key, said in found.items() if " address forms reach" not in said
        ]
    if title == "James":
        return [f"{what}: {said}" for what, said in found.items() if said != "yes"]
    if title == "after a rebuild":
        return [
            f"a rebuild of {path} would lose: {said}"
            for path, said in found.items()
            if said != "the same"
        ]
    return [
        f"{name}: {one['messages']} messages wait" for name, one in found.items() if one["messages"]
    ]


def _next_step(page: dict[str, Any], wrong: Sequence[str]) -> str:
    if not wrong:
        return "nothing to do"
    if page["differs from the pillar"]:
        return "salt-call state.apply sendmail_james test=True, then without test=True"
    return wrong[0]


def _files(plan: Plan) -> dict[str, str]:
    """Return mode, owner and our own knowledge of each file."""
    known = files.status(BACKUPS)
    found = {}
    for path in plan.paths():
        try:
            seen = os.lstat(path)
        except FileNotFoundError:
            continue
        said = f"{stat.S_IMODE(seen.st_mode):04o} {seen.st_uid}:{seen.st_gid}"
        found[path] = f"{said}, {known.get(path, 'never touched by us')}"
    return found


def _ordinary_user() -> str:
    """Return a login of this host that is a person's, or nobody."""
    people = (entry for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 60000)
    return min(people, key=lambda entry: entry.pw_uid, default=pwd.getpwnam("nobody")).pw_name
