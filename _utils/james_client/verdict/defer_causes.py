"""Tell by what James puts off, with a reply 4xx, why mail waits that he could take."""

from __future__ import annotations

from collections.abc import Iterator

from james_client.james.smtp import Reply
from james_client.run import port
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level


def put_off(seen: Evidence) -> str:
    """Return James's reply 4xx to sendmail's login or senders and what it was to; "" without."""
    for path, one in seen.pulses.items():
        logins = () if one.let_in or one.refused else one.logins.values()
        for reply in filter(_later, logins):
            return f"{str(reply)!r} to the login in {path}"
        for sender, reply in one.senders.items():
            if _later(reply):
                return f"{str(reply)!r} to mail from {sender or 'the null sender'}"
    return ""


def _later(reply: Reply) -> bool:
    return 400 <= reply.code < 500


def _defers(seen: Evidence) -> Iterator[Finding]:
    said = put_off(seen)
    asks = seen.plan.settings.verify.names and seen.has_time_for_names
    if not said and asks and (words := seen.reach.deferred):
        said = f"{words!r} to each recipient"
    if said:
        waits = sum(one.glimpse.total for one in seen.queues)
        said = f"James says {said}" + f", and {waits} messages wait" * bool(waits)
        level = Level.CRITICAL if waits else Level.WARNING
        yield Finding("james-defers", level, said, port.see_james(seen.plan))


CAUSES = (
    Cause(
        "james-defers",
        Level.CRITICAL,
        (
            "Deferred: 421 4.3.2",
            "Deferred: 451 4.3.0",
            "454 4.7.0 Temporary authentication failure",
        ),
        _defers,
        explains=("names-unknown", "james-settings", "last-refused", "queue-late", "queue-many"),
        means="James puts off the login, the senders or all recipients: mail waits until he can.",
        remedy="His log says what he waits for: his users, his stores, or less load.",
    ),
)
