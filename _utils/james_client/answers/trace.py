"""Follow one message from who handed it in, through the queues, to James."""

from __future__ import annotations

import pwd
import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from james_client.answers import letter
from james_client.answers.letter import Letter
from james_client.errors import ClientError
from james_client.mta import noted, story
from james_client.mta.noted import Noted
from james_client.mta.story import Accepted, Event, Returned, Story, Tried
from james_client.run import mail_log
from james_client.run.domains import host_domains
from james_client.run.load import require_sendmail
from james_client.run.plan import Plan
from james_client.scrub import printable
from james_client.verdict import queues
from james_client.wishes import checks
from james_client.wishes.mistakes import SettingsError, refuse

LATEST = "latest"
_SECONDS = 8.0  # for all looks; a server that is silent takes a second more
_QUEUE_SECONDS = 1.0
_READ = 500  # control files of each queue, the newest
_SHOWN = 40  # events
_ROOM = 200  # characters of one text that others wrote
_CONTROLLER = re.compile(r"(?P<name>.+) \((?P<uid>\d+)/\d+\)")
_WANTED = f"a queue identifier as mailq shows it, one address such as root@localhost, or {LATEST}"


@dataclass
class _Seen:
    """What was seen of this host's mail, and what could not be."""

    plan: Plan
    story: Story
    waiting: dict[str, tuple[str, Noted]]
    unseen: list[str]
    own: set[str]
    letters: list[Letter] = field(default_factory=list)

    def kin(self, address: str) -> str:
        """Return an address so that all forms of a local one are the same."""
        plain = re.sub(r"^<|>$", "", address.strip()).lower()
        name, _, host = plain.rpartition("@")
        return name if name and host in self.own else plain


