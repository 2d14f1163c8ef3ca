"""Fakes for what a real James cannot be made to do: late, broken, lying, indiscreet."""

from __future__ import annotations

import http.server
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SMTP_PORT = 25


@dataclass
class FakeJames:
    """An SMTP server with faults; as it stands here it takes all mail.

    late: seconds before it greets. greeting: what it says first. answers: its answer to commands
    that begin with a word, with {line} for what was said. hang_up: "data" breaks off in the middle
    of a message, "dot" after its final dot and before the answer, "lost answer" likewise, but
    having kept the message. answers_when: has kept a message, and says so when this is set.
    """

    late: float = 0
    greeting: str = "220 fake.example.test ESMTP"
    answers: Mapping[str, str] = field(default_factory=dict)
    hang_up: str = ""
    answers_when: threading.Event | None = None
    kept: list[bytes] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    calls: int = 0

    def talk(self, handler: socketserver.StreamRequestHandler) -> None:
        """Hold one conversation."""
        self.calls += 1
        time.sleep(self.late)
        self._say(handler, self.greeting)
        for raw in handler.rfile:
            line = raw.decode("latin-1").strip()
            self.said.append(line)
            word = line.split(" ")[0].upper()
            if word == "DATA":
                if not self._take(handler):
                    return
            elif word == "AUTH" and "AUTH" not in self.answers:
                self._login(handler, line)
            else:
                self._say(handler, self.answer(line))
            if word == "QUIT":
                return

    def answer(self, line: str) -> str:
        """Answer a command."""
        word = line.split(" ")[0].upper()
        usual = "250-fake\r\n250 AUTH LOGIN PLAIN" if word == "EHLO" else "250 yes"
        return self.answers.get(word, usual).format(line=line)

    def _login(self, handler: socketserver.StreamRequestHandler, line: str) -> None:
        if line.split(" ")[1].upper() == "LOGIN":
            for asked in ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"):
                self._say(handler, asked)
                self.said.append(handler.rfile.readline().decode("latin-1").strip())
        self._say(handler, "235 in")

    def _take(self, handler: socketserver.StreamRequestHandler) -> bool:
        self._say(handler, "354 go on")
        lines: list[bytes] = []
        for line in handler.rfile:
            if self.hang_up == "data":
                return False
            if line == b".\r\n":
                break
            lines.append(line)
        if self.hang_up == "dot":
            return False
        self.kept.append(b"".join(lines))
        if self.hang_up == "lost answer":
            return False
        if self.answers_when:
            self.answers_when.wait()
        self._say(handler, "250 taken")
        return True

    @staticmethod
    def _say(handler: socketserver.StreamRequestHandler, text: str) -> None:
        handler.wfile.write(text.encode("latin-1", "replace") + b"\r\n")


@contextmanager
def fake_james(
    fake: FakeJames, port: int = SMTP_PORT, host: str = "127.0.0.1"
) -> Iterator[FakeJames]:
    """Serve FAKE on a port for the length of a ``with``."""

    talking: list[socket.socket] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            talking.append(self.connection)
            with suppress(OSError):
                fake.talk(self)

    with _served(socketserver.ThreadingTCPServer, (host, port), Handler):
        yield fake
    for connection in talking:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def fake_webadmin(status: int, text: str, port: int = 8000) -> Iterator[None]:
    """Serve a WebAdmin that answers all with STATUS and TEXT, {request} being what was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            said = text.format(request=f"{self.path} {self.headers} {body}").encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing on the tests' own screen."""

    with _served(http.server.ThreadingHTTPServer, ("127.0.0.1", port), Handler):
        yield


@contextmanager
def _served(
    kind: type[socketserver.TCPServer], place: tuple[str, int], handler: type
) -> Iterator[None]:
    options = {"allow_reuse_address": True, "daemon_threads": True, "block_on_close": False}
    server = type("Fake", (kind,), options)(place, handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
