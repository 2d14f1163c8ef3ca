"""Have sendmail run as it did before us, once nobody else holds its ports.

A sendmail that finds its port taken tries for most of a minute and then ends, while its service is
still called active. Until then no pid file names it, so no stop ends it and a start makes a second
one (sendmail/daemon.c, getrequests; Debian's /etc/init.d/sendmail). So none is started too early.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from james_client.mta import processes
from james_client.run import owed, service
from james_client.run.plan import Plan

TIMEOUT = 30  # seconds until James must have given sendmail's ports back
_POLL = 0.2  # seconds
_WILD = {"0.0.0.0", "::"}

Socket = tuple[str, int]
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restarted:
    """Say how a restart went: ``said`` is worth knowing, ``wrong`` is still to be done."""

    said: list[str]
    wrong: list[str]


def restart(plan: Plan, functions: service.Functions, timeout: float = TIMEOUT) -> Restarted:
    """Restart the services on their first configuration, and see sendmail listen where it did.

    timeout
        seconds to wait for a port that somebody else holds

    Where it is held for longer, nothing is restarted, and the restart stays owed. Where sendmail
    did not listen before us, it is stopped instead. A service that did not start at boot before us
    no longer does. Raises RunError.
    """
    said: list[str] = []
    listened = _sockets(plan)
    if plan.runs_queues_only():
        said += service.restart_services(plan, functions)
    elif held := _held(plan, listened or [("::", 25)], timeout if listened else 0):
        if listened:
            return Restarted(["sendmail was not restarted"], [_cure(one) for one in held])
        service.read_units(plan, functions)
        said += service.end_runners(plan)
        for name in plan.platform.services:
            functions["service.stop"](name)
        said += [f"port {one.port} is {_holder(one)}'s, as before us: stopped" for one in held]
    else:
        said += service.restart_services(plan, functions)
        if wrong := _missing(plan, listened):
            return Restarted(said, wrong)
    _forget(plan, functions)
    return Restarted(said, [])


def _forget(plan: Plan, functions: service.Functions) -> None:
    """Let services no longer start at boot that did not, and forget; can be done again."""
    enabled = owed.state_file(plan, service.ENABLED)
    for name in enabled.read_text().split() if enabled.exists() else []:
        with service.units_only():
            functions["service.disable"](name)
    enabled.unlink(missing_ok=True)
    owed.state_file(plan, service.LISTENED).unlink(missing_ok=True)
    owed.settle(plan, owed.VERIFICATION)
    owed.settle(plan)


def held(plan: Plan, timeout: float) -> list[str]:
    """Wait until sendmail's ports of before us are free; return in words who holds them still.

    timeout
        seconds

    Asked before any file is given back: a submission program that is as it was before us hands its
    mail to whoever has port 25, without a login, and James would refuse it for good.
    """
    wanted = _sockets(plan)
    return [_cure(one) for one in _held(plan, wanted, timeout)] if wanted else []


def _sockets(plan: Plan) -> list[Socket]:
    """Return where sendmail listened before us; the usual port where an earlier form noted none."""
    known = owed.state_file(plan, service.LISTENED)
    if not known.exists():
        return [("0.0.0.0", 25)]
    lines = known.read_text().splitlines()
    return [(address, int(port)) for address, port in (line.split() for line in lines)]


def _held(plan: Plan, wanted: Collection[Socket], timeout: float) -> list[processes.Listener]:
    """Wait until nobody else listens where sendmail will; return who still does."""

    def look() -> list[processes.Listener]:
        seen = processes.look(service.signs(plan)).listeners
        return [one for one in seen if not one.sendmail and _clashes(one, wanted)]

    if timeout and (first := look()):
        said = ", ".join(f"port {one.port}, held by {_holder(one)}" for one in first)
        log.warning("waiting up to %g s for %s", timeout, said)
    return _until_empty(look, timeout)


def _clashes(one: processes.Listener, wanted: Collection[Socket]) -> bool:
    mine = _plain(one.address)
    return any(
        port == one.port and (_plain(address) == mine or {_plain(address), mine} & _WILD)
        for address, port in wanted
    )


def _plain(address: str) -> str:
    """Return the IPv4 address of one that is mapped into IPv6, as a JVM's socket has it."""
    with suppress(ValueError):
        mapped = getattr(ipaddress.ip_address(address), "ipv4_mapped", None)
        return address if mapped is None else str(mapped)
    return address


def _holder(one: processes.Listener) -> str:
    return f"{one.program or 'a program'} ({one.pid})"


def _cure(one: processes.Listener) -> str:
    unit = processes.unit_of(one.pid)
    stop = f"systemctl stop {unit}" if unit else "stop it"
    return (
        f"port {one.port} is held by {_holder(one)}, and sendmail needs it: {stop}, then: "
        f"salt-call state.apply sendmail_james.clean"
    )


def _missing(plan: Plan, wanted: Collection[Socket]) -> list[str]:
    """Wait until sendmail listens on its ports; return what is still wrong."""

    def look() -> list[str]:
        seen = processes.look(service.signs(plan))
        there = {one.port for one in seen.listeners if one.sendmail}
        missing = sorted({port for _, port in wanted} - there)
        return seen.waiting() + [
            f"sendmail does not listen on port {port}; look at its log, then: "
            f"{plan.platform.restart}"
            for port in missing
        ]

    return _until_empty(look, processes.START_TIMEOUT)


def _until_empty(look: Callable[[], list[T]], timeout: float) -> list[T]:
    deadline = time.monotonic() + timeout
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return found
