"""Turn the files by which a platform tells sendmail to run its queues only."""

from __future__ import annotations

import re
from collections.abc import Mapping

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


# One assignment of a shell file: KEY="a word", KEY='a word' or KEY=word, then whatever follows it.
_ASSIGNMENT = rb"""(?m)^(?P<head>[ \t]*(?:export[ \t]+)?%s=)
                   (?P<value>"[^"\n]*"|'[^'\n]*'|[^\s;#"'\\$`]*)
                   (?P<tail>[ \t]*(?:;.*|\#.*)?\r?)$"""


def _assign(text: bytes, key: str, wanted: str) -> tuple[bytes, str | None]:
    """Set the last assignment of a key, which is the one that a shell keeps."""
    name = re.escape(key).encode()
    last = max(re.finditer(_ASSIGNMENT % name, text, re.VERBOSE), key=re.Match.start, default=None)
    anything = re.findall(rb"(?m)^[ \t]*(?:export[ \t]+)?%s=.*$" % name, text)
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
