"""Allow-lists for the facts of a platform, in platforms.yaml and in pillar ``lookup``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from james_client.wishes.mistakes import check_bool, list_of, matched, refuse

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_PLATFORM_LINE = re.compile(r"[A-Za-z0-9 _./:@%+=,&{}~-]{0,255}")
# No part begins with a dot or is empty: no detours.
_PLATFORM_PATH = re.compile(r"(?:/[A-Za-z0-9_{][A-Za-z0-9_.{}@+-]*){1,20}")


def _line(value: Any, path: str) -> str:
    wanted = "letters, digits, blanks and _./:@%+=,&{}~-"
    return matched(value, path, wanted, _PLATFORM_LINE).group()


def _word(value: Any, path: str) -> str:
    return matched(value, path, "a name of letters, digits and _.+-", _WORD).group()


def _path(value: Any, path: str) -> str:
    return matched(value, path, "an absolute path", _PLATFORM_PATH).group()


def _words(value: Any, path: str) -> list[str]:
    return list(list_of(_word, "names")(value, path))


def _paths(value: Any, path: str) -> list[str]:
    return list(list_of(_path, "paths")(value, path))


def _knobs(value: Any, path: str) -> list[dict[str, Any]]:
    checks = {"file": _path, "assign": _assignments, "content": _content, "read_after": _paths}
    if not isinstance(value, (list, tuple)):
        raise refuse(path, "a list of {file, assign or content}", value)
    knobs = []
    for number, knob in enumerate(value):
        where = f"{path}:{number}"
        if not isinstance(knob, Mapping) or set(knob) not in (
            {"file", "assign"},
            {"file", "assign", "read_after"},
            {"file", "content"},
        ):
            raise refuse(
                where, "file, and either assign (perhaps with read_after) or content", knob
            )
        knobs.append({key: checks[key](one, f"{where}:{key}") for key, one in knob.items()})
    return knobs


def _assignments(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise refuse(path, "a mapping of shell variables", value)
    name = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
    return {
        matched(key, path, "a shell variable", name).group(): _template(one, f"{path}:{key}", _line)
        for key, one in value.items()
    }


def _content(value: Any, path: str) -> str:
    printable = re.compile(r"[\t\n -~]{0,10000}")
    return _template(
        value, path, lambda one, where: matched(one, where, "ASCII text", printable).group()
    )


def _template(value: Any, path: str, check: Callable[[Any, str], str]) -> str:
    text = check(value, path)
    rest = text.replace("{queue_interval}", "").replace("{programs_interval}", "")
    if "{" in rest or "}" in rest:
        raise refuse(path, "no braces but {queue_interval} and {programs_interval}", value)
    return text


PLATFORM_FACTS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("packages", "other_mtas", "services"), _words),
    **dict.fromkeys(("sendmail", "cf", "submit_cf", "cf_dir"), _path),
    **dict.fromkeys(("mc", "submit_mc", "state_dir", "backups", "lock"), _path),
    "restart": _line,
    "submit_user": _word,
    "mail_owner": _word,
    "rebuilds": check_bool,
    **dict.fromkeys(("generated", "mail_logs"), _paths),
    "knobs": _knobs,
}
"""What each platform fact may be; the facts themselves stand in platforms.yaml."""
