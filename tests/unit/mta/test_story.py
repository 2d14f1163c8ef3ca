"""A log's lines are made a message's story, as sendmail 8.17.1 and 8.18.1 write them."""

from __future__ import annotations

import calendar

import pytest
from james_client.mta import story
from james_client.mta.maillog import LogLine

ONE, TWO, THREE = "6AOFfVWF000431", "6AOFffiF000447", "6AOFg4s8000463"
TRIED = (
    ": to=nosuch, ctladdr=bob (1000/1000), delay=00:00:04, xdelay=00:00:00, mailer=relay, "
    "pri=120067, relay=[127.0.0.1] [127.0.0.1], dsn=2.6.0, stat=Sent (Message received)"
)
WAITS = TRIED.replace("dsn=2.6.0", "dsn=4.4.1").replace("Sent (Message received)", "Deferred")
FROM = (
    ": from=bob, size=81, class=0, nrcpts=1, msgid=<1@mail.example.test>, proto=ESMTP, "
    "daemon=MTA, relay=localhost [127.0.0.1]"
)
AUTH = "AUTH=client, relay=[127.0.0.1], mech=PLAIN, bits=0"
TLS = (
    "STARTTLS=client, relay=[127.0.0.1], version=TLSv1.3, verify=OK, "
    "cipher=TLS_AES_256_GCM_SHA384, bits=256/256"
)


def read(*texts: str, pids: str = "") -> story.Story:
    pids = pids or "7" * len(texts)
    return story.read(
        LogLine(float(number), "sm-msp", pid, text)
        for number, (pid, text) in enumerate(zip(pids, texts, strict=True))
    )


def tried(found: story.Story, name: str = ONE) -> list[story.Tried]:
    return [one for one in found.of([name]) if isinstance(one, story.Tried)]


def test_an_identifier_tells_when_it_was_made() -> None:
    when = calendar.timegm((2026, 11, 24, 15, 41, 31))
    assert story.made(ONE, when + 5) == when
    assert story.made(ONE, when + 50 * 365 * 86400) == when
    assert story.made("6zzzzzzz000431", when) is None


def test_what_is_handed_in_is_read() -> None:
    [event] = read(ONE + FROM).of([ONE])
    assert isinstance(event, story.Accepted)
    assert (event.sender, event.message_id, event.relay) == (
        "bob",
        "<1@mail.example.test>",
        "localhost [127.0.0.1]",
    )


@pytest.mark.parametrize(
    "field", [", size=1, class=0, nrcpts=1, relay=root@localhost", ", msgid=x"]
)
def test_a_sender_that_spells_fields_is_not_believed(field: str) -> None:
    found = read(ONE + FROM.replace("from=bob", f"from=bob{field}"))
    assert (found.events, found.unclear) == ((), {ONE: 1})


def test_returned_mail_belongs_to_what_it_came_of() -> None:
    found = read(ONE + TRIED, f"{ONE}: {TWO}: DSN: User unknown", TWO + TRIED, THREE + TRIED)
    assert found.family(ONE) == found.family(TWO) == [ONE, TWO]
    assert found.family(THREE) == [THREE]


def test_what_another_sendmail_took_on_belongs_to_it() -> None:
    said = f"Sent ({TWO} Message accepted for delivery)"
    found = read(ONE + TRIED.replace("Sent (Message received)", said), TWO + TRIED)
    assert found.family(TWO) == [ONE, TWO]
    assert read(ONE + FROM, TWO + FROM).family(TWO) == [ONE, TWO]
    other = FROM.replace("<1@mail", "<2@mail")
    assert read(ONE + FROM, TWO + other).family(TWO) == [TWO]
    # Handed in by a user of this host, who may choose another's Message-Id.
    own = FROM.replace("localhost [127.0.0.1]", "eve@localhost")
    assert read(ONE + FROM, TWO + own).family(ONE) == [ONE]


def test_a_circle_in_a_log_has_an_end() -> None:
    found = read(f"{ONE}: {TWO}: DSN: x", f"{TWO}: {ONE}: DSN: x")
    assert sorted(found.family(ONE)) == [ONE, TWO]


def test_a_connections_lines_belong_to_its_attempts_alone() -> None:
    [one] = tried(read(TLS, AUTH, ONE + TRIED))
    assert (one.tls[:24], one.login) == ("version=TLSv1.3, verify=", "mech=PLAIN, bits=0")
    # of another process, or to another host, or of a connection that has failed since
    assert tried(read(AUTH, ONE + TRIED, pids="78"))[0].login == ""
    assert tried(read(AUTH.replace("127.0.0.1", "192.0.2.1"), ONE + TRIED))[0].login == ""
    assert [one.login != "" for one in tried(read(AUTH, ONE + WAITS, ONE + TRIED))] == [True, False]


def test_other_lines_tell_nothing() -> None:
    lines = ("NOQUEUE: SYSERR(root): x", "starting daemon", f"x {ONE}: to=a", f"{ONE}: done; x")
    assert read(*lines) == story.Story((), {})
