"""Tell by what James answers, or who answers in his place, why mail does not move."""

from __future__ import annotations

from collections.abc import Iterator

from james_client.james.account import checks
from james_client.james.dialogue import IDENTITY
from james_client.james.line import JamesError, NothingListensError, PeerError, SlowError
from james_client.run import port
from james_client.run.domains import host_domains
from james_client.run.reach import CURE
from james_client.run.service import APPLY
from james_client.verdict import defer_causes
from james_client.verdict.cause import Cause
from james_client.verdict.defer_causes import put_off
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level
from james_client.verdict.words import some

_CARRY = "salt-call sendmail_james.aliases carry=True"
_PREFLIGHT = "salt-call sendmail_james.preflight"
_CREATE = "salt-call sendmail_james.account create=True"


def _where(seen: Evidence) -> str:
    relay = seen.plan.settings.relay
    return f"{relay.host}:{relay.port}"


def _failure(seen: Evidence) -> JamesError | None:
    """Return why James could not be talked to, None where he could."""
    try:
        _ = seen.pulses
    except JamesError as err:
        return err
    return None


def _down(seen: Evidence) -> Iterator[Finding]:
    failed = _failure(seen)
    if isinstance(failed, NothingListensError):
        said, cure = f"nothing listens on {_where(seen)}, where James should be", ""
        if young := port.starting(seen.plan):
            said, cure = f"{said}: {young}", port.see_james(seen.plan)
        cure = cure or port.start_james(seen.plan)
        yield Finding("james-down", Level.CRITICAL, said, cure)


def _is_slow(seen: Evidence) -> bool:
    """Tell whether it is James, as far as can be told, who does not answer in time."""
    return isinstance(_failure(seen), SlowError) and not port.strangers(seen.plan)


def _slow(seen: Evidence) -> Iterator[Finding]:
    if _is_slow(seen):
        said = f"{_failure(seen)}, though James listens"
        if young := port.starting(seen.plan):
            said += f": {young}"
        yield Finding("james-slow", Level.WARNING, said, port.see_james(seen.plan))


def _silent(seen: Evidence) -> Iterator[Finding]:
    failed = _failure(seen)
    if failed and not isinstance(failed, NothingListensError | PeerError) and not _is_slow(seen):
        cure = port.start_james(seen.plan)
        yield Finding("james-silent", Level.CRITICAL, port.why_silent(seen.plan, failed), cure)


def _stranger(seen: Evidence) -> Iterator[Finding]:
    failed = _failure(seen)
    if isinstance(failed, PeerError):
        said = port.why_silent(seen.plan, failed)
        yield Finding("james-stranger", Level.CRITICAL, said, "sendmail_james:relay:port")


def _no_login(seen: Evidence) -> Iterator[Finding]:
    """Find credential files that sendmail can't use: mail waits with "Temporary AUTH failure"."""
    for path, login in seen.logins.items():
        if login is None:
            said = f"{path} holds no login, expected the pillar's: mail waits"
            yield Finding("no-credentials", Level.CRITICAL, said, APPLY)


def _not_offered(seen: Evidence) -> Iterator[Finding]:
    auth = seen.plan.settings.auth
    for one in list(seen.pulses.values())[:1]:
        if auth and not set(auth.mechanisms) & set(one.offers):
            wanted, found = " or ".join(auth.mechanisms), " ".join(one.offers) or "no AUTH"
            said = f"James offers {found}, expected {wanted}"
            cure = _PREFLIGHT  # which finds out what keeps him from it
            yield Finding("login-not-offered", Level.CRITICAL, said, cure)


def _refused(seen: Evidence) -> dict[str, str]:
    """Return James's refusals of sendmail's logins, by their files."""
    return {path: str(one.refused) for path, one in seen.pulses.items() if one.refused}


