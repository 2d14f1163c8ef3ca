"""What other users of the host plant is not run as root, not believed and does no harm."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rebuild_world as world
from james_client.mta import queue
from support import james, pristine

CF, MC, INCLUDED = world.CF, world.MC, Path("/etc/mail/m4/provider.m4")
PLANTED = Path("/var/tmp/planted")  # one empty file for each run, named after the uid that ran it
SAYS_WHO = Path("/var/tmp/says-who")
LOOKS = ("status", "dry run", "one step", "way back")


def looking(call: Callable[..., Any], how: str) -> Any:
    """Have the formula read and prove the host's configuration, in one of its ways."""
    if how == "status":
        return call("sendmail_james.status", "verbose=True")
    if how == "dry run":
        return call("state.apply", world.STEPS, "test=True")
    if how == "one step":
        return call("sendmail_james.relay")
    with CF.open("a") as file:
        file.write("# since changed\n")  # else nobody asks m4 whether it built this
    return call("state.apply", "sendmail_james.clean", "test=True")


@pytest.fixture(scope="module")
def applied(module_call: Any) -> world.Applied:
    """Apply the formula once."""
    pristine.remember()
    pristine.restore(listening=False)
    steps = ",".join(f"sendmail_james.{one}" for one in ("daemon", "relay", "loop", "auth"))
    world.apply(module_call, steps, pillar=world.formula(verify={"routes": False}))
    pristine.run("systemctl", "stop", "sendmail.service")
    return world.Applied()


@pytest.fixture
def host(applied: world.Applied, module_call: Any) -> Iterator[Any]:
    """Give a salt-call on a host that the formula was applied to, with nothing planted yet."""
    shutil.rmtree(PLANTED, ignore_errors=True)
    PLANTED.mkdir()
    PLANTED.chmod(0o1777)
    SAYS_WHO.write_text(f'#!/bin/sh\n/usr/bin/mktemp "{PLANTED}/$(id -u).XXXXXX"\n')
    SAYS_WHO.chmod(0o755)
    yield module_call
    shutil.rmtree(PLANTED)
    applied.files()


def planted() -> set[str]:
    """Give the uids that ran what was planted."""
    return {path.name.split(".")[0] for path in PLANTED.iterdir()}


def as_smmta(*command: str) -> None:
    """Run a command as the user who owns /etc/mail on Debian."""
    pristine.run("runuser", "-u", "smmta", "--", *command)


def replace_as_smmta(path: Path, text: str) -> None:
    """Put another file in place of one, as /etc/mail's owner may."""
    source = Path("/var/tmp/new")
    source.write_text(text, "latin-1")
    as_smmta("sh", "-c", f"rm -f {path} && cp {source} {path}")
    source.unlink()


@pytest.mark.parametrize("how", LOOKS)
def test_m4_runs_no_command_of_an_included_file_as_root(host: Any, how: str) -> None:
    replace_as_smmta(INCLUDED, f"syscmd(`{SAYS_WHO}')dnl\n")
    if how in ("dry run", "one step"):  # something to prove
        CF.write_text(re.sub("(?m)^DS.*", "DS", CF.read_text("latin-1")), "latin-1")
    looking(host, how)
    assert planted(), "m4 did not read what was planted"
    assert "0" not in planted()
    assert "101" not in planted()


@pytest.mark.parametrize("how", LOOKS[:3])
def test_a_cf_that_is_not_roots_is_not_read_as_root(host: Any, how: str) -> None:
    runs = f"O DefaultUser=root\nF{{Planted}}|{SAYS_WHO}\n"
    replace_as_smmta(CF, runs + re.sub("(?m)^DS.*", "DS", CF.read_text("latin-1")))
    said = str(looking(host, how))
    assert planted() == set()
    assert f"{CF}: belongs to uid" in said and f"chown root {CF}" in said

    shutil.chown(CF, "root")  # the twin: what was planted does run, once the file is root's
    looking(host, how)
    assert "0" in planted()


def test_what_m4_may_not_read_is_named(host: Any) -> None:
    assert host("sendmail_james.status", "verbose=True").data["after a rebuild"] == {
        str(CF): "the same",
        str(world.MSP_CF): "the same",
    }, "what Debian includes only its group may read"
    shutil.chown(INCLUDED, "root", "root")
    INCLUDED.chmod(0o600)
    said = host("sendmail_james.status", "verbose=True").data["after a rebuild"]
    assert f"{INCLUDED} is 0600 root:root, but m4 must not run as root" in said
    assert "for all, or for group smmsp" in said and "Permission denied" in said


def test_an_mc_that_its_group_alone_may_read_is_built(host: Any) -> None:
    MC.chmod(0o600)
    assert (
        host("sendmail_james.status", "verbose=True").data["after a rebuild"][str(CF)] == "the same"
    )


def test_what_smmsp_links_to_is_not_removed_from_the_queue(host: Any) -> None:
    victim = Path("/var/spool/mqueue/df6ANVICTIM00001")
    victim.write_text("somebody else's mail")
    ours, token = Path("/var/spool/mqueue-client"), "0123456789abcdef"
    plant = f"ln -s {victim.parent} {ours}/df && echo 'H??X: {token}' >{ours}/qf{victim.name[2:]}"
    pristine.run("runuser", "-u", "smmsp", "--", "sh", "-c", plant)
    (found,) = queue.find([str(ours)], token)
    assert queue.remove(found, token, 0)
    assert not found.control.exists()
    assert victim.read_text() == "somebody else's mail"
    victim.unlink()
    (ours / "df").unlink()


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Hold processes that end with the test, and stop sendmail then."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.wait()
    pristine.run("systemctl", "stop", "sendmail.service")


def test_processes_that_call_themselves_runners_are_not_believed(
    host: Any, started: list[subprocess.Popen[bytes]]
) -> None:
    fake = shutil.copy("/bin/sleep", "/var/tmp/sendmail")
    for title in ("MTA: Queue runner@00:01:00", "MSP: Queue runner@00:01:00"):
        user = "smmsp" if "MSP" in title else "bob"
        argv = ["setpriv", "--reuid", user, "--clear-groups", "bash", "-c"]
        argv += [f'exec -a "sendmail: {title} for /var/spool/mqueue" {fake} 300']
        started.append(subprocess.Popen(argv))
    james.wait_for(lambda: len(runners()) == len(started), what="the fakes")
    page = host("sendmail_james.status", "verbose=True").data
    assert page["queue runners"] == {"queue": False, "programs' queue": False}
    assert any("no queue runner lives" in one for one in page["wrong"])


def test_a_runner_that_outlives_the_restart_is_named(
    host: Any, started: list[subprocess.Popen[bytes]]
) -> None:
    pristine.run("sendmail", "-L", "lost", "-q1m", "-OPidFile=/var/tmp/lost.pid")
    (lost,) = james.wait_for(runners, what="the runner whose pid file is lost")
    said = world.refused(host, "sendmail_james.service")
    assert f"queue runner {lost} has outlived the restart" in said and f"kill {lost}" in said
    page = host("sendmail_james.status").data
    assert any(
        f"failed: after a restart: queue runner {lost} has outlived" in one for one in page["wrong"]
    )

    os.kill(lost, signal.SIGKILL)
    assert world.RUNNERS in world.apply(host, "sendmail_james.service")
    assert world.apply(host, "sendmail_james.service") == {}
    assert len(runners()) == 2, "one for each queue"


def runners() -> list[int]:
    """Give the pids of all that call themselves queue runners."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "Queue runner@" in line]
