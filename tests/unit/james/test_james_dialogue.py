"""What keeps James from taking sendmail's mail is told apart, by fakes that answer as he would."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from fake_servers import fake_server, fake_smtp
from james_client.james.dialogue import Check, Login, Questions, dialogue
from james_client.james.line import JamesError, PeerError
from james_client.james.smtp import Server
from james_client.wishes.secret import Secret

LOGIN = Login("sendmail", Secret("pa55-word"))
NOBODY = "nosuch-sendmail-james-check"
NOWHERE = f"RCPT TO:<{NOBODY}@{NOBODY}.invalid>"
UNKNOWN = "550 5.1.1 Unknown user"
USUAL = {
    "EHLO": "250-fake\r\n250-AUTH LOGIN PLAIN\r\n250 8BITMIME",
    "AUTH": "235 in",
    NOWHERE: "530 5.7.1 Authentication Required",
    f"RCPT TO:<{NOBODY}": UNKNOWN,
}
OFFERED = "login by LOGIN or PLAIN is offered"
ANNOUNCE = (
    'smtpserver.xml: <announce>always</announce>, <tls startTLS="true"> with a keystore, '
    "if <requireSSL> is true there"
)
PLAIN = "<plainAuthEnabled>true</plainAuthEnabled>"
CORE = '<handler class="org.apache.james.smtpserver.CoreCmdHandlerLoader"/>'


def ask(
    replies: dict[str, str], login: Login | None = LOGIN, seen: list[str] | None = None, **more
) -> dict[str, Check]:
    """Hold the whole dialogue with a fake; the checks by what they are about."""
    with fake_server(
        fake_smtp({**replies, **{k: USUAL[k] for k in USUAL if k not in replies}}, seen)
    ) as port:
        checks = dialogue(Server("127.0.0.1", port, "a.test", timeout=5), login, Questions(**more))
    return {check.what: check for check in checks}


def bad(checks: dict[str, Check]) -> dict[str, str | None]:
    """Give what is wrong, with its cure."""
    return {what: check.change for what, check in checks.items() if check.ok is False}


def unseen(checks: dict[str, Check]) -> list[str]:
    """Give what could not be seen."""
    return [what for what, check in checks.items() if check.ok is None]


def test_nothing_is_wrong_with_the_usual_one() -> None:
    checks = ask(USUAL, remote="x@example.org", largest=0)
    assert (bad(checks), unseen(checks)) == ({}, [])


@pytest.mark.parametrize(
    ("offered", "begun", "nowhere", "cure"),
    [
        ("8BITMIME", "334 VXNlcm5hbWU6", "550 5.7.1 relaying denied", ANNOUNCE),
        ("8BITMIME", "334 VXNlcm5hbWU6", "250 ok", ANNOUNCE),
        ("8BITMIME", "504 Unrecognized", "530 5.7.1 log in", f"smtpserver.xml: {PLAIN}"),
        (
            "8BITMIME",
            "504 Unrecognized",
            "250 ok",
            ANNOUNCE.replace("xml: ", f"xml: {PLAIN}, "),
        ),
        ("AUTH XOAUTH2", "504 Unrecognized", "530 5.7.1 log in", f"smtpserver.xml: {PLAIN}"),
        ("8BITMIME", "500 Unknown", "250 ok", f"smtpserver.xml: {CORE} in <handlerchain>"),
    ],
)
def test_why_no_login_is_offered(offered: str, begun: str, nowhere: str, cure: str) -> None:
    """He begins a login that he does not announce: no secret need be said to see what he has."""
    seen: list[str] = []
    replies = {"EHLO": f"250-fake\r\n250 {offered}", "AUTH": begun, NOWHERE: nowhere}
    assert bad(ask(replies, seen=seen)) == {OFFERED: cure}
    assert [line for line in seen if line.startswith("AUTH")] == ["AUTH LOGIN"]
    assert ("*" in seen) == begun.startswith("334")


@pytest.mark.parametrize(
    ("mechanisms", "wrong", "not_seen"),
    [
        (("CRAM-MD5",), ["login by CRAM-MD5 is offered"], []),
        (("CRAM-MD5", "PLAIN"), [], []),
        (("XOAUTH2",), [], ["log in as sendmail with XOAUTH2"]),
        (("XOAUTH2", "LOGIN"), [], []),
    ],
)
def test_the_pillars_own_mechanisms_are_what_counts(
    mechanisms: tuple[str, ...], wrong: list[str], not_seen: list[str]
) -> None:
    """One that he offers is enough; one that only sendmail can do is not said to work."""
    offer = {
        "EHLO": "250-fake\r\n250 AUTH PLAIN XOAUTH2 LOGIN",
        "AUTH LOGIN": "334 x",
        "c2Vu": "334 y",
    }
    checks = ask(
        {**offer, "cGE1NS13b3Jk": "235 in"}, Login("sendmail", Secret("pa55-word"), mechanisms)
    )
    assert list(bad(checks)) == wrong
    assert set(bad(checks).values()) <= {"the pillar: auth:mechanisms: [LOGIN, PLAIN]"}
    assert unseen(checks) == not_seen


@pytest.mark.parametrize("own", [True, False])
def test_a_yes_of_a_james_that_relays_for_this_address_proves_no_domain(own: bool) -> None:
    """His own rule for this address lets it reach any domain, without a login."""
    relays = {NOWHERE: "250 ok", f"RCPT TO:<{NOBODY}@a.test>": "250 ok"}
    checks = ask({**relays, f"RCPT TO:<{NOBODY}@b.test>": UNKNOWN}, domains=("a.test", "b.test"))
    assert list(bad(checks)) == ["domain a.test is James's own"]
    checks = ask(relays, domains=("a.test",))
    assert (list(bad(checks)), unseen(checks)) == ([], ["domain a.test is James's own"])
    known = ("a.test",) if own else ("b.test",)
    checks = ask(relays, domains=("a.test",), own=known)
    what = "unknown user at a.test is refused" if own else "domain a.test is James's own"
    assert list(bad(checks)) == [what]


def test_a_grey_list_says_nothing_of_a_domain() -> None:
    """It puts strangers off, and lets the same question pass after the login."""
    checks = ask({f"RCPT TO:<{NOBODY}": "451 4.7.1 try later"}, domains=("a.test",))
    assert (list(bad(checks)), unseen(checks)) == ([], ["domain a.test is James's own"])


def test_without_a_sender_no_recipient_is_blamed() -> None:
    """One wrong thing is said once."""
    checks = ask({"MAIL FROM:<x": "503 5.7.1 Incorrect"}, senders=("x@a.test",), remote="y@b.test")
    assert list(bad(checks)) == ["sender x@a.test"]
    assert unseen(checks) == ["recipient y@b.test"]


def test_a_james_that_relays_for_nobody_without_a_login() -> None:
    """What is named is the address list, not the login that the pillar does not want."""
    checks = ask({"RCPT TO:<y@": "550 5.7.1 relaying denied"}, None, remote="y@b.test")
    assert "<authorizedAddresses>" in (bad(checks)["recipient y@b.test"] or "")


@pytest.mark.parametrize(
    ("said", "largest", "wrong"),
    [
        ("SIZE 1024", 0, True),
        ("SIZE 1024", 1025, True),
        ("SIZE 1024", 1024, False),
        ("SIZE 0", 0, False),
        ("SIZE", 0, False),
        ("SIZE " + "9" * 60_000, 0, False),
        ("SIZE -5", 0, False),
        ("8BITMIME", 0, False),
    ],
)
def test_a_limit_of_size_below_sendmails(said: str, largest: int, wrong: bool) -> None:
    """Between the two limits a message is taken from a program and returned for good."""
    checks = ask({"EHLO": f"250-fake\r\n250-AUTH LOGIN PLAIN\r\n250 {said}"}, largest=largest)
    what = "messages may be as large as sendmail takes them"
    assert list(bad(checks)) == [what] * wrong
    if wrong:
        size = f"<maxmessagesize>{2 if largest else 0}</maxmessagesize>"
        assert size in (checks[what].change or "")


def test_a_client_whose_name_is_disliked() -> None:
    """That handler refuses the first sender after EHLO; no domain is blamed for that."""
    first = "501 5.5.4 Provided EHLO/HELO a.test can not resolved."
    checks = ask({"MAIL FROM:<>": first}, senders=())
    assert list(bad(checks)) == ["a client that says a.test is welcome"]
    assert "ResolvableEhloHeloHandler" in (checks[next(iter(bad(checks)))].change or "")


def test_one_connection_at_a_time_is_too_few() -> None:
    """Sendmail's two queues meet; the second mechanism is then not seen, and not blamed."""
    calls: list[None] = []

    def talk(connection: socket.socket) -> None:
        calls.append(None)
        if len(calls) == 1:
            fake_smtp({**USUAL, "AUTH LOGIN": "235 in"})(connection)

    with fake_server(talk) as port:
        found = dialogue(Server("127.0.0.1", port, timeout=5), LOGIN, Questions())
    checks = {check.what: check for check in found}
    assert list(bad(checks)) == ["a second connection at the same time is taken"]
    assert unseen(checks) == ["log in as sendmail with PLAIN"]


