"""WebAdmin's answers are understood, its faults said in plain words, secrets kept."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fake_servers import fake_server, says
from james_client.james.webadmin import UserExistsError, WebAdmin, WebAdminError
from james_client.wishes.settings import Secret

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


@pytest.mark.parametrize(
    ("force", "path"), [(False, "/users/b%2Fob"), (True, "/users/b%2Fob?force=")]
)
def test_creating_a_user(force, path):
    """The name is quoted, the password stands in the body only, the token in the header only."""
    answers = {"HEAD /users/b%2Fob": (404, ""), "PUT /users/b%2Fob": (204, "")}
    with fake_webadmin(answers) as (url, seen):
        WebAdmin(url, TOKEN).create_user("b/ob", PASSWORD, force=force)
    method, asked, headers, body = seen[-1]
    assert (method, asked) == ("PUT", path)
    assert json.loads(body) == {"password": PASSWORD.reveal()}
    assert headers["Authorization"] == f"Bearer {TOKEN.reveal()}"
    assert PASSWORD.reveal() not in str([(m, p, h) for m, p, h, _ in seen])


HTML = "<html><body>It works!</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, "", "it wants a token"),
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
    with fake_webadmin(answers) as (url, _), pytest.raises(WebAdminError, match=words):
        WebAdmin(url).domains()


def test_a_redirect_is_not_followed():
    """The token would go to whoever is named there."""
    with fake_webadmin({"GET /domains": (200, "[]")}) as (other, asked_there):
        answers = {"GET /domains": (302, "", ("Location", f"{other}/domains"))}
        with fake_webadmin(answers) as (url, _), pytest.raises(WebAdminError, match="redirects"):
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
    with fake_server(says(data)) as port, pytest.raises(WebAdminError, match=words):
        WebAdmin(f"http://127.0.0.1:{port}", timeout=0.3).domains()


def test_nothing_listens():
    """The commonest fault, in words."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WebAdminError, match="nothing listens there; is WebAdmin enabled"):
        WebAdmin(f"http://127.0.0.1:{port}").domains()


@pytest.mark.parametrize("url", ["ftp://x", "localhost:8000", "http://", "http://u:pw0rd@h/", ""])
def test_a_url_that_is_none(url):
    """Neither another scheme nor a password in it; that password is not repeated."""
    with pytest.raises(WebAdminError, match="expected http://HOST:PORT") as caught:
        WebAdmin(url)
    assert "pw0rd" not in str(caught.value)


def test_an_answer_that_echoes_secrets_leaks_nothing():
    """Whatever James repeats in its details."""
    said = json.dumps({"message": f"bad {PASSWORD.reveal()} {TOKEN.reveal()}"})
    answers = {"PUT /users/bob": (400, said)}
    with fake_webadmin(answers) as (url, _), pytest.raises(WebAdminError) as caught:
        WebAdmin(url, TOKEN).create_user("bob", PASSWORD)
    for secret in (PASSWORD, TOKEN):
        assert secret.reveal() not in str(caught.value)
        assert secret.reveal() not in repr(WebAdmin(url, TOKEN))
    assert "(hidden)" in str(caught.value)


def test_health_names_what_is_ill():
    """An unhealthy James answers 503 with the causes."""
    checks = [
        {"componentName": "A", "status": "healthy", "cause": None},
        {"componentName": "B", "status": "degraded", "cause": "slow disk"},
    ]
    body = json.dumps({"status": "degraded", "checks": checks})
    with fake_webadmin({"GET /healthcheck": (503, body)}) as (url, _):
        assert WebAdmin(url).health() == {"B": "slow disk"}
