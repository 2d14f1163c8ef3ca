"""WebAdmin's answers are understood, its faults said in plain words, secrets kept."""

import base64
import json
import math
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fake_servers import drips, fake_server, says
from hypothesis import given
from hypothesis import strategies as st
from james_client.james.line import JamesError, NothingListensError, PeerError
from james_client.james.mappings import FORWARD, GROUP, JamesMapping
from james_client.james.webadmin import DeniedError, RefusedError, UserExistsError, WebAdmin
from james_client.wishes.secret import Secret

TOKEN, PASSWORD = Secret("t0ken-value"), Secret("pa55-word&%")


@contextmanager
def fake_webadmin(answers):
    """Answer "METHOD path" from a table of (status, body, headers); note what was asked."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.command, self.path, dict(self.headers), body.decode()))
            path = self.path.partition("?")[0]
            status, text, *headers = answers.get(f"{self.command} {path}", (404, ""))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815

        def log_message(self, *_args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_existing_user_keeps_its_password():
    """Where a second PUT would change it, it is not even sent."""
    words = pytest.raises(UserExistsError, match="the user bob exists already")
    with fake_webadmin({"HEAD /users/bob": (200, "")}) as (url, seen), words:
        WebAdmin(url).create_user("bob", PASSWORD)
    assert [method for method, *_ in seen] == ["HEAD"]


def test_a_user_who_appears_meanwhile_is_reported():
    """409 means the same as finding it there."""
    answers = {"HEAD /users/bob": (404, ""), "PUT /users/bob": (409, '{"message":"exists"}')}
    with fake_webadmin(answers) as (url, _), pytest.raises(UserExistsError):
        WebAdmin(url).create_user("bob", PASSWORD)


def test_creating_a_user():
    """The name is quoted, the password stands in the body only, the token in the header only."""
    answers = {"HEAD /users/b%2Fob": (404, ""), "PUT /users/b%2Fob": (204, "")}
    with fake_webadmin(answers) as (url, seen):
        WebAdmin(url, TOKEN).create_user("b/ob", PASSWORD)
    method, asked, headers, body = seen[-1]
    assert (method, asked) == ("PUT", "/users/b%2Fob")
    assert json.loads(body) == {"password": PASSWORD.reveal()}
    assert headers["Authorization"] == f"Bearer {TOKEN.reveal()}"
    assert PASSWORD.reveal() not in str([(m, p, h) for m, p, h, _ in seen])


def test_giving_a_user_another_password():
    """Without ?force James answers 409 for an account that is there, and keeps its password."""
    with fake_webadmin({"PUT /users/b%2Fob": (204, "")}) as (url, seen):
        WebAdmin(url, TOKEN).set_password("b/ob", PASSWORD)
    ((method, asked, headers, body),) = seen
    assert (method, asked) == ("PUT", "/users/b%2Fob?force")
    assert json.loads(body) == {"password": PASSWORD.reveal()}
    assert PASSWORD.reveal() not in str((asked, headers))


def test_a_password_that_james_will_not_have_is_not_shown():
    """His answer may repeat it."""
    echo = json.dumps({"message": f"bad password {PASSWORD.reveal()}"})
    refusal = pytest.raises(JamesError, match="it refuses the request")
    with fake_webadmin({"PUT /users/bob": (400, echo)}) as (url, _), refusal as caught:
        WebAdmin(url).set_password("bob", PASSWORD)
    assert PASSWORD.reveal() not in str(caught.value)


HTML = "<html><body>It works!</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, "", "it wants a token"),
        (401, "No Password header.", r"its own password \(account:webadmin_password\)"),
        (401, "Wrong Password header.", r"its own password \(account:webadmin_password\)"),
        (403, "", "the token does not allow this"),
        (404, "", "an older James, or not WebAdmin"),
        (400, '{"message":"bad","details":"no @"}', "it refuses the request .*bad: no @"),
        (500, '{"message":"broken"}', "it fails .*broken"),
        (200, HTML, "not WebAdmin .*It works"),
        (200, '{"a": 1}', "not WebAdmin"),
        (503, HTML, "it fails"),
    ],
)
def test_what_it_answers_is_said_in_plain_words(status, body, words):
    """Each status has a meaning here, and James's own details follow."""
    answers = {"GET /domains": (status, body)}
    with fake_webadmin(answers) as (url, _), pytest.raises(JamesError, match=words):
        WebAdmin(url).domains()


