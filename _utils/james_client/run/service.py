"""Restart sendmail where its configuration is newer than its processes; see it come back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psutil

from james_client.changes import Changes, HostChanges
from james_client.mta import processes, runs, unit_log
from james_client.run import owed
from james_client.run.load import ERRORS
from james_client.run.plan import Plan, RunError

# For the way back, one a line: the services that did not start at boot before us, and the address
# and port of each socket that sendmail listened on.
ENABLED = "enabled-by-us"
LISTENED = "listened-before-us"

APPLY = "salt-call state.apply sendmail_james"
_UNITS = "/systemd/system/"
_RESTART = 20  # seconds, that it may take
_SHELLS = ("sh", "bash", "dash")
_SKIP_LINKS = "SYSTEMCTL_SKIP_SYSV"  # systemd/src/systemctl/systemctl-sysv-compat.c

Functions = Mapping[str, Callable[..., Any]]


def why_restart(plan: Plan, functions: Functions) -> str | None:
    """Return why sendmail must be restarted, None where it need not be."""
    if owed.is_owed(plan) or (plan.placed and plan.needs_restart()):
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


def is_offline(functions: Functions) -> bool:
    """Tell whether no service manager runs here: a container, an image that is being built."""
    # systemctl does nothing, and says that it went well, where this variable is set
    wished = os.environ.get("SYSTEMD_OFFLINE", "").lower() in ("1", "yes", "y", "true", "t", "on")
    return wished or ("service.offline" in functions and functions["service.offline"]())


def not_restarted(plan: Plan, *, test: bool) -> str:
    """Say that nothing is restarted where no service manager runs, and what to type."""
    not_ = "would NOT be restarted" if test else "NOT restarted"
    return f"{not_}, no service manager runs here: {plan.platform.restart}"


def signs(plan: Plan) -> processes.Signs:
    """Return what tells sendmail's processes from others' on this host."""
    facts = plan.platform
    return processes.Signs(facts.sendmail, plan.queue_user(), plan.programs_user())


def restarts(plan: Plan) -> bool:
    """Tell whether somebody restarts a service of sendmail's at this moment.

    Its unit then has a shell, which runs the script that starts it.
    """
    units = {f"{name}.service" for name in plan.platform.services}
    for one in psutil.process_iter(["exe", "create_time"]):
        old = time.time() - (one.info["create_time"] or 0.0) > _RESTART
        if old or Path(one.info["exe"] or "").name not in _SHELLS:
            continue
        if processes.unit_of(one.pid) in units:
            return True
    return False


def restart(plan: Plan, functions: Functions) -> list[str]:
    """Enable and restart the platform's services; return which queue runs were not waited for.

    Raises RunError as `restart_services` does.
    """
    owed.owe(plan)  # whatever the reason, it is owed until it is seen to have worked
    for service in _disabled(plan, functions):
        with owed.state_file(plan, ENABLED).open("a") as known:
            known.write(f"{service}\n")
        with units_only():
            functions["service.enable"](service)
    late = restart_services(plan, functions)
    owed.owe(plan, owed.VERIFICATION)
    owed.settle(plan)
    return late


def restart_services(plan: Plan, functions: Functions) -> list[str]:
    """Restart the services, queue runs having ended, and wait until the queue runners live.

    Returns which queue runs were not waited for. Raises RunError with what is still wrong and the
    command to type; a runner that the restart did not end is named.
    """
    told_by, since = signs(plan), time.time()
    before = processes.look(told_by).runners
    read_units(plan, functions)
    late = end_runners(plan)
    for service in plan.platform.services:
        try:
            done = functions["service.restart"](service)
        except ERRORS as err:
            _failed(plan, str(err), since)
        if not done:
            _failed(plan, f"service {service} did not restart", since)
    if plan.runs_queues_only():
        wrong = processes.wait_for_runners(
            told_by, programs=plan.has_programs_queue(), before=before
        )
        if wrong:
            _failed(plan, f"after a restart: {'; '.join(wrong)}", since)
    return late


def _failed(plan: Plan, what: str, since: float) -> NoReturn:
    """Say what a restart has not done and why, and remember that for who looks later."""
    said = [unit_log.last_words(service, since) for service in plan.platform.services]
    why = "; ".join(dict.fromkeys(one for one in said if one))
    owed.blame(plan, why or what)  # not what an earlier one has failed for
    if why:
        raise RunError(f"{what}: {why}. Mend that, then: {APPLY}")
    raise RunError(f"{what}; look at sendmail's log, then: {plan.platform.restart}")


def read_units(plan: Plan, functions: Functions) -> None:
    """Have systemd read its units anew where a knob is one of their files.

    Salt asks `systemctl status` for that, on its standard output: systemd tells of a changed
    drop-in on standard error, and does not notice a new folder of drop-ins at all.
    """
    has_units = any(_UNITS in knob.file for knob in plan.platform.knobs)
    if has_units and "service.systemctl_reload" in functions:
        functions["service.systemctl_reload"]()


def end_runners(plan: Plan) -> list[str]:
    """End the queue runners when their runs have ended; return what was not waited for."""
    return runs.end_runners(processes.look(signs(plan)), plan.platform.services)


def remember_listeners(plan: Plan) -> None:
    """Note, before any file of ours is in place, where sendmail listens."""
    if plan.ledger():
        return
    known = owed.state_file(plan, LISTENED)
    seen = [one for one in processes.look(signs(plan)).listeners if one.sendmail]
    half = known.with_suffix(f".{os.getpid()}")  # another run may be at the same
    half.write_text("".join(f"{one.address} {one.port}\n" for one in seen))
    half.replace(known)


@contextmanager
def units_only() -> Iterator[None]:
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
