"""Take credentials out of any text that may have seen an SMTP dialogue."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

HIDDEN = "(hidden)"

# A name of a mechanism stays readable; what follows on its line is a response (RFC 4954, 4).
_MECHANISM = (
    r"(?:PLAIN|LOGIN|NTLM|GSSAPI|EXTERNAL|ANONYMOUS|OTP|XOAUTH2|OAUTHBEARER|KERBEROS_V\d"
    r"|(?:CRAM|DIGEST|SCRAM)-[\w-]+|GS2-[\w-]+)"
)
_SENT = r"(?:>>>|send:|\\[nr])[ \t]*[b'\"]*"
_COMMAND = re.compile(
    rf"(?P<head>(?:{_SENT}|^\s*)AUTH[ \t]+[\w-]+|\bAUTH[ \t]+{_MECHANISM}(?![\w-]))(?P<tail>.*)",
    re.IGNORECASE | re.DOTALL,
)
_SENT_COMMAND = re.compile(rf"{_SENT}AUTH[ \t]+[\w-]+", re.IGNORECASE)
_REPLY = re.compile(
    r"^(?P<head>(?:\d+\s+)?\s*(?:<<<|reply:)?\s*[b'\"]*(?P<code>[2-5]\d\d))(?P<tail>[ -].*|\W*)$",
    re.IGNORECASE | re.DOTALL,
)
_ANSWER = re.compile(
    rf"^(?P<head>(?:\d+\s+)?\s*{_SENT}|\s*(?=\S+\s*$))(?!(?:QUIT|RSET|NOOP|DATA|[EH]..O|MAIL)\b)",
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
    hidden = "".join(_dialogue(text.splitlines(keepends=True)))
    for secret in secrets:
        hidden = _pattern(secret.reveal()).sub(HIDDEN, hidden)
    return hidden


def scrub_all(value: Any, secrets: Iterable[Reveals] = ()) -> Any:
    """Return a value of dicts, lists, tuples and strings with every string scrubbed."""
    if isinstance(value, str):
        return scrub(value, secrets)
    if isinstance(value, dict):
        return {key: scrub_all(one, secrets) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(scrub_all(one, secrets) for one in value)
    return value


def _dialogue(lines: Iterable[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        body = "".join(line.splitlines())
        reply = None if _SENT_COMMAND.search(body) else _REPLY.match(body)
        command = None if reply else _COMMAND.search(body)
        shown = body
        if command:
            inside = True
            shown = body[: command.end("head")] + (f" {HIDDEN}" if command["tail"].strip() else "")
        elif reply:
            inside = reply["code"] == "334"
            shown = f"{reply['head']} {HIDDEN}" if inside else body
        elif inside and body.strip() and (answer := _ANSWER.match(body)):
            shown = answer["head"] + HIDDEN
        yield shown + line[len(body) :]


def _pattern(secret: str) -> re.Pattern[str]:
    if not secret:
        return re.compile(r"(?!)")
    ways = ["".join(_spellings(char) for char in secret)]
    raw = secret.encode("utf-8", "surrogatepass")
    for shift in range(3):
        ways += [r"\s*".join(re.escape(char) for char in form) for form in _base64(raw, shift)]
    # The longest way first: base64 of a secret may begin with the secret.
    return re.compile("|".join(sorted(ways, key=len, reverse=True)))


def _spellings(char: str) -> str:
    """Give a pattern for one character as URLs, JSON, XML, reprs and sendmail write it."""
    raw = char.encode("utf-8", "surrogatepass")
    code = ord(char)
    ways = {
        re.escape(char),
        re.escape(repr(char)[1:-1]),
        "".join(rf"%(?i:{byte:02x})" for byte in raw),
        "".join(rf"\\(?:(?i:x{byte:02x})|{byte:03o})" for byte in raw),
        rf"\\(?i:u{code:04x})",
        rf"&\#(?:{code}|(?i:x0*{code:x}));",
    }
    if not char.isalnum():
        ways.add(re.escape("\\" + char))
    named = {" ": r"\+", "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
    if char in named:
        ways.add(named[char])
    return "(?:" + "|".join(sorted(ways, key=len, reverse=True)) + ")"


def _base64(raw: bytes, shift: int) -> Iterator[str]:
    """Yield what a base64 text shows of `raw` when it begins `shift` bytes after a boundary.

    Characters that also depend on the neighbours are left out. Fewer than four that remain
    would hide innocent text.
    """
    text = base64.b64encode(b"\0" * shift + raw).decode("ascii")
    sure = text[(8 * shift + 5) // 6 : 8 * (shift + len(raw)) // 6]
    if len(sure) >= 4:
        yield sure
        yield sure.translate(str.maketrans("+/", "-_"))
