"""A broken host: check and status name the cause first, and the command they print cures it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import recipe
from james_client.james.dialogue import NOBODY
from james_client.mta import processes
from support import james, pristine
from support.fake_james import FakeJames, fake_james
from verdict_world import Host, install_salt_call, shell

APPLY = "salt-call state.apply sendmail_james"
RESTART = "service sendmail restart"
OTHER = "another-Password-7"
SIGNS = processes.Signs(recipe.SENDMAIL, "root", "smmsp")
DEAD = Path("/var/lib/sendmail/dead.letter")


@pytest.fixture(scope="module")
def applied(minion: Any, pillar_folder: Path, module_call: Callable[..., Any]) -> Host:
    """Give a host on which the formula was applied."""
    recipe.fresh_host()
    recipe.apply(module_call)
    install_salt_call(minion.config["conf_file"])
    return Host(minion, pillar_folder)


@pytest.fixture
def host(applied: Host) -> Iterator[Host]:
    """Give a host that is well, and see that a test leaves it so."""
    recipe.usual_james()
    applied.given()
    applied.well()
    yield applied
    recipe.all_gone()


def judged(host: Host, cause: str, level: str) -> str:
    """See what is said first of a host, in both answers; give the cure."""
    page, line = host.status(), host.check()
    assert page["verdict"] == level, page
    assert page["wrong"][0].startswith(f"{level} {cause}: "), page
    assert line.startswith(f"{level} - ") and page["next"] in line, line
    assert len(str(page["wrong"])) < 2000
    assert "not seen" not in page, page
    return str(page["next"])


def known() -> None:
    """Give James back what a James with a disk remembers."""
    james.wait_for(james.healthy, 60, "James")
    james.add_user(*recipe.PEOPLE)
    james.add_user("sendmail", password=recipe.PASSWORD)


def runners() -> list[psutil.Process]:
    """Give the lasting queue runners."""
    return [one.process for one in processes.look(SIGNS).runners if one.lasting]


def grow_old(control: Path, seconds: float) -> None:
    """Have a queued message be submitted so long ago."""
    submitted = f"T{int(time.time() - seconds)}".encode()
    control.write_bytes(re.sub(rb"(?m)^T\d+$", submitted, control.read_bytes()))


def test_james_is_down(host: Host) -> None:
    james.stop()
    recipe.send("alice", by="bob")
    recipe.reasons(1)
    cure = judged(host, "james-down", "CRITICAL")
    assert len(host.status()["wrong"]) == 1
    assert cure == "systemctl restart james"
    shell(cure)
    known()
    recipe.all_gone()
    host.well()


def test_a_wrong_password_is_one_cause_though_mail_waits_for_it(host: Host) -> None:
    host.given(account={"update": True})
    james.add_user("sendmail", password=OTHER)
    recipe.send("alice", by="bob")
    recipe.reasons(1)
    cure = judged(host, "wrong-password", "CRITICAL")
    assert cure == "salt-call sendmail_james.rotate"
    assert len(host.status()["wrong"]) == 1
    said = shell(cure)
    assert recipe.leaks(said, recipe.PASSWORD) == []
    recipe.all_gone()
    host.well()


def test_a_wrong_password_that_is_not_ours_to_change_is_the_pillars(host: Host) -> None:
    james.add_user("sendmail", password=OTHER)
    assert judged(host, "wrong-password", "CRITICAL").startswith("sendmail_james:auth:password: ")
    host.given(auth={"password": OTHER})
    cure = judged(host, "wrong-password", "CRITICAL")
    assert cure == APPLY
    shell(cure)
    host.well()
    james.add_user("sendmail", password=recipe.PASSWORD)
    host.given()
    assert judged(host, "wrong-password", "CRITICAL") == APPLY
    host.salt.call("sendmail_james.credentials")


def test_the_account_is_gone(host: Host) -> None:
    james.remove_user("sendmail")
    cure = judged(host, "account-gone", "CRITICAL")
    assert cure == "salt-call sendmail_james.account create=True"
    shell(cure)
    host.well()


def test_sendmails_service_answers_in_place_of_james(host: Host) -> None:
    host.given(account={"timeout": 1})  # for which the run waits for James
    james.stop()
    conf = Path("/etc/mail/sendmail.conf")
    conf.write_text(re.sub("(?m)^DAEMON_MODE=.*$", 'DAEMON_MODE="Daemon"', conf.read_text()))
    shell(RESTART)
    cure = judged(host, "sendmail-in-place-of-james", "CRITICAL")
    assert cure == APPLY
    shell(cure)
    shell(judged(host, "james-down", "CRITICAL"))
    known()
    host.well()


def test_a_daemon_started_by_hand_answers_in_place_of_james(host: Host) -> None:
    james.stop()
    pristine.run(recipe.SENDMAIL, "-bd")
    cure = judged(host, "sendmail-in-place-of-james", "CRITICAL")
    assert cure.startswith("kill ")
    shell(RESTART)
    assert judged(host, "sendmail-in-place-of-james", "CRITICAL") == cure
    shell(cure)
    james.wait_for(lambda: not processes.look(SIGNS).daemons, what="the end of the daemon")
    shell(judged(host, "james-down", "CRITICAL"))
    known()
    host.well()


def test_a_daemon_started_by_hand_waits_for_jamess_port(host: Host) -> None:
    pristine.run(recipe.SENDMAIL, "-bd")
    james.wait_for(lambda: processes.look(SIGNS).waiting(), what="a daemon that waits")
    cure = judged(host, "sendmail-listens", "WARNING")
    assert cure.startswith("kill -9 ")
    shell(cure)
    host.well()


def test_no_queue_runner_lives(host: Host) -> None:
    pristine.run("service", "sendmail", "stop")
    cure = judged(host, "no-runner", "CRITICAL")
    assert cure == RESTART
    shell(cure)
    host.well()


def test_a_queue_runner_is_older_than_its_configuration(host: Host) -> None:
    started = max(one.create_time() for one in runners())
    james.wait_for(lambda: time.time() > started + 4, what="some age")
    os.utime("/etc/mail/submit.cf", (started + 3, started + 3))
    cure = judged(host, "old-runner", "WARNING")
    assert cure == RESTART
    shell(cure)
    host.well()


def test_a_restart_is_owed(host: Host) -> None:
    Path("/var/lib/sendmail_james/restart-pending").touch()
    cure = judged(host, "restart-owed", "WARNING")
    assert cure == APPLY
    shell(cure)
    host.well()


def test_verify_identity_is_one_cause_with_one_cure(host: Host) -> None:
    recipe.new_james(verify_identity=True)
    assert "<verifyIdentity>false<" in judged(host, "verify-identity", "CRITICAL")
    assert len(host.status()["wrong"]) == 1
    recipe.new_james()
    host.well()


class Relaying(FakeJames):
    """A James, made up, who relays to nobody, and knows this host's own names alone."""

    def answer(self, line: str) -> str:
        """Answer a command."""
        if "far.example" in line:
            return "550 5.7.1 relaying denied"
        nobody = line.startswith("RCPT") and NOBODY in line.lower()
        return "550 5.1.1 Unknown user" if nobody else super().answer(line)


