"""Run one process to its end: no shell, and a limit on its time and on what it may print.

Every process has an argument list and a minimal environment.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from james_client.errors import FaultError
from james_client.scrub import scrub

TIMEOUT = 30.0  # seconds
_LIMIT = 32 * 1024 * 1024
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/"}


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
) -> Done:
    """Run one process to its end and return what it printed.

    `given` is its standard input, `timeout` is in seconds, `user` a uid and gid to run as.
    Raises ProcessError when it cannot be started, exceeds its time (it is killed then, with all
    that it started) or prints more than 32 MiB.
    """
    name = argv[0]
    who = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": [user[1]]}
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd="/",
                start_new_session=True,
                **who,  # type: ignore[call-overload]
            )
        except (OSError, ValueError) as err:
            raise ProcessError(f"{name}: cannot be started: {_cause(err)}") from None
    try:
        out, err_out = _collect(process, name, timeout)
    finally:
        _end(process)
    return Done(process.returncode, out, err_out)


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
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ProcessError(
                f"{name}: did not end within {timeout:g} s and was stopped"
            ) from None
    out, err = (bytes(part).decode("utf-8", "surrogateescape") for part in parts.values())
    return out, err


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that still lives, and its children by their session; free its pipes."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
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
