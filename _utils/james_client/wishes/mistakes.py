"""Show, hide and refuse a pillar value; hold the checkers that know no place of their own."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from james_client.errors import CallerError

_SHOWN = 80
# Where a password may stand by mistake: beside its own key, as an item of a list, and where a
# platform fact may be anything.
_PRIVATE = re.compile(r"(?:.*:)?auth:(?:username|realm)|(?:.*:)?lookup:.*|.*:\d+(?::.*)?")


class SettingsError(CallerError):
    """Say every mistake that was found, one line each.

    mistakes
        lines of the form ``key:path: expected …, got …``; no secret stands in them
    """

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes: tuple[str, ...] = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))

    def __reduce__(self) -> tuple[Any, ...]:
        return (SettingsError, (self.mistakes,))


def shown(value: Any) -> str:
    """Give a value as a mistake shows it: cut short, with a word on what YAML made of it.

    Of a mapping or list only the type is told: a secret may stand somewhere in it.
    """
    if value is None:
        return "nothing (give a value or leave the key out)"
    if isinstance(value, str):
        # In ASCII: neither control characters nor look-alike letters stay hidden.
        cut = "" if len(value) <= _SHOWN else f"... ({len(value)} characters)"
        return ascii(value[:_SHOWN]) + cut
    if isinstance(value, bool):
        return f"{str(value).lower()} (YAML's yes, no, on and off too: quote it if a word is meant)"
    if isinstance(value, (int, float)):
        return f"{_number(value)} (a number: quote it if a word is meant)"
    if isinstance(value, (datetime.date, datetime.time)):
        return f"{value} (a date: quote it)"
    return "a mapping" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _number(value: int | float) -> str:
    # Python refuses to print integers of more than 4300 digits.
    return repr(value) if isinstance(value, float) or abs(value) < 10**20 else "a huge integer"


def hidden(value: Any) -> str:
    """Tell a value's kind, where the value itself may be a secret in the wrong place."""
    if isinstance(value, str):
        return "a string, not shown: it may be a secret"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "a number, not shown: it may be a secret (quote it if a word is meant)"
    if isinstance(value, (datetime.date, datetime.time)):
        return "a date, not shown: it may be a secret (quote it)"
    return shown(value)


def refuse(path: str, wanted: str, value: Any) -> SettingsError:
    """Make the error for one value: key path, what is wanted, what was found."""
    found = hidden(value) if _PRIVATE.fullmatch(path) else shown(value)
    return SettingsError([f"{path}: expected {wanted}, got {found}"])


def matched(value: Any, path: str, wanted: str, pattern: re.Pattern[str]) -> re.Match[str]:
    match = pattern.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise refuse(path, wanted, value)
    return match


def check_bool(value: Any, path: str) -> bool:
    """Accept true or false, nothing that merely looks like it."""
    if not isinstance(value, bool):
        hint = " without quotes" if isinstance(value, str) else ""
        raise refuse(path, f"true or false{hint}", value)
    return value


def integer(low: int, high: int) -> Callable[[Any, str], int]:
    """Make a checker for an integer in low..high; true is not 1, and '25' is no number."""

    def check(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            quoted = isinstance(value, str) and value.isascii() and value.isdigit()
            hint = " (without quotes)" if quoted else ""
            raise refuse(path, f"{low}..{high}{hint}", value)
        return value

    return check


def one_of(*allowed: Any) -> Callable[[Any, str], Any]:
    """Make a checker that accepts exactly the values named."""
    names = ", ".join(repr(one).lower() if isinstance(one, bool) else one for one in allowed)

    def check(value: Any, path: str) -> Any:
        for one in allowed:
            if isinstance(value, type(one)) and one == value:
                return one
        raise refuse(path, f"one of {names}", value)

    return check


def optional(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Make a checker that takes nothing as absent and leaves the rest to ``check``."""
    return lambda value, path: None if value is None else check(value, path)


def list_of(check: Callable[[Any, str], Any], wanted: str) -> Callable[[Any, str], tuple[Any, ...]]:
    """Make a checker for a list of which every element passes ``check``, none of them twice."""

    def check_all(value: Any, path: str) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise refuse(path, f"a list of {wanted}", value)
        found: list[Any] = []
        mistakes: list[str] = []
        for number, one in enumerate(value):
            try:
                found.append(check(one, f"{path}:{number}"))
            except SettingsError as err:
                mistakes.extend(err.mistakes)
        if not mistakes and len(set(found)) < len(found):
            mistakes.append(f"{path}: expected each name once, got {shown(list(value))}")
        if mistakes:
            raise SettingsError(mistakes)
        return tuple(found)

    return check_all


def unknown_key(path: str, key: Any, value: Any, known: Collection[str]) -> str:
    """Give the mistake for an unknown key, and show the key only where it resembles a known one.

    {name, s3cret} is a mapping to YAML, and so is {s3c: ret}.
    """
    names = "known are " + ", ".join(sorted(known))
    found = "one that is not a word"
    if isinstance(key, bool):
        found = shown(key)
    elif value is None:
        found = "one without a value"
    elif isinstance(key, str) and re.fullmatch(r"[A-Za-z_-]{1,40}", key):
        found = "one that resembles none"
        if close := difflib.get_close_matches(key, sorted(known), 1, 0.6):
            found, names = shown(key), f"did you mean {close[0]}?"
    return f"{path}: expected a known key, got {found}: {names}"