def test_a_james_who_puts_off_or_relays_to_nobody(host: Host) -> None:
    host.given(account=None)
    james.stop()
    with fake_james(FakeJames(answers={"AUTH": "454 4.7.0 not now"})):
        assert host.check().startswith("WARNING - James says '454 4.7.0 not now' to the login")
        recipe.send("alice", by="bob")
        recipe.reasons(1)
        judged(host, "james-defers", "CRITICAL")
    with fake_james(FakeJames(answers={"RCPT": "451 4.3.0 later"})):
        assert "'451 4.3.0 later' to each recipient, and 1 " in host.check()
        judged(host, "james-defers", "CRITICAL")
    with fake_james(Relaying()):
        recipe.all_gone()
        recipe.send("x@far.example", by="bob")
        recipe.all_gone()
        cure = judged(host, "refused-lately", "WARNING")
        assert "550 5.7.1 relaying denied" in shell(cure)
    with fake_james(FakeJames()):
        recipe.send("y@far.example", by="bob")
        recipe.all_gone()
    shell("systemctl restart james")
    known()
    host.given()
    host.well()


def test_a_dead_letter_lies_there(host: Host) -> None:
    DEAD.write_text("From x\n\nwords\n")
    cure = judged(host, "dead-letter", "WARNING")
    before = DEAD.stat()
    shell(cure)
    host.well()
    after, kept = DEAD.stat(), DEAD.with_name("dead.letter.read")
    assert kept.read_text() == "From x\n\nwords\n", "it was the last copy"
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    kept.unlink()


