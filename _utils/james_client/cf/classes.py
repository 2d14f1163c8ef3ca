"""Read a cf's classes as sendmail does: the words of its C lines, the files of its F lines.

Source: readcf() and fileclass() in sendmail's readcf.c; operations guide, 5.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from james_client.cf.text import Cf

__all__ = ["ClassFile", "class_files", "expand", "file_words", "words"]

_LINE = re.compile(r"[CF](?:\{([^}\s]+)\}|(\S))\s*(.*)", re.DOTALL)
_COMMENT = re.compile(r"\s*(?<!\\)#.*")
_MACRO = re.compile(r"\$(?:\{(\w+)\}|(\w))")
_SET = re.compile(r"%\[(\^?)(\]?[^\]]*)\]")
_DEPTH = 8  # macros within macros
_LONGEST = 1024  # characters of a word: sendmail's own names are shorter


@dataclass(frozen=True)
class ClassFile:
    """Name a file that a class is read from, and the scanf pattern of its lines."""

    path: str
    pattern: str


def words(cf: Cf, name: str, macros: Mapping[str, str] | None = None) -> list[str]:
    """Return the words that C lines put into a class.

    cf
        the configuration
    name
        the class's letter or long name
    macros
        what sendmail itself defines, such as w and j; a D line wins

    A word whose macros have no plain value is left out.
    """
    bodies = (word for body in _bodies(cf, b"C", name) for word in body.split())
    return [found for word in bodies if (found := expand(cf, word, macros or {})) is not None]


def class_files(cf: Cf, name: str) -> list[ClassFile]:
    """Return the files that F lines read into a class, but no program and no map."""
    found = []
    for body in _bodies(cf, b"F", name):
        spec = re.sub(r"^-o\S*\s+", "", body)
        path, _, pattern = spec.partition(" ")
        if path.startswith("/"):
            found.append(ClassFile(path, pattern.strip() or "%s"))
    return found


def file_words(text: str, pattern: str) -> list[str]:
    """Return the words that a class takes from a file's text.

    pattern
        ``%s``, a line's first word, or ``%[…]``, what a line begins with
    """
    begins = re.compile(_begins(pattern))
    lines = (line for line in text.split("\n") if not line.startswith("#"))
    return [word for line in lines if (match := begins.match(line)) for word in match[1].split()]


def _begins(pattern: str) -> str:
    chosen = _SET.match(pattern)
    if chosen is None:
        return r"\s*(\S+)"
    letters = re.sub(r"([]^[\\])", r"\\\1", chosen[2])
    return f"([{chosen[1]}{letters}]+)"


def expand(cf: Cf, text: str, macros: Mapping[str, str]) -> str | None:
    """Return a text with its macros' values, None where one of them has no plain value."""
    for _ in range(_DEPTH):
        if "$" not in text:
            return text
        names = {found[1] or found[2] for found in _MACRO.finditer(text)}
        known = ((name, cf.macro(name) or macros.get(name)) for name in names)
        values = {name: value for name, value in known if value is not None}
        if not names or len(values) < len(names):
            return None
        text = _with(text, values)
        if len(text) > _LONGEST:
            return None
    return None


def _with(text: str, values: Mapping[str, str]) -> str:
    return _MACRO.sub(lambda found: values[found[1] or found[2]], text)


def _bodies(cf: Cf, kind: bytes, name: str) -> list[str]:
    found = []
    for index in cf.places(kind):
        match = _LINE.match(cf.entry(index).decode("utf-8", "replace"))
        if match and name in (match[1], match[2]):
            found.append(_COMMENT.sub("", match[3]).replace("\\#", "#").strip())
    return found
