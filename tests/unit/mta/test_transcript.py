"""Real transcripts of `sendmail -v` are read for what became of the message."""

import base64

import pytest
from james_client.mta.transcript import ACCEPTED, LOCAL, QUEUED, REFUSED, read

TOKEN = base64.b64encode(b"sendmail\0sendmail\0pa55word").decode()
HELLO = """\
{to}... Connecting to localhost via esmtp...
220 mail.example.test JAMES SMTP Server Server (JAMES SMTP Server ) ready
>>> EHLO mail.example.test
250-mail.example.test Hello mail.example.test [127.0.0.1])
250-AUTH LOGIN PLAIN
250-AUTH=LOGIN PLAIN
250-PIPELINING
250-ENHANCEDSTATUSCODES
250 8BITMIME
"""
LOGIN = f">>> AUTH PLAIN {TOKEN}\n235 Authentication Successful\n"
SENT = """\
>>> MAIL From:<root@mail.example.test> AUTH=root@mail.example.test
250 2.1.0 Sender <root@mail.example.test> OK
>>> RCPT To:<alice@localhost>
>>> DATA
250 2.1.5 Recipient <alice@localhost> OK
354 Ok Send data ending with <CRLF>.<CRLF>
>>> .
250 2.6.0 Message received
alice... Sent (Message received)
"""
NOBODY = """\
>>> MAIL From:<root@mail.example.test> AUTH=root@mail.example.test
250 2.1.0 Sender <root@mail.example.test> OK
>>> RCPT To:<nosuch@localhost>
>>> DATA
550 5.1.1 Unknown user: nosuch@localhost
503 5.5.0 No recipients specified
>>> RSET
250 2.0.0 OK
"""
RETURNED = """\
>>> RSET
250 2.0.0 OK
root... Using cached ESMTP connection to localhost via esmtp...
>>> MAIL From:<>
250 2.1.0 Sender <> OK
>>> RCPT To:<root@localhost>
>>> DATA
250 2.1.5 Recipient <root@localhost> OK
354 Ok Send data ending with <CRLF>.<CRLF>
>>> .
250 2.6.0 Message received
root... Sent (Message received)
"""
END = """\
Closing connection to localhost
>>> QUIT
221 2.0.0 mail.example.test Service closing transmission channel
"""
WRONG = f"""\
>>> AUTH PLAIN {TOKEN}
535 Authentication Failed
>>> AUTH LOGIN
334 VXNlcm5hbWU6
>>> c2VuZG1haWw=
334 UGFzc3dvcmQ6
>>> {TOKEN}
535 Authentication Failed
>>> MAIL From:<root@mail.example.test>
250 2.1.0 Sender <root@mail.example.test> OK
alice... Deferred
>>> RSET
250 2.0.0 OK
"""
UNASKED = """\
>>> MAIL From:<root@mail.example.test>
250 2.1.0 Sender <root@mail.example.test> OK
>>> RCPT To:<x@example.org>
>>> DATA
530 5.7.1 Authentication Required
503 5.5.0 No recipients specified
"""
LOOPS = ">>> QUIT\n221 2.0.0 mail.example.test Service closing transmission channel\n"
SAVED = LOOPS + "MAILER-DAEMON... Saved message in /var/lib/sendmail/dead.letter\n"
NO_DNS = """\
example.org: Name server timeout
x@example.org... Transient parse error -- message queued for future delivery
x@example.org... queued
"""
NO_FILE = ">>> QUIT\n221 2.0.0 bye\nalice... Deferred: Temporary AUTH failure\n"


def hello(to: str) -> str:
    """Give the beginning of a dialogue about an address."""
    return HELLO.format(to=to)


@pytest.mark.parametrize(
    ("text", "result", "why", "authenticated"),
    [
        (hello("alice") + LOGIN + SENT + END, ACCEPTED, "250 2.6.0 Message received", True),
        (hello("alice") + SENT + END, ACCEPTED, "250 2.6.0 Message received", False),
        (
            hello("nosuch") + LOGIN + NOBODY + END,
            REFUSED,
            "550 5.1.1 Unknown user: nosuch@localhost",
            True,
        ),
        (hello("x@example.org") + UNASKED, REFUSED, "530 5.7.1 Authentication Required", False),
        (hello("alice") + WRONG + END, QUEUED, "Deferred", False),
        (hello("alice") + NO_FILE + END, QUEUED, "Deferred: Temporary AUTH failure", None),
        (
            "alice... Connecting to localhost via esmtp...\n"
            "alice... Deferred: Connection refused by localhost\n",
            QUEUED,
            "Deferred: Connection refused by localhost",
            None,
        ),
        (
            NO_DNS,
            QUEUED,
            "example.org: Name server timeout; "
            "Transient parse error -- message queued for future delivery",
            None,
        ),
        (
            "alice... Connecting to local...\nalice... Sent\n",
            LOCAL,
            "alice: Connecting to local",
            None,
        ),
        ("nosuch... User unknown\n", REFUSED, "User unknown", None),
        ("", None, "", None),
        (
            hello("alice") + LOGIN + SENT.replace("250 2.6.0 Message received", "451 try later"),
            QUEUED,
            "451 try later",
            True,
        ),
    ],
)
def test_what_became_of_a_message(text, result, why, authenticated):
    """The other side's words decide; where there were none, sendmail's."""
    found = read(text)
    assert (found.result, found.why, found.authenticated) == (result, why, authenticated)


def test_a_returned_message_is_told_apart():
    """The bounce's fate is not taken for the message's."""
    found = read(hello("nosuch") + LOGIN + NOBODY + RETURNED + END)
    assert found.result == REFUSED
    assert found.bounce == "to root@localhost: accepted 250 2.6.0 Message received"
    assert read(hello("alice") + LOGIN + SENT + END).bounce is None


@pytest.mark.parametrize(("text", "why"), [(LOOPS, "mailer flag k"), (SAVED, "dead.letter")])
def test_a_loop_is_a_refusal(text, why):
    """What ends after EHLO, or in dead.letter, was not delivered."""
    found = read(hello("alice") + text)
    assert found.result == REFUSED
    assert why in found.why


def test_no_credential_is_kept():
    """The transcript that is handed on has been scrubbed."""
    for login in (LOGIN, WRONG):
        text = hello("alice") + login + SENT
        assert TOKEN in text
        assert TOKEN not in read(text).text
