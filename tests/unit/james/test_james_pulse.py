"""One short dialogue tells whether James takes login and senders; it never sends a message."""

from __future__ import annotations

import pytest
from fake_servers import fake_server, fake_smtp
from james_client.james import smtp
from james_client.james.dialogue import Login
from james_client.james.line import JamesError, NothingListensError
from james_client.james.peer import Trust
from james_client.james.pulse import Pulse, pulse
from james_client.wishes.secret import Secret

LOGIN = Login("sendmail", Secret("s3cret"))
EHLO = {"EHLO": "250-fake\r\n250 AUTH LOGIN PLAIN"}


def asked(replies: dict[str, str], login: Login | None = LOGIN) -> tuple[Pulse, list[str]]:
    """Ask a fake James; give what he said, and what was said to him."""
    heard: list[str] = []
    with fake_server(fake_smtp(replies, heard)) as port:
        server = smtp.Server("127.0.0.1", port, "x.y", 10, Trust(port, True))
        return pulse(server, login), heard


def test_a_login_that_is_taken_is_tried_once_and_the_senders_asked_for() -> None:
    found, heard = asked({**EHLO, "AUTH PLAIN": "235 in"})
    assert (found.let_in, found.refused) == (True, None)
    assert list(found.logins) == ["PLAIN"] or list(found.logins) == ["LOGIN"]
    assert list(found.senders) == ["", "root@x.y"]
    assert not [line for line in heard if line.startswith(("RCPT", "DATA"))]


def test_a_wrong_password_is_one_failed_login_and_no_sender_is_asked_for() -> None:
    found, heard = asked({**EHLO, "AUTH": "535 no"})
    assert (found.let_in, str(found.refused), found.senders) == (False, "535 no", {})
    assert len([line for line in heard if line.startswith("AUTH")]) == 1


def test_a_mechanism_that_is_not_taken_is_followed_by_the_next() -> None:
    found, _ = asked({**EHLO, "AUTH LOGIN": "504 not that one", "AUTH PLAIN": "235 in"})
    assert found.let_in and found.logins.keys() == {"LOGIN", "PLAIN"}


def test_a_refusal_for_now_is_none_for_good() -> None:
    found, _ = asked({**EHLO, "AUTH": "454 later"})
    assert (found.let_in, found.refused) == (False, None)


def test_without_a_login_none_is_tried() -> None:
    found, heard = asked(EHLO, login=None)
    assert (found.logins, list(found.senders)) == ({}, ["", "root@x.y"])
    assert not [line for line in heard if line.startswith("AUTH")]


def test_nobody_there_is_told_from_nobody_who_speaks_smtp() -> None:
    with fake_server(fake_smtp({"": "x"})) as port:
        server = smtp.Server("127.0.0.1", port, "x.y", 10, Trust(port, True))
        with pytest.raises(JamesError, match="no SMTP server"):
            pulse(server, LOGIN)
    with pytest.raises(NothingListensError):
        pulse(server, LOGIN)