def test_sendmail_loses_a_message_that_it_cannot_read(host: Host) -> None:
    pristine.run("service", "sendmail", "stop")
    recipe.send("alice", by="bob")
    (control,) = recipe.QUEUES[1].glob("qf*")
    control.write_bytes(control.read_bytes().replace(b"\n.\n", b"\n~broken\n.\n"))
    shell(RESTART)
    lost = control.with_name(f"Qf{control.name[2:]}")
    james.wait_for(lost.exists, 60, "the loss")
    cure = judged(host, "mail-lost", "CRITICAL")
    assert control.name[2:] in shell(cure)
    for path in control.parent.glob(f"?f{control.name[2:]}"):
        path.unlink()
    host.well()


@pytest.mark.parametrize(
    "days, cause, level",
    [(4.5, "queue-late", "CRITICAL"), (6, "queue-near-return", "CRITICAL")],
)
def test_a_message_is_close_to_its_return(host: Host, days: float, cause: str, level: str) -> None:
    with stopped_runners():
        subject = recipe.send("alice", by="bob")
        (control,) = recipe.queue_files()
        grow_old(control, days * 86400)
        cure = judged(host, cause, level)
        assert cure == "sendmail -Ac -q"
        shell(cure)
        host.well()
    assert recipe.arrives(subject) == ["local"]


def test_mail_waits_longer_than_the_pillar_wants_and_more_of_it(host: Host) -> None:
    host.given(watch={"count_warning": 2, "count_critical": 3})
    with stopped_runners():
        for _ in range(3):
            recipe.send("alice", by="bob")
        assert judged(host, "queue-many", "CRITICAL") == "sendmail -Ac -q"
        host.given()
        host.well()
        control = recipe.queue_files()[0]
        grow_old(control, 3600)
        cure = judged(host, "queue-late", "WARNING")
        shell(cure)
        host.well()


def test_james_does_not_know_a_name(host: Host) -> None:
    james.remove_user("postmaster")
    assert "account:people" in judged(host, "names-unknown", "CRITICAL")
    host.given(account={"people": {"postmaster": ["alice@localhost"]}})
    cure = judged(host, "names-unknown", "CRITICAL")
    assert cure == "salt-call sendmail_james.aliases carry=True"
    shell(cure)
    host.well()
    host.given()
    shell(cure)  # takes back what it made
    james.add_user("postmaster")


def test_a_file_differs_from_the_pillar(host: Host) -> None:
    conf = Path("/etc/mail/sendmail.conf")
    conf.write_text(conf.read_text().replace('QUEUE_INTERVAL="5s"', 'QUEUE_INTERVAL="7h"'))
    cure = judged(host, "drift", "WARNING")
    assert cure == APPLY
    shell(cure)
    host.well()


def test_a_name_stays_here_by_a_route_of_others(host: Host) -> None:
    cf = Path("/etc/mail/sendmail.cf")
    with cf.open("a") as stream:
        stream.write("CLalice\n")
    shell(RESTART)
    host.well()  # what only sendmail's rules show, the quick look does not ask
    page = host.status()
    assert page["wrong"][0].startswith("CRITICAL routes: "), page
    assert page["next"].startswith("sendmail_james:relay:stay_local")
    host.given(relay={"stay_local": ["alice"]})
    assert host.status()["verdict"] == "OK"
    cf.write_text(cf.read_text().removesuffix("CLalice\n"))
    shell(RESTART)


def test_a_pillar_with_mistakes_hides_nothing_else(host: Host) -> None:
    host.given(relay={"port": "smtp"}, daemon={"queue_intervall": "5s"}, loop={"check": "no"})
    assert judged(host, "pillar-mistake", "CRITICAL") == "sendmail_james:daemon"
    assert "sendmail_james:relay:port" in str(host.status()["wrong"])
    pristine.run("service", "sendmail", "stop")
    assert "no-runner" in str(host.status()["wrong"])
    shell(RESTART)
    host.given()
    host.well()


class stopped_runners:  # noqa: N801 - it is used like a function
    """Let the queue runners live and do nothing."""

    def __enter__(self) -> None:
        self.found = runners()
        for one in self.found:
            one.suspend()

    def __exit__(self, *_: object) -> None:
        for one in self.found:
            one.resume()
