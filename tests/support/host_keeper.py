"""Keep a disposable host: start its PID 1, wait until systemd says it is up, clean up after it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import box
import cache
import kernel

BOOT_SECONDS, SHUTDOWN_SECONDS = 90, 30
POWER_OFF = signal.SIGRTMIN + 4  # systemd(1), "Signals"


class HostError(RuntimeError):
    """A host does not boot or does not run; the message says which and why."""


@dataclass(frozen=True)
class Running:
    """A host: its PID 1 as the caller sees it, when that started, and its control group."""

    pid: int
    started: int
    cgroup: Path


def running(state: Path) -> Running:
    """Give the host that runs on the folder STATE, or raise HostError."""
    try:
        known = json.loads((state / "host.json").read_text())
    except FileNotFoundError:
        raise HostError(f"no host runs on {state}") from None
    if started(known["pid"]) != known["started"]:
        raise HostError(f"the host on {state} has ended")
    return Running(known["pid"], known["started"], Path(known["cgroup"]))


def started(pid: int) -> int | None:
    """Give a process's start in clock ticks after the machine's boot, None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[19])


def boot(
    state: Path,
    layers: tuple[Path, ...],
    *,
    shared: Path | None = None,
    scratch: bool = False,
    owner: int | None = None,
) -> None:
    """Boot a host on the folder STATE and return when multi-user.target is reached; HostError.

    A keeper process stays until the host ends, and ends it when the process OWNER ends.
    """
    if set(str(state)) & set(":,\\"):
        raise HostError(f"{state}: mount takes no colon, comma or backslash in a path")
    shared = (shared or state / "shared").resolve()
    for folder in (state / "run", shared):
        folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise HostError(f"a host runs on {state} already") from None
    cgroup = own_cgroup() / f"host-{secrets.token_hex(6)}"
    plan = box.Plan(state, shared, layers, scratch, cgroup)
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        if os.fork() == 0:
            run_keeper(plan, writer, owner)
        os._exit(0)
    os.wait()
    os.close(writer)
    os.close(lock)
    with os.fdopen(reader) as answer:
        failure = answer.read()
    if failure != "up":
        console = (state / "console.log").read_text(errors="replace")
        raise HostError(f"the host on {state} did not boot: {failure}\n{console[-4000:]}")


def run_keeper(plan: box.Plan, answer: int, owner: int | None) -> None:
    """Be the keeper: a daemon that writes "up" or the reason why not to ANSWER; never returns."""
    code = 1
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        log = os.open(plan.state / "console.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        Keeper(plan, answer, owner).run()
        code = 0
    except Exception:  # the daemon's last word; nobody is left to raise to
        traceback.print_exc()
        os.write(answer, b"its keeper failed")
    finally:
        sys.stderr.flush()
        os._exit(code)


class Keeper:
    """Start PID 1, pass on that it is up, and wait until it or its owner has ended."""

    def __init__(self, plan: box.Plan, answer: int, owner: int | None) -> None:
        self.plan, self.answer = plan, answer
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        os.chdir(plan.state / "run")  # a socket's path is short
        Path("notify").unlink(missing_ok=True)
        self.ready.bind("notify")
        os.chdir("/")
        self.owner = os.pidfd_open(owner) if owner else None
        cache.hold(plan.layers)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("the keeper was told to end"))

    def run(self) -> None:
        """Live as long as the host."""
        self.plan.cgroup.mkdir()
        kernel.unshare(kernel.NEW_PID)
        pid = os.fork()
        if pid == 0:
            self.child()
        known = {"pid": pid, "started": started(pid), "cgroup": str(self.plan.cgroup)}
        fresh = self.plan.state / "host.json.new"
        fresh.write_text(json.dumps(known))
        fresh.rename(self.plan.state / "host.json")
        try:
            self.watch(os.pidfd_open(pid))
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            (self.plan.state / "host.json").unlink()
            remove_cgroup(self.plan.cgroup)

    def child(self) -> None:
        """Become the host's PID 1."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            box.become_pid_1(self.plan)
        except Exception:  # a fork's last word; its parent sees that it ended
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(1)

    def watch(self, process: int) -> None:
        """Return when the host has ended, its owner has, or it does not come up in time."""
        deadline: float | None = time.monotonic() + BOOT_SECONDS
        waited_for = [process, self.ready, *([self.owner] if self.owner is not None else [])]
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            seen, _, _ = select.select(waited_for, [], [], left)
            if process in seen or not seen or self.owner in seen:
                if deadline is not None:
                    ended = process in seen
                    self.tell("PID 1 ended" if ended else f"not up in {BOOT_SECONDS} s")
                return
            if b"READY=1" in self.ready.recv(4096).split(b"\n") and deadline is not None:
                deadline = None
                self.tell("up")

    def tell(self, text: str) -> None:
        """Answer the process that asked for the boot."""
        os.write(self.answer, text.encode())
        os.close(self.answer)


def stop(state: Path, *, now: bool) -> None:
    """Shut down the host on STATE in order, or at once, and return when nothing of it is left."""
    try:
        host = running(state)
        process = os.pidfd_open(host.pid)
    except (HostError, ProcessLookupError):
        return
    if not now:
        signal.pidfd_send_signal(process, POWER_OFF)
        select.select([process], [], [], SHUTDOWN_SECONDS)
    with suppress(ProcessLookupError):  # it has shut down
        signal.pidfd_send_signal(process, signal.SIGKILL)
    lock = os.open(state / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)  # the keeper holds it until it has cleaned up
    os.close(lock)


@contextmanager
def temporary_state() -> Iterator[Path]:
    """Give a folder for a host that is stopped and removed at the end, however that comes."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    places = Path("/", box.HOSTS)
    state = Path(
        tempfile.mkdtemp(prefix="sendmail-james-", dir=places if places.is_dir() else None)
    )
    try:
        yield state
    finally:
        stop(state, now=True)
        shutil.rmtree(state, ignore_errors=True)


def own_cgroup() -> Path:
    """Give the control group of this process in the unified hierarchy, or raise HostError."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            break
    else:
        raise HostError("no cgroup2 is mounted on this machine")
    own = Path("/proc/self/cgroup").read_text()
    (path,) = [entry[3:] for entry in own.splitlines() if entry.startswith("0::")]
    return Path(fields[4] + path)


def remove_cgroup(top: Path) -> None:
    """Remove a control group whose processes have ended, with all below it."""
    for path, _, _ in os.walk(top, topdown=False):
        Path(path).rmdir()
