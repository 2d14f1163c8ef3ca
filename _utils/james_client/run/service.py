"""Restart sendmail where its configuration is newer than its processes; see it come back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from james_client.changes import Changes, HostChanges
from james_client.mta import processes
from james_client.run import owed
from james_client.run.plan import Plan, RunError

# Names the services that did not start at boot before us, one a line, for the way back.
ENABLED = "enabled-by-us"

_SKIP_LINKS = "SYSTEMCTL_SKIP_SYSV"  # systemd/src/systemctl/systemctl-sysv-compat.c

Functions = Mapping[str, Callable[..., Any]]


def why_restart(plan: Plan, functions: Functions) -> str | None:
    """Return why sendmail must be restarted, None where it need not be."""
    if owed.is_owed(plan) or plan.placed:
        return "an older configuration"
    if not plan.runs_queues_only():
        return None
    wrong = processes.look(signs(plan)).wrong(programs=plan.has_programs_queue())
    wrong += [f"service {service} does not start at boot" for service in _disabled(plan, functions)]
    return "; ".join(wrong) or None


def drift(plan: Plan, functions: Functions) -> HostChanges:
    """Return what is not as a highstate leaves it though the files are; empty means nothing.

    As of a file, under ``sendmail``: a restart that is owed, a runner or a daemon too many or too
    few, a service that does not start at boot.
    """
    found: Changes = {}
    if reason := why_restart(plan, functions):
        found["processes"] = {"old": reason, "new": "restarted"}
    if strays := processes.look(signs(plan)).strays() if plan.runs_queues_only() else []:
        found["queue runners"] = {"old": "; ".join(strays), "new": "one for each queue"}
    return {"sendmail": found} if found else {}


def signs(plan: Plan) -> processes.Signs:
    """Return what tells sendmail's processes from others' on this host."""
    facts = plan.platform
    return processes.Signs(facts.sendmail, plan.queue_user(), facts.submit_user)


def restart(plan: Plan, functions: Functions) -> None:
    """Enable and restart the platform's services, and wait until the queue runners live.

    Raises RunError with what is still wrong and the command to type; a runner that the restart did
    not end is named.
    """
    told_by = signs(plan)
    before = processes.look(told_by).runners
    owed.owe(plan)  # whatever the reason, it is owed until it is seen to have worked
    for service in _disabled(plan, functions):
        with owed.state_file(plan, ENABLED).open("a") as known:
            known.write(f"{service}\n")
        with _units_only():
            functions["service.enable"](service)
    for service in plan.platform.services:
        if not functions["service.restart"](service):
            raise RunError(
                f"service {service} did not restart; look at its log, then: {plan.platform.restart}"
            )
    if plan.runs_queues_only():
        wrong = processes.wait_for_runners(
            told_by, programs=plan.has_programs_queue(), before=before
        )
        if wrong:
            raise RunError(
                f"after a restart: {'; '.join(wrong)}. Look at sendmail's log, then: "
                f"{plan.platform.restart}"
            )
    owed.settle(plan)


def restart_as_before(plan: Plan, functions: Functions) -> list[str]:
    """Restart the services on their first configuration; return what keeps sendmail from it.

    A service that did not start at boot before us no longer does. Raises RunError.
    """
    enabled = owed.state_file(plan, ENABLED)
    before = enabled.read_text().split() if enabled.exists() else []
    restart(plan, functions)
    for service in before:
        with _units_only():
            functions["service.disable"](service)
    enabled.unlink(missing_ok=True)
    return [
        f"port {one.port} is held by {one.program}: stop it, then: {plan.platform.restart}"
        for one in processes.look(signs(plan)).listeners
        if one.program and not one.sendmail
    ]


@contextmanager
def _units_only() -> Iterator[None]:
    """Keep systemctl from switching the init script's links as well, whose state is another."""
    before = os.environ.get(_SKIP_LINKS)
    os.environ[_SKIP_LINKS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SKIP_LINKS]
        else:
            os.environ[_SKIP_LINKS] = before


def _disabled(plan: Plan, functions: Functions) -> list[str]:
    return [one for one in plan.platform.services if not functions["service.enabled"](one)]
