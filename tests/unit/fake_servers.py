"""Fakes for faults that a real James cannot be made to show: slow, lying, breaking off."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Talk = Callable[[socket.socket], None]


@contextmanager
def fake_server(talk: Talk) -> Iterator[int]:
    """Serve every connection with `talk`, on a port that is yielded."""
    listener = socket.create_server(("127.0.0.1", 0))

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talk(connection)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def says(data: bytes) -> Talk:
    """Answer with fixed bytes, whatever is asked, until the other side closes."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(data)
        while connection.recv(4096):
            pass

    return talk


def drips(data: bytes, drop: bytes, pause: float = 0.02) -> Talk:
    """Say something, and then a drop of more, again and again, with a pause in seconds."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(data)
        while True:
            connection.sendall(drop)
            time.sleep(pause)

    return talk


def fake_smtp(replies: dict[str, str], seen: list[str] | None = None) -> Talk:
    """Answer SMTP commands by the first word that matches; others get 250."""

    def talk(connection: socket.socket) -> None:
        # a reader of its own, for writing to one would lose what was read ahead of a pipeline
        stream = connection.makefile("r", encoding="latin-1", newline="")

        def answer(text: str) -> None:
            connection.sendall(f"{text}\r\n".encode("latin-1"))

        answer(replies.get("", "220 fake"))
        for line in stream:
            line = line.rstrip("\r\n")
            if seen is not None:
                seen.append(line)
            found = [reply for start, reply in replies.items() if start and line.startswith(start)]
            answer(found[0] if found else "250 ok")
            if line.startswith("QUIT"):
                return

    return talk
