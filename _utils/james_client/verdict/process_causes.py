"""Tell by the processes that live why mail does not move: no runner, an old one, a daemon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from james_client.mta.processes import Processes, unit_of
from james_client.run import owed
from james_client.run.plan import Plan
from james_client.run.service import APPLY
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level
from james_client.verdict.james_causes import ASKED_OF_JAMES

_SLACK = 2.0  # seconds: the kernel tells a process's start by its own clock


def _listeners(seen: Evidence, *, in_his_place: bool) -> Iterator[tuple[str, str]]:
    """Give what listens of sendmail, in James's place or elsewhere, and how that ends."""
    plan = seen.plan
    units = {f"{name}.service" for name in plan.platform.services}
    told = set()
    for one in seen.processes.listeners:
        here = one.port == plan.settings.relay.port and plan.settings.relay.loopback
        if not one.sendmail or one.pid in told or here is not in_his_place:
            continue
        told.add(one.pid)
        said = f"sendmail (pid {one.pid}) listens on port {one.port}" + ", James's" * here
        if not plan.runs_queues_only():
            yield said, APPLY
        elif unit_of(one.pid) in units:
            yield said, plan.platform.restart
        else:
            yield f"{said}; no restart ends it, for no service started it", f"kill {one.pid}"


def _in_his_place(seen: Evidence) -> Iterator[Finding]:
    for said, cure in _listeners(seen, in_his_place=True):
        yield Finding("sendmail-in-place-of-james", Level.CRITICAL, said, cure)


def _daemon(seen: Evidence) -> Iterator[Finding]:
    for said, cure in _listeners(seen, in_his_place=False):
        yield Finding("sendmail-listens", Level.WARNING, said, cure)
    for one in seen.processes.daemons:
        if one.waits:
            pid = one.process.pid
            said = f"sendmail daemon {pid} waits for a port that another program holds"
            yield Finding("sendmail-listens", Level.WARNING, said, f"kill -9 {pid}")


def _no_runner(seen: Evidence) -> Iterator[Finding]:
    plan, found = seen.plan, seen.processes
    if not _without_runner(plan, found) or seen.run_under_way or seen.service_restarts:
        return
    # The restart may have begun, or ended, between two looks.
    found = seen.processes_again
    missing = _without_runner(plan, found)
    if not missing:
        return
    if found.unseen:
        yield Finding("no-runner", Level.WARNING, "who runs the queues, root alone can see", "sudo")
        return
    cure = plan.platform.restart if plan.runs_queues_only() else APPLY
    said = f"no queue runner lives for {' and '.join(missing)}"
    yield Finding("no-runner", Level.CRITICAL, said, cure)


def _without_runner(plan: Plan, found: Processes) -> list[str]:
    missing = [] if found.queue_runner else ["the queue"]
    if plan.has_programs_queue() and not found.programs_runner:
        missing.append("programs' mail")
    return missing


def _fails(seen: Evidence) -> Iterator[Finding]:
    if seen.restart_owed and (why := owed.text(seen.plan)):
        said = f"the last restart failed: {why}"
        yield Finding("restart-fails", Level.CRITICAL, said, f"mend that, then: {APPLY}")


def _owed(seen: Evidence) -> Iterator[Finding]:
    if seen.restart_owed and not seen.run_under_way:
        said = "files went live and sendmail was not restarted yet"
        yield Finding("restart-owed", Level.WARNING, said, APPLY)


def _old_runner(seen: Evidence) -> Iterator[Finding]:
    facts = seen.plan.platform
    for runner in seen.processes.runners:
        cf = facts.submit_cf if runner.programs else facts.cf
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            started, changed = runner.process.create_time(), Path(cf).stat().st_mtime
            if runner.lasting and changed > started + _SLACK:
                said = f"queue runner {runner.process.pid} is older than {cf}, which it read"
                yield Finding("old-runner", Level.WARNING, said, facts.restart)


def _stray_runner(seen: Evidence) -> Iterator[Finding]:
    if seen.plan.runs_queues_only():
        for said in seen.processes.strays():
            what, _, cure = said.rpartition(": ")
            yield Finding("stray-runner", Level.WARNING, what, cure)


CAUSES = (
    Cause(
        "sendmail-in-place-of-james",
        Level.CRITICAL,
        ("553 5.3.5 system config error", "mail loops back to me (MX problem?)"),
        _in_his_place,
        explains=("james-down", "james-stranger", "james-silent", *ASKED_OF_JAMES),
        means=(
            "sendmail itself holds James's port and answers in his place; its answers are not his."
        ),
        remedy=(
            "End what listens, by the command that status prints; then see that James has his port."
        ),
    ),
    Cause(
        "sendmail-listens",
        Level.WARNING,
        (),
        _daemon,
        means=(
            "sendmail listens, or waits for a port, though it should run its queues "
            "only; a daemon that was started by hand outlives every restart of the "
            "service."
        ),
        remedy=(
            "`kill` the pid that status names, or restart the service where it is the service's."
        ),
    ),
    Cause(
        "restart-fails",
        Level.CRITICAL,
        (
            "readcf: unknown option name",
            "invalid rewrite line",
            "Job for sendmail.service failed because the control process exited with error code.",
        ),
        _fails,
        explains=("restart-owed", "no-runner", "old-runner"),
        means=("sendmail did not start again; its own words, or systemd's journal, say why."),
        remedy="Mend what is named, then `salt-call state.apply sendmail_james`.",
    ),
    Cause(
        "restart-owed",
        Level.WARNING,
        (),
        _owed,
        explains=("old-runner",),
        means=(
            "Files went live and sendmail was not restarted: it works with the older configuration."
        ),
        remedy="`salt-call state.apply sendmail_james`.",
    ),
    Cause(
        "no-runner",
        Level.CRITICAL,
        (),
        _no_runner,
        explains=("queue-late", "queue-many"),
        means="No process runs a queue, so nothing in it moves.",
        remedy="Restart the service, by the command that status prints.",
    ),
    Cause(
        "old-runner",
        Level.WARNING,
        (),
        _old_runner,
        means="A queue runner is older than its cf and works with what it read then.",
        remedy="Restart the service, by the command that status prints.",
    ),
    Cause(
        "stray-runner",
        Level.WARNING,
        (),
        _stray_runner,
        means="A queue has a second runner, which was not started by the service.",
        remedy="`kill` the pid that status names.",
    ),
)
