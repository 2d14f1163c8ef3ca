"""Run one command inside a disposable host."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import box
import kernel
from host_keeper import Running

HOME = f"/{box.REPOSITORY}"
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LOGNAME": "root",
    "PATH": "/opt/salt-venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SHELL": "/bin/bash",
    "USER": "root",
    # the repository is read-only in a host, so what tools like to store goes elsewhere
    "HYPOTHESIS_STORAGE_DIRECTORY": "/var/tmp/hypothesis",
    "MYPY_CACHE_DIR": "/var/tmp/mypy",
    "PYTEST_ADDOPTS": "-o cache_dir=/var/tmp/pytest",
    "RUFF_CACHE_DIR": "/var/tmp/ruff",
}


def run(host: Running, command: Sequence[str], settings: Sequence[str] = ()) -> int:
    """Run COMMAND as root in HOST, in a clean environment plus SETTINGS; give its exit code."""
    environment = ENVIRONMENT | {"TERM": os.environ.get("TERM", "dumb")}
    environment |= dict(setting.split("=", 1) for setting in settings)
    return in_child(lambda: enter(host, command, environment))


def in_child(work: Callable[[], int]) -> int:
    """Do WORK in a child that ends with this process, and give its exit code as a shell would."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 127
        try:
            kernel.die_with_parent(signal.SIGKILL)
            code = work()
        except OSError as error:
            print(f"host: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda caught, _: os.kill(child, caught))
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells the child too
    _, status = os.waitpid(child, 0)
    for number, handler in {**before, signal.SIGINT: interrupt}.items():
        signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def enter(host: Running, command: Sequence[str], environment: dict[str, str]) -> int:
    """Move into HOST and run COMMAND there, in a control group of the host; give its exit code."""
    group = host.cgroup / "outside"
    group.mkdir(exist_ok=True)
    processes = os.open(group / "cgroup.procs", os.O_WRONLY)
    kernel.enter(host.pid)
    return in_child(lambda: become(command, environment, processes))


def become(command: Sequence[str], environment: dict[str, str], processes: int) -> NoReturn:
    """Turn this process, a child inside the host, into COMMAND."""
    os.write(processes, b"0")
    kernel.give_up_the_machine()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(HOME)
    os.execvpe(command[0], list(command), environment)
