"""Say who holds James's port, wherever James cannot be asked because of that."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from james_client.james.line import JamesError, NothingListensError, PeerError
from james_client.james.peer import is_here
from james_client.mta import processes
from james_client.run.plan import Plan
from james_client.run.service import APPLY, signs

_UNITS = tuple(
    Path(folder, "systemd/system/james.service") for folder in ("/etc", "/run", "/usr/lib", "/lib")
)
_YOUNG = 60  # seconds
JAVA = ("java", "jsvc")


@contextmanager
def asking(plan: Plan) -> Iterator[None]:
    """Let James be asked; where he can't be, say first who holds his port.

    Raises JamesError, before anything is said to him where sendmail itself holds it.
    """
    refuse_sendmail(plan)
    try:
        yield
    except (NothingListensError, PeerError) as err:
        raise type(err)(why_silent(plan, err)) from None
    except JamesError as err:
        raise JamesError(why_silent(plan, err)) from None


def refuse_sendmail(plan: Plan) -> None:
    """Raise JamesError where sendmail holds James's port: whoever asks there asks sendmail."""
    if held := sendmails(plan):
        cure = APPLY
        if plan.runs_queues_only():
            cure = plan.platform.restart
        raise JamesError(
            f"{held}: James gets it, and can be asked, when sendmail has let go: {cure}"
        )


def sendmails(plan: Plan) -> str | None:
    """Return in words that sendmail holds James's port, None where it does not."""
    return next((_named(one) for one in _holders(plan) if one.sendmail), None)


def strangers(plan: Plan) -> list[str]:
    """Name the programs on James's port that do not look like James: no Java holds it."""
    held = _holders(plan)
    return [_named(one) for one in held if one.program and one.program not in JAVA]


def why_silent(plan: Plan, error: JamesError) -> str:
    """Return an error of James's with who holds his port, or how to start him."""
    if not plan.settings.relay.loopback:
        return str(error)
    if found := strangers(plan):
        return f"{'; '.join(found)}; expected James. {error}"
    if isinstance(error, NothingListensError | PeerError) and not _holders(plan):
        port = plan.settings.relay.port
        down = f"nothing listens on port {port}: James is down, or was given up: {_start()}"
        # Who else is on WebAdmin's port is news still; that nobody is, is none.
        return f"{down}. {error}" if isinstance(error, PeerError) else down
    return str(error)


def start_james(plan: Plan) -> str:
    """Return how James is started: a command where he is a unit of this host."""
    if not _is_here(plan):
        return f"start James on {plan.settings.relay.host}"
    return _start()


def see_james(plan: Plan) -> str:
    """Return what shows how James is: a command where he is a unit of this host."""
    if _is_here(plan) and any(unit.exists() for unit in _UNITS):
        return "uptime; journalctl -u james -n 50"
    return f"see the load and James's log on {plan.settings.relay.host}"


def starting(plan: Plan) -> str:
    """Say that a James on this host was started just now, "" where none was."""
    if not _is_here(plan):
        return ""
    held, now = {one.pid for one in _holders(plan)}, time.time()
    for one in psutil.process_iter(["name", "create_time"]):
        age = now - (one.info["create_time"] or 0.0)
        if age >= _YOUNG or one.info["name"] not in JAVA:
            continue
        if one.pid in held or processes.unit_of(one.pid) == "james.service":
            return f"he is starting (pid {one.pid}, for {age:.0f} s)"
    return ""


def _start() -> str:
    if any(unit.exists() for unit in _UNITS):
        return "systemctl restart james"
    return "start him"


def _holders(plan: Plan) -> list[processes.Listener]:
    if not _is_here(plan):
        return []
    found = processes.look(signs(plan), ports=(plan.settings.relay.port,)).listeners
    return [one for one in found if _is_loopback(one.address)]


def _is_here(plan: Plan) -> bool:
    relay = plan.settings.relay
    return relay.loopback or is_here(relay.host)


def _is_loopback(address: str) -> bool:
    """Tell whether who listens at an address hears what is said to this host's own."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified


def _named(one: processes.Listener) -> str:
    return f"{one.program} (pid {one.pid}) holds port {one.port}"
