"""James is asked, never sent to; what goes wrong is said in plain words."""

import base64
import socket

import pytest
from fake_servers import drips, fake_server, fake_smtp, says
from james_client.james.account import in_words
from james_client.james.dialogue import Check, Login, Questions, dialogue
from james_client.james.line import JamesError, NothingListensError, SlowError
from james_client.james.smtp import Server
from james_client.scrub import scrub
from james_client.wishes.secret import Secret

PASSWORD = Secret("pa55-word&%")
OFFER = "250-fake\r\n250-AUTH LOGIN PLAIN\r\n250-AUTH=LOGIN PLAIN\r\n250 8BITMIME"
GOOD = {"EHLO": OFFER, "AUTH PLAIN": "235 ok", "AUTH LOGIN": "334 x", "c2VuZG1haWw": "334 y"}
LOGGED_IN = {**GOOD, base64.b64encode(PASSWORD.reveal().encode()).decode(): "235 ok"}
NOWHERE = "RCPT TO:<nosuch-sendmail-james-check@nosuch-sendmail-james-check.invalid>"
LOGIN = Login("sendmail", PASSWORD)


def ask(replies, seen=None, **more):
    """Hold the whole dialogue with a fake."""
    with fake_server(fake_smtp(replies, seen)) as port:
        return dialogue(server(port), LOGIN, Questions(**more))


def server(port: int, timeout: float = 5) -> Server:
    """Give the way to a fake."""
    return Server("127.0.0.1", port, timeout=timeout)


def bad(checks: list[Check]) -> dict[str, str]:
    """Give what failed, with what is to be changed."""
    return {check.what: check.change or "" for check in checks if check.ok is False}


def test_all_is_asked_and_nothing_sent():
    """Both mechanisms, every sender, every domain, the remote recipient; never DATA."""
    seen: list[str] = []
    replies = {**LOGGED_IN, "RCPT TO:<nosuch": "550 5.1.1 Unknown user"}
    senders = ("root@mail.example.test", "")
    checks = ask(replies, seen, senders=senders, domains=("localhost", "a.b"), remote="x@y.z")
    assert bad(checks) == {}
    assert len(checks) == 2 + 3 + 2 + 4 + 1
    verbs = {line.split()[0] for line in seen}
    assert "DATA" not in verbs
    assert seen.count("MAIL FROM:<root@mail.example.test>") == 4
    assert "STARTTLS" not in seen
    assert "RCPT TO:<x@y.z>" in seen


@pytest.mark.parametrize(
    ("replies", "what", "change"),
    [
        ({"EHLO": "250 fake"}, "login by LOGIN or PLAIN is offered", "<announce>always</announce>"),
        (
            {"AUTH PLAIN": "535 Authentication Failed"},
            "log in as sendmail with PLAIN",
            "PUT /users/sendmail?force",
        ),
        ({"AUTH LOGIN": "504 unknown"}, "log in as sendmail with LOGIN", "PUT /users/sendmail"),
        ({"MAIL FROM:<>": "503 5.7.1 Incorrect Authentication"}, "null sender", "verifyIdentity"),
        ({"MAIL FROM:<>": "550 we like no bounces"}, "null sender", "<handlerchain>"),
        (
            {"RCPT TO:<nosuch": "530 5.7.1 Authentication Required"},
            "domain localhost is James's own",
            "PUT /domains/localhost at WebAdmin",
        ),
        (
            {NOWHERE: "530 5.7.1 Authentication Required", "RCPT TO:<nosuch": "250 ok"},
            "unknown user at localhost is refused",
            "ValidRcptHandler",
        ),
        ({"RCPT TO:<x@": "550 5.7.1 no"}, "recipient x@example.org", "refuses this recipient"),
    ],
)
def test_each_fault_names_the_setting(replies, what, change):
    """What James refuses is shown with the place where to change it."""
    known = {"RCPT TO:<nosuch": "550 5.1.1 Unknown user"}
    known = {key: text for key, text in known.items() if key not in replies}
    failed = bad(ask({**replies, **LOGGED_IN, **replies, **known}, remote="x@example.org"))
    assert change in failed[what]


@pytest.mark.parametrize("replies", [LOGGED_IN, {"EHLO": "250 fake"}])
def test_what_is_said_of_a_check_is_not_taken_for_a_login(replies):
    """A return is scrubbed as a whole, and the cure must still stand in it."""
    checks = ask(replies, senders=(), domains=())
    said = [*(check.what for check in checks), *in_words(checks)]
    assert [scrub(one) for one in said] == said


