"""Read what sendmail has noted of a queued message in its control file.

Only sendmail and root can write there. Source: operations guide, appendix B; ``$_`` is macro ``_``,
who handed the message in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from james_client.mta import queue
from james_client.scrub import scrub


@dataclass(frozen=True)
class Noted:
    """One queued message, credentials left out.

    submitted
        seconds since 1970
    sender
        of the envelope, empty for returned mail
    by
        who handed it in: user@localhost, or a host
    reason, tries
        why it waits, empty before a first try, and how often it was tried
    """

    id: str
    submitted: int
    sender: str
    by: str
    recipients: tuple[str, ...]
    reason: str
    tries: int


def newest(folders: Sequence[str], limit: int, seconds: float, only: str = "") -> list[Noted]:
    """Return the newest messages of a queue, the newest first, starting no process.

    limit, seconds
        after so many files, or so long, reading ends with what there is
    only
        the identifier of the one message that is read; all where empty
    """
    found = list(_read(folders, limit, seconds, only))
    return sorted(found, key=lambda one: (one.submitted, one.id), reverse=True)[:limit]


def _read(folders: Sequence[str], limit: int, seconds: float, only: str) -> Iterator[Noted]:
    for name, head in queue.heads(folders, limit, seconds, only):
        if noted := parse(name, head):
            yield noted


def parse(name: str, head: bytes) -> Noted | None:
    """Return what a control file says of the message of that name; None where it is not whole."""
    text = head.decode("utf-8", "replace")
    when = _field(text, "T")
    if not re.fullmatch(r"[0-9]{1,12}", when):
        return None
    tries = _field(text, "N")
    # Flags may stand before the colon: R<flags>:<recipient>.
    to = tuple(_address(one) for one in re.findall(r"(?m)^R[A-Za-z]*:(.+)$", text))
    number = int(tries[:9]) if tries.isdecimal() else 0
    reason = _field(text, "M")
    return Noted(
        name, int(when), _address(_field(text, "S")), _field(text, r"\$_"), to, reason, number
    )


def _field(text: str, mark: str) -> str:
    match = re.search(rf"(?m)^{mark}(.*)$", text)
    return scrub(match[1]) if match else ""


def _address(text: str) -> str:
    return scrub(text).strip().removeprefix("<").removesuffix(">")