def trace(plan: Plan, wanted: str = LATEST, mistakes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the way of one message across this host and James.

    wanted
        its queue identifier, or an address: the newest message from or to it; or "latest"
    mistakes
        of the pillar, whose keys the plan has at their defaults

    Returns {"message": …, "way": ["<time> <event>", …], "now": …, "not seen": […]}; "way" is empty
    where nothing is known of it. Starts no process. Raises SettingsError for what is neither.
    """
    name = check(wanted)
    require_sendmail(plan)
    until = time.monotonic() + _SECONDS
    seen = _look(plan, name)
    seen.unseen += [f"what the pillar says wrongly: {one}" for one in mistakes]
    found = name if story.ID.fullmatch(name) else _newest(seen, name)
    if found is None or not (found in seen.waiting or found in seen.story.ids()):
        return _answer(name, [], "neither sendmail's log nor a queue knows it", seen.unseen)
    family = seen.story.family(found)
    _ask_james(seen, family, until)
    way = [f"{_clock(when)} {said}" for when, said in _ordered(seen, family)]
    left = len(way) - _SHOWN
    if left > 0:
        way[_SHOWN // 2 : -_SHOWN // 2] = [f"({left} more events)"]
    return _answer(_title(seen, family[0]), way, _now(seen, family), _unseen(seen, family))


def check(wanted: Any) -> str:
    """Return what is to be looked for, or raise SettingsError."""
    text = wanted if isinstance(wanted, str) else ""
    if text == LATEST or story.ID.fullmatch(text):
        return text
    try:
        return checks.check_address(text, "trace")
    except SettingsError:
        raise refuse("trace", _WANTED, wanted) from None


def _answer(title: str, way: list[str], now: str, unseen: Iterable[str]) -> dict[str, Any]:
    return {
        "message": _plain(title),
        "way": [_plain(one) for one in way],
        "now": _plain(now),
        "not seen": [_plain(one) for one in dict.fromkeys(unseen)],
    }


def _plain(text: str) -> str:
    """Return a text on one line, without what a terminal would act on."""
    return printable(text)


def _short(text: str) -> str:
    return text if len(text) <= _ROOM else text[:_ROOM] + "…"


def _clock(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


# -- looking ---------------------------------------------------------------------------------


def _look(plan: Plan, name: str) -> _Seen:
    log = mail_log.read(plan)
    unseen = list(log.unseen)
    if log.forgeable:
        unseen.append(f"who wrote {log.source}: any user of this host can add lines to it")
    elif log.lines:
        unseen.append("lines that others than root and sendmail's users wrote in sendmail's name")
    if log.lines:
        unseen.append(f"what was logged before {_clock(log.lines[0].time)}")
    waiting: dict[str, tuple[str, Noted]] = {}
    only = name if story.ID.fullmatch(name) else ""
    for path in plan.cf_paths():
        queue = "programs' queue" if path == plan.platform.submit_cf else "queue"
        try:
            folders = queues.folders(plan.cf(path))
            for one in noted.newest(folders, _READ, _QUEUE_SECONDS, only):
                waiting[one.id] = queue, one
        except (ClientError, OSError) as err:
            unseen.append(f"{queue}: {err}")
    own = {"localhost", *host_domains(plan)}
    return _Seen(plan, story.read(log.lines), waiting, unseen, own)


def _newest(seen: _Seen, wanted: str) -> str | None:
    """Return the newest message from or to an address, or of all."""
    kin = seen.kin(wanted)
    times: dict[str, float] = {}
    for event in seen.story.events:
        if isinstance(event, Returned):
            continue
        if wanted == LATEST or kin in {seen.kin(one) for one in _people(event)}:
            name = event.attempt.id if isinstance(event, Tried) else event.id
            times.setdefault(name, _time(event))
    for name, (_, one) in seen.waiting.items():
        people = {seen.kin(given) for given in (one.sender, one.by, *one.recipients)}
        if wanted == LATEST or kin in people:
            times.setdefault(name, one.submitted)
    if wanted == LATEST:
        times |= {name: times.get(name, 0.0) for name in seen.story.unclear}
    now = time.time()
    return max(times, key=lambda one: (story.made(one, now) or 0, times[one]), default=None)


def _people(event: Event) -> Iterator[str]:
    if isinstance(event, Accepted):
        yield event.sender
        yield event.relay.partition(" ")[0]
    elif isinstance(event, Tried):
        yield from event.attempt.to.split(",")
        yield _controller(event.attempt.by)[0]


def _time(event: Event) -> float:
    return event.attempt.time if isinstance(event, Tried) else event.time


def _ask_james(seen: _Seen, family: Collection[str], until: float) -> None:
    account = seen.plan.settings.account
    if account is None or account.webadmin is None:
        seen.unseen.append("James: the pillar names no WebAdmin (account:webadmin)")
        return
    try:
        found = letter.find(seen.plan, family, until)
    except (ClientError, OSError) as err:
        seen.unseen.append(f"James's repositories: {err}")
        return
    # Any user may speak to James's port; only sendmail has its login.
    auth = seen.plan.settings.auth
    seen.letters = [one for one in found.found if not auth or one.of_sendmail(auth.username)]
    if doubtful := len(found.found) - len(seen.letters):
        seen.unseen.append(
            f"mails at James ({doubtful}) that name this message and came without sendmail's login"
        )
    seen.unseen += [*found.unseen, "mail in James's mailboxes: WebAdmin does not show it"]


# -- telling ---------------------------------------------------------------------------------


def _controller(by: str) -> tuple[str, str]:
    """Return the user that a message was handed in by: his name, and that with his uid.

    A sender gives himself any name; the uid is the kernel's.
    """
    match = _CONTROLLER.fullmatch(by)
    if match is None:
        return by, by
    name, uid = match["name"], match["uid"]
    login = ""
    with suppress(KeyError, OverflowError):
        login = pwd.getpwuid(int(uid)).pw_name
    as_ = f", as {name}" if name != login else ""
    return login or name, f"{login or 'nobody known'} (uid {uid}{as_})"


def _title(seen: _Seen, name: str) -> str:
    events = seen.story.of([name])
    attempts = [one.attempt for one in events if isinstance(one, Tried)]
    senders = [one.sender for one in events if isinstance(one, Accepted)]
    to = {one for attempt in attempts for one in attempt.to.split(",")}
    if name in seen.waiting:
        note = seen.waiting[name][1]
        senders.append(note.sender)
        to |= {one for one in note.recipients if seen.kin(one) not in {seen.kin(a) for a in to}}
    senders += [one.sender for one in seen.letters if one.id == name]
    sender = f" from {_short(senders[0] or 'the null sender')}" if senders else ""
    names = sorted(to)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{name}{sender} to {', '.join(map(_short, names[:3])) or '?'}{more}"


def _ordered(seen: _Seen, family: Sequence[str]) -> list[tuple[float, str]]:
    return sorted(_way(seen, family), key=lambda event: event[0])


def _way(seen: _Seen, family: Sequence[str]) -> Iterator[tuple[float, str]]:
    for name in family:
        mark = f"{name}: " if len(family) > 1 else ""
        events = seen.story.of([name])
        yield from ((when, mark + said) for when, said in _start(seen, name, events))
        for event in events:
            if isinstance(event, Tried):
                yield event.attempt.time, mark + _tried(seen.plan, event)
            elif isinstance(event, Returned):
                yield event.time, f"{mark}returned mail {event.new} made: {_short(event.why)}"


def _start(seen: _Seen, name: str, events: Sequence[Event]) -> Iterator[tuple[float, str]]:
    """Say who handed a message in: by the log, else by its attempts, else by the queue."""
    of_queue = seen.waiting.get(name)
    attempts = [one.attempt for one in events if isinstance(one, Tried)]
    accepted = next((one for one in events if isinstance(one, Accepted)), None)
    by = next((_controller(one.by)[1] for one in attempts if one.by), "")
    when = story.made(name, time.time())
    if accepted:
        when, by = accepted.time, by or accepted.relay
    if of_queue:
        when, by = when or of_queue[1].submitted, by or of_queue[1].by
    by = by or next((one.by for one in seen.letters if one.id == name), "")
    tags = {one.tag for one in events if isinstance(one, Tried)}
    where = of_queue[0] if of_queue else "programs' queue" if "sm-msp" in tags else ""
    if when is not None and by:
        yield when, f"handed in by {_short(by)}" + (f", into {where}" if where else "")


def _tried(plan: Plan, event: Tried) -> str:
    one = event.attempt
    james = one.goes_to(mail_log.james_hosts(plan))
    host = f"James at {one.relay}" if james else one.relay or f"mailer {one.mailer}"
    if not one.relay and not one.dsn:
        return f"to {_short(one.to)}: {_short(one.why)}"
    said = "taken" if one.sent else "waits" if one.dsn.startswith("4.") else "refused"
    how = [f"TLS {event.tls}"] if event.tls else []
    how += [f"login {event.login}"] if event.login else []
    over = f", {'; '.join(how)}" if how else ""
    why = _short(f"{one.dsn} {one.why}".strip())
    return f"to {_short(one.to)} at {_short(host)}: {said}: {why}{over}"


def _now(seen: _Seen, family: Sequence[str]) -> str:
    said: list[str] = []
    for name in family:
        mark = "" if name == family[0] else f"{name}: "
        said += [mark + one for one in _state(seen, name)]
    return "; ".join(said[:8]) or "in no queue; what became of it was not seen"


def _state(seen: _Seen, name: str) -> Iterator[str]:
    if name in seen.waiting:
        queue, note = seen.waiting[name]
        reason = _short(note.reason) or "no reason noted"
        yield (
            f"waits in {queue}, tried {note.tries} times: {reason}"
            if note.tries
            else (f"waits in {queue}, not tried yet")
        )
    for one in seen.letters:
        if one.id == name:
            error = f": {_short(one.error)}" if one.error else ""
            to = ", ".join(map(_short, one.recipients[:3]))
            came = f"with the login {one.login}" if one.login else "without a login"
            yield f"James has it in {_short(one.repository)} for {to}; it came {came}{error}"
    events = seen.story.of([name])
    if new := [one.new for one in events if isinstance(one, Returned)]:
        yield f"returned as {', '.join(new)}"
    elif name not in seen.waiting and not any(one.id == name for one in seen.letters):
        last = next((one.attempt for one in reversed(events) if isinstance(one, Tried)), None)
        if last and last.sent:
            james = last.goes_to(mail_log.james_hosts(seen.plan))
            yield "James took it; where he filed it was not seen" if james else "delivered"


def _unseen(seen: _Seen, family: Sequence[str]) -> list[str]:
    tried = [one for one in seen.story.of(family) if isinstance(one, Tried) and one.attempt.sent]
    found = list(seen.unseen)
    if tried and not all(one.login for one in tried):
        found.append("sendmail's words on encryption and login: it logs AUTH from LogLevel 10 on")
    unclear = sum(seen.story.unclear.get(name, 0) for name in family)
    if unclear:
        found.append(f"lines ({unclear}) in which a name spells fields of sendmail's log")
    return found