def token(**claims):
    """Give a JWT with these claims, and a signature that is none."""
    parts = ({"alg": "RS512"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts]
    return Secret(".".join([*(one.rstrip("=") for one in encoded), "c2ln"]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (token(sub="me", exp=1_700_000_000), "expired on 2023-11-14 22:13:20 UTC"),
        (token(sub="me", exp=4_000_000_000), "take the token .account:token. .GET"),
        (token(sub="me", exp="soon"), "take the token .account:token. .GET"),
        (token(sub="me", exp=10**400), "take the token .account:token. .GET"),
        (token(), "take the token .account:token. .GET"),
        (Secret("no-jwt"), "take the token .account:token. .GET"),
        (Secret("a.bm90IGpzb24.c"), "take the token .account:token. .GET"),
        (Secret("a.W10.c"), "take the token .account:token. .GET"),
    ],
)
def test_a_token_that_is_not_taken_says_when_it_expired(given, words):
    """Whoever reads it needs a new one, not any."""
    answers = {"GET /domains": (401, "")}
    with fake_webadmin(answers) as (url, _), pytest.raises(DeniedError, match=words) as caught:
        WebAdmin(url, token=given).domains()
    assert given.reveal() not in str(caught.value)
    assert caught.value.key == "account:token"


def test_a_redirect_is_not_followed():
    """The token would go to whoever is named there."""
    with fake_webadmin({"GET /domains": (200, "[]")}) as (other, asked_there):
        answers = {"GET /domains": (302, "", ("Location", f"{other}/domains"))}
        with fake_webadmin(answers) as (url, _), pytest.raises(JamesError, match="redirects"):
            WebAdmin(url, TOKEN).domains()
    assert asked_there == []


def test_a_proxy_of_the_environment_is_not_used(monkeypatch):
    """Nor would credentials be for it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with fake_webadmin({"GET /domains": (200, '["localhost"]')}) as (url, _):
        assert WebAdmin(url).domains() == ("localhost",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", r"no answer within 0\.3 s"),
        (b"220 mail.example.test SMTP\r\n", "no HTTP server"),
        (b"\x00" * 100 + b"\n", "no HTTP server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[", r"no answer within 0\.3 s"),
    ],
)
def test_slow_and_lying_servers(data, words):
    """Silence, SMTP, garbage, an answer that stops."""
    with fake_server(says(data)) as port, pytest.raises(JamesError, match=words):
        WebAdmin(f"http://127.0.0.1:{port}", timeout=0.3).domains()


def test_nothing_listens():
    """The commonest fault, in words."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NothingListensError, match="nothing listens there; is WebAdmin enabled"):
        WebAdmin(f"http://127.0.0.1:{port}").domains()


@pytest.mark.parametrize("url", ["ftp://x", "localhost:8000", "http://", "http://u:pw0rd@h/", ""])
def test_a_url_that_is_none(url):
    """Neither another scheme nor a password in it; that password is not repeated."""
    with pytest.raises(JamesError, match="expected http://HOST:PORT") as caught:
        WebAdmin(url)
    assert "pw0rd" not in str(caught.value)


def test_an_answer_that_echoes_secrets_leaks_nothing():
    """Whatever James repeats in its details."""
    said = json.dumps({"message": f"bad {PASSWORD.reveal()} {TOKEN.reveal()}"})
    answers = {"PUT /users/bob": (400, said)}
    with fake_webadmin(answers) as (url, _), pytest.raises(JamesError) as caught:
        WebAdmin(url, TOKEN).create_user("bob", PASSWORD)
    for secret in (PASSWORD, TOKEN):
        assert secret.reveal() not in str(caught.value)
        assert secret.reveal() not in repr(WebAdmin(url, TOKEN))
    assert "(hidden)" in str(caught.value)


def answer(body: bytes) -> bytes:
    """Give a whole answer of HTTP."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def outcome(talk, ask=WebAdmin.domains):
    """Ask a fake in a thread; give what came of it, None where it does not end."""
    found = []

    def run(port: int) -> None:
        try:
            found.append(ask(WebAdmin(f"http://127.0.0.1:{port}", timeout=0.3)))
        except JamesError as err:
            found.append(err)

    with fake_server(talk) as port:
        thread = threading.Thread(target=run, args=(port,), daemon=True)
        thread.start()
        thread.join(20)
    return found[0] if found else None


ENDLESS = {
    "a header": (b"HTTP/1.1 200 OK\r\n", b"X"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"["),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n[\r\n"),
    "a status line": (b"", b"H"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_drip_ends_at_the_deadline(kind):
    """However often something more comes."""
    found = outcome(drips(*ENDLESS[kind]))
    assert isinstance(found, JamesError)
    assert "no answer within 0.3 s" in str(found)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 700_000, "longer than|no answer within"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, "no HTTP server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n[]", "no answer within"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[", "not WebAdmin|no answer within"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "no HTTP server"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", "no |longer"),
        (b"HTTP/1.1 999999 OK\r\n\r\n", "no HTTP server"),
        (b"HTTP/1.1 101 Up\r\n\r\n", "answers what it should not"),
        (answer(b"[" * 200_000), "not WebAdmin .status 200: '\\[\\["),
        (answer(b'{"a":' * 100_000), "not WebAdmin"),
        (answer(b"9" * 5000), "not WebAdmin"),
        (answer(b"[NaN]"), "not WebAdmin"),
        (answer(b'["\\ud800"]'), "not WebAdmin"),
        (answer(b'["a\\u001b[2J"]'), "not WebAdmin"),
        (answer(b"\xff\xfe["), "not WebAdmin"),
        (answer(b""), "not WebAdmin"),
    ],
)
def test_answers_that_no_webadmin_gives(data, words):
    """One error, in printable words."""
    with fake_server(says(data)) as port, pytest.raises(JamesError, match=words) as caught:
        WebAdmin(f"http://127.0.0.1:{port}", timeout=1).domains()
    assert str(caught.value).isprintable()


def test_an_answer_that_breaks_off():
    """It says 50 bytes, gives two and ends."""

    def talk(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[]")

    with fake_server(talk) as port, pytest.raises(JamesError, match="breaks off"):
        WebAdmin(f"http://127.0.0.1:{port}", timeout=3).domains()


@pytest.mark.parametrize(
    ("body", "words"),
    [("x" * 100_000, "500, a long answer"), ('{"message": "\\u001b[2J\\nx"}', r"500, \?\[2J x\)")],
)
def test_an_error_without_end_or_with_control_characters_is_not_shown(body, words):
    """It would fill a screen, or act on it."""
    answers = {"GET /domains": (500, body)}
    with fake_webadmin(answers) as (url, _), pytest.raises(JamesError, match=words) as caught:
        WebAdmin(url).domains()
    assert str(caught.value).isprintable()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["var/mail/x", 10**400, math.inf]),
    lambda one: (
        st.lists(one, max_size=3)
        | st.dictionaries(
            st.sampled_from(["repository", "message", "details"]) | st.text(), one, max_size=3
        )
    ),
    max_leaves=6,
)
ASKED = {
    "domains": (WebAdmin.domains, tuple),
    "repositories": (WebAdmin.repositories, tuple),
    "mails": (lambda server: server.mails("x"), tuple),
    "mailbox_count": (lambda server: server.mailbox_count("x"), int | None),
    "mail_head": (lambda server: server.mail_head("x", "y"), dict),
    "mail_text": (lambda server: server.mail_text("x", "y"), str),
    "user_exists": (lambda server: server.user_exists("x"), bool),
    "add_domain": (lambda server: server.add_domain("x"), type(None)),
}


@pytest.fixture(scope="module")
def changing():
    """Give a server's address, and a list whose one element is its answer."""
    said = [b""]

    def talk(connection):
        connection.recv(4096)
        connection.sendall(said[0])

    with fake_server(talk) as port:
        yield f"http://127.0.0.1:{port}", said


@pytest.mark.parametrize("question", ASKED)
@given(value=JSON, status=st.sampled_from([200, 204, 302, 400, 404, 409, 500, 503]))
def test_any_json_is_an_answer_or_one_error(changing, question, value, status):
    """Of the type that was promised, or a JamesError."""
    url, said = changing
    ask, kind = ASKED[question]
    body = json.dumps(value).encode()
    said[0] = b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
    try:
        found = ask(WebAdmin(url, TOKEN))
    except JamesError as err:
        assert str(err).isprintable()
    else:
        assert isinstance(found, kind)
        assert not isinstance(found, tuple) or all(isinstance(one, str) for one in found)


def test_the_password_of_a_webadmin_as_of_james_39_goes_in_its_header():
    """A fake, after PasswordFilter of James 3.9; a real one is not at hand."""
    with fake_webadmin({"GET /domains": (200, "[]")}) as (url, seen):
        WebAdmin(url, password=PASSWORD).domains()
    ((_, _, headers, body),) = seen
    assert (headers["Password"], body) == (PASSWORD.reveal(), "")
    assert "Authorization" not in headers


def test_the_password_is_for_a_proved_james_only(monkeypatch):
    """A user on that port hears nothing."""
    monkeypatch.setattr("james_client.james.peer.owner", lambda *_: 65534)
    with fake_webadmin({"GET /domains": (200, "[]")}) as (url, seen), pytest.raises(PeerError):
        WebAdmin(url, password=PASSWORD).domains()
    assert seen == []


def component(name, status, cause=None):
    """Give a component as James's health check shows it."""
    return {"componentName": name, "escapedComponentName": name, "status": status, "cause": cause}


@pytest.mark.parametrize("status", [200, 503])
def test_components_that_are_not_well(status):
    """James says 503 where one of them is unhealthy, 200 where the worst is degraded."""
    ill = [
        component("a", "healthy"),
        component("b", "degraded", "it\nrains"),
        component("c", "unhealthy"),
    ]
    answer = json.dumps({"status": "unhealthy", "checks": ill})
    with fake_webadmin({"GET /healthcheck": (status, answer)}) as (url, _):
        assert WebAdmin(url).health() == {"b": "degraded: it rains", "c": "unhealthy"}


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "{}",
        '{"checks": {}}',
        '{"checks": ["a"]}',
        '{"checks": [{}]}',
        "nonsense",
        json.dumps({"checks": [component("a", "fine")]}),
        json.dumps({"checks": [component(5, "healthy")]}),
        json.dumps({"checks": [component("a", ["healthy"])]}),
    ],
)
@pytest.mark.parametrize("status", [200, 503])
def test_what_is_no_health_check(answer, status):
    """Nothing is called healthy that was not understood."""
    answers = {"GET /healthcheck": (status, answer)}
    with fake_webadmin(answers) as (url, _), pytest.raises(JamesError, match="is not WebAdmin"):
        WebAdmin(url).health()


