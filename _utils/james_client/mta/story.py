"""Read from sendmail's log what one message went through, and which others came of it.

A line begins with its message's identifier, which sendmail writes (conf.c: sm_syslog); what stands
behind may be a sender's words. A line in which they spell fields of their own has two readings and
is believed in none. Source: envelope.c (logsender), deliver.c, savemail.c, usersmtp.c, tls.c.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from james_client.mta import attempts
from james_client.mta.attempts import Attempt
from james_client.mta.maillog import LogLine
from james_client.scrub import scrub

_ID = r"[0-9A-Za-x]{8}\d{5,10}"
ID = re.compile(_ID)
"""A queue identifier: its time by six digits of base 60, two that count, a pid (queue.c)."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LINE = re.compile(rf"({_ID}): (.*)", re.DOTALL)
_ACCEPTED = re.compile(
    r"from=(?P<sender>.*), size=\d+, class=-?\d+, nrcpts=\d+(?:, msgid=(?P<msgid>.*?))?"
    r"(?:, bodytype=[^\s,]+)?(?:, proto=[^\s,]+)?(?:, daemon=[^\s,]+)?, relay=(?P<relay>.*)"
)
_ONCE = (", size=", ", class=", ", nrcpts=", ", msgid=", ", relay=")
_RETURNED = re.compile(
    rf"(?P<id>{_ID}): (?:DSN|return to sender|postmaster notify|sender notify|return receipt)"
    r": (?P<why>.*)"
)
_TAKEN_ON = re.compile(rf"Sent \((?:2\.\d\.\d )?(?P<id>{_ID}) Message accepted for delivery\)")
_SESSION = re.compile(
    rf"(?:(?:NOQUEUE|{_ID}): )?(?P<what>STARTTLS|AUTH)=client, relay=(?P<relay>[^\s,]+)"
    r"(?:\s[^,]*)?, (?P<how>.*)"
)
_FAR = 400 * 86400.0  # seconds: which of two years 60 apart is meant


@dataclass(frozen=True)
class Accepted:
    """A message as it was handed in: when, by which envelope sender, over which relay."""

    time: float
    id: str
    sender: str
    message_id: str
    relay: str


@dataclass(frozen=True)
class Returned:
    """A message that came of another one, which could not be delivered: `new` is its identifier."""

    time: float
    id: str
    new: str
    why: str


@dataclass(frozen=True)
class Tried:
    """An attempt, and what the log has of its connection: encryption and login, "" if nothing."""

    attempt: Attempt
    tag: str
    tls: str
    login: str


Event = Accepted | Returned | Tried


@dataclass(frozen=True)
class Story:
    """What a log tells of all messages: events in time's order, and the lines not believed.

    unclear
        for each message, how many of its lines have two readings
    """

    events: tuple[Event, ...]
    unclear: dict[str, int]

    def ids(self) -> set[str]:
        """Return the messages that it tells of."""
        found = {_id(event) for event in self.events} | set(self.unclear)
        return found | {one.new for one in self.events if isinstance(one, Returned)}

    def of(self, names: Iterable[str]) -> list[Event]:
        """Return what happened to some messages."""
        wanted = set(names)
        return [event for event in self.events if _id(event) in wanted]

    def family(self, name: str) -> list[str]:
        """Return a message with those that it came of and those that came of it, the first first.

        They are told apart from others by what sendmail itself wrote: returned mail, the identifier
        in the reply of another sendmail, and the Message-Id with which that one took it.
        """
        pairs = set(self._pairs())
        found = [name]
        while above := [old for old, new in pairs if new == found[0] and old not in found]:
            found.insert(0, min(above))
        for one in found:
            found += sorted({new for old, new in pairs if old == one} - set(found))
        return found

    def _pairs(self) -> Iterator[tuple[str, str]]:
        first: dict[str, str] = {}
        for event in self.events:
            if isinstance(event, Returned):
                yield event.id, event.new
            elif isinstance(event, Tried):
                if match := _TAKEN_ON.match(event.attempt.why):
                    yield event.attempt.id, match["id"]
            elif event.message_id:
                old = first.setdefault(event.message_id, event.id)
                # By a relay alone: any sender may choose another's Message-Id.
                if old != event.id and "127.0.0.1" in event.relay:
                    yield old, event.id


def _id(event: Event) -> str:
    return event.attempt.id if isinstance(event, Tried) else event.id


def made(name: str, now: float) -> float | None:
    """Return when a queue identifier was made, by itself, in seconds since 1970; None if never.

    now
        of the years 60 apart that it can mean, the last one up to now is meant
    """
    parts = [_DIGITS.index(char) for char in name[:6]]
    year, month, day, hour, minute, second = parts
    if month > 11 or not 1 <= day <= 31 or hour > 23:
        return None
    for century in (1900 + 60 * number for number in range(5, -1, -1)):
        when = calendar.timegm((century + year, month + 1, day, hour, minute, second))
        if when <= now + _FAR:
            return float(when)
    return None


def read(lines: Iterable[LogLine]) -> Story:
    """Return what the lines of a log, the oldest first, tell of messages."""
    events: list[Event] = []
    unclear: dict[str, int] = {}
    open_: dict[tuple[str, str], dict[str, str]] = {}
    for line in lines:
        if match := _SESSION.fullmatch(line.text):
            session = open_.setdefault((line.pid, _host(match["relay"])), {})
            session[match["what"]] = scrub(match["how"])
        elif match := _LINE.fullmatch(line.text):
            if event := _event(line, match[1], match[2], open_):
                events.append(event)
            elif match[2].startswith(("to=", "from=")):
                unclear[match[1]] = unclear.get(match[1], 0) + 1
    return Story(tuple(sorted(events, key=_time)), unclear)


def _event(
    line: LogLine, name: str, text: str, open_: dict[tuple[str, str], dict[str, str]]
) -> Event | None:
    if attempt := attempts.read(line):
        where = line.pid, _host(attempt.relay.partition(" ")[0])
        session = open_.get(where, {})
        if attempt.dsn.startswith("4."):
            open_.pop(where, None)  # the next one may have another connection
        return Tried(attempt, line.tag, session.get("STARTTLS", ""), session.get("AUTH", ""))
    if found := _RETURNED.fullmatch(text):
        return Returned(line.time, name, found["id"], scrub(found["why"]))
    if any(text.count(field) > 1 for field in _ONCE) or not (found := _ACCEPTED.fullmatch(text)):
        return None
    given = (scrub(found[key] or "") for key in ("sender", "msgid", "relay"))
    return Accepted(line.time, name, *given)


def _time(event: Event) -> float:
    return event.attempt.time if isinstance(event, Tried) else event.time


def _host(name: str) -> str:
    return name.strip("[].").lower()
