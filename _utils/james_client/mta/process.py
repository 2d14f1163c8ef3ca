"""Run one process to its end: no shell, and a limit on its time and on what it may print.

Every process has an argument list and a minimal environment.
"""

from __future__ import annotations

import os
import pwd
import random
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from james_client.errors import FaultError
from james_client.scrub import scrub

TIMEOUT = 30.0  # seconds
_LIMIT = 32 * 1024 * 1024
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/"}
# systemd's range for users that last no longer than their process: no file is ever theirs.
_FLEETING = range(61184, 65520)


class ProcessError(FaultError):
    """A process could not be started, did not end in time, or says no; in its own words."""


@dataclass(frozen=True)
class Done:
    """What a process that ended left: exit status, standard output and standard error."""

    status: int
    out: str
    err: str


def run(
    argv: Sequence[str],
    *,
    given: bytes = b"",
    timeout: float = TIMEOUT,
    user: tuple[int, int] | None = None,
    environment: Mapping[str, str] = _ENVIRONMENT,
    cwd: str = "/",
    whole: bool = False,
) -> Done:
    """Run one process to its end and return what it printed.

    `given` is its standard input, `timeout` is in seconds, `user` a uid and gid to run as; with
    `whole` what it leaves running is killed at its end.
    Raises ProcessError when it cannot be started, exceeds its time (it is killed then, with all
    that it started) or prints more than 32 MiB.
    """
    name = argv[0]
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given)
        stdin.seek(0)
        process = _started(argv, stdin, user, environment, cwd)
    ended = False
    try:
        out, err_out = _collect(process, name, timeout)
        ended = True
    finally:
        _end(process, kill=whole or not ended)
    return Done(process.returncode, out, err_out)


def _started(
    argv: Sequence[str],
    stdin: IO[bytes],
    user: tuple[int, int] | None,
    environment: Mapping[str, str],
    cwd: str,
) -> subprocess.Popen[bytes]:
    who = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": [user[1]]}
    try:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            **who,  # type: ignore[call-overload]
        )
    except (OSError, ValueError) as err:
        as_whom = "" if user is None else f" as uid {user[0]}, gid {user[1]}"
        raise ProcessError(f"{argv[0]}: cannot be started{as_whom}: {_cause(err)}") from None
    return process


def stranger() -> int:
    """Return a uid that nobody has: what runs as it can use nothing of anybody's.

    Raises ProcessError where all of the range that systemd keeps for such users is taken.
    """
    for uid in random.sample(_FLEETING, 100):
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid
    raise ProcessError(
        f"no unprivileged uid is free; expected one of {_FLEETING[0]} to {_FLEETING[-1]} to belong "
        "to no user"
    )


def _cause(err: Exception) -> str:
    return getattr(err, "strerror", None) or str(err)


def _collect(process: subprocess.Popen[bytes], name: str, timeout: float) -> tuple[str, str]:
    deadline = time.monotonic() + timeout
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    parts = {pipe.fileno(): bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for descriptor in parts:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ProcessError(f"{name}: did not end within {timeout:g} s and was stopped")
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                parts[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
                elif sum(map(len, parts.values())) > _LIMIT:
                    raise ProcessError(f"{name}: printed more than {_LIMIT} bytes and was stopped")
    while not _has_ended(process):
        if time.monotonic() >= deadline:
            raise ProcessError(f"{name}: did not end within {timeout:g} s and was stopped")
        time.sleep(0.001)
    out, err = (bytes(part).decode("utf-8", "surrogateescape") for part in parts.values())
    return out, err


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process is at its end, and leave it waited for: its group keeps its name."""
    try:
        return bool(os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
    except ChildProcessError:
        return True


def _end(process: subprocess.Popen[bytes], *, kill: bool) -> None:
    """Wait for a process, kill it first with its group if need be; free its pipes."""
    if kill:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def words(done: Done) -> str:
    """Return what a process said, scrubbed, on one line of at most 500 characters."""
    lines = [line.strip() for part in (done.err, done.out) for line in scrub(part).splitlines()]
    if done.status < 0:
        lines.append(f"died of signal {-done.status} ({signal.strsignal(-done.status)})")
    said = "; ".join(dict.fromkeys(line for line in lines if line and not line.startswith("> ")))
    said = said or f"nothing said, exit status {done.status}"
    return said if len(said) <= 500 else said[:497] + "..."
