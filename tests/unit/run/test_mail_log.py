"""The platform says where sendmail logs, the pillar what James's host is called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import run_world
from cf_world import CF
from james_client.mta import journal
from james_client.run import mail_log
from support import pristine

SENT = (
    "Jan  2 10:00:00 mail sm-msp[7]: 6AOEXhUO000526: to=alice, delay=00:00:25, xdelay=00:00:00, "
    "mailer=relay, pri=1, relay={host} [192.0.2.1], dsn=2.6.0, stat=Sent (Message received)\n"
)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a host that keeps no journal."""
    tmp_path.chmod(0o755)
    monkeypatch.setattr(journal, "FOLDERS", (str(tmp_path / "none"),))
    (tmp_path / "sendmail.cf").write_bytes(CF)
    return tmp_path


@pytest.mark.parametrize("name", ["james.example.org", "[james.example.org]"])
def test_both_names_of_james_are_his(host: Path, name: str) -> None:
    (host / "mail.log").write_text(SENT.format(host=name))
    plan = run_world.plan(
        {"relay": {"host": "james.example.org"}},
        mail_logs=[str(host / "mail.log")],
        cf=str(host / "sendmail.cf"),
    )
    found = mail_log.lately(plan)
    assert found.taken
    assert (found.taken.to, found.source) == ("alice", str(host / "mail.log"))
    assert found.forgeable


def test_the_host_before_it_is_not(host: Path) -> None:
    (host / "mail.log").write_text(SENT.format(host="james.example.org"))
    lookup = {"mail_logs": [str(host / "mail.log")], "cf": str(host / "sendmail.cf")}
    assert mail_log.lately(run_world.plan({}, **lookup)).taken is None


def test_a_stock_submission_program_names_this_machine_by_its_address(host: Path) -> None:
    (host / "mail.log").write_text(SENT.format(host="[127.0.0.1]"))
    lookup = {"mail_logs": [str(host / "mail.log")], "cf": str(host / "sendmail.cf")}
    assert mail_log.lately(run_world.plan({}, **lookup)).taken
    elsewhere = run_world.plan({"relay": {"host": "james.example.org"}}, **lookup)
    assert mail_log.lately(elsewhere).taken is None


@pytest.mark.skipif(not pristine.in_disposable_host(), reason="writes into the host's journal")
def test_whom_programs_mail_is_handed_to_says_nothing_of_the_main_queue(tmp_path: Path) -> None:
    (tmp_path / "sendmail.cf").write_bytes(CF)
    for user, tag in (
        ("root", "sm-mta[7]"),
        ("smmsp", "sm-mta[8]"),
        ("smmsp", "sm-que-runq[9]"),
        ("smmsp", "sm-msp-queue[10]"),
        ("daemon", "sm-msp[11]"),
    ):
        command = ["logger", "-p", "mail.info", "-t", tag, f"{user} as {tag}"]
        subprocess.run(command, check=True, user=user, group=user, extra_groups=[])
    pristine.run("journalctl", "--sync")
    found = mail_log.read(run_world.plan({}, cf=str(tmp_path / "sendmail.cf")), limit=2)
    assert [one.text for one in found.lines] == ["root as sm-mta[7]", "smmsp as sm-msp-queue[10]"]