def test_a_health_check_that_repeats_what_it_heard():
    """No name and no cause shows the token, the password or what moves a terminal."""
    heard = f"{TOKEN.reveal()} {PASSWORD.reveal()}\x1b[2J" + "x" * 70_000
    answer = json.dumps({"checks": [component(heard, "degraded", heard)]})
    with fake_webadmin({"GET /healthcheck": (200, answer)}) as (url, _):
        ((name, state),) = WebAdmin(url, TOKEN, password=PASSWORD).health().items()
    assert name.startswith("(hidden) (hidden)?[2Jxx") and len(name) == 100
    assert state.startswith("degraded: (hidden) (hidden)?[2Jxx") and len(state) == 200


def test_what_james_knows_is_asked_in_three_requests():
    """Domains, users and mappings, in lower case where James does not tell cases apart."""
    answers = {
        "GET /users": (200, '[{"username":"Bob"}]'),
        "GET /domains": (200, '["LocalHost"]'),
        "GET /mappings": (200, '{"a@localhost":[{"type":"Group","mapping":"X@y.org"}]}'),
    }
    with fake_webadmin(answers) as (url, seen):
        known = WebAdmin(url).known()
    assert (known.users, known.domains) == ({"bob"}, {"localhost"})
    assert known.mappings == {JamesMapping("a@localhost", GROUP, "X@y.org")}
    assert len(seen) == 3


