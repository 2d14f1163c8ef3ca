"""A real systemd and a real sh read the knobs as SUSE and FreeBSD have them read.

Units and rc file are stand-ins, in our own words, laid out as those platforms' packages lay out
theirs; what they start is this host's sendmail.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from james_client.mta.knobs import turn
from james_client.wishes.platform import Knob
from mta_world import eventually

REPOSITORY = Path(__file__).parents[2]
PLATFORMS = yaml.safe_load((REPOSITORY / "sendmail_james/platforms.yaml").read_text())
VALUES = {"queue_interval": "10m", "programs_interval": "5s"}
UNITS = Path("/run/systemd/system")
NAME = "suse-stand-in"
#: What openSUSE's unit was until 8.17.1, and what it is since.
KINDS = {"forking": "Type=forking\nPIDFile={pid}\n", "exec": "Type=exec\n"}
LISTENS = "-L sendmail -Am -bD -q30m -om"


def knob(platform: str, file: str) -> Knob:
    """Give a platform's knob by the end of its file's name."""
    (found,) = [one for one in PLATFORMS[platform]["knobs"] if one["file"].endswith(file)]
    return Knob(**found)


def control(*arguments: str) -> str:
    """Ask or tell systemd."""
    return subprocess.run(
        ["systemctl", *arguments], capture_output=True, text=True, timeout=60, check=False
    ).stdout.strip()


@pytest.fixture
def unit(mail: Path, tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """Give `unit(kind, sysconfig)`, which starts a stand-in and gives its state once it settles."""
    pid = tmp_path / "sendmail.pid"
    (tmp_path / "queue").mkdir(mode=0o700)
    with (mail / "sendmail.cf").open("a") as cf:
        cf.write(f"O PidFile={pid}\nO QueueDirectory={tmp_path}/queue\n")

    def start(kind: str, sysconfig: str) -> str:
        (tmp_path / "sysconfig").write_text(f'SENDMAIL_ARGS="{sysconfig}"\n')
        (UNITS / f"{NAME}.service").write_text(
            f"[Service]\n{KINDS[kind].format(pid=pid)}Restart=on-success\n"
            f"BindPaths={mail}/sendmail.cf:/etc/mail/sendmail.cf\n"
            f"EnvironmentFile=-{tmp_path}/sysconfig\n"
            "ExecStart=/usr/sbin/sendmail $SENDMAIL_ARGS\n"
        )
        control("daemon-reload")
        control("start", NAME)
        state = ""

        def settled() -> bool:
            nonlocal state
            state = control("show", NAME, "--value", "-p", "ActiveState")
            return state == "failed" or (state == "active" and "Queue runner" in title())

        eventually(settled)
        return state

    yield start
    control("stop", NAME)
    control("reset-failed", NAME)
    for path in (UNITS / f"{NAME}.service.d/sendmail_james.conf", UNITS / f"{NAME}.service"):
        path.unlink(missing_ok=True)
    control("daemon-reload")


def title() -> str:
    """Give what the unit's main process calls itself."""
    pid = control("show", NAME, "--value", "-p", "MainPID")
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0 ")
    except OSError:
        return ""


@pytest.mark.parametrize("kind", KINDS)
def test_suse_s_unit_runs_the_queue_by_our_drop_in_whatever_its_type(
    unit: Callable[[str, str], str], kind: str
) -> None:
    text, _ = turn(knob("Suse", "sendmail.service.d/sendmail_james.conf"), None, VALUES)
    (UNITS / f"{NAME}.service.d").mkdir(exist_ok=True)
    (UNITS / f"{NAME}.service.d/sendmail_james.conf").write_bytes(text)
    assert unit(kind, LISTENS) == "active"
    assert "Queue runner@00:10:00" in title()


def test_by_its_sysconfig_alone_today_s_unit_would_lose_the_queue_runner(
    unit: Callable[[str, str], str],
) -> None:
    assert unit("exec", "-L sendmail -Am -q10m") == "failed"
    assert title() == ""


