"""An attempt is read as sendmail 8.17.1 and 8.18.1 log it, and nobody can spell one in a name."""

from __future__ import annotations

import pytest
from james_client.mta import attempts
from james_client.mta.maillog import Log, LogLine

HOSTS = ("localhost", "[127.0.0.1]")
SENT = (
    "6AOEXhUO000526: to=alice, ctladdr=bob (1000/1000), delay=00:00:25, xdelay=00:00:00, "
    "mailer=relay, pri=570066, relay=[127.0.0.1] [127.0.0.1], dsn=2.6.0, "
    "stat=Sent (Message received)"
)
WRONG_PASSWORD = (
    "6AOEXhfo000527: to=alice, ctladdr=root (0/0), delay=00:00:13, xdelay=00:00:00, mailer=esmtp, "
    "pri=300066, relay=localhost [127.0.0.1], dsn=4.2.0, reply=535 Authentication Failed, "
    "stat=Deferred"
)
NO_JAMES = (
    "6AOEXhfo000527: to=alice, ctladdr=root (0/0), delay=00:00:03, xdelay=00:00:00, mailer=esmtp, "
    "pri=120066, relay=localhost [127.0.0.1], dsn=4.4.1, "
    "stat=Deferred: Connection refused by localhost"
)
REFUSED = (
    "6AOEXZDu000506: to=nosuch, ctladdr=bob (1000/1000), delay=00:00:03, xdelay=00:00:00, "
    "mailer=relay, pri=120067, relay=[127.0.0.1] [127.0.0.1], dsn=5.1.1, "
    "reply=550 5.1.1 Unknown user: nosuch@mail.example.test, stat=User unknown"
)
QUEUED = "6AOEXhUO000526: to=alice, delay=00:00:00, mailer=relay, pri=30066, stat=queued"
NAME = "x, delay=00:00:00, mailer=relay, relay=[127.0.0.1] [127.0.0.1], dsn=2.6.0, stat=Sent (ok)"


def read(text: str) -> attempts.Attempt | None:
    return attempts.read(LogLine(1.0, "sm-msp", "7", text))


def lately(*texts: str, hosts: tuple[str, ...] = HOSTS) -> attempts.Lately:
    lines = tuple(LogLine(float(number), "sm-msp", "7", text) for number, text in enumerate(texts))
    return attempts.lately(Log(lines, "journal", False, ()), hosts)


@pytest.mark.parametrize(
    ("text", "sent", "login", "why"),
    [
        (SENT, True, False, "Sent (Message received)"),
        (WRONG_PASSWORD, False, True, "Deferred: 535 Authentication Failed"),
        (NO_JAMES, False, False, "Deferred: Connection refused by localhost"),
        (REFUSED, False, False, "User unknown: 550 5.1.1 Unknown user: nosuch@mail.example.test"),
        (QUEUED, False, False, "queued"),
    ],
)
def test_what_sendmail_logs_is_read(text: str, sent: bool, login: bool, why: str) -> None:
    found = read(text)
    assert found
    assert (found.sent, found.login, found.why) == (sent, login, why)
    assert found.id == text[:14]
    assert found.to in ("alice", "nosuch")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NOQUEUE: SYSERR(root): no",
        "6AOEXhUO000526: from=bob, size=66, class=0, nrcpts=1, msgid=<x@y>, relay=bob@localhost",
        SENT.replace("to=alice", f"to={NAME}"),
        WRONG_PASSWORD.replace("to=alice", f"to={NAME}"),
        REFUSED.replace("Unknown user: nosuch", f"Unknown user: {NAME}"),
    ],
)
def test_other_lines_and_names_that_spell_fields_are_no_attempt(text: str) -> None:
    assert read(text) is None


def test_the_last_of_both_kinds_is_found() -> None:
    found = lately(SENT, WRONG_PASSWORD, SENT, NO_JAMES, QUEUED)
    assert (found.taken and found.taken.time, found.refused and found.refused.time) == (2, 3)
    assert found.fails
    assert not lately(WRONG_PASSWORD, SENT).fails


RELAYING = REFUSED.replace("to=nosuch", "to=<x@far.example>").replace(
    "reply=550 5.1.1 Unknown user: nosuch@mail.example.test",
    "reply=550 5.7.1 relaying denied",
)
FAR = SENT.replace("to=alice", "to=<y@Far.example>")


def test_a_refusal_for_good_is_told_until_james_takes_mail_for_that_domain() -> None:
    found = lately(SENT, RELAYING, SENT, NO_JAMES).returned
    assert found
    assert (found.to, found.why) == ("<x@far.example>", "User unknown: 550 5.7.1 relaying denied")
    assert lately(FAR, RELAYING, REFUSED, SENT).returned
    assert lately(RELAYING, FAR, SENT).returned is None
    assert lately(SENT, REFUSED, NO_JAMES, WRONG_PASSWORD).returned is None


def test_what_went_elsewhere_is_no_proof() -> None:
    """A mailertable's partner, a local mailer, and a host whose name only begins like James's."""
    elsewhere = [
        SENT.replace("relay=[127.0.0.1] ", f"relay={host} ")
        for host in ("partner.example.", "localhost.evil.example", "local")
    ]
    assert lately(*elsewhere).taken is None
    assert lately(SENT.replace(", relay=[127.0.0.1] [127.0.0.1]", "")).taken is None
    james = SENT.replace("[127.0.0.1] [127.0.0.1]", "James.example.org. [192.0.2.1]")
    assert lately(james, hosts=("james.example.org", "[james.example.org]")).taken


def test_nothing_logged_is_nothing_known() -> None:
    found = lately()
    assert (found.taken, found.refused, found.fails) == (None, None, False)