# -- STARTTLS ---------------------------------------------------------------------------------

TLS = "250-fake\r\n250 STARTTLS"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([b"220 go\r\n", b"250 no TLS at all\r\n"], "its TLS fails"),
        ([b"454 4.7.0 not now\r\n"], "James offers STARTTLS and refuses it: 454"),
        ([b"220 go\r\n"], "no answer within 0.5 s"),
    ],
)
def test_a_tls_that_does_not_come_about(after: list[bytes], words: str) -> None:
    """Sendmail would not go on in clear, nor does the dialogue."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hi\r\n")
        connection.recv(100)
        connection.sendall(f"{TLS}\r\n".encode())
        connection.recv(100)
        for one in after:
            connection.sendall(one)
            connection.recv(4096)
        connection.recv(4096)

    with fake_server(talk) as port, pytest.raises(JamesError, match=words):
        dialogue(Server("127.0.0.1", port, timeout=0.5), LOGIN, Questions())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with a key and a certificate that nobody has signed."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=nobody -keyout".split()
    subprocess.run([*command, path, "-out", path], check=True, capture_output=True)
    return path


def encrypting(certificate: Path, injected: bytes, seen: list[str]):
    """Talk as a James with STARTTLS, somebody having put words in clear behind his answer."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hi\r\n")
        connection.recv(100)
        connection.sendall(f"{TLS}\r\n".encode())
        connection.recv(100)
        connection.sendall(b"220 go\r\n" + injected)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with context.wrap_socket(connection, server_side=True) as inside:
            first = inside.recv(100).decode()  # EHLO once more
            seen.append(first.strip())
            fake_smtp({**USUAL, "": USUAL["EHLO"], "AUTH LOGIN": "235 in"}, seen)(inside)

    return talk