# What rc.subr reads for the service sendmail, in its order, and what rc.d/sendmail starts then.
RC = r"""
yes() { case $1 in [Yy][Ee][Ss]|[Tt][Rr][Uu][Ee]|[Oo][Nn]|1) ;; *) return 1 ;; esac; }
for file in "$root"/defaults/rc.conf "$root"/rc.conf "$root"/rc.conf.local \
    "$root"/rc.conf.d/sendmail "$root"/rc.conf.d/sendmail/*; do
    [ ! -f "$file" ] || . "$file"
done
case $sendmail_enable in
[Nn][Oo][Nn][Ee]) sendmail_submit_enable=NO sendmail_outbound_enable=NO
                  sendmail_msp_queue_enable=NO ;;
esac
if yes "$sendmail_enable"; then echo "listens: $sendmail_flags"
elif yes "$sendmail_submit_enable"; then echo "listens: $sendmail_submit_flags"
elif yes "$sendmail_outbound_enable"; then echo "runs: $sendmail_outbound_flags"
fi
if yes "$sendmail_msp_queue_enable"; then echo "runs: $sendmail_msp_queue_flags"; fi
"""
DEFAULTS = """sendmail_enable="{enable}"
sendmail_flags="-L sm-mta -bd -q30m"
sendmail_submit_enable="YES"
sendmail_submit_flags="-L sm-mta -bd -q30m -ODaemonPortOptions=Addr=localhost"
sendmail_outbound_enable="YES"
sendmail_outbound_flags="-L sm-queue -q30m"
sendmail_msp_queue_enable="YES"
sendmail_msp_queue_flags="-L sm-msp-queue -Ac -q30m"
"""
OURS = ["runs: -L sm-queue -q10m", "runs: -L sm-msp-queue -Ac -q5s"]


@pytest.fixture
def rc(tmp_path: Path) -> Callable[..., list[str]]:
    """Give `rc(enable, **files)`: what FreeBSD would start with this default and these files."""

    def rc(enable: str, files: dict[str, str]) -> list[str]:
        for name, text in ({"defaults/rc.conf": DEFAULTS.format(enable=enable)} | files).items():
            path = tmp_path / "etc" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        command = ["sh", "-eu", "-c", RC]
        environment = {"root": str(tmp_path / "etc"), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return rc


def turned(before: str) -> str:
    """Give /etc/rc.conf with our knobs."""
    text, _ = turn(knob("FreeBSD", "rc.conf"), before.encode(), VALUES)
    return text.decode()


@pytest.mark.parametrize("enable", ["NONE", "NO"], ids=["FreeBSD 14's default", "older default"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        'sendmail_enable="NONE"\n',
        'sendmail_enable="YES"\nsendmail_flags="-L sm-mta -bd -q5m"\n',
        "sendmail_enable=NO # as ever\nsendmail_submit_enable='YES';\n",
        'sendmail_outbound_enable="NO"\nsendmail_msp_queue_enable="NO"\n',
        'hostname="box.example.org"\nsendmail_enable="YES"\nsendmail_enable="NONE"',
    ],
)
def test_freebsd_s_rc_files_start_two_queue_runners_and_nothing_that_listens(
    rc: Callable[..., list[str]], enable: str, before: str
) -> None:
    assert rc(enable, {"rc.conf": turned(before)}) == OURS


@pytest.mark.parametrize("later", ["rc.conf.local", "rc.conf.d/sendmail", "rc.conf.d/sendmail/own"])
def test_a_file_that_freebsd_reads_later_wins(rc: Callable[..., list[str]], later: str) -> None:
    started = rc("NO", {"rc.conf": turned(""), later: 'sendmail_enable="YES"\n'})
    assert started == ["listens: -L sm-mta -bd -q30m", OURS[1]]


def test_without_our_knobs_freebsd_listens(rc: Callable[..., list[str]]) -> None:
    assert rc("NO", {})[0].startswith("listens: ")
