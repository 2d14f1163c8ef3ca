"""The disposable host is what the other integration tests take it for."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import james, pristine

HOST = Path(__file__).resolve().parents[1] / "support" / "host"
pytestmark = pytest.mark.smoke


def host(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Call tests/support/host, by the system's own Python as outside."""
    command = ["/usr/bin/python3", HOST, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def nested() -> Iterator[Path]:
    """Give the state folder of a second host, booted inside this one."""
    state = Path("/srv/hosts/nested")
    booted = host("boot", "--dir", state, "--owner", str(os.getpid()))
    assert booted.returncode == 0, booted.stderr
    yield state
    host("stop", "--remove", state)


def test_has_a_full_name_without_which_sendmail_waits() -> None:
    assert socket.getfqdn() == "mail.example.test"


@pytest.mark.parametrize(
    ("name", "known"), [("example.com", True), ("mx.example.org", True), ("no.such.test", False)]
)
def test_name_server_knows_remote_mail_domains(name: str, known: bool) -> None:
    found = subprocess.run(["getent", "hosts", name], capture_output=True, check=False)
    assert (found.returncode == 0) is known


@pytest.mark.parametrize(
    "touch",
    [
        "touch /srv/sendmail_james/README.md",
        "touch /var/cache/sendmail_james/litter",
        "sh -c 'echo 1 > /proc/sys/kernel/panic'",
        "date -s 2001-01-01",
        "ip route get 192.0.2.10",
    ],
)
def test_nothing_in_it_reaches_the_machine(touch: str) -> None:
    done = subprocess.run(touch, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode
    assert re.search("Read-only file system|not permitted|is unreachable", done.stderr), done.stderr


def queue_run() -> str:
    """Give what sendmail says when it is told to look through its empty queue."""
    run = ["sendmail", "-q", "-v"]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


def test_sendmail_does_not_wait_because_the_machine_is_busy(tmp_path: Path) -> None:
    assert Path("/proc/loadavg").read_text().startswith("0.00 0.00 0.00 ")
    assert "load average too high" not in queue_run()
    busy = tmp_path / "loadavg"
    busy.write_text("99.00 99.00 99.00 1/1 1\n")
    subprocess.run(["mount", "--bind", busy, "/proc/loadavg"], check=True)
    try:
        assert "load average too high" in queue_run(), "sendmail looks elsewhere"
    finally:
        subprocess.run(["umount", "/proc/loadavg"], check=True)


def test_pristine_trees_of_both_releases_are_there() -> None:
    for release in ("bookworm", "trixie"):
        tree = Path("/srv/roots", release)
        assert f"={release}\n" in (tree / "etc/os-release").read_text()
        assert (tree / "etc/mail/sendmail.mc").is_file()


def test_commands_keep_their_exit_code_and_a_clean_environment(nested: Path) -> None:
    assert host("run", nested, "--", "sh", "-c", "exit 7").returncode == 7
    assert host("run", nested, "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert host("run", nested, "--", "no-such-command").returncode == 127
    seen = host("run", nested, "--env", "A=b c", "--", "env", env=os.environ | {"LEAK": "1"})
    assert "A=b c" in seen.stdout.splitlines()
    assert "LEAK" not in seen.stdout


def test_a_reboot_keeps_what_was_written(nested: Path) -> None:
    host("run", nested, "--", "sh", "-c", "echo kept > /etc/kept; echo gone > /run/gone")
    first = host("run", nested, "--", "cat", "/proc/sys/kernel/random/boot_id", "/etc/machine-id")
    assert host("stop", nested).returncode == 0
    assert "no host runs" in host("run", nested, "--", "true").stderr
    assert host("boot", "--dir", nested, "--owner", str(os.getpid())).returncode == 0
    assert host("run", nested, "--", "cat", "/etc/kept").stdout == "kept\n"
    assert host("run", nested, "--", "cat", "/run/gone").returncode == 1
    second = host("run", nested, "--", "cat", "/proc/sys/kernel/random/boot_id", "/etc/machine-id")
    assert first.stdout == second.stdout
    assert host("run", nested, "--", "systemctl", "is-active", "dnsmasq.service").returncode == 0


def test_a_host_in_a_host_is_of_the_same_release(nested: Path) -> None:
    seen = host("run", nested, "--", "cat", "/etc/os-release").stdout
    assert seen == Path("/etc/os-release").read_text()


def test_a_second_boot_on_the_same_state_is_refused(nested: Path) -> None:
    again = host("boot", "--dir", nested)
    assert (again.returncode, "runs on" in again.stderr) == (1, True)


def test_a_host_ends_with_its_owner_and_leaves_nothing() -> None:
    state = Path("/srv/hosts/owned")
    mounts = Path("/proc/self/mountinfo").read_text()
    owner = subprocess.Popen(["sleep", "infinity"])
    assert host("boot", "--dir", state, "--owner", str(owner.pid)).returncode == 0
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    james.wait_for(lambda: not (state / "host.json").exists(), what="the end of the host")
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert not list(Path("/sys/fs/cgroup").glob("**/host-*"))
    assert host("stop", "--remove", state).returncode == 0
    assert not state.exists()


def test_pristine_host_brings_back_files_units_and_the_daemon(pristine_host: None) -> None:
    mc = Path("/etc/mail/sendmail.mc")
    before = (mc.read_bytes(), mc.stat().st_mtime_ns)
    mc.write_text("ruined\n")
    litter = Path("/etc/systemd/system/sendmail.service.d/litter.conf")
    litter.parent.mkdir()
    litter.touch()
    subprocess.run(["systemctl", "stop", "sendmail"], check=True)
    pristine.restore()
    assert (mc.read_bytes(), mc.stat().st_mtime_ns) == before
    assert not litter.parent.exists()
    assert pristine.sendmail_is_stock()


def test_pristine_host_leaves_an_untouched_daemon_alone(pristine_host: None) -> None:
    before = pristine.sendmail_daemons()
    pristine.restore()
    assert pristine.sendmail_daemons() == before


def test_minion_sees_its_pillar_and_no_command_line_shows_it(
    minion_call: Callable[..., Any],
) -> None:
    assert minion_call("config.get", "planted", pillar={"planted": "value"}).data == "value"
    assert minion_call("config.get", "planted").data == "value"
    assert minion_call("config.get", "planted", pillar={}).data == ""


def test_james_takes_relay_mail_only_from_those_who_log_in(james_server: ModuleType) -> None:
    with smtplib.SMTP("127.0.0.1") as client:
        client.sendmail("stranger@example.com", "alice@localhost", "Subject: 1\n\n")
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="530"):
            client.sendmail("stranger@example.com", "bob@example.org", "Subject: 2\n\n")
        client.login("sendmail", "s3cret")
        client.sendmail("", ["alice@localhost", "bob@example.org"], "Subject: 3\n\n")
        refused = client.sendmail("", ["alice@mail.example.test", "nosuch@localhost"], "\n")
    assert refused["nosuch@localhost"][0] == 550
    wanted = {"local": 2, "relay": 1, "address-error": 0, "unauthenticated": 1, "error": 0}
    james.wait_for(lambda: james_server.counts() == wanted, what="four mails")
    james_server.forget_mails()
    assert not any(james_server.counts().values())


def test_james_can_be_started_with_other_manners(james_server: ModuleType) -> None:
    james_server.start(verify_identity=True, smtp_port=2525, hello_name="other.example.test")
    assert james_server.users() == []
    james_server.add_user("sendmail")
    with smtplib.SMTP("127.0.0.1", 2525) as client:
        assert client.ehlo()[1].startswith(b"other.example.test ")
        client.login("sendmail", "s3cret")
        assert client.mail("alice@localhost")[0] == 503
    james_server.start(announce="never")
    with smtplib.SMTP("127.0.0.1") as client:
        client.ehlo()
        assert not client.has_extn("auth")


def test_a_host_changes_nothing_on_its_machine() -> None:
    def machine() -> str:
        passing = "-not -path '/var/log/*' -not -path '/var/tmp/*'"
        watched = f"find /etc /usr /var /root /home /opt -xdev {passing} -newerct"
        kernel = "grep -rs . /proc/sys/kernel /proc/sys/fs /proc/sys/vm"
        changing = "random/|/ns_last_pid|-nr:|-state:|/pty/nr:"
        mounts = "cat /proc/self/mountinfo /proc/1/mountinfo"
        looks = f"{watched} @{began}; {kernel} | grep -Ev '{changing}'; {mounts}; hostname"
        return subprocess.run(looks, shell=True, capture_output=True, text=True, check=False).stdout

    began = time.time()
    before = machine()
    change = "systemctl stop sendmail; echo changed > /etc/mail/access; hostname other.example.test"
    ran = host("with", "--", "sh", "-c", f"{change}; sysctl -w net.ipv4.tcp_keepalive_time=77")
    assert "= 77" in ran.stdout
    assert machine() == before
    Path("/etc/touched").touch()
    assert "/etc/touched\n" in machine()
    Path("/etc/touched").unlink()
