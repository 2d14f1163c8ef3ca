"""A process is sendmail's by its program and its user; what it calls itself proves nothing."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from james_client.mta import processes
from james_client.mta.processes import Signs, look, wait_for_runners
from mta_world import eventually

SENDMAIL = "/usr/sbin/sendmail"
SIGNS = Signs(SENDMAIL, "root", "smmsp")
TITLE = "sendmail: MTA: Queue runner@00:01:00 for /var/spool/mqueue"
BOB = 1000
NONE = ["no queue runner lives", "no queue runner lives for programs' mail"]

pytestmark = pytest.mark.skipif(
    not Path(SENDMAIL).exists() or os.geteuid() != 0, reason="needs root and sendmail"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder that everybody can reach."""
    for one in (tmp_path, *tmp_path.parents[:2]):
        one.chmod(0o755)
    return tmp_path


@pytest.fixture
def start() -> Iterator[Callable[..., int]]:
    """Give `start(title, program, *arguments, user)`, which starts a fake under a title."""
    started: list[subprocess.Popen[bytes]] = []

    def start(title: str, program: Any, *arguments: str, user: int = BOB) -> int:
        process = subprocess.Popen(
            [title, *arguments],
            executable=program,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            user=user,
            group=user,
            extra_groups=[],
        )
        started.append(process)
        eventually(lambda: title in " ".join(psutil.Process(process.pid).cmdline()))
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def runner(folder: Path) -> Iterator[Callable[..., psutil.Process]]:
    """Give `runner(*arguments)`, which starts a real queue runner that no pid file knows."""
    started: list[psutil.Process] = []

    def runner(*arguments: str, binary: str = SENDMAIL) -> psutil.Process:
        old = set(psutil.pids())
        argv = [binary, "-L", "test", "-q1m", f"-OPidFile={folder}/pid", *arguments]
        subprocess.run(argv, check=True)
        young = eventually(lambda: [one for one in titled() if one.pid not in old])
        started.extend(young)
        return young[0]

    yield runner
    for process in started:
        end(process)


def titled() -> list[psutil.Process]:
    """Give all processes that call themselves queue runners."""
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if "Queue runner" in " ".join(one.info["cmdline"] or ())]


def end(process: psutil.Process) -> None:
    """Kill a process and see that it is gone."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
    eventually(lambda: is_gone(process))


def is_gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended; it may do so while it is looked at."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wrong(signs: Signs = SIGNS) -> list[str]:
    """Give what a look finds missing; the host's own sendmail may be listening."""
    return [said for said in look(signs).wrong(programs=True) if "listens" not in said]


def test_a_title_and_a_name_make_no_runner(start: Any, folder: Path) -> None:
    fake = shutil.copy("/bin/sleep", folder / "sendmail")
    start(TITLE, fake, "300")
    start(TITLE, fake, "300", user=0)
    start(TITLE.replace("MTA", "MSP"), fake, "300", user=pwd.getpwnam("smmsp").pw_uid)
    assert wrong() == NONE


def test_sendmails_program_in_anybodys_hands_makes_no_runner(start: Any) -> None:
    pid = start(TITLE, os.path.realpath(SENDMAIL), "-bt")
    assert psutil.Process(pid).exe() == os.path.realpath(SENDMAIL)
    assert wrong() == NONE
    assert TITLE in psutil.Process(pid).cmdline()


def test_real_runners_are_seen(runner: Any) -> None:
    runner()
    assert wrong() == NONE[1:]
    runner("-Ac")
    assert wrong() == []


def test_a_runner_beside_another_of_the_same_queue_is_named(runner: Any) -> None:
    first = runner()
    assert look(SIGNS).strays() == []
    second = runner()
    (said,) = look(SIGNS).strays()
    assert str(second.pid) in said and str(first.pid) not in said


def test_a_runner_may_work_as_the_cfs_user(runner: Any, folder: Path) -> None:
    cf = folder / "sendmail.cf"
    text = Path("/etc/mail/sendmail.cf").read_text("latin-1")
    cf.write_text(f"{text}\nO RunAsUser=smmta:smmsp\n", "latin-1")
    runner("-C", str(cf))
    assert wrong() == NONE
    assert wrong(Signs(SENDMAIL, "smmta", "smmsp")) == NONE[1:]


def test_a_runner_is_one_after_an_upgrade_too(runner: Any, folder: Path) -> None:
    binary = shutil.copy(os.path.realpath(SENDMAIL), folder / "sendmail-8")
    runner(binary=binary)
    Path(binary).unlink()
    assert wrong(Signs(binary, "root", "smmsp")) == NONE[1:]


def test_what_outlives_a_restart_is_named(runner: Any) -> None:
    old, programs = runner(), runner("-Ac")
    before = look(SIGNS).runners
    end(programs)
    runner("-Ac")
    left = wait_for_runners(SIGNS, programs=True, before=before, timeout=0.5)
    assert left[-2:] == [
        "no queue runner lives",
        f"queue runner {old.pid} has outlived the restart and works with the older "
        f"configuration: kill {old.pid}",
    ]
    runner()
    (said,) = look(SIGNS).survivors(before)
    assert f"kill {old.pid}" in said
    end(old)
    assert look(SIGNS).survivors(before) == []
    assert look(SIGNS).since(before).queue_runner


