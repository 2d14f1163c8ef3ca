"""One message is followed across sendmail and James, and nobody can lie about it."""

from __future__ import annotations

import smtplib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import recipe
from support import james, pristine

Call = Callable[..., Any]
TAKEN = "taken: 2.6.0 Sent (Message received)"
FIELDS = "delay=00:00:00, mailer=relay, relay=[127.0.0.1] [127.0.0.1], dsn=2.6.0, stat=Sent (ok)"


@pytest.fixture(scope="module")
def call(module_call: Call) -> Call:
    """Give a host on which the formula was applied."""
    recipe.fresh_host()
    recipe.apply(module_call, daemon={"programs_interval": "1s"})
    return module_call


def address() -> str:
    """Give an address elsewhere that no other message has."""
    return f"to-{uuid.uuid4().hex[:12]}@remote.example"


def trace(call: Call, wanted: str) -> dict[str, Any]:
    """Give what is known of a message; it holds nothing secret and nothing that a terminal does."""
    done = call("sendmail_james.trace", wanted)
    assert done.returncode == (0 if done.data["way"] else 1)
    texts = [done.data["message"], done.data["now"], *done.data["way"], *done.data["not seen"]]
    assert all(text.isprintable() for text in texts)
    assert not recipe.leaks("\n".join(texts), recipe.PASSWORD)
    return dict(done.data)


def identifier(found: dict[str, Any]) -> str:
    return str(found["message"].split()[0])


def events(found: dict[str, Any]) -> str:
    """Give the events without their times, a line each."""
    return "\n".join(line[20:] for line in found["way"])


def test_a_users_message_to_elsewhere(call: Call) -> None:
    to = address()
    subject = recipe.send(to, by="bob")
    recipe.arrives(subject)
    found = trace(call, to)
    uid = pristine.run("id", "-u", "bob").strip()
    assert f"from bob@{recipe.FQDN} to {to}" in found["message"]
    first, last = events(found).splitlines()
    assert first == f"handed in by bob (uid {uid}), into programs' queue"
    assert last.startswith(f"to {to} at James at [127.0.0.1]") and TAKEN in last
    assert (
        found["now"] == f"James has it in var/mail/relay for {to}; it came with the login sendmail"
    )
    assert any("sendmail's words on encryption and login" in one for one in found["not seen"])
    # by its identifier the same, and bob's newest; no word of what it says or is about
    assert trace(call, identifier(found)) == found
    assert trace(call, "bob") == found
    assert trace(call, f"bob@{recipe.FQDN}") == found
    assert subject not in str(found)


def test_roots_message_to_a_name_here(call: Call) -> None:
    recipe.arrives(recipe.send("postmaster", options=("-Am", "-OLogLevel=10")))
    found = trace(call, "postmaster@localhost")
    assert events(found).splitlines()[0] == "handed in by root (uid 0)"
    assert "at James at localhost" in events(found) and TAKEN in events(found)
    assert "login mech=PLAIN" in events(found) or "login mech=LOGIN" in events(found)
    assert not any("encryption and login" in one for one in found["not seen"])
    assert "James has it in var/mail/local for postmaster@localhost" in found["now"]
    assert trace(call, "latest") == found


def test_a_sender_who_calls_himself_another_is_told_by_his_login(call: Call) -> None:
    to = address()
    recipe.arrives(recipe.send(to, by="bob", sender="alice"))
    found = trace(call, to)
    assert "handed in by bob@localhost" in events(found)
    assert f"from alice@{recipe.FQDN}" in found["message"]


def test_a_message_that_james_refuses_is_followed_home(call: Call) -> None:
    before = len(recipe.returned("bob"))
    recipe.send("nosuch", by="bob")
    james.wait_for(lambda: len(recipe.returned("bob")) > before, what="a report of failure")
    found = trace(call, "nosuch")
    said = events(found)
    assert "refused: 5.1.1 User unknown: 550 5.1.1 Unknown user: nosuch" in said
    new = said.partition("returned mail ")[2].split()[0]
    assert f"{new}: to bob at James" in said and TAKEN in said
    assert f"returned as {new}; {new}: James has it in var/mail/local for bob@" in found["now"]
    # asked by the report's own identifier, or by who got it last, the story is whole
    assert trace(call, new) == found
    assert trace(call, "bob") == found


