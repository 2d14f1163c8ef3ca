"""On every platform the steps write what its own sendmail reads; seen on copies, with real m4."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PLATFORMS = yaml.safe_load((REPOSITORY / "sendmail_james/platforms.yaml").read_text())
STOCK_CF = "/usr/share/sendmail/cf"
SHELL = {
    "Debian": {
        "DAEMON_MODE": "None",
        "QUEUE_MODE": "Daemon",
        "QUEUE_INTERVAL": "10m",
        "MSP_MODE": "Daemon",
        "MSP_INTERVAL": "5s",
    },
    "RedHat/sysvinit": {"DAEMON": "no", "QUEUE": "10m", "SMQUEUE": "5s"},
    "RedHat/upstart": {"DAEMON": "no", "QUEUE": "10m", "SMQUEUE": "5s"},
    "Suse": {"MAIL_CREATE_CONFIG": "no"},
    "FreeBSD": {
        "sendmail_enable": "NO",
        "sendmail_submit_enable": "NO",
        "sendmail_outbound_enable": "YES",
        "sendmail_outbound_flags": "-L sm-queue -q10m",
        "sendmail_msp_queue_enable": "YES",
        "sendmail_msp_queue_flags": "-L sm-msp-queue -Ac -q5s",
    },
}
DROP_INS = {
    "RedHat": {
        "sendmail": "[Service]\nExecStart=\nExecStart=/usr/sbin/sendmail -L sm-mta-queue -q10m\n",
        "sm-client": "[Service]\nExecStart=\n"
        "ExecStart=/usr/sbin/sendmail -L sm-msp-queue -Ac -q5s\n",
    },
    "Suse": {
        "sendmail": "[Service]\nType=forking\nExecStart=\n"
        "ExecStart=/usr/sbin/sendmail -L sendmail -Am -q10m\n",
        "sendmail-client": "[Service]\nType=forking\nExecStart=\n"
        "ExecStart=/usr/sbin/sendmail -L sendmail-client -Ac -q5s\n",
    },
}


@pytest.fixture
def on(
    load: Callable[..., SimpleNamespace],
    options: dict[str, Any],
    mail: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], SimpleNamespace]:
    """Give `on(platform)`: the states of a host of that platform, all of its files in a folder."""
    own = {
        "state_dir": tmp_path / "state",
        "backups": tmp_path / "backups",
        "lock": tmp_path / "lock",
    }

    def on(platform: str, **lookup: Any) -> SimpleNamespace:
        family, _, init = platform.partition("/")
        grains = {"os_family": family, "init": init or "systemd", "nodename": "box"}
        for key, value in grains.items():
            monkeypatch.setitem(options["grains"], key, value)
        names = {"cf": "sendmail.cf", "mc": "sendmail.mc"}
        names |= {"submit_cf": "submit.cf", "submit_mc": "submit.mc"}
        facts = {key: str(mail / name) for key, name in names.items()}
        facts |= {key: str(path) for key, path in own.items()}
        knobs = [
            knob | {"file": str(mail / Path(knob["file"]).relative_to("/"))}
            for knob in PLATFORMS.get(platform, {"knobs": []})["knobs"]
        ]
        for knob in knobs:
            Path(knob["file"]).parent.mkdir(parents=True, exist_ok=True)
        given = facts | {"knobs": knobs, "cf_dir": STOCK_CF, "generated": []} | lookup
        return load({"lookup": given} if platform in PLATFORMS else {"lookup": lookup}).states

    return on


def apply(states: SimpleNamespace) -> list[dict[str, Any]]:
    """Take the steps that need no login, and go live."""
    names = ("queue_only", "relayed", "loop_check_off", "live")
    return [states[f"sendmail_james.{name}"](name=name) for name in names]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_steps_go_live_and_a_second_run_has_nothing_to_do(
    on: Callable[..., SimpleNamespace], mail: Path, platform: str
) -> None:
    rets = apply(on(platform))
    assert [ret["result"] for ret in rets] == [True] * 4, rets
    assert all(ret["changes"] for ret in rets)
    assert b"\nDHesmtp:localhost\n" in (mail / "sendmail.cf").read_bytes()
    in_step = b"sendmail_james" in (mail / "sendmail.mc").read_bytes()
    assert in_step is PLATFORMS[platform]["rebuilds"]
    assert [ret["changes"] for ret in apply(on(platform))] == [{}] * 4


@pytest.mark.parametrize("platform", SHELL)
def test_a_shell_reads_the_knobs_as_meant(
    on: Callable[..., SimpleNamespace], mail: Path, platform: str
) -> None:
    (knob,) = [one for one in PLATFORMS[platform]["knobs"] if "assign" in one]
    path = mail / knob["file"].lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    first = next(iter(SHELL[platform]))
    path.write_text(f'# mine\nother="kept"\n{first}="stock"  # why\n')
    assert said(path, [first, "other"]) == ["stock", "kept"]
    apply(on(platform))
    assert said(path, SHELL[platform]) == list(SHELL[platform].values())
    assert said(path, ["other"]) == ["kept"]
    assert path.read_text().startswith("# mine\n")


def said(path: Path, names: Any) -> list[str]:
    """Give the values of variables after a shell has read a file."""
    script = f". {path}; " + "; ".join(f'echo "${name}"' for name in names)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("platform", DROP_INS)
def test_units_are_told_by_drop_ins(
    on: Callable[..., SimpleNamespace], mail: Path, platform: str
) -> None:
    apply(on(platform))
    for service, text in DROP_INS[platform].items():
        path = mail / f"etc/systemd/system/{service}.service.d/sendmail_james.conf"
        assert path.read_text() == text


def test_an_unknown_platform_is_refused_with_what_it_needs(
    on: Callable[..., SimpleNamespace], mail: Path
) -> None:
    before = {path: path.read_bytes() for path in mail.iterdir()}
    ret = on("Plan9")["sendmail_james.installed"](name="x")
    assert ret["result"] is False
    assert "os_family 'Plan9'" in ret["comment"]
    assert "sendmail_james:lookup" in ret["comment"]
    assert {path: path.read_bytes() for path in mail.iterdir()} == before
