"""Check the names of aliases, and of the people who get what was theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from james_client.wishes.checks import check_host
from james_client.wishes.mistakes import SettingsError, list_of, matched, refuse

_ALIAS_NAME = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")
_PERSON = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=-]{0,63}(?:@(?P<host>[A-Za-z0-9.-]+))?")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def check_alias_name(value: Any, path: str) -> str:
    """Accept the name of an alias, which is compared with others and goes nowhere else."""
    return matched(value, path, "an alias's name, in ASCII", _ALIAS_NAME).group().lower()


def check_people(value: Any, path: str) -> dict[str, tuple[str, ...]]:
    """Accept ``{name: address or list of addresses}``; an address may be a name alone."""
    if not isinstance(value, Mapping):
        raise refuse(path, "a mapping such as {root: ops@example.org}", value)
    found: dict[str, tuple[str, ...]] = {}
    mistakes: list[str] = []
    for name, given in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in found:
            # A secret in the wrong place is a key of such a mapping to YAML.
            mistakes.append(f"{path}: expected each name once, of letters, digits and ._-")
            continue
        where = f"{path}:{name}"
        given = [given] if isinstance(given, str) else given
        try:
            found[name.lower()] = list_of(_check_person, "addresses")(given, where)
            if not given:
                mistakes.append(f"{where}: expected an address, got none")
        except SettingsError as err:
            mistakes.extend(err.mistakes)
    if mistakes:
        raise SettingsError(mistakes[:20])
    return found


def _check_person(value: Any, path: str) -> str:
    match = matched(value, path, "an address such as ops@example.org, or a name", _PERSON)
    if match["host"] is not None:
        check_host(match["host"], path)
    return match.group()