def test_a_container_has_runners_of_its_own(folder: Path) -> None:
    argv = ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c"]
    argv += [f"{SENDMAIL} -q1m -OPidFile={folder}/pid; exec sleep 300"]
    old = set(psutil.pids())
    inside = subprocess.Popen(argv)
    try:
        (theirs,) = eventually(lambda: [one for one in titled() if one.pid not in old])
        assert theirs.exe() == os.path.realpath(SENDMAIL)
        assert wrong() == NONE
    finally:
        inside.kill()
        inside.wait()
        end(theirs)


def test_who_only_ends_its_work_has_not_outlived_a_restart() -> None:
    # One that delivers has its parent's title for a moment.
    before = processes.Runner(psutil.Process(), False, True)
    now = processes.Runner(psutil.Process(), False, False)
    assert processes.Processes((now,), (), ()).survivors([before]) == []


def test_a_runner_that_does_not_end_is_not_waited_for_as_long_as_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = processes.Runner(psutil.Process(), False, True)
    new = processes.Runner(psutil.Process(1), False, True)
    seen = processes.Processes((old, new), (), ())
    monkeypatch.setattr(processes, "look", lambda _: seen)
    monkeypatch.setattr(processes, "_END_TIMEOUT", 0.0)
    (said,) = wait_for_runners(SIGNS, programs=False, before=[old], timeout=3600)
    assert "has outlived" in said


@pytest.mark.parametrize("port", [25, 587])
def test_who_listens_is_judged_by_the_program(start: Any, folder: Path, port: int) -> None:
    address = ("127.0.0.77", port)
    listen = f"import socket, time; s = socket.create_server({address}); time.sleep(300)"
    fake = shutil.copy(os.path.realpath(sys.base_prefix + "/bin/python3"), folder / "sendmail")
    start("sendmail: MTA: accepting connections", fake, "-c", listen, user=0)
    (found,) = eventually(
        lambda: [one for one in look(SIGNS).listeners if one.address == "127.0.0.77"]
    )
    assert (found.port, found.program, found.sendmail) == (port, "sendmail", False)
    assert wrong() == NONE


def test_a_sendmail_that_listens_is_wrong(runner: Any, folder: Path) -> None:
    cf = folder / "sendmail.cf"
    text = Path("/etc/mail/sendmail.cf").read_text("latin-1")
    lines = [line for line in text.splitlines() if not line.startswith("O DaemonPortOptions")]
    daemon = "O DaemonPortOptions=Family=inet, Name=X, Port=587, Addr=127.0.0.77"
    cf.write_text("\n".join([*lines, daemon, ""]), "latin-1")
    old = set(psutil.pids())
    subprocess.run([SENDMAIL, "-C", str(cf), "-bd", f"-OPidFile={folder}/pid"], check=True)
    (found,) = eventually(lambda: [one for one in psutil.process_iter() if is_new(one, old)])
    try:
        (seen,) = [one for one in look(SIGNS).listeners if one.address == "127.0.0.77"]
        assert (seen.port, seen.sendmail) == (587, True)
        said = processes.Processes((), (seen,), ()).wrong(programs=False)
        assert f"sendmail listens on port 587 (pid {found.pid})" in said
    finally:
        end(found)


def is_new(process: psutil.Process, old: set[int]) -> bool:
    """Tell whether a process is a daemon that was not there before."""
    return process.pid not in old and "accepting" in " ".join(process.cmdline())


def test_what_root_alone_can_see_is_said(runner: Any) -> None:
    pid = runner().pid
    utils = str(Path(processes.__file__).parents[2])
    ask = "from james_client.mta.processes import *;"
    ask += f"print(look(Signs({SENDMAIL!r}, 'root', 'smmsp')).wrong(programs=False))"
    argv = [sys.executable, "-c", ask]
    who: dict[str, Any] = {"user": BOB, "group": BOB, "extra_groups": []}
    done = subprocess.run(argv, env={"PYTHONPATH": utils}, capture_output=True, text=True, **who)
    assert f"whether process {pid} is sendmail's, root alone can see" in done.stdout, done
    assert "no queue runner lives" in done.stdout


@pytest.mark.parametrize(
    ("seen", "programs", "said"),
    [
        ([], False, True),
        ([False], False, False),
        ([False], True, True),
        ([False, True], True, False),
    ],
)
def test_who_can_not_be_seen_is_named_only_where_somebody_is_missing(
    seen: list[bool], programs: bool, said: bool
) -> None:
    runners = tuple(processes.Runner(psutil.Process(), one, True) for one in seen)
    wrong = processes.Processes(runners, (), (7, 8)).wrong(programs=programs)
    assert ("whether process 7, 8 is sendmail's, root alone can see" in wrong) is said


def test_freebsds_path_leads_to_what_mailer_conf_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mailwrapper").touch()
    (folder / "sendmail").symlink_to(folder / "mailwrapper")
    (folder / "mailer.conf").write_text("# x\nsendmail\t/usr/libexec/sendmail\nmailq /bin/mailq\n")
    monkeypatch.setattr(processes, "_MAILERCONF", folder / "mailer.conf")
    real = os.path.realpath("/usr/libexec/sendmail")
    assert processes._binaries(str(folder / "sendmail")) == {real}