def _account_gone(seen: Evidence) -> Iterator[Finding]:
    auth, account = seen.plan.settings.auth, seen.plan.settings.account
    if auth and account and _refused(seen) and seen.account_exists is False:
        said = f"James has no account {auth.username}, with which sendmail logs in"
        cure = _CREATE
        if not account.create:
            cure = f"sendmail_james:account:create: true, then: {_CREATE}"
        yield Finding("account-gone", Level.CRITICAL, said, cure)


def _wrong_password(seen: Evidence) -> Iterator[Finding]:
    auth, account = seen.plan.settings.auth, seen.plan.settings.account
    refused = _refused(seen)
    if auth is None or not refused:
        return
    waits = sum(one.glimpse.total for one in seen.queues)
    said = f"James says {next(iter(refused.values()))!r} to the login in {some(list(refused))}"
    said += f", and {waits} messages wait" * bool(waits)
    own = [(one.username, one.password.reveal()) for one in seen.logins.values() if one]
    if any(one != (auth.username, auth.password.reveal()) for one in own):
        cure = APPLY
    elif account and account.update:
        cure = "salt-call sendmail_james.rotate"
    else:
        cure = f"sendmail_james:auth:password: the one that James has for {auth.username}"
    yield Finding("wrong-password", Level.CRITICAL, said, cure)


def _senders_refused(seen: Evidence) -> tuple[str, bool] | None:
    """Return how James refuses sendmail's senders, and whether for who is logged in."""
    for one in list(seen.pulses.values())[:1]:
        refused = {sender: reply for sender, reply in one.senders.items() if reply.code >= 500}
        for reply in list(refused.values())[:1]:
            names = some([sender or "the null sender" for sender in refused])
            identity = reply.code == 503 or "5.7" in reply.text
            return f"James says {str(reply)!r} to mail from {names}", identity
    return None


def _identity(seen: Evidence) -> Iterator[Finding]:
    found = _senders_refused(seen)
    if found and found[1]:
        yield Finding("verify-identity", Level.CRITICAL, found[0], IDENTITY)


def _senders(seen: Evidence) -> Iterator[Finding]:
    found = _senders_refused(seen)
    if found and not found[1]:
        yield Finding("senders-refused", Level.CRITICAL, found[0], _PREFLIGHT)


def _settings(seen: Evidence) -> Iterator[Finding]:
    """Ask for all that sendmail needs of James."""
    for one in checks(seen.plan.settings, host_domains(seen.plan), patient=False):
        if one.ok is False:
            said = f"{one.what}: James says {one.said!r}"
            yield Finding("james-settings", Level.CRITICAL, said, one.change or _PREFLIGHT)


def _names(seen: Evidence) -> Iterator[Finding]:
    if not seen.plan.settings.verify.names or put_off(seen):
        return
    if not seen.has_time_for_names:
        said = f"James took {seen.pulse_took:.1f} s to answer: his names were not asked for"
        yield Finding("names-unknown", Level.OK, said, "salt-call sendmail_james.status")
        return
    account = seen.plan.settings.account
    carries = account and (account.aliases == "carry" or account.people)
    for said in seen.reach.dying:
        yield Finding("names-unknown", Level.CRITICAL, said, _CARRY if carries else CURE)


# What follows from a James to whom sendmail can't talk, or not as itself.
_OF_THE_QUEUE = ("last-refused", "queue-late", "queue-many")
_COMES_OF_IT = ("james-defers", "names-unknown", "james-settings", *_OF_THE_QUEUE)
ASKED_OF_JAMES = (
    "webadmin-denies",
    "james-ill",
    "login-not-offered",
    "account-gone",
    "wrong-password",
    "verify-identity",
    "senders-refused",
    *_COMES_OF_IT,
)
"""What only an answer of James's shows."""

