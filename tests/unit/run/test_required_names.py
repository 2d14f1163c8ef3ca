"""Which names James must know: those that get mail, or send some that may return."""

from __future__ import annotations

import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import run_world
from james_client.run import names
from james_client.run.names import ALWAYS, required

PEOPLE = [
    ("root", 0, "/bin/bash"),
    ("daemon", 1, "/usr/sbin/nologin"),
    ("www-data", 33, "/usr/sbin/nologin"),
    ("postgres", 105, "/bin/bash"),
    ("alice", 1000, "/bin/bash"),
    ("carol", 1001, ""),
    ("ftp-only", 1002, "/bin/false"),
    ("nobody", 65534, "/usr/sbin/nologin"),
]


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a host whose users are PEOPLE, with the folders of cron and of mailboxes."""
    for name in ("cron.d", "crontabs", "mail"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(names, "CRONTABS", (tmp_path / "crontab", tmp_path / "cron.d"))
    monkeypatch.setattr(names, "USER_CRONTABS", (tmp_path / "crontabs", tmp_path / "none"))
    monkeypatch.setattr(names, "MAILBOXES", (tmp_path / "mail", tmp_path / "mail"))
    monkeypatch.setattr(names, "SHELLS", tmp_path / "shells")
    cf = f"V10\nO AliasFile={tmp_path}/aliases\nMlocal, P=[IPC], A=TCP $h\nSparse=0\n"
    (tmp_path / "sendmail.cf").write_text(cf)
    (tmp_path / "shells").write_text("# shells\n/bin/bash\n/usr/sbin/nologin\n")
    entries = [SimpleNamespace(pw_name=n, pw_uid=u, pw_shell=s) for n, u, s in PEOPLE]
    monkeypatch.setattr(pwd, "getpwall", lambda: entries)
    return tmp_path


def found(host: Path, pillar: dict[str, Any] | None = None) -> dict[str, str]:
    """Give the required names of a plan, without those that every host has."""
    plan = run_world.plan(pillar, cf=str(host / "sendmail.cf"))
    return {name: why for name, why in required(plan).items() if name not in ALWAYS}


def test_what_every_host_needs_and_who_can_log_in(host: Path) -> None:
    plan = run_world.plan(cf=str(host / "sendmail.cf"))
    assert list(required(plan))[:3] == ["root", "postmaster", "MAILER-DAEMON"]
    assert found(host) == {
        "postgres": "a system user who can log in",
        "alice": "a user of this host",
        "carol": "a user of this host",
    }


def test_cron_jobs_and_where_their_output_goes(host: Path) -> None:
    (host / "crontab").write_text(
        "SHELL=/bin/sh\n17 * * * * www-data run\n@daily\tdaemon run\n# 1 2 3 4 5 nobody run\n"
    )
    (host / "cron.d/app").write_text(
        'MAILTO="ops, night@localhost,far@example.org"\n*/5 * * * * app run\n'
        'MAILTO=""\n1 1 * * * silent run\n'
    )
    (host / "cron.d/.placeholder").write_text("1 1 * * * hidden run\n")
    (host / "crontabs/root").write_text("MAILTO=dba\n1 1 * * * run this\n")
    (host / "crontabs/backup").write_text("MAILTO=nosuch\n1 1 * * * run this\n")
    wanted = {"www-data", "daemon", "ops", "night", "app", "backup", "dba"}
    assert set(found(host)) == wanted | {"postgres", "alice", "carol"}
    assert found(host)["ops"] == f"MAILTO in {host}/cron.d/app"


def test_aliases_and_their_local_targets(host: Path) -> None:
    (host / "aliases").write_text(
        "postmaster: root\nops: \\dora, eve@localhost, far@example.org, |/bin/x, /tmp/file\n"
        '"two words": alice\nmailer-daemon: postmaster\n'
    )
    assert set(found(host)) == {"ops", "dora", "eve", "postgres", "alice", "carol"}
    assert found(host)["dora"] == "a target of alias ops"


def test_a_mailbox_on_this_host_shows_who_gets_mail(host: Path) -> None:
    (host / "mail/www-data").write_text("From x\n")
    (host / "mail/daemon").touch()
    (host / "mail/gone").write_text("From x\n")
    assert set(found(host)) == {"www-data", "postgres", "alice", "carol"}


def test_what_stays_local_is_not_asked_for(host: Path) -> None:
    assert "alice" not in found(host, {"relay": {"stay_local": ["Alice"]}})


@pytest.mark.parametrize("line", ["", "1 2", "@", "* * * * *", "MAILTO", "=", "* * * * * x"])
def test_what_is_no_job_names_nobody(host: Path, line: str) -> None:
    (host / "crontab").write_text(f"{line}\n")
    assert set(found(host)) == {"postgres", "alice", "carol"}


def test_what_crontab_has_half_written_and_who_has_gone_count_for_nobody(host: Path) -> None:
    for name in ("tmp.AbC123", "gone-user", "www-data"):
        (host / "crontabs" / name).write_text("@daily run\n")
    assert set(found(host)) == {"postgres", "alice", "carol", "www-data"}