@pytest.mark.parametrize(
    "mappings",
    [
        *("[]", '{"a": {}}', '{"a": [1]}', '{"a": [{"type": "Group"}]}', "nonsense"),
        '{"a": [{"type": "Group", "mapping": "b\\u0000"}]}',
        '{"a\\u0007": [{"type": "Group", "mapping": "b"}]}',
        '{"a": [{"type": 1, "mapping": "b"}]}',
    ],
)
def test_mappings_that_are_none(mappings):
    """What is no list of James's is not taken for one."""
    usual = {"GET /users": (200, "[]"), "GET /domains": (200, "[]")}
    words = pytest.raises(JamesError, match="not WebAdmin")
    with fake_webadmin({**usual, "GET /mappings": (200, mappings)}) as (url, _), words:
        WebAdmin(url).known()


def test_addresses_are_quoted_twice_in_the_paths_of_mappings():
    """So James reads them; a plus would be a blank otherwise."""
    forward = JamesMapping("a+b@localhost", FORWARD, "x@y.org")
    group = JamesMapping("c@localhost", GROUP, "x+z@y.org")
    paths = [
        "/address/forwards/a%252Bb%2540localhost/targets/x%2540y.org",
        "/address/groups/c%2540localhost/x%252Bz%2540y.org",
    ]
    answers = {f"{verb} {path}": (204, "") for verb in ("PUT", "DELETE") for path in paths}
    with fake_webadmin(answers) as (url, seen):
        for one in (forward, group):
            WebAdmin(url).put_mapping(one)
            WebAdmin(url).delete_mapping(one)
    assert [path for _, path, *_ in seen] == [paths[0]] * 2 + [paths[1]] * 2


