"""Set how long mail waits before sendmail warns its sender, and before it gives it up, in a cf.

There are four kinds of mail: normal, urgent and non-urgent, by the headers Priority and Precedence,
and sendmail's own reports. One line sets all four, and later lines one each: settimeout() in
sendmail's readcf.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from james_client.cf.option_lines import comment_out, set_option
from james_client.cf.text import Cf
from james_client.changes import Changes, note
from james_client.wishes.checks import NEVER, seconds
from james_client.wishes.settings import Daemon

__all__ = ["KINDS", "Timeouts", "edit", "named", "read", "values"]

#: The kinds of mail, and what m4 shows for each in the comments of options that are not set.
KINDS = {
    "normal": ("5d", "4h"),
    "urgent": ("2d", "1h"),
    "non-urgent": ("7d", "12h"),
    "dsn": ("5d", "4h"),
}
_TIMEOUTS = ("queuereturn", "queuewarn")
_NAMED = re.compile(
    rb"O\s+(?i:timeo(?:ut?)?\.(queuereturn|queuewarn)(?:\.([a-z*-]+))?)\s*=?\s*(\S*)"
)
# Older forms: ``Orqueuereturn=5d,queuewarn=4h`` and ``OT5d/4h``, each also by its long name.
_LIST = re.compile(rb"O(?:r|\s+(?i:timeo(?:ut?)?)\s*=)")
_ITEM = re.compile(rb"(?i)(?:\A|,)\s*(queuereturn|queuewarn)(?:\.([a-z*-]+))?[=:]([^,\s]*)")
_PAIR = re.compile(rb"O(?:T|\s+(?i:queuet[a-z]*)\s*=)\s*([^/\s]*)(?:/([^\s]*))?")


@dataclass(frozen=True)
class Timeouts:
    """Show after how many seconds sendmail gives mail up, and warns its sender (0: never).

    Each by the kind of mail, one of ``KINDS``.
    """

    give_up: Mapping[str, int]
    warn: Mapping[str, int]


@dataclass(frozen=True)
class _Place:
    """Hold one value: of which timeout, for which kinds of mail, where, and in which form."""

    index: int
    timeout: str
    kinds: tuple[str, ...]
    span: tuple[int, int]
    named: bool = False


def values(daemon: Daemon) -> dict[str, str]:
    """Give what the pillar wants, as sendmail spells it: ``{"queuereturn": "10d"}``."""
    wanted = {"queuereturn": daemon.give_up_after, "queuewarn": daemon.warn_after}
    return {kind: "0" if one == NEVER else one for kind, one in wanted.items() if one is not None}


def edit(cf: Cf, daemon: Daemon) -> Changes:
    """Set both timeouts for all kinds of mail; what the pillar leaves out stays as it is.

    cf
        the configuration, edited in place
    daemon
        ``give_up_after`` and ``warn_after``

    Returns what changed; empty when nothing had to.
    """
    changes: Changes = {}
    with cf.whole():
        for timeout, value in values(daemon).items():
            name = f"Timeout.{timeout}"
            set_option(cf, name, value, changes)
            ours = cf.option_index(name) or 0
            # From the end: what is commented out is the last line of its name.
            for place in reversed([one for one in _places(cf) if one.timeout == timeout]):
                if place.index > ours:
                    _overrule(cf, place, value, changes)
    return changes


def read(cf: Cf) -> Timeouts:
    """Give the timeouts that count: the cf's, or what sendmail has without one (5 days, never)."""
    found = {
        "queuereturn": dict.fromkeys(KINDS, 5 * 86400),
        "queuewarn": dict.fromkeys(KINDS, 0),
    }
    for place in _places(cf):
        text = cf.entry(place.index)[slice(*place.span)].decode("utf-8", "replace")
        unit = "d" if place.timeout == "queuereturn" else "h"
        value = 0 if text.lower() == "now" else seconds(text, unit)
        found[place.timeout].update(dict.fromkeys(place.kinds, value))
    return Timeouts(found["queuereturn"], found["queuewarn"])


def named(line: bytes) -> list[str]:
    """Give what of the two timeouts an ``O`` line of any form sets, as ``OPTIONS`` names it."""
    found = []
    for place in _in_line(0, line):
        name = f"Timeout.{place.timeout}"
        found.append(name if len(place.kinds) > 1 else f"{name}.{place.kinds[0]}")
    return found


def _overrule(cf: Cf, place: _Place, value: str, changes: Changes) -> None:
    body = cf.entry(place.index)
    old = body[slice(*place.span)].decode("utf-8", "replace")
    if place.named and len(place.kinds) == 1:
        (kind,) = place.kinds
        shown = KINDS[kind][_TIMEOUTS.index(place.timeout)]
        comment_out(cf, f"Timeout.{place.timeout}.{kind}", shown, changes)
    elif old != value:
        cf.replace(place.index, body[: place.span[0]] + value.encode() + body[place.span[1] :])
        note(changes, f"Timeout.{place.timeout} in an old form", old, value)


def _places(cf: Cf) -> Iterator[_Place]:
    """List the values that set one of the two timeouts, in the order in which sendmail reads."""
    for index in cf.places(b"O"):
        yield from _in_line(index, cf.entry(index))


def _in_line(index: int, body: bytes) -> Iterator[_Place]:
    if match := _NAMED.match(body):
        yield _Place(index, *_meant(match[1], match[2]), match.span(3), named=True)
    elif match := _LIST.match(body):
        for item in _ITEM.finditer(body[match.end() :]):
            start, stop = (match.end() + end for end in item.span(3))
            yield _Place(index, *_meant(item[1], item[2]), (start, stop))
    elif match := _PAIR.match(body):
        for number, timeout in enumerate(_TIMEOUTS, 1):
            if match[number]:
                yield _Place(index, timeout, tuple(KINDS), match.span(number))


def _meant(timeout: bytes, kind: bytes | None) -> tuple[str, tuple[str, ...]]:
    every = kind in (None, b"*")
    return timeout.decode().lower(), tuple(KINDS) if every else ((kind or b"").decode().lower(),)
