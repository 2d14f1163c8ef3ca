"""Tell from sendmail's log what became of each attempt to hand mail over, and what came of late.

An attempt's line is ``ID: to=…, [ctladdr=…,] delay=…, …, relay=…, dsn=…, [reply=…,] stat=…``
(deliver.c: logdelivery). A sender chooses the recipient's name, and James may repeat it in his
reply: a line in which such a name spells fields of its own has two readings and is believed in
none. Control characters sendmail has made visible (conf.c: sm_syslog).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from james_client.mta.maillog import Log, LogLine
from james_client.scrub import scrub

_ATTEMPT = re.compile(
    r"(?P<id>[A-Za-z0-9]{8,20}): to=(?P<to>.*?)(?:, ctladdr=(?P<by>.*))?, delay=[\d+:]+"
    r"(?:, xdelay=[\d+:]+)?, mailer=(?P<mailer>[^\s,]+)(?:, pri=\d+)?(?:, relay=(?P<relay>.*?))?"
    r"(?:, dsn=(?P<dsn>[245]\.\d{1,3}\.\d{1,3}))?(?:, reply=(?P<reply>.*?))?, stat=(?P<stat>.*)"
)
_ONCE = (", ctladdr=", ", delay=", ", mailer=", ", relay=", ", dsn=", ", reply=", ", stat=")
_NOBODY = re.compile(r"5\.1\.1\b|unknown user|user unknown|no such user", re.IGNORECASE)
LATELY = 6 * 3600
"""For how many seconds a message that James refused for good is news."""
_LOGIN = re.compile(r"53[0458] |Temporary AUTH failure|James has not authenticated us")


@dataclass(frozen=True)
class Attempt:
    """One attempt: when, which message, to whom, for whom, over which mailer to which host.

    `dsn` is the status by RFC 3463, empty where there is none; `why` what James or sendmail said,
    without credentials.
    """

    time: float
    id: str
    to: str
    by: str
    mailer: str
    relay: str
    dsn: str
    why: str

    @property
    def sent(self) -> bool:
        """Tell whether the other side has taken it."""
        return self.dsn.startswith("2.") and self.why.startswith("Sent")

    @property
    def login(self) -> bool:
        """Tell whether it was the login that was refused, or could not be read."""
        return not self.sent and _LOGIN.search(self.why) is not None

    @property
    def nobody(self) -> bool:
        """Tell whether there is no such recipient, which is its sender's business."""
        # sendmail calls every 550 to a recipient that, and 5.1.1; James's reply says what it is.
        return _NOBODY.search(self.why.removeprefix("User unknown: ")) is not None

    @property
    def domains(self) -> frozenset[str]:
        """Give the domains of its recipients, "" for a name without one."""
        plain = (one.strip("<> ").lower() for one in self.to.split(","))
        return frozenset(one.rpartition("@")[2] if "@" in one else "" for one in plain)

    def goes_to(self, hosts: Collection[str]) -> bool:
        """Tell whether it went to one of some hosts, as sendmail names them."""
        return _plain(self.relay.partition(" ")[0]) in {_plain(one) for one in hosts}


def read(line: LogLine) -> Attempt | None:
    """Return the attempt that a line of the log tells of, None where it tells of none."""
    if any(line.text.count(field) > 1 for field in _ONCE):
        return None
    found = _ATTEMPT.fullmatch(line.text)
    if found is None:
        return None
    part = {name: scrub(value or "") for name, value in found.groupdict().items()}
    why = f"{part['stat']}: {part['reply']}" if part["reply"] else part["stat"]
    given = {name: part[name] for name in ("id", "to", "by", "mailer", "relay", "dsn")}
    return Attempt(time=line.time, why=why, **given)


@dataclass(frozen=True)
class Lately:
    """The last message that James took, and the last that he did not.

    taken, refused
        None where the log has none
    source
        where that stands: a file, or "journal"; empty where there is no log
    forgeable
        whether any user of the host could have written it
    unseen
        what could not be read, and why
    returned
        the last that James refused for good of late, though there may be such a recipient, where
        he has taken nothing for the same domains since
    """

    taken: Attempt | None
    refused: Attempt | None
    source: str
    forgeable: bool
    unseen: tuple[str, ...]
    returned: Attempt | None = None

    @property
    def fails(self) -> bool:
        """Tell whether nothing was taken since the last refusal."""
        return self.refused is not None and (
            self.taken is None or self.refused.time > self.taken.time
        )


def lately(log: Log, hosts: Collection[str]) -> Lately:
    """Return what a log says last of mail to James, who has some names as a host."""
    taken = refused = returned = None
    works: set[str] = set()
    news = log.lines[-1].time - LATELY if log.lines else 0.0
    for line in reversed(log.lines):
        # A queued message is no attempt yet: it has no relay.
        one = read(line) if ", relay=" in line.text else None
        if one is None or not one.goes_to(hosts):
            continue
        if one.sent:
            taken = taken or one
            works |= one.domains
        else:
            refused = refused or one
            if one.dsn.startswith("5.") and not one.nobody and not one.domains <= works:
                returned = returned or one
        if taken and refused and (returned or line.time < news):
            break
    return Lately(taken, refused, log.source, log.forgeable, log.unseen, returned)


def _plain(host: str) -> str:
    return host.strip("[].").lower()
