"""See which of sendmail's processes live and who listens on the mail ports, starting no process."""

from __future__ import annotations

import pwd
import time
from dataclasses import dataclass

import psutil

PORTS = (25, 465, 587)
START_TIMEOUT = 60.0  # seconds until restarted queue runners must be seen
_POLL = 0.2  # seconds


@dataclass(frozen=True)
class Listener:
    """Name who listens on a port; ``program`` is None where that can't be seen."""

    port: int
    address: str
    program: str | None


@dataclass(frozen=True)
class Processes:
    """Hold what was seen: whether each queue has a runner, and who listens on the mail ports."""

    queue_runner: bool
    programs_runner: bool
    listeners: tuple[Listener, ...]

    def wrong(self, *, programs: bool) -> list[str]:
        """Say what is missing of "runs its queues and listens nowhere".

        programs
            whether the submission program has a queue of its own
        """
        found = [
            f"sendmail listens on port {listener.port}"
            for listener in self.listeners
            if (listener.program or "").startswith("sendmail")
        ]
        if not self.queue_runner:
            found.append("no queue runner lives")
        if programs and not self.programs_runner:
            found.append("no queue runner lives for programs' mail")
        return found


def look(submit_user: str) -> Processes:
    """Return what lives now.

    submit_user
        the user that the submission program's queue runner runs as; all others' runners are the
        queue's
    """
    queue = programs = False
    names: dict[int, str] = {}
    for process in psutil.process_iter(["pid", "name", "uids", "cmdline", "status"]):
        name, uids = process.info["name"] or "", process.info["uids"]
        names[process.info["pid"]] = name
        title = " ".join(process.info["cmdline"] or ())
        if name.startswith("sendmail") and uids and "ueue" in title:
            if uids.effective == _uid(submit_user):
                programs = True
            else:
                queue = True
    listeners = sorted(
        {
            (socket.laddr.port, socket.laddr.ip, names.get(socket.pid or 0))
            for socket in psutil.net_connections("tcp")
            if socket.status == psutil.CONN_LISTEN and socket.laddr.port in PORTS
        },
        key=str,
    )
    return Processes(queue, programs, tuple(Listener(*listener) for listener in listeners))


def wait_for_runners(
    submit_user: str, *, programs: bool, timeout: float = START_TIMEOUT
) -> list[str]:
    """Wait until sendmail runs its queues only; return what is still wrong at the end.

    timeout
        seconds
    """
    deadline = time.monotonic() + timeout
    while (wrong := look(submit_user).wrong(programs=programs)) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return wrong


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None
