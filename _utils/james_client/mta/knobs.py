"""Turn the files by which a platform tells sendmail to run its queues only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from james_client.errors import FaultError
from james_client.wishes.platform import Knob


class KnobError(FaultError):
    """Say that a knob file can't be edited."""


def turn(
    knob: Knob, before: bytes | None, values: Mapping[str, str]
) -> tuple[bytes, dict[str, dict[str, str | None]]]:
    """Return a knob file's new bytes, and what they change.

    before
        the file as it is, None where it is absent
    values
        what {queue_interval} and {programs_interval} stand for, in sendmail's time units

    The changes are ``{key: {"old": …, "new": …}}``, empty where the file already says so. Raises
    KnobError where an assignment is no plain word.
    """
    if knob.content is not None:
        new = knob.content.format(**values)
        old = None if before is None else before.decode(errors="backslashreplace")
        return new.encode(), {} if new == old else {"content": {"old": old, "new": new}}
    text = before or b""
    changes: dict[str, dict[str, str | None]] = {}
    for key, template in (knob.assign or {}).items():
        wanted = template.format(**values)
        try:
            text, found = _assign(text, key, wanted)
        except KnobError as err:
            raise KnobError(f"{knob.file}: {err}") from None
        if found != wanted:
            changes[key] = {"old": found, "new": wanted}
    return text, changes


def overruled(knob: Knob, values: Mapping[str, str]) -> list[str]:
    """Say what later files make of a knob's assignments, empty where they leave them.

    values
        as for `turn`

    Raises KnobError where a later file cannot be read.
    """
    wanted = {key: template.format(**values) for key, template in (knob.assign or {}).items()}
    found: dict[str, tuple[str, str]] = {}
    for path, text in _later(knob.read_after):
        for key in wanted:
            try:
                value = _assign(text, key, "")[1]
            except KnobError:
                value = _last_line(text, key)
            if value is not None:
                found[key] = (path, value)
    return [
        f"{path}: {key}={value!r} is read after {knob.file}, expected {wanted[key]!r}: set it so "
        "there, or take the line out"
        for key, (path, value) in found.items()
        if value != wanted[key] and value.upper() != wanted[key]  # rc.subr's yes and no
    ]


def _later(paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for path in map(Path, paths):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.is_file():
                try:
                    yield str(file), file.read_bytes()
                except OSError as err:
                    raise KnobError(f"{file}: cannot be read: {err.strerror}") from None


# One assignment of a shell file: KEY="a word", KEY='a word' or KEY=word, then whatever follows it.
_ASSIGNMENT = rb"""(?m)^(?P<head>[ \t]*(?:export[ \t]+)?%s=)
                   (?P<value>"[^"\n]*"|'[^'\n]*'|[^\s;#"'\\$`]*)
                   (?P<tail>[ \t]*(?:;.*|\#.*)?\r?)$"""


_ANY_ASSIGNMENT = rb"(?m)^[ \t]*(?:export[ \t]+)?%s=.*$"


def _last_line(text: bytes, key: str) -> str:
    """Return what stands behind the last assignment of a key, whatever the shell makes of it."""
    lines: list[bytes] = re.findall(_ANY_ASSIGNMENT % re.escape(key).encode(), text)
    return lines[-1].partition(b"=")[2].strip().decode(errors="backslashreplace")


def _assign(text: bytes, key: str, wanted: str) -> tuple[bytes, str | None]:
    """Set the last assignment of a key, which is the one that a shell keeps."""
    name = re.escape(key).encode()
    last = max(re.finditer(_ASSIGNMENT % name, text, re.VERBOSE), key=re.Match.start, default=None)
    anything = re.findall(_ANY_ASSIGNMENT % name, text)
    if anything and (last is None or not last.group().startswith(anything[-1].rstrip(b"\r"))):
        found = anything[-1].decode(errors="backslashreplace")
        raise KnobError(f'expected {key}="value" on a line of its own, got {found!r}')
    if last is None:
        gap = b"" if not text or text.endswith(b"\n") else b"\n"
        return text + gap + f'{key}="{wanted}"\n'.encode(), None
    found = last["value"].strip(b"\"'").decode(errors="backslashreplace")
    if found == wanted:
        return text, found
    return text[: last.start("value")] + f'"{wanted}"'.encode() + text[last.end("value") :], found