def test_a_mapping_that_could_not_be_ours_is_never_asked_for():
    """Whatever a file or James says, no other path is made of it."""
    with fake_webadmin({}) as (url, seen):
        for source in ("../../users/bob@x", "a/b@x", "a@b@c", "a b@x"):
            with pytest.raises(JamesError, match="could be ours"):
                WebAdmin(url).delete_mapping(JamesMapping(source, GROUP, "x@y.org"))
    assert seen == []


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, RefusedError), (404, RefusedError), (409, RefusedError), (500, JamesError)],
)
def test_a_refused_mapping_is_told_from_a_fault(status, error):
    """Of what James refuses is known that it was not made."""
    mapping = JamesMapping("a@localhost", GROUP, "x@y.org")
    answers = {"PUT /address/groups/a%2540localhost/x%2540y.org": (status, '{"message":"a loop"}')}
    with fake_webadmin(answers) as (url, _), pytest.raises(JamesError, match="a loop") as caught:
        WebAdmin(url).put_mapping(mapping)
    assert isinstance(caught.value, RefusedError) is (error is RefusedError)


def test_a_password_that_was_told_once_is_known_in_later_answers():
    """A server that was given the account's password may repeat it to any later question."""
    long = Secret("a-password-of-some-length-" * 8)
    answers = {
        "HEAD /users/bob": (404, ""),
        "PUT /users/bob": (204, ""),
        "GET /domains": (500, f'{{"message": "{"x" * 200}{long.reveal()}"}}'),
    }
    with fake_webadmin(answers) as (url, _):
        admin = WebAdmin(url)
        admin.create_user("bob", long)
        with pytest.raises(JamesError) as caught:
            admin.domains()
    assert "a-password" not in str(caught.value)


def test_what_is_no_webadmin_shows_no_secret_either():
    """It is taken out before the text is cut, for a part of it would not be known any more."""
    said = json.dumps("x" * 76 + TOKEN.reveal())
    caught: pytest.ExceptionInfo[JamesError]
    words = pytest.raises(JamesError, match="is not WebAdmin")
    with fake_webadmin({"GET /domains": (200, said)}) as (url, _), words as caught:
        WebAdmin(url, TOKEN).domains()
    assert "x" + TOKEN.reveal()[:3] not in str(caught.value)
