"""See which of sendmail's processes live and who listens on the mail ports, starting no process.

A process may call itself what it likes: it is sendmail's by its executable and its user.
"""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

PORTS = (25, 465, 587)
START_TIMEOUT = 60.0  # seconds until restarted queue runners must be seen
_END_TIMEOUT = 10.0  # seconds until those of before the restart must be gone
_POLL = 0.2  # seconds
_STARTING = re.compile(r" -b[dD]( |$)")
_DAEMON = re.compile(f"{_STARTING.pattern}|(accepting|rejecting) connections")
_MAILERCONF = Path("/etc/mail/mailer.conf")


@dataclass(frozen=True)
class Signs:
    """Say what tells sendmail's processes: its program, and the users of its queue runners.

    binary
        the path by which it is called
    queue_user
        a name or uid besides root's, whom a runner of the queue may work as (RunAsUser)
    submit_user
        the user whom the runner of programs' queue works as
    """

    binary: str
    queue_user: str
    submit_user: str


@dataclass(frozen=True)
class Listener:
    """Name who listens on a port; program and pid are None where that can't be seen."""

    port: int
    address: str
    program: str | None
    sendmail: bool
    pid: int | None = field(default=None, compare=False)  # a socket may be shared


@dataclass(frozen=True)
class MailDaemon:
    """One of sendmail's daemons; ``waits`` is whether it still tries to get a port."""

    process: psutil.Process
    waits: bool


@dataclass(frozen=True)
class Runner:
    """One process that works on a queue; psutil's process is the same only while it lives.

    programs
        whether it is programs' queue
    lasting
        whether it goes on until it is stopped, and is not one that delivers and ends
    """

    process: psutil.Process
    programs: bool
    lasting: bool


@dataclass(frozen=True)
class Processes:
    """Hold what was seen: who runs the queues, and who listens on the mail ports.

    unseen
        the pids of those who call themselves runners, but whose program root alone can see
    """

    runners: tuple[Runner, ...]
    listeners: tuple[Listener, ...]
    unseen: tuple[int, ...]
    daemons: tuple[MailDaemon, ...] = ()

    @property
    def queue_runner(self) -> bool:
        """Tell whether the queue has a runner."""
        return any(not runner.programs for runner in self.runners)

    @property
    def programs_runner(self) -> bool:
        """Tell whether programs' queue has one."""
        return any(runner.programs for runner in self.runners)

    def since(self, before: Collection[Runner]) -> Processes:
        """Return the same without the runners that lived before."""
        old = {runner.process for runner in before}
        young = tuple(runner for runner in self.runners if runner.process not in old)
        return replace(self, runners=young)

    def survivors(self, before: Collection[Runner]) -> list[str]:
        """Name the lasting runners that lived before a restart, and how to end them."""
        old = {runner.process for runner in before if runner.lasting}
        return [
            f"queue runner {runner.process.pid} has outlived the restart and works with the older "
            f"configuration: kill {runner.process.pid}"
            for runner in self.runners
            if runner.lasting and runner.process in old
        ]

    def strays(self) -> list[str]:
        """Name the lasting runners that a queue has beside its oldest, and how to end them."""
        found = []
        for programs in (False, True):
            mine = [one.process for one in self.runners if one.lasting and one.programs is programs]
            found += sorted(mine, key=psutil.Process.create_time)[1:]
        return [
            f"queue runner {process.pid} works beside another: kill {process.pid}"
            for process in found
        ]

    def waiting(self) -> list[str]:
        """Name the daemons that try to get a port; while they try, SIGTERM does not end them."""
        return [
            f"sendmail daemon {one.process.pid} waits for a port that another program holds, and "
            f"will take it: kill -9 {one.process.pid}"
            for one in self.daemons
            if one.waits
        ]

    def wrong(self, *, programs: bool) -> list[str]:
        """Say what is missing of "runs its queues and listens nowhere".

        programs
            whether the submission program has a queue of its own
        """
        found = [
            f"sendmail listens on port {listener.port} (pid {listener.pid})"
            for listener in self.listeners
            if listener.sendmail
        ]
        found += self.waiting()
        if not self.queue_runner:
            found.append("no queue runner lives")
        if programs and not self.programs_runner:
            found.append("no queue runner lives for programs' mail")
        if self.unseen and not (self.queue_runner and (self.programs_runner or not programs)):
            shown = ", ".join(map(str, self.unseen))
            found.append(f"whether process {shown} is sendmail's, root alone can see")
        return found


