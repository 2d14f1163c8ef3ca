"""A runner is ended when its runs have ended: no message that James has taken goes twice.

The server is a fake: no real James can be made to keep a message and be slow to say so.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from james_client.mta import runs
from james_client.mta.processes import Processes, Signs, is_gone, look
from james_client.mta.runs import end_runners
from mta_world import eventually
from support.fake_james import FakeJames, fake_james

SENDMAIL = "/usr/sbin/sendmail"
SIGNS = Signs(SENDMAIL, "root", "smmsp")
PORT = 2525
SERVICE = "test"

pytestmark = pytest.mark.skipif(
    not Path(SENDMAIL).exists() or os.geteuid() != 0, reason="needs root and sendmail"
)


@dataclass(frozen=True)
class Queue:
    """A queue of its own, for a James that answers when he is let."""

    folder: Path
    james: FakeJames
    answer: threading.Event

    def send(self) -> None:
        """Hand in one message."""
        argv = [SENDMAIL, *self.options, "-odq", "-oi", "bob@example.org"]
        subprocess.run(argv, input=b"Subject: one\n\nhello\n", check=True)

    @property
    def options(self) -> list[str]:
        """Give what makes a sendmail work on this queue."""
        return ["-C", str(self.folder / "cf"), "-L", "test"]

    def runner(self) -> psutil.Process:
        """Start a runner of this queue."""
        subprocess.run([SENDMAIL, *self.options, "-q1s"], check=True)
        return eventually(lambda: self.seen().runners)[0].process

    def seen(self) -> Processes:
        """Give the runners of this queue alone."""
        runners = [one for one in look(SIGNS).runners if one.lasting and self.owns(one.process)]
        return Processes(tuple(runners), (), ())

    def end(self, **limit: float) -> list[str]:
        """End the runner."""
        return end_runners(self.seen(), [SERVICE], **limit)

    def owns(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            parent = process.parent()
            mine = str(self.folder / "q") in " ".join(process.cmdline())
            return mine and not (parent and self.owns(parent)) and not is_gone(process)
        return False

    def is_empty(self) -> bool:
        return not list((self.folder / "q").glob("qf*"))


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """Give a queue, whose server keeps a message at once and says so when it is let."""
    monkeypatch.setattr(runs, "unit_of", lambda _: f"{SERVICE}.service")
    (tmp_path / "q").mkdir(mode=0o700)
    text = Path("/etc/mail/sendmail.cf").read_text("latin-1")
    for old, new in {
        r"^DS.*$": "DSesmtp:[127.0.0.1]",
        r"^O QueueDirectory=.*$": f"O QueueDirectory={tmp_path}/q",
        r"^O PidFile=.*$": f"O PidFile={tmp_path}/pid",
        r"^O ControlSocketName=.*$": "",
        r"(?<=^Mesmtp)(.*)F=": r"\1F=k0",
        r"(?<=^Mesmtp)((.*\n\s)*.*)A=TCP \$h$": rf"\1A=TCP $h {PORT}",
    }.items():
        text, count = re.subn(old, new, text, flags=re.MULTILINE)
        assert count or "Control" in old, old
    (tmp_path / "cf").write_text(text, "latin-1")
    answer = threading.Event()
    with fake_james(FakeJames(answers_when=answer), PORT) as fake:
        yield (found := Queue(tmp_path, fake, answer))
        answer.set()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if found.owns(process) or str(tmp_path) in " ".join(process.environ().values()):
                    process.kill()


def taken(queue: Queue) -> psutil.Process:
    """Have James take a message and not say so yet; give the runner."""
    runner = queue.runner()
    queue.send()
    eventually(lambda: queue.james.kept)
    return runner


def test_a_run_ends_before_its_runner(queue: Queue) -> None:
    runner = taken(queue)
    (run,) = runner.children(recursive=True)
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(queue.end)
        eventually(lambda: runner.status() == psutil.STATUS_STOPPED)
        queue.send()  # handing in goes on, and no new run begins
        assert not ending.done()
        queue.answer.set()
        assert ending.result() == []
    assert is_gone(runner) and is_gone(run)
    assert len(queue.james.kept) == 1
    assert not (queue.folder / "pid").exists()
    queue.runner()
    eventually(queue.is_empty)
    assert len(queue.james.kept) == 2


def test_a_runner_that_is_just_told_to_end_sends_the_message_twice(queue: Queue) -> None:
    """The twin: what the platform's own restart does."""
    runner = taken(queue)
    runner.terminate()
    eventually(lambda: is_gone(runner))
    queue.runner()
    eventually(lambda: len(queue.james.kept) == 2)


def test_a_run_that_hangs_is_named_and_keeps_its_message(queue: Queue) -> None:
    runner = taken(queue)
    (run,) = runner.children(recursive=True)
    (said,) = queue.end(limit=0)
    assert said.startswith(f"queue run {run.pid} (sendmail: ") and "within 0 s" in said
    assert is_gone(runner) and not is_gone(run)
    queue.runner()
    queue.send()
    eventually(lambda: len(queue.james.kept) == 2)  # the new runner is at work
    queue.answer.set()
    eventually(queue.is_empty)
    assert len(queue.james.kept) == 2


def test_a_restart_that_is_killed_leaves_no_runner_stopped(queue: Queue) -> None:
    runner = taken(queue)
    if not (pid := os.fork()):
        queue.end()
        os._exit(0)
    eventually(lambda: runner.status() == psutil.STATUS_STOPPED)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    eventually(lambda: runner.status() != psutil.STATUS_STOPPED)
    queue.answer.set()
    queue.send()
    eventually(queue.is_empty)
    assert len(queue.james.kept) == 2


def test_an_idle_runner_ends_at_once_and_none_is_no_fault(queue: Queue) -> None:
    runner = queue.runner()
    assert queue.end(limit=0) == []
    assert is_gone(runner)
    assert queue.end(limit=0) == []


@pytest.mark.parametrize("unit", ["", "another.service"])
def test_who_is_not_the_services_is_not_touched(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    monkeypatch.setattr(runs, "unit_of", lambda _: unit)
    runner = taken(queue)
    said = queue.end(limit=0)
    assert [one.split()[:2] for one in said] == ([["queue", "run"]] if unit == "" else [])
    assert runner.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    queue.answer.set()
    eventually(queue.is_empty)
    assert queue.end(limit=60) == []
    assert len(queue.james.kept) == 1


def test_a_daemons_queue_run_ends_first_and_the_daemon_stays(queue: Queue) -> None:
    port = "-ODaemonPortOptions=Family=inet, Name=X, Port=2526, Addr=127.0.0.1"
    subprocess.run([SENDMAIL, *queue.options, port, "-bd", "-q1s"], check=True)
    eventually(lambda: daemons(queue))
    (daemon,) = daemons(queue)
    queue.send()
    eventually(lambda: queue.james.kept)
    seen = Processes((), (), (), look(SIGNS).daemons)
    (said,) = end_runners(seen, [SERVICE], limit=0)
    assert "client" in said
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(end_runners, seen, [SERVICE])
        assert not ending.done()
        queue.answer.set()
        assert ending.result() == []
    assert len(queue.james.kept) == 1
    assert daemon.is_running()
    daemon.kill()


def daemons(queue: Queue) -> list[psutil.Process]:
    """Give the daemons of this queue, by its pid file."""
    pid = queue.folder / "pid"
    wanted = int(pid.read_text().split()[0]) if pid.exists() and pid.read_text() else 0
    return [one.process for one in look(SIGNS).daemons if one.process.pid == wanted]
