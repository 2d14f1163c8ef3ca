"""End queue runners without breaking off a message that James is just taking.

A runner that gets SIGTERM hands it on to its queue runs (sendmail/queue.c, runners_sigterm). A run
that gets it first gives up the lock on its message and then waits for the server's answer (main.c,
intsig and finis): where James has taken the message meanwhile, the next run sends it again. So the
runs end first. A runner that is stopped (SIGSTOP) begins no new one, and loses nothing.
"""

from __future__ import annotations

import logging
import re
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

import psutil

from james_client.mta.processes import Processes, is_gone, unit_of

LIMIT = 60.0  # seconds that a restart waits for queue runs
_END = 10.0  # seconds until a runner has ended that was told to
_POLL = 0.1  # seconds
_QUIET = 2.0  # seconds of waiting that are not worth a word
_RUN = re.compile(r"running queue|: client ")  # a daemon's queue run, not one who takes mail
_QUEUE = re.compile("sendmail: .*Queue (runner|control)")
# Lets runners go on when its standard input ends: also where this process is killed.
_GUARD = ("sh", "-c", 'read -r _; kill -CONT "$@"', "sh")

log = logging.getLogger(__name__)


def end_runners(seen: Processes, services: Collection[str], limit: float = LIMIT) -> list[str]:
    """End services' queue runners when their runs have ended; return what was not waited for.

    seen
        what lives now
    services
        by whose systemd units the runners are known; the runners of other units are not touched
    limit
        seconds to wait for runs; one that takes longer goes on by itself, keeps its message locked,
        and is named

    A daemon that listens, and a runner that belongs to no unit, is not ended, but its queue runs
    are waited for too. Mail can be handed in all the while; it waits for the next runner.
    """
    units = {f"{service}.service" for service in services}
    begin_runs = [one.process for one in seen.runners if _forks(one.process)]
    runners = [one for one in begin_runs if unit_of(one.pid) in units]
    others = [one for one in begin_runs if not unit_of(one.pid)]
    others += [one.process for one in seen.daemons if unit_of(one.process.pid) in {"", *units}]
    with _stopped(runners):
        late = _await_runs(runners, others, limit)
        for runner in runners:
            with suppress(psutil.NoSuchProcess):
                # SIGKILL is not handed on, so that a late run need not give up its message.
                runner.kill() if late else runner.terminate()
    _await(lambda: all(map(is_gone, runners)), _END)
    return [
        f"queue run {run.pid} ({_title(run)}) did not end within {limit:g} s; sendmail was "
        f"restarted all the same"
        for run in late
    ]


def _forks(process: psutil.Process) -> bool:
    """Tell whether this is a runner that forks for each run, and none of its runs."""
    with suppress(psutil.NoSuchProcess):
        # A persistent one (-qp) works itself; a run has its runner's title for a moment.
        parent = process.parent()
        return "Queue runner@" in _title(process) and not (parent and _QUEUE.search(_title(parent)))
    return False


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline()).strip()
    return ""


@contextmanager
def _stopped(runners: Collection[psutil.Process]) -> Iterator[None]:
    """Keep runners from beginning new runs."""
    if not runners:
        yield
        return
    guard = subprocess.Popen(
        [*_GUARD, *(str(one.pid) for one in runners)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for one in runners:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        _await(lambda: all(_is_still(one) for one in runners), _END)
        yield
    finally:
        guard.communicate()


def _is_still(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_STOPPED or is_gone(process)
    return True


def _await_runs(
    runners: Collection[psutil.Process], others: Collection[psutil.Process], limit: float
) -> list[psutil.Process]:
    """Wait until no queue run lives; return those that do at the end."""
    runs: set[psutil.Process] = set()  # remembered, for a run's own runs lose their parent with it
    start, told = time.monotonic(), False
    while True:
        for parent in (*runners, *runs):
            runs |= set(_children(parent))
        for other in others:
            runs |= {one for one in _children(other) if _RUN.search(_title(one))}
        left = [run for run in runs if not is_gone(run)]
        waited = time.monotonic() - start
        if not left or waited >= limit:
            return left
        if not told and waited >= _QUIET:
            told = True
            said = ", ".join(f"{run.pid} ({_title(run)})" for run in left)
            log.warning("waiting up to %g s until queue runs have ended: %s", limit, said)
        time.sleep(_POLL)


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        found: list[psutil.Process] = process.children(recursive=True)
        return found
    return []


def _await(true: Callable[[], bool], limit: float) -> None:
    deadline = time.monotonic() + limit
    while not true() and time.monotonic() < deadline:
        time.sleep(_POLL)
