"""James is asked for many recipients at once, and what his answers prove is told from the rest."""

from __future__ import annotations

import pytest
from fake_servers import fake_server, fake_smtp
from james_client.james.dialogue import Login
from james_client.james.line import JamesError
from james_client.james.recipients import Recipients, ask
from james_client.james.smtp import Server
from james_client.wishes.secret import Secret

LOGIN = Login("sendmail", Secret("pa55-word"))
OFFER = "250-fake\r\n250-PIPELINING\r\n250 AUTH PLAIN"
STRICT = {"EHLO": OFFER, "AUTH PLAIN": "235 ok", "RCPT TO:<nosuch": "550 5.1.1 Unknown user"}
ADDRESSES = ["root@a.test", "bob@a.test", "root@b.test", "bob@b.test"]


def asked(
    replies: dict[str, str], *, login: Login | None = LOGIN, seen: list[str] | None = None
) -> Recipients:
    """Ask a fake James for all ADDRESSES."""
    # of two that match, a fake gives the first
    others = {start: reply for start, reply in STRICT.items() if start not in replies}
    with fake_server(fake_smtp({**replies, **others}, seen)) as port:
        return ask(Server("127.0.0.1", port, timeout=5), login, ADDRESSES)


def test_all_are_taken() -> None:
    seen: list[str] = []
    found = asked({}, seen=seen)
    assert found == Recipients(taken=4)
    assert {line.split()[0] for line in seen} == {"EHLO", "RSET", "MAIL", "RCPT", "AUTH", "QUIT"}
    assert seen.index("RCPT TO:<root@a.test>") > seen.index(
        "RCPT TO:<nosuch-sendmail-james-check@a.test>"
    )


@pytest.mark.parametrize("offer", [OFFER, "250 AUTH PLAIN"])
def test_those_that_are_refused_come_back_with_the_answer(offer: str) -> None:
    no, later = "550 5.1.1 Unknown user", "451 4.3.0 busy"
    found = asked({"EHLO": offer, "RCPT TO:<root@b": no, "RCPT TO:<bob@a": later})
    assert found.unknown == {"root@b.test": no}
    assert found.later == {"bob@a.test": later}
    assert found.taken == 2


def test_a_domain_that_is_not_his_own_is_not_taken_for_it() -> None:
    """With a login, which he relays for, a real James shows it."""
    found = asked({"RCPT TO:<nosuch-sendmail-james-check@b": "530 no"}, login=None)
    assert found.foreign == {"b.test": "530 no"}
    assert found.taken == 2


def test_a_james_who_takes_anybody_proves_nothing() -> None:
    found = asked({"RCPT TO:<nosuch": "250 ok"})
    assert found == Recipients(blind={"a.test": "250 ok", "b.test": "250 ok"})


def test_no_sender_means_no_recipient() -> None:
    found = asked({"MAIL FROM:<>": "503 5.7.1 not you"})
    assert set(found.unknown) == set(ADDRESSES)
    with pytest.raises(JamesError, match="no null sender now: 451 later"):
        asked({"MAIL FROM:<>": "451 later"})


def test_a_login_that_fails_ends_it() -> None:
    with pytest.raises(JamesError, match="refuses the login: 535 no"):
        asked({"AUTH PLAIN": "535 no"})


def test_no_address_asks_nothing() -> None:
    seen: list[str] = []
    with fake_server(fake_smtp(STRICT, seen)) as port:
        assert ask(Server("127.0.0.1", port, timeout=5), None, []) == Recipients()
    assert not any(line.startswith("RCPT") for line in seen)
