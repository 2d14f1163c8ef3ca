"""Take credentials out of any text that may have seen an SMTP dialogue.

Hostile servers write such texts, so everything here takes time in proportion to their length: no
two unbounded parts of a pattern may match the same characters, and secrets are followed in one pass
(`test_scrub_time.py`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

HIDDEN = "(hidden)"

# A name of a mechanism stays readable; what follows on its line is a response (RFC 4954, 4).
_MECHANISM = (
    r"(?:PLAIN|LOGIN|NTLM|GSSAPI|EXTERNAL|ANONYMOUS|OTP|XOAUTH2|OAUTHBEARER|KERBEROS_V\d"
    r"|(?:CRAM|DIGEST|SCRAM)-[\w-]+|GS2-[\w-]+)"
)
_NUMBER = r"(?:\d+(?=\s))?\s*"  # of a log's line
_SENT = r"(?:>>>|send:|\\[nr])[ \t]*[b'\"]*"
_COMMAND = re.compile(
    rf"(?P<head>(?:{_SENT}|^\s*)AUTH[ \t]+[\w-]+|\bAUTH[ \t]+{_MECHANISM}(?![\w-]))(?P<tail>.*)",
    re.IGNORECASE | re.DOTALL,
)
_SENT_COMMAND = re.compile(rf"{_SENT}AUTH[ \t]+[\w-]+", re.IGNORECASE)
_REPLY = re.compile(
    rf"^(?P<head>{_NUMBER}(?:(?:<<<|reply:)\s*)?[b'\"]*(?P<code>[2-5]\d\d))(?P<tail>[ -].*|\W*)$",
    re.IGNORECASE | re.DOTALL,
)
_ANSWER = re.compile(
    rf"^(?P<head>{_NUMBER}{_SENT}|\s*(?=\S+\s*$))(?!(?:QUIT|RSET|NOOP|DATA|[EH]..O|MAIL)\b)",
    re.IGNORECASE,
)


class Reveals(Protocol):
    """Anything that holds a secret and gives it away only on request."""

    def reveal(self) -> str: ...


def scrub(text: str, secrets: Iterable[Reveals] = ()) -> str:
    """Return `text` without the AUTH exchanges in it and without any of `secrets`.

    What goes: all that a client says between AUTH and the server's final answer, and the
    server's challenges. `secrets` go wherever they stand: as they are, escaped, URL-encoded,
    and in base64 at any alignment. Lines keep their number and their ends.
    """
    return _without(_Dialogue().scrub(text), _raw(secrets))


def scrub_all(value: Any, secrets: Iterable[Reveals] = ()) -> Any:
    """Return a value as Salt returns it, each text in it scrubbed as by `scrub`, keys as well.

    value
        any nesting of mappings, lists, tuples and sets. Numbers, booleans and None stay; bytes stay
        bytes; what else there is (an exception, a path) becomes its scrubbed text. The lines of a
        dialogue may be the items of a list.

    Two keys that scrubbing makes the same are told apart by a number.
    """
    return _tree(value, _raw(secrets), _Dialogue())


def _tree(value: Any, secrets: Sequence[bytes], dialogue: _Dialogue) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape")
        return _text(text, secrets, dialogue).encode("utf-8", "surrogateescape")
    if isinstance(value, Mapping):
        found: dict[Any, Any] = {}
        for key, one in value.items():
            found[_free(_tree(key, secrets, _Dialogue()), found)] = _tree(one, secrets, _Dialogue())
        return found
    if isinstance(value, list | tuple | set | frozenset):
        together = _Dialogue()
        items = [_tree(one, secrets, together) for one in value]
        return tuple(items) if isinstance(value, tuple) else items
    return _text(str(value), secrets, dialogue)


def _text(text: str, secrets: Sequence[bytes], dialogue: _Dialogue) -> str:
    return _without(dialogue.scrub(text), secrets)


def _free(key: Any, taken: Mapping[Any, Any]) -> Any:
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key} {number}"
    return free


class _Dialogue:
    """Follow an SMTP dialogue from line to line."""

    def __init__(self) -> None:
        self._inside = False

    def scrub(self, text: str) -> str:
        """Return a text, which goes on where the last one ended, without AUTH exchanges."""
        return "".join(map(self._line, text.splitlines(keepends=True)))

    def _line(self, line: str) -> str:
        body = "".join(line.splitlines())
        reply = None if _SENT_COMMAND.search(body) else _REPLY.match(body)
        command = None if reply else _COMMAND.search(body)
        shown = body
        if command:
            self._inside = True
            shown = body[: command.end("head")] + (f" {HIDDEN}" if command["tail"].strip() else "")
        elif reply:
            self._inside = reply["code"] == "334"
            shown = f"{reply['head']} {HIDDEN}" if self._inside else body
        elif self._inside and body.strip() and (answer := _ANSWER.match(body)):
            shown = answer["head"] + HIDDEN
        return shown + line[len(body) :]


# -- secrets, in bytes, because that is what is spelled and encoded ---------------------------


def _raw(secrets: Iterable[Reveals]) -> list[bytes]:
    return [raw for one in secrets if (raw := one.reveal().encode("utf-8", "surrogatepass"))]


def _without(text: str, secrets: Sequence[bytes]) -> str:
    if not secrets:
        return text
    raw = text.encode("utf-8", "surrogatepass")
    spans = [span for one in secrets for way in (_spelled, _encoded) for span in way(raw, one)]
    shown, end = [], 0
    for start, stop in sorted(spans):
        if start >= end:
            shown += [raw[end:start], HIDDEN.encode()]
        end = max(end, stop)
    return b"".join([*shown, raw[end:]]).decode("utf-8", "surrogatepass")


_ALPHABETS = bytes.maketrans(b"-_", b"+/")


def _encoded(raw: bytes, secret: bytes) -> Iterator[tuple[int, int]]:
    """Yield where a text holds a secret in base64, folded or not."""
    forms = [form for shift in range(3) if (form := _base64(secret, shift))]
    packed = re.sub(rb"[^!-~]+", b"", raw).translate(_ALPHABETS)
    found = [(at, at + len(form)) for form in forms for at in _places(packed, form)]
    if found:
        where = [match.start() for match in re.finditer(rb"[!-~]", raw)]
        for start, stop in found:
            yield where[start], where[stop - 1] + 1


def _base64(raw: bytes, shift: int) -> bytes:
    """Return what a base64 text shows of `raw` when it begins `shift` bytes after a boundary.

    Characters that also depend on the neighbours are left out. Fewer than four that remain
    would hide innocent text.
    """
    text = base64.b64encode(b"\0" * shift + raw)
    sure = text[(8 * shift + 5) // 6 : 8 * (shift + len(raw)) // 6]
    return sure if len(sure) >= 4 else b""


def _places(text: bytes, part: bytes) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def _point(digits: bytes, base: int = 16) -> bytes:
    code = int(digits, base)
    return chr(code).encode("utf-8", "surrogatepass") if code <= 0x10FFFF else b""


def _pair(spelled: bytes) -> bytes:
    both = bytes.fromhex(spelled[2:6].decode() + spelled[8:].decode())
    return both.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")


_HEX = rb"[0-9A-Fa-f]"
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
# How URLs, JSON, XML, YAML, shells, reprs and sendmail write a character, by the first byte.
_SPELLINGS: dict[int, list[tuple[re.Pattern[bytes], Callable[[bytes], bytes]]]] = {
    lead[0]: [(re.compile(pattern, re.DOTALL), decode) for pattern, decode in ways]
    for lead, ways in {
        b"%": [(rb"%%(%s{2})" % _HEX, lambda digits: bytes([int(digits, 16)]))],
        b"+": [(rb"(\+)", lambda _: b" ")],
        b"'": [(rb"('')", lambda _: b"'"), (rb"('\"'\"')", lambda _: b"'")],
        b"&": [
            (rb"&(amp|lt|gt|quot|apos);", _NAMED.__getitem__),
            (rb"&#([0-9]{1,7});", lambda digits: _point(digits, 10)),
            (rb"&#[xX]0*(%s{1,6});" % _HEX, _point),
        ],
        b"\\": [
            (rb"\\([^0-9A-Za-z])", lambda sign: sign),
            (rb"\\([nrtbf])", _LETTERS.__getitem__),
            (rb"\\([0-3][0-7]{2})", lambda digits: bytes([int(digits, 8)])),
            (rb"\\[xX](%s{2})" % _HEX, lambda digits: bytes([int(digits, 16)])),
            (rb"\\[xX](%s{2})" % _HEX, _point),
            (rb"\\[uU](%s{4})" % _HEX, _point),
            (rb"\\U(%s{8})" % _HEX, _point),
            (rb"((?:\\u%s{4}){2})" % _HEX, _pair),
        ],
    }.items()
}
_Step = tuple[int, int, bytes]  # from, to, what that spells


def _spelled(raw: bytes, secret: bytes) -> Iterator[tuple[int, int]]:
    """Yield where a text holds a secret, each character spelled in any way."""
    begins = re.compile(rb"[%s%%&+'\\]" % re.escape(secret[:1]))
    where: dict[int, int] = {}  # bit n of where[byte]: the secret's byte n is this one
    for number, byte in enumerate(secret):
        where[byte] = where.get(byte, 0) | 1 << number
    at = 0
    while begin := begins.search(raw, at):
        at, start = _follow(raw, begin.start(), where, 1 << len(secret))
        if start is not None:
            yield start, at


def _follow(raw: bytes, at: int, where: Mapping[int, int], whole: int) -> tuple[int, int | None]:
    """Go on as long as a part of the secret is spelled; return where that ends, and its start.

    All beginnings are followed at once: bit n of `reached[place]` says that the secret's first n
    bytes are spelled right before that place. After a first end only longer readings are followed.
    """
    reached: dict[int, int] = {}
    steps: list[_Step] = []
    ends: list[int] = []
    last = at
    while at <= last and at < len(raw):
        begun = reached.pop(at, 0) | (not ends)
        for stop, said in _units(raw, at) if begun else ():
            bits = begun
            for byte in said:
                bits = (bits & where.get(byte, 0)) << 1
            if bits:
                steps.append((at, stop, said))
                reached[stop] = reached.get(stop, 0) | bits
                last = max(last, stop)
            if bits & whole:
                ends.append(stop)
        at += 1
    return (max(ends), _start(steps, ends, where, whole)) if ends else (at, None)


def _start(steps: list[_Step], ends: list[int], where: Mapping[int, int], whole: int) -> int:
    """Return where the secret begins that ends at some places, going back over the steps there."""
    reached = dict.fromkeys(ends, whole)
    start = min(ends)
    for at, stop, said in reversed(steps):
        bits = reached.get(stop, 0)
        for byte in reversed(said):
            bits = bits >> 1 & where.get(byte, 0)
        if bits:
            reached[at] = reached.get(at, 0) | bits
        if bits & 1:
            start = at
    return start


def _units(raw: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield what a text can mean at a place, and where that ends: the byte itself comes first."""
    yield at + 1, raw[at : at + 1]
    for pattern, decode in _SPELLINGS.get(raw[at], ()):
        if (found := pattern.match(raw, at)) and (said := decode(found[1])):
            yield found.end(), said


def printable(text: str, other: str = "?") -> str:
    """Return a text with another character for each that a terminal would act on."""
    return "".join(char if char.isprintable() else other for char in text)
