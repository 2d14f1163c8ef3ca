"""Read a sendmail mc as m4 would, as far as quotes, comments and line numbers go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from james_client.cf.text import LineError

__all__ = ["McError", "Statement", "literal", "statements"]

_TOKEN = re.compile(rb"[`'#]|(?<![A-Za-z0-9_])dnl(?![A-Za-z0-9_])")
# What m4 takes for an argument in a macro's text, quoted or not.
_PARAMETER = re.compile(r"\$(?=[0-9*@#])")
_PLAIN = re.compile(r"[ -_a-~\t\n]*\Z")


class McError(LineError):
    """Say what in an mc is in the way, where, and what to do about it."""


@dataclass(frozen=True)
class Statement:
    """Show one line: its number, how deep in quotes it begins, and its text without comments."""

    line: int
    depth: int
    code: bytes

    def outside(self, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
        """Yield the places of a pattern that are outside quotes."""
        place, depth = 0, self.depth
        for match in pattern.finditer(self.code):
            depth = _depth(self.code[place : match.start()], depth)
            place = match.start()
            if depth == 0:
                yield match


def statements(lines: Iterable[bytes]) -> list[Statement]:
    """Read lines one by one.

    lines
        the file's lines, with or without their endings

    Returns one statement for each.
    """
    found: list[Statement] = []
    depth, hashes = 0, True
    for number, line in enumerate(lines, 1):
        code, after = _code(line, depth, hashes)
        found.append(Statement(number, depth, code))
        # cf.m4 takes m4's own comments, # to the end of the line, away.
        hashes = hashes and b"m4/cf.m4" not in code
        depth = after
    return found


def _depth(text: bytes, depth: int) -> int:
    for match in re.finditer(rb"[`']", text):
        depth = depth + 1 if match[0] == b"`" else max(depth - 1, 0)
    return depth


def _code(line: bytes, depth: int, hashes: bool) -> tuple[bytes, int]:
    for match in _TOKEN.finditer(line):
        token = match[0]
        if token == b"`":
            depth += 1
        elif token == b"'":
            depth = max(depth - 1, 0)
        elif depth == 0 and (token == b"dnl" or hashes):
            return line[: match.start()], depth
    return line, depth


def literal(value: str) -> str:
    """Quote a text so that m4 writes it as it is, whatever words are in it.

    value
        printable ASCII, tabs and line feeds, without m4's quotes

    Raises McError where m4 could not write it.
    """
    if not _PLAIN.match(value) or "'" in value:
        raise McError(f"cannot be written in m4: {value!r}; expected ASCII without ` and '")
    if not value:
        return "`'"  # "``''" is not empty to m4's ifelse
    return "``" + _PARAMETER.sub("$'`", value) + "''"