@pytest.mark.parametrize("injected", [b"", b"250-evil\r\n250 AUTH EXTERNAL\r\n"])
def test_a_login_after_starttls_only(certificate: Path, injected: bytes) -> None:
    """As sendmail does it: with any certificate, EHLO again, what came in clear forgotten."""
    seen: list[str] = []
    with fake_server(encrypting(certificate, injected, seen)) as port:
        checks = dialogue(Server("127.0.0.1", port, "a.test", timeout=5), LOGIN, Questions())
    found = {check.what: check for check in checks}
    assert bad(found) == {}
    assert found["STARTTLS is offered, and works"].ok
    assert found[OFFERED].said == "LOGIN PLAIN"
    assert seen.count("EHLO a.test") == 3
    assert "STARTTLS" not in seen


def test_tls_with_any_certificate_proves_nobody(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who holds the port may encrypt as well: no secret is said."""
    seen: list[str] = []
    monkeypatch.setattr("james_client.james.peer.owner", lambda *_: 65534)
    with fake_server(encrypting(certificate, b"", seen)) as port, pytest.raises(PeerError):
        dialogue(Server("127.0.0.1", port, timeout=5), LOGIN, Questions())
    assert not [line for line in seen if line.startswith("AUTH")]


def test_absurd_announcements_are_cut() -> None:
    """A name that is no mechanism's is none; a thousand of them fill no screen."""
    many = " ".join(f"M{n}" for n in range(5000))
    checks = ask({"EHLO": f"250-fake\r\n250 AUTH \x1b[2J PL\x00AIN {many}", "AUTH": "504 no"})
    said = checks[OFFERED].said
    assert len(said) == 300 and said.startswith("M0 M1") and "\x1b" not in said