THERE = (
    Cause(
        "james-down",
        Level.CRITICAL,
        ("Deferred: Connection refused by localhost",),
        _down,
        explains=ASKED_OF_JAMES,
        means="Nobody listens where James should be. Mail waits; nothing is lost.",
        remedy="Start James, by the command that status prints.",
    ),
    Cause(
        "james-stranger",
        Level.CRITICAL,
        (),
        _stranger,
        explains=ASKED_OF_JAMES,
        means=(
            "Who listens in James's place cannot be proved to be James, so he is not "
            "given the login."
        ),
        remedy="End who holds the port, or give James another in pillar `relay:port`.",
    ),
    Cause(
        "james-slow",
        Level.WARNING,
        ("Deferred: Connection timed out with localhost",),
        _slow,
        explains=tuple(one for one in ASKED_OF_JAMES if one not in _OF_THE_QUEUE),
        means="James takes connections and answers none in time: he is busy, starting, or stuck.",
        remedy="Look at his load and his log, by the command that status prints.",
    ),
    Cause(
        "james-silent",
        Level.CRITICAL,
        (
            "Deferred: Connection timed out with localhost",
            "Deferred: Connection reset by localhost",
        ),
        _silent,
        explains=ASKED_OF_JAMES,
        means="Somebody listens and does not answer as a mail server does.",
        remedy="Restart James; look at his log.",
    ),
)
CAUSES = (
    Cause(
        "no-credentials",
        Level.CRITICAL,
        ("Deferred: Temporary AUTH failure",),
        _no_login,
        explains=("account-gone", "wrong-password", "drift", *_COMES_OF_IT),
        means="sendmail has no credential file that it can use; mail waits.",
        remedy="`salt-call state.apply sendmail_james`.",
    ),
    Cause(
        "login-not-offered",
        Level.CRITICAL,
        ("454 4.7.0 James has not authenticated us",),
        _not_offered,
        explains=_COMES_OF_IT,
        means="James offers no AUTH, or none of the wanted mechanisms; mail waits.",
        remedy=("`salt-call sendmail_james.preflight` names the element of smtpserver.xml."),
    ),
    Cause(
        "account-gone",
        Level.CRITICAL,
        (),
        _account_gone,
        explains=("wrong-password", *_COMES_OF_IT),
        means="James has no account for sendmail any more; mail waits.",
        remedy="`salt-call sendmail_james.account create=True`.",
    ),
    Cause(
        "wrong-password",
        Level.CRITICAL,
        ("454 4.7.0 James has not authenticated us", "535 Authentication Failed"),
        _wrong_password,
        explains=("drift", *_COMES_OF_IT),
        means="James refuses the password that is live here; mail waits.",
        remedy=(
            "Another password in pillar and at James: `salt-call "
            "sendmail_james.rotate`, or the one that James has in `auth:password`."
        ),
    ),
    Cause(
        "verify-identity",
        Level.CRITICAL,
        ("503 5.7.1 Incorrect Authentication for Specified Email Address",),
        _identity,
        explains=("names-unknown", "james-settings", "refused-lately"),
        means=(
            "James takes from sendmail's account only mail that says it is the "
            "account's own; all other mail bounces."
        ),
        remedy="In James's smtpserver.xml `<verifyIdentity>false</verifyIdentity>`.",
    ),
    Cause(
        "senders-refused",
        Level.CRITICAL,
        (),
        _senders,
        explains=("names-unknown", "james-settings", "refused-lately"),
        means="James refuses senders that this host has.",
        remedy="`salt-call sendmail_james.preflight` names the setting.",
    ),
    *defer_causes.CAUSES,
    Cause(
        "names-unknown",
        Level.CRITICAL,
        ("550 5.1.1 Unknown user",),
        _names,
        means="James has nobody behind a name that gets mail here: that mail dies.",
        remedy=(
            "An account or an alias at James: [names.md](names.md), pillar "
            "`account:aliases` and `account:people`."
        ),
    ),
    Cause(
        "james-settings",
        Level.CRITICAL,
        (),
        _settings,
        deep=True,
        means="A setting of James's is not what a client needs.",
        remedy="`salt-call sendmail_james.preflight` prints the element to set.",
    ),
)
