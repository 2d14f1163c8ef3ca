"""Salt's own program salt-call, loaded once: each call is that program's main, in a fork.

What a call does after its imports is done anew each time: arguments, configuration, log, grains,
modules, outputter, exit code. That saves half of the processor time of a call that does little.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from pytestshellutils.utils.processes import ProcessResult

SECONDS = 240  # after which a call is taken for hung


class LoadedSalt:
    """Run command lines of salt-call in forks of a process that has Salt's modules.

    cli: saltfactories' salt-call of a minion whose modules are synced.
    """

    def __init__(self, cli: Any) -> None:
        self.cli = cli
        self.server = subprocess.Popen(
            [sys.executable, __file__, cli.config_file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def end(self) -> None:
        """End the process, and the call that it may be at."""
        if self.server.poll() is None:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, **keywords: Any
    ) -> ProcessResult:
        """Do what `run` of saltfactories' salt-call does; TimeoutError after SECONDS."""
        command = self.cli.cmdline(*arguments, **keywords)
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            call = {
                "argv": command[1:],
                "env": {**self.cli.environ, **(env or {})},
                "cwd": str(self.cli.cwd),
                "streams": [os.devnull, str(out), str(err)],
            }
            code = self._ask(call)
            said = [path.read_text(errors="replace") for path in (out, err)]
        stdout, stderr, data = self.cli.process_output(*said, cmdline=command)
        return ProcessResult(
            returncode=code, stdout=stdout, stderr=stderr, data=data, cmdline=command
        )

    def _ask(self, call: Mapping[str, Any]) -> int:
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps(call).encode() + b"\n")
        self.server.stdin.flush()
        if not select.select([self.server.stdout], [], [], SECONDS)[0]:
            self.end()
            raise TimeoutError(f"salt-call {call['argv']} did not end within {SECONDS} s")
        return os.waitstatus_to_exitcode(int(self.server.stdout.readline()))


def become(call: Mapping[str, Any]) -> NoReturn:
    """Turn this fork into a salt-call with its own arguments, environment and streams."""
    for number, path in enumerate(call["streams"]):
        flags = os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY
        os.dup2(os.open(path, flags, 0o600), number)
    os.environ.clear()
    os.environ.update(call["env"])
    os.chdir(call["cwd"])
    sys.argv = call["argv"]
    code: Any = 1
    try:
        from salt.scripts import salt_call

        salt_call()
        code = 0
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    if not isinstance(code, (int, type(None))):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code or 0)


def serve(config: str) -> None:
    """Load what a salt-call loads, then run the calls that come in, each in a fork."""
    import salt.cli.call
    import salt.client
    import salt.config

    salt.client.Caller(mopts=salt.config.minion_config(config))
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for line in requests:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
        print(os.waitpid(child, 0)[1], file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
