"""A masterless Salt that is loaded once: each call runs in a fork, which can be killed."""

from __future__ import annotations

import logging
import os
import pickle
import re
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import salt.client
import salt.config

TRACER = re.compile(rb"TracerPid:\t(\d+)")
ATTACH_SECONDS = 30


@dataclass(frozen=True)
class Ended:
    """How a forked call ended: wait status, and what it gave where it came to its end."""

    status: int
    data: Any

    @property
    def killed(self) -> bool:
        """Say whether SIGKILL ended it."""
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL


class ForkedSalt:
    """Call Salt's functions in forks of this process.

    config: the configuration file of a masterless minion whose modules are synced.
    """

    def __init__(self, config: str | Path) -> None:
        self.options = salt.config.minion_config(str(config))
        salt.client.Caller(mopts=dict(self.options))  # what it imports, the forks have

    def call(
        self,
        function: str,
        *arguments: str,
        first: Callable[[], None] | None = None,
        **keywords: Any,
    ) -> Any:
        """Call a function to its end and give what it returns; the fork calls FIRST first."""
        ended = self._end(*self._fork(function, arguments, keywords, first))
        assert ended.status == 0, ended
        return ended.data

    def traced(self, gate: tuple[Any, str], strace: list[str], *call: str) -> Ended:
        """Call a function that is traced from where it enters GATE, a module and a name in it."""
        forked = self._fork(call[0], call[1:], {}, lambda: _wait_at(*gate))
        command = ["strace", "-qq", "-p", str(forked[0]), *strace]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
        ended = self._end(*forked)
        _, said = tracer.communicate()
        assert b"attach" not in said, said
        return ended

    def _fork(
        self,
        function: str,
        arguments: tuple[str, ...],
        keywords: Mapping[str, Any],
        first: Callable[[], None] | None,
    ) -> tuple[int, int]:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writer)
            return pid, reader
        code = 1
        try:
            if first:
                first()
            data = self._called(function, *arguments, **keywords)
            with os.fdopen(writer, "wb") as stream:
                pickle.dump(_plain(data), stream)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _called(self, function: str, *arguments: str, **keywords: Any) -> Any:
        """Give what a call returns, or the traceback of its error."""
        caller = salt.client.Caller(mopts=dict(self.options))
        try:
            return caller.cmd(function, *arguments, **keywords)
        except Exception:
            return traceback.format_exc()

    @staticmethod
    def _end(pid: int, reader: int) -> Ended:
        with os.fdopen(reader, "rb") as stream:
            data = stream.read()
        return Ended(os.waitpid(pid, 0)[1], pickle.loads(data) if data else None)


def _plain(data: Any) -> Any:
    """Give what was returned in types that any process can unpickle."""
    if isinstance(data, Mapping):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(value) for value in data]
    return data if isinstance(data, (str, int, float, bool, type(None))) else repr(data)


def _wait_at(module: Any, name: str) -> None:
    """Make a function of a module wait for a tracer before it begins."""
    real: Callable[..., Any] = getattr(module, name)

    def gated(*arguments: Any, **keywords: Any) -> Any:
        deadline = time.monotonic() + ATTACH_SECONDS
        while TRACER.search(Path("/proc/self/status").read_bytes())[1] == b"0":  # type: ignore[index]
            assert time.monotonic() < deadline, "no tracer came"
            time.sleep(0.005)
        return real(*arguments, **keywords)

    setattr(module, name, gated)


def log_all(path: Path) -> None:
    """Write all that this process logs from now on, as `-l all` would, and where it was logged."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("[%(name)s:%(lineno)d][%(levelname)s] %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(1)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.NOTSET)
