"""An ordinary user of a host who takes a port that is James's, answers as James, and takes notes.

Run as a program it is that user's process: ADDRESS PORT MODE, where MODE is "smtp" (offers AUTH and
takes all mail), "webadmin" (knows no user and takes all), or "waiting" (takes no connection until
it is ended).
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

EHLO = b"250-squatter\r\n250 AUTH LOGIN PLAIN\r\n"


@dataclass
class Squatter:
    """A squatter's process."""

    process: subprocess.Popen[bytes]

    def heard(self) -> bytes:
        """End the process and give every byte that it was sent."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[0]


@contextmanager
def squatter(address: str, port: int, mode: str, user: str = "bob") -> Iterator[Squatter]:
    """Let USER listen on a port for the length of a ``with``."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-", address, str(port), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=user,
        group=pwd.getpwnam(user).pw_gid,
        extra_groups=[],
        cwd="/",
    )
    assert process.stdin and process.stdout
    process.stdin.write(Path(__file__).read_bytes())  # the user may not be able to read it
    process.stdin.close()
    process.stdin = None
    assert process.stdout.readline() == b"listening\n"
    try:
        yield Squatter(process)
    finally:
        process.kill()
        process.wait(30)


def _smtp(stream: socket.SocketIO) -> None:
    stream.write(b"220 squatter ESMTP\r\n")
    inside = 0
    for line in stream:
        _note(line)
        word = line[:4].upper()
        if word == b"EHLO":
            stream.write(EHLO)
        elif line.upper().startswith(b"AUTH LOGIN"):
            inside = 2
            stream.write(b"334 VXNlcm5hbWU6\r\n")
        elif inside:
            inside -= 1
            stream.write(b"334 UGFzc3dvcmQ6\r\n" if inside else b"235 in\r\n")
        elif word == b"AUTH":
            stream.write(b"235 in\r\n")
        elif word == b"DATA":
            stream.write(b"354 go on\r\n")
        else:
            stream.write(b"250 yes\r\n")


def _webadmin(stream: socket.SocketIO) -> None:
    head = []
    for line in stream:
        _note(line)
        head.append(line)
        if not line.strip():
            break
    sizes = [one for one in head if one.lower().startswith(b"content-length:")]
    length = int(sizes[0].split(b":")[1]) if sizes else 0
    _note(stream.read(length) if length else b"")
    verb = head[0].split(b" ")[0] if head else b""
    status, body = {b"HEAD": (b"404 no", b""), b"GET": (b"200 ok", b"[]")}.get(
        verb, (b"204 ok", b"")
    )
    size = b"Content-Length: %d\r\n" % len(body)
    stream.write(b"HTTP/1.1 " + status + b"\r\n" + size + b"Connection: close\r\n\r\n" + body)


def _note(data: bytes) -> None:
    os.write(1, data)


def _serve(address: str, port: int, mode: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family)
    _note(b"listening\n")
    talk = {"smtp": _smtp, "webadmin": _webadmin}.get(mode)
    if talk is None:
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.pause()
        listener.setblocking(False)
        with suppress(OSError):
            while True:
                _note(listener.accept()[0].recv(65536))
        return

    def handle(connection: socket.socket) -> None:
        with connection, connection.makefile("rwb", buffering=0) as stream:
            talk(stream)

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