def test_a_login_that_fails_ends_the_dialogue():
    """What an unknown sender would be told is of no interest then."""
    checks = ask({**LOGGED_IN, "AUTH PLAIN": "535 no"}, remote="x@example.org")
    assert [check.ok for check in checks][-3:] == [True, True, False]
    assert "log in as sendmail with PLAIN" in bad(checks)


def test_a_host_without_auth_is_asked_without():
    """No account, no AUTH."""
    seen: list[str] = []
    with fake_server(fake_smtp({"RCPT TO:<nosuch": "550 5.1.1 Unknown user"}, seen)) as port:
        checks = dialogue(server(port), None, Questions())
    assert bad(checks) == {}
    assert not [line for line in seen if line.startswith("AUTH")]


def test_a_dialogue_about_nothing_but_the_login():
    """No sender, no domain: only what was asked is answered."""
    assert [check.ok for check in ask(LOGGED_IN, senders=(), domains=())] == [True] * 5


def test_a_check_is_shown_without_an_empty_cure():
    """Plain dicts for people."""
    assert Check("a", True, "250").shown() == {"what": "a", "ok": True, "said": "250"}
    assert Check("a", False, "5", "b").shown()["change"] == "b"


def closed_port() -> int:
    """Give a port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_nothing_listens():
    """The commonest fault, in words."""
    with pytest.raises(NothingListensError, match="nothing listens there; is James up"):
        dialogue(server(closed_port()), None, Questions())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no answer within 0.3 s"),
        (b"220-never\r\n220-ending\r\n", "no answer within 0.3 s"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no SMTP server: 'HTTP/1.1 400 Bad Request'"),
        (b"\xff\xfe\x00\n", "no SMTP server"),
        (b"220-x\r\n" * 20_000, "no SMTP server"),
        (b"2" * 100_000, "no SMTP server"),
        (b"554 go away\r\n", "James turns us away: 554 go away"),
        (b"421 too busy\r\n", "James turns us away: 421 too busy"),
        (b"220 hi\r\n502 what\r\n", "James refuses EHLO: 502 what"),
    ],
)
def test_slow_and_lying_servers(data, words):
    """A time-out, garbage, endless replies: an error in time, with what was seen."""
    with fake_server(says(data)) as port, pytest.raises(JamesError, match=words):
        dialogue(server(port, 0.3), None, Questions())


def test_who_listens_and_says_nothing_is_slow():
    """As far as can be told: that nobody listens is another error."""
    with fake_server(says(b"")) as port, pytest.raises(SlowError):
        dialogue(server(port, 0.3), None, Questions())
    with pytest.raises(JamesError) as failed:
        dialogue(server(closed_port(), 0.3), None, Questions())
    assert not isinstance(failed.value, SlowError)


@pytest.mark.parametrize("drop", [b"2", b"220-x\r\n"])
def test_a_drip_ends_at_the_deadline(drop):
    """However often something more comes."""
    with fake_server(drips(b"", drop)) as port, pytest.raises(JamesError, match=r"within 0\.3 s"):
        dialogue(server(port, 0.3), None, Questions())


def test_a_connection_that_breaks():
    """Closing is told from silence."""
    words = r"closed without an answer|cannot be reached"
    with fake_server(breaks_off) as port, pytest.raises(JamesError, match=words):
        dialogue(server(port), None, Questions())


def breaks_off(connection: socket.socket) -> None:
    """Greet, and close."""
    connection.sendall(b"220 hi\r\n")


@pytest.mark.parametrize("echo", [PASSWORD.reveal(), "{b64}"])
def test_a_server_that_echoes_the_password_leaks_nothing(echo):
    """Whatever James says back: no check, repr or error shows the password."""
    token = base64.b64encode(f"sendmail\0sendmail\0{PASSWORD.reveal()}".encode()).decode()
    said = f"535 {echo.format(b64=token)}"
    checks = ask({**GOOD, "AUTH PLAIN": said, "AUTH LOGIN": said})
    assert len(checks) == 5
    for text in (repr(checks), *(str(check.shown()) for check in checks)):
        assert PASSWORD.reveal() not in text
        assert token not in text


def test_an_error_after_login_leaks_nothing():
    """The exception, its causes and its traceback's locals hold no password in their texts."""
    with pytest.raises(JamesError) as caught:
        ask({**GOOD, "AUTH LOGIN": PASSWORD.reveal()})
    assert PASSWORD.reveal() not in str(caught.value)
    assert caught.value.__cause__ is None
