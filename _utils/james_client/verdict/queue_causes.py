"""Tell by what waits, and for how long, what will become of it; and what nobody reads."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from james_client.mta.attempts import LATELY
from james_client.mta.queue import Held
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence, NotSeenError
from james_client.verdict.finding import Finding, Level
from james_client.verdict.queues import SeenQueue
from james_client.verdict.words import duration, some
from james_client.wishes.checks import seconds

_NEAR = 0.25  # of its patience, when a message is close to its end
_RUNS = 2  # that may be missed before a message is late, however small the thresholds are


def thresholds(seen: Evidence, one: SeenQueue) -> tuple[int, int]:
    """Return after how many seconds the oldest message is late: warning, critical."""
    watch, least = seen.plan.settings.watch, _RUNS * one.interval
    return max(seconds(watch.oldest_warning), least), max(seconds(watch.oldest_critical), least)


def _lost(seen: Evidence) -> Iterator[Finding]:
    for one in seen.queues:
        if paths := one.glimpse.lost:
            said = (
                f"{one.name}: sendmail has lost {len(paths)} messages, which it neither delivers "
            )
            said += f"nor returns ({some(paths)})"
            yield Finding("mail-lost", Level.CRITICAL, said, one.listing("L"))


def _quarantined(seen: Evidence) -> Iterator[Finding]:
    for one in seen.queues:
        if paths := one.glimpse.quarantined:
            said = f"{one.name}: {len(paths)} messages are quarantined ({some(paths)})"
            yield Finding("mail-quarantined", Level.WARNING, said, one.listing("Q"))


def _reason(one: SeenQueue) -> str:
    reasons = one.glimpse.reasons()
    return f", mostly for {next(iter(reasons))!r}" if reasons else ""


def _left(one: SeenQueue, message: Held, now: float) -> tuple[float, float]:
    """Return how long a message may still wait, and how long it might in all, in seconds."""
    limit = one.give_up[message.age.kind]
    return message.age.submitted + limit - now, limit


def _near_its_end(seen: Evidence) -> Iterator[Finding]:
    for one in seen.queues:
        near = [
            (left, message)
            for message in one.glimpse.read
            for left, limit in [_left(one, message, seen.now)]
            if left < _NEAR * limit
        ]
        if not near:
            continue
        left, first = min(near, key=lambda pair: pair[0])
        what = "returned to its sender" if first.age.returnable else "given up"
        when = f"in {duration(left)}" if left > 0 else "after the next try that fails"
        said = f"{one.name}: {first.id} is {what} {when}" + _more(len(near)) + f" ({first.reason})"
        level = Level.WARNING if left > one.interval else Level.CRITICAL
        yield Finding("queue-near-return", level, said, one.run)


def _more(count: int) -> str:
    return f", and {count - 1} more soon" if count > 1 else ""


def _level(value: float, warning: float, critical: float) -> Level:
    """Return how bad a value is; a critical threshold below the other leaves no warning."""
    if value >= critical:
        return Level.CRITICAL
    return Level.WARNING if value >= warning else Level.OK


def _late(seen: Evidence) -> Iterator[Finding]:
    for one in seen.queues:
        warning, critical = thresholds(seen, one)
        for oldest in one.glimpse.read[:1]:
            age = seen.now - oldest.age.submitted
            if level := _level(age, warning, critical):
                said = f"{one.name}: the oldest message waits {duration(age)}, expected less than "
                said += duration(min(warning, critical)) + _reason(one)
                yield Finding("queue-late", level, said, one.run)


def _many(seen: Evidence) -> Iterator[Finding]:
    watch = seen.plan.settings.watch
    for one in seen.queues:
        total = one.glimpse.total
        if level := _level(total, watch.count_warning, watch.count_critical):
            at_least = "" if one.glimpse.whole else "at least "
            said = f"{one.name}: {at_least}{total} messages wait, expected less than "
            said += f"{min(watch.count_warning, watch.count_critical)}{_reason(one)}"
            yield Finding("queue-many", level, said, one.run)


def _refused_lately(seen: Evidence) -> Iterator[Finding]:
    """Find a login that was refused last, while what waits is still to be tried again."""
    found, waiting = seen.lately, [one for one in seen.queues if one.glimpse.total]
    if found.forgeable:
        return  # any user could take a warning away, or make one
    if waiting and not (found.taken or found.refused) and found.source and found.unseen:
        raise NotSeenError("; ".join(found.unseen))
    if waiting and found.refused and found.fails and found.refused.login:
        ago = duration(seen.now - found.refused.time)
        said = f"the login was refused {ago} ago, and James has taken no message since"
        yield Finding("last-refused", Level.WARNING, said, waiting[0].run)


def _returned(seen: Evidence) -> Iterator[Finding]:
    """Find mail that James lately refused for good; what any user may log, proves nothing."""
    last = seen.lately.returned
    if last and not seen.lately.forgeable and seen.now - last.time < LATELY:
        said = f"{duration(seen.now - last.time)} ago James refused for good mail to {last.to}, "
        said += f"which went back to its sender: {last.why}"
        yield Finding(
            "refused-lately", Level.WARNING, said, f"salt-call sendmail_james.trace {last.id}"
        )


def _dead_letters(seen: Evidence) -> Iterator[Finding]:
    for box in seen.unread.dead:
        said = f"{box.path} holds mail that could be neither delivered nor returned ({box}): "
        said += "read it and send on what matters; this sets it aside"
        path, read = shlex.quote(str(box.path)), shlex.quote(f"{box.path}.read")
        # The file itself stays: the submission program's user could make no other one.
        cure = f"mv --backup=numbered {path} {read} && cp -p --attributes-only {read} {path}"
        yield Finding("dead-letter", Level.WARNING, said, cure)


def _stays_here(seen: Evidence) -> Iterator[Finding]:
    for box in seen.unread.late:
        said = f"{box.path}: mail came here after James took over ({box})"
        yield Finding("mail-stays-here", Level.WARNING, said, "sendmail_james:relay:stay_local")


CAUSES = (
    Cause(
        "mail-lost",
        Level.CRITICAL,
        ("Losing ./qf",),
        _lost,
        symptom=True,
        means=(
            "sendmail could not read a message's control file and set it aside as Qf: "
            "no queue run looks at it again."
        ),
        remedy=(
            "`sendmail -bp -qL` lists it (programs' queue: `sendmail -Ac -bp -qL`). Mend the Qf "
            "file and rename it to qf, or send its df file on by hand; then remove both."
        ),
    ),
    Cause(
        "mail-quarantined",
        Level.WARNING,
        ("quarantine=",),
        _quarantined,
        symptom=True,
        means="A filter, a rule or an administrator holds mail back: it waits without an end.",
        remedy=(
            "`sendmail -bp -qQ` lists it with the reason; `sendmail -qQ -Q` lets all of it go "
            "(programs' queue: with `-Ac`)."
        ),
    ),
    Cause(
        "queue-near-return",
        Level.CRITICAL,
        ("Warning: could not send message for past 4 hours",),
        _near_its_end,
        explains=("queue-late",),
        symptom=True,
        means="Mail is about to be returned to its sender, or given up.",
        remedy=("Find the cause above it; then run the queue, by the command that status prints."),
    ),
    Cause(
        "last-refused",
        Level.WARNING,
        (),
        _refused_lately,
        symptom=True,
        means="The last message that was tried was refused, and none was taken since.",
        remedy="`salt-call sendmail_james.trace latest` shows what was said.",
    ),
    Cause(
        "refused-lately",
        Level.WARNING,
        ("550 5.7.1",),
        _returned,
        symptom=True,
        means=(
            "James refused a message of the last six hours for good, not for want of such a "
            "user, and has taken none for its domain since: others to it may bounce, too."
        ),
        remedy=(
            "`salt-call sendmail_james.trace ID`, as status prints it, shows what James said: let "
            "him relay for who is logged in, or take such mail."
        ),
    ),
    Cause(
        "queue-late",
        Level.CRITICAL,
        (),
        _late,
        symptom=True,
        means="The oldest message waits longer than pillar watch allows.",
        remedy="Find the cause above it; then run the queue.",
    ),
    Cause(
        "queue-many",
        Level.CRITICAL,
        (),
        _many,
        symptom=True,
        means="More messages wait than pillar watch allows.",
        remedy="Find the cause above it, or who sends so much; then run the queue.",
    ),
    Cause(
        "dead-letter",
        Level.WARNING,
        ("Saved message in /var/lib/sendmail/dead.letter", "cannot save rejected email anywhere"),
        _dead_letters,
        symptom=True,
        means=(
            "sendmail could neither deliver mail nor return it, and kept it in a "
            "file that nobody reads."
        ),
        remedy=(
            "Read it, send on what matters, then set it aside, by the command that status prints: "
            "it is the last copy."
        ),
    ),
    Cause(
        "mail-stays-here",
        Level.WARNING,
        (),
        _stays_here,
        symptom=True,
        means=("Mail is still delivered to a mailbox on this host, which nobody reads any more."),
        remedy=("Find what delivers there, or name its owner in pillar `relay:stay_local`."),
    ),
)
