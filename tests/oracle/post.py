"""Servers that take mail, with AUTH or without, and a post that sends to them by a given cf."""

from __future__ import annotations

import base64
import shutil
import socket
import socketserver
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

PORT = 2526


class FakeSession(socketserver.StreamRequestHandler):
    """Stand in for a James that offers AUTH or none, as a real one cannot be made to on demand."""

    server: FakeServer

    def handle(self) -> None:
        """Take every message, and remember the commands and logins."""
        self.wfile.write(b"220 fake ESMTP\r\n")
        for line in self.rfile:
            command = line.split()[0].upper().decode()
            self.server.commands.append(command)
            if command == "AUTH":
                self.server.logins.append(self.login(*line.split()[1:]))
                self.wfile.write(b"235 in\r\n")
                continue
            offer = f"250-fake\r\n250 AUTH {self.server.offers}\r\n".encode()
            usual = offer if command == "EHLO" and self.server.offers else b"250 fine\r\n"
            self.wfile.write(b"354 go\r\n" if command == "DATA" else usual)
            while command == "DATA" and self.rfile.readline().strip() != b".":
                pass
            if command == "DATA":
                self.wfile.write(b"250 taken\r\n")
            if command == "QUIT":
                break

    def login(self, mechanism: bytes, *first: bytes) -> tuple[str, bytes, bytes]:
        """Give mechanism, user and password of a login by PLAIN or LOGIN."""
        if mechanism == b"PLAIN":
            _, user, password = base64.b64decode(first[0]).split(b"\0")
            return "PLAIN", user, password
        said = []
        for asked in (b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"):
            self.wfile.write(b"334 " + asked + b"\r\n")
            said.append(base64.b64decode(self.rfile.readline()))
        return mechanism.decode(), said[0], said[1]


class FakeServer(socketserver.ThreadingTCPServer):
    """Listen at one address."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.commands: list[str] = []
        self.logins: list[tuple[str, bytes, bytes]] = []
        self.offers = ""
        super().__init__((host, PORT), FakeSession)


@dataclass
class Post:
    """Send single messages with a cf, and see which server got them."""

    sendmail: str
    folder: Path
    servers: dict[str, FakeServer] = field(default_factory=dict)

    def send(self, cf: bytes, to: str) -> tuple[set[str], str]:
        """Give the addresses that took the message, and what the queue says afterwards."""
        path, spool = self.folder / "test.cf", self.folder / "spool"
        path.write_bytes(cf)
        shutil.rmtree(spool, ignore_errors=True)
        spool.mkdir(mode=0o700)
        for server in self.servers.values():
            server.commands.clear()
            server.logins.clear()
        options = ["-C", str(path), f"-OQueueDirectory={spool}", "-OHostStatusDirectory"]
        subprocess.run(
            [self.sendmail, "-Am", *options, "-odi", "-f", "bob@localhost", to],
            input=b"Subject: test\n\ntest\n",
            check=False,
            capture_output=True,
            timeout=60,
        )
        queue = subprocess.run(
            [self.sendmail, *options, "-bp"], capture_output=True, timeout=60, check=False
        )
        took = {host for host, server in self.servers.items() if "DATA" in server.commands}
        return took, queue.stdout.decode("utf-8", "replace")