def test_a_message_that_waited(call: Call) -> None:
    to = address()
    james.stop()
    try:
        subject = recipe.send(to, by="bob")
        name = identifier(trace(call, to))
        recipe.reasons(1)
        found = trace(call, name)
        assert "waits: 4.4.1 Deferred: Connection refused by [127.0.0.1]" in events(found)
        assert found["now"].startswith("waits in programs' queue, tried ")
        assert "Connection refused" in found["now"]
        assert any(one.startswith("James's repositories: ") for one in found["not seen"])
    finally:
        recipe.new_james()
    recipe.arrives(subject)
    found = trace(call, name)
    assert "waits: 4.4.1 Deferred" in events(found)
    assert TAKEN in events(found).splitlines()[-1]
    assert "waits" not in found["now"] and "James has it in var/mail/relay" in found["now"]


def log_as(user: str, text: str) -> None:
    """Have a user write a line in sendmail's name, and see that it is in the log."""
    pristine.run("runuser", "-u", user, "--", "logger", "-t", "sm-mta[7]", "-p", "mail.info", text)
    james.wait_for(lambda: text in pristine.run("journalctl", "-o", "cat"), what="the line")


def test_what_a_user_writes_in_sendmails_name_is_not_believed(call: Call) -> None:
    to = address()
    recipe.arrives(recipe.send(to, by="bob"))
    before = trace(call, to)
    # The journal keeps a person's lines apart, and those of a service with sendmail's.
    for user in ("bob", "daemon"):
        log_as(user, f"{identifier(before)}: to={to}, ctladdr={user} (1/1), {FIELDS}")
        log_as(user, f"6AOFfVWF000431: to={to}, ctladdr={user} (2/2), {FIELDS}")
    assert trace(call, to) == before
    found = trace(call, "6AOFfVWF000431")
    assert found["way"] == []
    assert any("wrote in sendmail's name" in one for one in found["not seen"])


def test_a_mail_that_a_user_brings_to_james_himself_is_not_believed(call: Call) -> None:
    to = address()
    recipe.arrives(recipe.send(to, by="bob"))
    name = identifier(trace(call, to))
    subject = f"planted {uuid.uuid4().hex}"
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="JAMES") as smtp:
        top = f"Received: (from root@localhost) by x (8.17.1/8.17.1/Submit) id {name} for <x>; now"
        text = f"{top}\r\nSubject: {subject}\r\n\r\nhello\r\n"
        smtp.sendmail("alice@localhost", ["postmaster@localhost"], text)
    recipe.arrives(subject)
    found = trace(call, name)
    assert "postmaster" not in found["now"] and "var/mail/relay" in found["now"]
    assert any("came without sendmail's login" in one for one in found["not seen"])


def test_a_recipient_whose_name_spells_a_delivery_is_not_believed(call: Call) -> None:
    subject = recipe.send(f'"x, {FIELDS}"@remote.example', by="bob")
    [mail] = james.wait_for(
        lambda: [m for _, m in recipe.mails() if subject in m["headers"].get("Subject", ())]
    )
    name = mail["headers"]["Received"][1].partition(" id ")[2].split()[0]
    found = trace(call, name)
    assert "James has it in var/mail/relay" in found["now"]
    assert events(found).splitlines() == ["handed in by bob@localhost"]
    assert "lines (1) in which a name spells fields of sendmail's log" in found["not seen"]


def test_what_is_not_known_and_what_cannot_be(call: Call) -> None:
    found = trace(call, "6AOFfVWF999999")
    assert (found["way"], found["now"]) == ([], "neither sendmail's log nor a queue knows it")
    assert trace(call, "nobody-ever@remote.example")["way"] == []
    for wrong in ("../../etc/passwd", "a b", "x@y@z", "6AOF;id", "a\nb", ""):
        done = call("sendmail_james.trace", wrong)
        assert done.returncode and "a queue identifier as mailq shows it" in str(done), wrong


def test_it_starts_no_process(call: Call, minion: Any, tmp_path: Any) -> None:
    recipe.arrives(recipe.send(address()))
    done, started = recipe.traced(minion, tmp_path, "sendmail_james.trace")
    assert done.data["way"]
    assert not started & recipe.SENDMAILS and "journalctl" not in started
