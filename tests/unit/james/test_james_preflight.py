"""One list of what a client needs of James, whoever stands in his place."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_servers import drips, fake_server, fake_smtp, says
from james_client.james import account, preflight
from james_client.james.account import answer, in_words
from james_client.james.smtp import Server
from james_client.wishes import read

DEFAULTS = Path(__file__).parents[3] / "sendmail_james" / "defaults.yaml"
PASSWORD, TOKEN = "pa55-word&%", "t0ken-value"


def look(
    port: int, webadmin: int | None = None, *, largest: int | None = 0, **account: Any
) -> dict[str, str]:
    """Ask a James on that port, and his WebAdmin; what is said of each item."""
    pillar: dict[str, Any] = {
        "relay": {"host": "localhost", "port": port},
        "auth": {"username": "sendmail", "password": PASSWORD, "allow_unprivileged_port": True},
    }
    if webadmin is not None:
        pillar["account"] = {"webadmin": f"http://127.0.0.1:{webadmin}", **account}
    settings = read.load(pillar, yaml.safe_load(DEFAULTS.read_text()))
    checks = preflight.preflight(settings, ("localhost",), largest).checks
    told = {check.what: answer(check) for check in checks}
    assert in_words(checks) == [f"{k}: {v}" for k, v in told.items() if v.startswith("no, ")]
    return told


def http(text: str, status: str = "200 OK") -> bytes:
    """Give an answer of HTTP."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on SMTP soon."""

    def server(settings: Any) -> Server:
        return Server("127.0.0.1", settings.relay.port, "a.test", 0.3, account.trust(settings))

    monkeypatch.setattr(preflight, "server", server)


def closed() -> int:
    """Give a port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_nobody_at_all() -> None:
    told = look(closed(), closed())
    assert [what for what in told if told[what].startswith("no, ")] == [
        "James answers",
        "WebAdmin lets us in",
    ]
    assert "nothing listens there; is James up?" in told["James answers"]
    assert "is WebAdmin enabled" in told["WebAdmin lets us in"]
    assert told["James is healthy"].startswith("not seen: ")


def test_what_the_pillar_does_not_name_is_not_seen() -> None:
    told = look(closed())
    assert told["WebAdmin lets us in"] == "not seen: the pillar has no account:webadmin"
    assert told["James is healthy"] == "not seen: the pillar has no account:webadmin"
    assert told["aliases are followed"].startswith("not seen: no request shows")


@pytest.mark.parametrize("drop", [b"2", b"220-x\r\n"])
def test_a_drip_on_both_ports_ends(patience: None, drop: bytes) -> None:
    with fake_server(drips(b"", drop)) as smtp, fake_server(drips(b"", b"H")) as admin:
        told = look(smtp, admin, timeout=1)
    assert "no answer within 0.3 s" in told["James answers"]
    assert "WebAdmin lets us in" in told and told["WebAdmin lets us in"].startswith("no, ")


def test_one_who_repeats_all_that_he_hears(patience: None) -> None:
    """In the same conversation, in the next one's greeting, and on WebAdmin's port.

    What one port has heard of the other's secret goes at the command's own door.
    """
    heard: list[str] = []

    def talk(connection: socket.socket) -> None:
        said = " ".join(heard)[-2000:]
        replies = {"EHLO": f"250-{said}\r\n250 AUTH LOGIN PLAIN", "": f"220 {said}"}
        echo = {"AUTH LOGIN": "334 x", "c2Vu": "334 y", "RCPT": f"550 5.1.1 {said} {PASSWORD}"}
        fake_smtp({**replies, **echo, "AUTH PLAIN": f"535 {PASSWORD}"}, heard)(connection)

    forbidden = http(f"Bearer {TOKEN}", "403 Forbidden")
    with fake_server(talk) as smtp, fake_server(says(forbidden)) as admin:
        told = look(smtp, admin, token=TOKEN)
    assert any(PASSWORD in line or "cGE1NS13" in line for line in heard)  # he did hear it
    assert "the token does not allow this" in told["WebAdmin lets us in"]
    assert told["log in as sendmail with PLAIN"].startswith("no, James says '535 (hidden)'")
    for secret in (PASSWORD, TOKEN, "cGE1NS13b3JkJiU"):
        assert secret not in json.dumps(told)


def test_a_james_with_a_thousand_ill_components(patience: None) -> None:
    """The page stays a page."""
    ill = [{"componentName": f"c{n}", "status": "degraded"} for n in range(1000)]

    def talk(connection: socket.socket) -> None:
        asked = connection.recv(4096)
        health = json.dumps({"checks": ill})
        connection.sendall(http(health if b"/healthcheck" in asked else "[]"))

    with fake_server(talk) as admin:
        told = look(closed(), admin)
    assert told["WebAdmin lets us in"] == "yes"
    assert told["James is healthy"].startswith("no, James says 'c0 is degraded; c1 is degraded;")
    assert len(told["James is healthy"]) < 400


def test_health_that_is_not_shown_is_not_seen() -> None:
    with fake_server(says(http("[]"))) as admin:
        told = look(closed(), admin)
    assert told["WebAdmin lets us in"] == "yes"
    assert told["James is healthy"].startswith("not seen: ")


def test_a_host_without_sendmail_has_no_largest_message() -> None:
    with fake_server(fake_smtp({"EHLO": "250-a\r\n250 SIZE 5"})) as smtp:
        told = look(smtp, largest=None)
        known = look(smtp, largest=6)
    item = "messages may be as large as sendmail takes them"
    assert told[item] == "not seen: this host has no sendmail.cf yet"
    assert known[item].startswith("no, James says 'SIZE 5'; what is larger is returned")
