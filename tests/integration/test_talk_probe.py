"""The test messages tell what really happens to mail, and leave nothing behind."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import talk_target
from james_client.answers.messages import HEADER, Wish, send
from james_client.james.webadmin import WebAdmin
from james_client.mta.process import ProcessError
from james_client.wishes.secret import Secret
from support import james, pristine

WISH = Wish(
    local_user="alice",
    user="bob",
    fqdn="mail.example.test",
    remote="x@example.org",
    cf="/etc/mail/sendmail.cf",
    msp="/etc/mail/submit.cf",
    queue_only=True,
    authenticated=True,
    binary=talk_target.SENDMAIL,
    timeout=300,  # a busy machine is slow, and not at fault
    runner_timeout=120,
)
PASSWORD = Secret(talk_target.PASSWORD)
DEAD = (Path("/root/dead.letter"), Path("/var/lib/sendmail/dead.letter"))


@pytest.fixture(scope="module")
def made():
    """Make the state that the formula must reach, once."""
    return talk_target.fresh()


@pytest.fixture
def target(made):
    """Give that state back, whatever the test before it did with James and the credentials."""
    if not james.running():
        james.start()
    james.add_user("alice", "bob", "postmaster", "root")
    james.add_user("sendmail", password=talk_target.PASSWORD)
    talk_target.credentials()
    james.forget_mails()
    return made


def look(wish: Wish = WISH, *, webadmin: bool = True) -> dict:
    """Run the probe, and see for ourselves that it left nothing behind."""
    dead = [path.read_bytes() if path.exists() else b"" for path in DEAD]
    server = WebAdmin(james.WEBADMIN) if webadmin else None
    report = james.wait_for(
        lambda: seen_whole(send(wish, server, [PASSWORD])), what="all dialogues"
    )
    for cf in (WISH.cf, WISH.msp):
        assert talk_target.listing(cf).total == 0
    assert [path.read_bytes() if path.exists() else b"" for path in DEAD] == dead
    assert report["left behind"] == []
    return report


def seen_whole(report: dict) -> dict | None:
    """Give the report, but None where the live queue runner was quicker than the watching."""
    quicker = "the queue runner took it before its dialogue could be watched"
    return None if any(r.get("note") == quicker for r in report["messages"].values()) else report


def results(report: dict) -> dict[str, str]:
    """Give the result of each message by its name, the made-up name made plain."""
    rows = report["messages"].items()
    return {re.sub(r"nosuch-\w+", "nosuch", name): row["result"] for name, row in rows}


@pytest.mark.smoke
def test_all_is_well(target):
    """All forms, root and user: accepted, logged in, arrived; the unknown name comes back."""
    report = look()
    assert report["wrong"] == []
    expected = {}
    for sender, by in (("root", "root"), ("bob", "user")):
        for form in ("alice", "alice@localhost", "alice@mail.example.test", "x@example.org"):
            expected[f"{form} ({sender}, as {by})"] = "accepted"
        expected[f"{sender} (null sender, as {by})"] = "accepted"
        expected[f"nosuch ({sender}, as {by})"] = "refused"
    assert results(report) == expected
    for name, row in report["messages"].items():
        assert row["authenticated"] is True, name
        assert ">>> MAIL From:" in row["dialogue"]
        if name.startswith("nosuch"):
            assert row["why"].startswith("550 5.1.1 Unknown user")
            assert "accepted 250" in row["returned"]
            assert row["arrived"] == ["var/mail/local (returned)"]
        else:
            assert row["arrived"] == [f"var/mail/{'relay' if 'x@' in name else 'local'}"]
    assert report["queue runner"].startswith("took a message after")
    assert report["new in alice's mailbox"] == 7
    assert set(james.counts().values()) == {0}


def test_the_password_is_nowhere_in_it(target):
    """Neither as it is nor as AUTH carries it; the search bites on the unscrubbed token."""
    report = look()
    text = repr(report)
    hidden = [row for row in report["messages"].values() if "AUTH" in row["dialogue"]]
    assert hidden
    assert all("(hidden)" in row["dialogue"] for row in hidden)
    assert talk_target.PASSWORD not in text
    for token in talk_target.tokens():
        assert token not in text


def test_other_peoples_mail_is_left_alone(target):
    """A message that was queued by somebody else is queued afterwards."""
    pristine.run("systemctl", "stop", "sendmail.service")
    try:
        pristine.run("sh", "-c", "printf 'Subject: mine\n\n' | sendmail -Am -odq alice@localhost")
        before = talk_target.listing(WISH.cf).waiting
        assert len(before) == 1
        report = send(replace(WISH, runner_timeout=1), WebAdmin(james.WEBADMIN), [PASSWORD])
        assert talk_target.listing(WISH.cf).waiting == before
        assert report["queue runner"].startswith("no runner took a message within")
        assert [fault for fault in report["wrong"] if "queue runner" in fault]
        assert talk_target.listing(WISH.msp).total == 0
    finally:
        pristine.run("systemctl", "start", "sendmail.service")
        pristine.run("sendmail", "-q")


def test_a_wrong_password_keeps_mail_queued(target):
    """Every message waits, with the reason; nothing comes back, nothing stays."""
    talk_target.credentials("not-" + talk_target.PASSWORD)
    report = look()
    assert set(results(report).values()) == {"queued"}
    assert len([fault for fault in report["wrong"] if "queued, not" in fault]) == 12
    for row in report["messages"].values():
        assert "James has not authenticated us" in row["why"]
        assert row["authenticated"] is False
    assert set(james.counts().values()) == {0}


def test_no_james_keeps_mail_queued(target):
    """Nothing listens: the reason says so. Without WebAdmin nobody asks where mail arrived."""
    james.stop()
    report = look(webadmin=False)
    assert set(results(report).values()) == {"queued"}
    for row in report["messages"].values():
        assert "Connection refused" in row["why"]
        assert "arrived" not in row


def test_a_server_that_never_greets_does_not_hold_the_probe(target):
    """Bounded in time: what hangs is stopped, named, and taken out of the queue."""
    james.stop()
    # A runner that hangs with one of them would keep it locked, and the report would say so.
    pristine.run("systemctl", "stop", "sendmail.service")
    try:
        with socket.create_server(("127.0.0.1", 25)):
            report = look(replace(WISH, timeout=4, remote=None), webadmin=False)
    finally:
        pristine.run("systemctl", "start", "sendmail.service")
    faults = [fault for fault in report["wrong"] if "did not end within" in fault]
    assert len(faults) == 10


def test_an_unreadable_credential_file_keeps_mail_queued(target):
    """As after a restore without the file."""
    for name in talk_target.CREDENTIALS:
        (talk_target.MAIL / name).unlink()
    report = look()
    assert set(results(report).values()) == {"queued"}
    for row in report["messages"].values():
        assert "Temporary AUTH failure" in row["why"]


def test_a_sender_james_does_not_know_loses_no_bounce(target):
    """Senders unknown to James: that is said, and the probe puts nothing into dead.letter."""
    james.remove_user("root", "postmaster", "bob")
    found = results(look())
    for sender, by in (("root", "root"), ("bob", "user")):
        assert found[f"{sender} (null sender, as {by})"] == "refused"
        assert found[f"nosuch ({sender}, as {by})"] == "refused"
        assert found[f"alice ({sender}, as {by})"] == "accepted"


def test_a_user_that_is_none(target):
    """The error names it, and nothing was sent."""
    with pytest.raises(ProcessError, match="'carol' is no user of this host"):
        send(replace(WISH, user="carol"))


def test_an_unauthenticated_host(made):
    """The negative twin: without the auth step James refuses remote mail, and the probe says so."""
    talk_target.make(login=False)
    try:
        report = look(replace(WISH, queue_only=False))
        faults = "\n".join(report["wrong"])
        assert "sent without a login" in faults
        assert "x@example.org (root, as root): refused, not accepted: 530" in faults
        alice = report["messages"]["alice@localhost (root, as root)"]
        assert alice["arrived"] == ["var/mail/unauthenticated"]
    finally:
        talk_target.make()


def test_a_host_with_the_loop_check(made):
    """The negative twin: without flag k sendmail thinks it talks to itself."""
    talk_target.make(flags="0")
    try:
        report = send(WISH, WebAdmin(james.WEBADMIN), [PASSWORD])
        row = report["messages"]["alice (root, as root)"]
        assert row["result"] == "refused"
        assert "mailer flag k" in row["why"]
        assert report["messages"]["alice (bob, as user)"]["result"] == "accepted"
    finally:
        talk_target.make()


def test_each_message_carries_its_own_token(target):
    """The header by which it is found again is in the mail that James keeps."""
    argv = "printf 'Subject: t\n\n' | sendmail -Am alice@localhost"
    pristine.run("sh", "-c", argv)
    (mail,) = james.wait_for(lambda: james.mails("local"), what="a message of somebody else's")
    assert HEADER not in mail["headers"]
    look()
    assert [found["headers"]["Subject"] for found in james.mails("local")] == [["t"]]