def look(signs: Signs, ports: Collection[int] = PORTS) -> Processes:
    """Return what lives now.

    ports
        whose listeners are looked for
    """
    binaries = _binaries(signs.binary)
    listening = _listening(ports)  # first: who has a port by now is among the processes then
    queue_uids = {0, uid_of(signs.queue_user)}
    submit_uid = uid_of(signs.submit_user)
    runners: list[Runner] = []
    unseen: list[int] = []
    daemons: list[psutil.Process] = []
    programs: dict[int | None, tuple[str, bool]] = {}
    for process in psutil.process_iter(["pid", "name", "exe", "uids", "cmdline"]):
        pid, uids, name = process.info["pid"], process.info["uids"], process.info["name"] or ""
        exe = process.info["exe"]
        is_sendmail = bool(exe) and exe.removesuffix(" (deleted)") in binaries
        programs[pid] = (Path(exe).name if exe else name, is_sendmail)
        title = " ".join(process.info["cmdline"] or ())
        # a user's own sendmail is no daemon of the host's, whatever its arguments say
        hosts = uids is not None and uids.real in queue_uids
        if is_sendmail and hosts and _DAEMON.search(title) and _is_of_this_host(pid):
            daemons.append(process)
        if "ueue" not in title or uids is None:
            continue
        if is_sendmail and uids.effective in queue_uids | {submit_uid} and _is_of_this_host(pid):
            with suppress(psutil.NoSuchProcess):
                lasting = bool(re.search("Queue (runner|control)", title))
                mine = uids.effective == submit_uid
                runners.append(Runner(psutil.Process(pid), mine, lasting))
        elif exe is None and name.startswith("sendmail"):
            unseen.append(pid)
    listeners = _listeners(programs, listening)
    return Processes(tuple(runners), listeners, tuple(unseen), _daemons(daemons, listeners))


def _daemons(
    found: list[psutil.Process], listeners: Collection[Listener]
) -> tuple[MailDaemon, ...]:
    """Return the daemons among processes with a daemon's title, which their children share."""
    listening = {one.pid for one in listeners}
    pids = {one.pid for one in found}
    daemons = []
    for one in found:
        with suppress(psutil.NoSuchProcess):
            # It has a title of its own as soon as it has its ports (sendmail/daemon.c).
            untitled = bool(_STARTING.search(" ".join(one.cmdline())))
            if one.ppid() not in pids:
                daemons.append(MailDaemon(one, untitled and one.pid not in listening))
    return tuple(daemons)


def _is_of_this_host(pid: int) -> bool:
    """Tell whether a process is in no container: those have process numbers of their own."""
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink() == Path("/proc/self/ns/pid").readlink()
    except OSError:
        return True  # no Linux, or the process has just ended


def _listeners(
    programs: dict[int | None, tuple[str, bool]], listening: Collection[tuple[int, str, int | None]]
) -> tuple[Listener, ...]:
    found = set()
    for port, address, pid in listening:
        program, is_sendmail = programs.get(pid or None, (None, False))
        found.add(Listener(port, address, program, is_sendmail, pid))
    return tuple(sorted(found, key=str))


def _listening(ports: Collection[int]) -> list[tuple[int, str, int | None]]:
    """Return port, address and pid of each who listens on one of the ports."""
    return [
        (one.laddr.port, one.laddr.ip, one.pid)
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port in ports
    ]


def _binaries(binary: str) -> frozenset[str]:
    """Return the real paths of sendmail's program.

    On FreeBSD the path leads to mailwrapper, which starts what mailer.conf says (mailer.conf(5)).
    """
    real = os.path.realpath(binary)
    if Path(real).name != "mailwrapper":
        return frozenset({real})
    with suppress(OSError):
        text = _MAILERCONF.read_text(encoding="utf-8", errors="replace")
        named = re.findall(r"(?m)^\s*sendmail\s+(\S+)", text)
        return frozenset(os.path.realpath(path) for path in named)
    return frozenset()


def wait_for_runners(
    signs: Signs,
    *,
    programs: bool,
    before: Collection[Runner] = (),
    timeout: float = START_TIMEOUT,
) -> list[str]:
    """Wait until sendmail runs its queues only; return what is still wrong at the end.

    before
        the runners that lived before the restart, which must end
    timeout
        seconds
    """
    start = time.monotonic()
    while True:
        seen = look(signs)
        wrong = seen.since(before).wrong(programs=programs)
        left = seen.survivors(before)
        waited = time.monotonic() - start
        if not (wrong or left) or waited >= timeout or (not wrong and waited >= _END_TIMEOUT):
            return wrong + left
        time.sleep(_POLL)


def unit_of(pid: int | None) -> str:
    """Return the systemd service that a process belongs to, empty where there is none."""
    try:
        found = re.findall(r"/([^/\s]+\.service)(?:/|$)", Path(f"/proc/{pid}/cgroup").read_text())
    except OSError:
        return ""
    return found[-1] if found else ""


def is_gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended, though its parent may not have noticed yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def uid_of(user: str) -> int | None:
    """Return the uid of a user named by login or number, None where there is none."""
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None
