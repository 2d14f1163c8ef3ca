"""Read what `sendmail -v` prints: who was asked, what the answer was, what became of the mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from james_client.scrub import scrub

LOOPS = (
    "sendmail hung up after EHLO: the server has this host's name, so that mail seems to loop"
    " back (mailer flag k)"
)
ACCEPTED, QUEUED, REFUSED, LOCAL = "accepted", "queued", "refused", "kept on this host"


@dataclass
class _Mail:
    """One transaction of a dialogue: its sender, recipients and the answers that count."""

    sender: str
    recipients: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    taken: str | None = None


@dataclass(frozen=True)
class Transcript:
    """What became of a message: `result` is one of the four words above, or None if unknown.

    `why` are the other side's words or sendmail's own, `authenticated` is None where nothing
    was sent over SMTP, `bounce` says what became of the returned mail if there was one, `text`
    is the whole transcript without credentials.
    """

    result: str | None
    why: str
    authenticated: bool | None
    bounce: str | None
    text: str


_COMMAND = re.compile(r"^>>> (.*)$")
_REPLY = re.compile(r"^(\d{3})([ -])(.*)$")
_STATUS = re.compile(r"^(?P<who>.*)\.\.\. (?P<what>.*)$")
_WAITS = re.compile(r"(?i)^(deferred|queued|transient parse error)\b")
_GOOD_ENDS = ("Sent", "queued", "Deferred", "Connecting to", "Using cached", "aliased to")


def read(text: str) -> Transcript:
    """Return what a transcript says about the message that was submitted with it."""
    mails: list[_Mail] = []
    authenticated: bool | None = None
    for command, reply in _exchanges(text):
        verb = command.upper()
        if reply.startswith("235"):
            authenticated = True
        elif verb.startswith("MAIL FROM:"):
            authenticated = bool(authenticated)
            mails.append(_Mail(_address(command), answers=[reply]))
        elif mails and verb.startswith("RCPT TO:"):
            mails[-1].recipients.append(_address(command))
            mails[-1].answers.append(reply)
        elif mails and command == ".":
            mails[-1].answers.append(reply)
            mails[-1].taken = reply if reply.startswith("2") else None
    result, why = _judge(mails[0]) if mails else (None, "")
    if result is None:
        result, why = _status(text, why)
    if result is None and not mails and ">>> EHLO" in text:
        result, why = REFUSED, LOOPS
    bounce = _bounce(mails[1:])
    return Transcript(result, why, authenticated, bounce, scrub(text))


def _exchanges(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command with its reply; pipelined replies come in the order of the commands."""
    waiting: list[str] = []
    for line in text.splitlines():
        if command := _COMMAND.match(line):
            waiting.append(command[1])
        elif (reply := _REPLY.match(line)) and reply[2] == " ":
            yield (waiting.pop(0) if waiting else "", line.strip())


def _address(command: str) -> str:
    found = re.search(r"<(.*?)>", command)
    return found[1] if found else ""


def _judge(mail: _Mail) -> tuple[str | None, str]:
    if mail.taken:
        return ACCEPTED, mail.taken
    bad = [answer for answer in mail.answers if not answer.startswith(("2", "354"))]
    if not bad:
        return None, ""
    return (REFUSED if bad[0].startswith("5") else QUEUED), bad[0]


def _status(text: str, why: str) -> tuple[str | None, str]:
    """Judge by sendmail's own status lines, where no dialogue decides."""
    found = [match for match in map(_STATUS.match, text.splitlines()) if match]
    for match in found:
        if _WAITS.match(match["what"]):
            return QUEUED, _reason(text, match["what"])
    for match in found:
        what = match["what"]
        if what.startswith("Sent"):
            return LOCAL, f"{match['who']}: {_mailer(found, match['who'])}"
        if not what.startswith(_GOOD_ENDS):
            return REFUSED, what
    return None, why


def _reason(text: str, what: str) -> str:
    """Prefer what sendmail said just before it put a message into the queue."""
    before = [line for line in text.splitlines() if re.search(r"(?i)name server|timeout", line)]
    return "; ".join(dict.fromkeys([*before[:1], what]))


def _mailer(found: list[re.Match[str]], who: str) -> str:
    ways = [m["what"] for m in found if m["who"] == who and m["what"].startswith("Connecting to")]
    return ways[0].strip(".") if ways else "Sent"


def _bounce(mails: list[_Mail]) -> str | None:
    for mail in mails:
        if mail.sender == "" and mail.recipients:
            result, why = _judge(mail)
            return f"to {', '.join(mail.recipients)}: {result or QUEUED} {why}".strip()
    return None
