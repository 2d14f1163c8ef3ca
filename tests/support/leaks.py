"""Look for a password in all the shapes in which one gets out."""

from __future__ import annotations

import base64
import html
import json
import os
import shlex
import stat
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

CORE = "Zq7Pl4ntedX9"  # alone, it finds what was cut off or quoted in a way not thought of
PASSWORD = f"""v+/ {CORE}"'\\%&<ü#"""
LIMIT = 64 * 1024 * 1024


def shapes(password: str = PASSWORD, user: str = "sendmail") -> dict[str, bytes]:
    """Give the bytes to search for, each under the name of its shape."""
    found = {
        f"{shape} of {what}": data
        for what, text in (("it", password), ("its core", CORE))
        for shape, data in _shapes(text).items()
    }
    for who in ("", user):
        token = base64.b64encode(f"{who}\0{user}\0{password}".encode())
        found[f"PLAIN token for {who!r}"] = token.rstrip(b"=")
    found["LOGIN token"] = base64.b64encode(password.encode()).rstrip(b"=")
    return found


def _shapes(text: str) -> dict[str, bytes]:
    data = text.encode()
    found = {
        "raw": data,
        "latin-1": text.encode("latin-1"),
        "UTF-16": text.encode("utf-16-le"),
        "URL-encoded": urllib.parse.quote(text, safe="").encode(),
        "URL-encoded path": urllib.parse.quote(text).encode(),
        "URL-encoded form": urllib.parse.quote_plus(text).encode(),
        "every byte URL-encoded": "".join(f"%{byte:02X}" for byte in data).encode(),
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
        "hex with spaces": data.hex(" ").encode(),
        "\\x": "".join(f"\\x{byte:02x}" for byte in data).encode(),
        "octal": "".join(f"\\{byte:03o}" for byte in data).encode(),
        "repr": repr(text)[1:-1].encode(),
        "repr of bytes": repr(data)[2:-1].encode(),
        "repr of repr": repr(repr(text)[1:-1])[1:-1].encode(),
        "JSON": json.dumps(text)[1:-1].encode(),
        "JSON in UTF-8": json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        "YAML": text.replace("'", "''").encode(),
        "HTML": html.escape(text).encode(),
        "shell": shlex.quote(text)[1:-1].encode(),
    }
    for offset in range(3):
        for name, code in (("", base64.b64encode), ("URL ", base64.urlsafe_b64encode)):
            encoded = code(b"\0" * offset + data)
            first, last = (offset * 8 + 5) // 6, (offset + len(data)) * 8 // 6
            found[f"{name}base64 at {offset}"] = encoded[first:last]
    return found


SHAPES = shapes()


def shown(data: str | bytes) -> list[str]:
    """Name the shapes of the password that DATA holds."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    return [name for name, shape in SHAPES.items() if shape in data]


def files(
    roots: Sequence[str], *, since: float = 0, private: bool = False, but: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Name the files below ROOTS that show the password, with its shapes.

    since: seconds since the epoch; what has not changed from then on is left out. private: also
    those that their owner alone can open, or that lie in a folder which he alone can enter. but:
    folders to leave out.
    """
    found = {}
    for root in roots:
        for path in _walk(root, private, but):
            try:
                status = os.lstat(path)
                if not stat.S_ISREG(status.st_mode) or status.st_ctime < since:
                    continue
                if not private and not status.st_mode & 0o077:
                    continue
                with Path(path).open("rb") as stream:
                    data = stream.read(LIMIT)
            except OSError:
                continue  # gone meanwhile, or not for us
            if shapes_found := shown(data) or shown(path):
                found[path] = shapes_found
    return found


def _walk(root: str, private: bool, but: Sequence[str]) -> Iterator[str]:
    for folder, names, entries in os.walk(root):
        if folder in but or (not private and not os.lstat(folder).st_mode & 0o077):
            names.clear()
            continue
        yield from (f"{folder}/{name}" for name in entries)
