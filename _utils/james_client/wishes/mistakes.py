"""
How a pillar value is shown, hidden and refused; the checkers that know no place of their own.
"""

import datetime
import difflib
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from james_client.errors import CallerError

_SHOWN = 80


class SettingsError(CallerError):
    """
    Say every mistake that was found, one line each.

    mistakes
        Lines of the form ``key:path: expected …, got …``; no secret stands in them.
    """

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes: tuple[str, ...] = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))

    def __reduce__(self) -> tuple[Any, ...]:
        return (SettingsError, (self.mistakes,))


class Secret:
    """
    Hold a password or token so that no repr, format, log or traceback shows it.

    value
        The secret; :meth:`reveal` is the only way back to it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the secret itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickle may be written to a disk or a log: keep the letters themselves out of it.
        data = self._value.encode("utf-8", "surrogatepass")
        pad = secrets.token_bytes(len(data))
        return (_unpad, (pad, bytes(a ^ b for a, b in zip(data, pad, strict=True))))


def _unpad(pad: bytes, data: bytes) -> Secret:
    plain = bytes(a ^ b for a, b in zip(data, pad, strict=True))
    return Secret(plain.decode("utf-8", "surrogatepass"))


def shown(value: Any) -> str:
    """
    Give a value as a mistake shows it: cut short, with a word on what YAML made of it.

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


def refuse(path: str, wanted: str, value: Any) -> SettingsError:
    """Make the error for one value: key path, what is wanted, what was found."""
    return SettingsError([f"{path}: expected {wanted}, got {shown(value)}"])


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


def shown_key(key: Any, value: Any) -> str:
    """Show an unknown key, but not one that may be a secret in the place of a key."""
    # {name, s3cret} is a mapping to YAML, and so is {s3c: ret}.
    if value is None:
        return "one without a value"
    if isinstance(key, str) and not re.fullmatch(r"[A-Za-z_-]{1,40}", key):
        return "one that is not a word"
    return shown(key)


def nearest(key: Any, known: Collection[str]) -> str:
    """Say which known key an unknown one may have been meant to be."""
    text = key[:100] if isinstance(key, str) else ""
    close = difflib.get_close_matches(text, sorted(known), 1, 0.5)
    return f"did you mean {close[0]}?" if close else "known are " + ", ".join(sorted(known))
