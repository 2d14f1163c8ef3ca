"""Ask and tell sendmail, as a client of the Apache James server, from the command line.

Every function that changes something takes ``test=True``; every one that reads a cf takes
``cf=PATH``. Values come from the pillar ``sendmail_james``. No function takes, returns or logs a
password.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

# Modules only: Salt's loader would take an imported function for one of ours.
from james_client.answers import account as account_report
from james_client.answers import aliases as alias_report
from james_client.answers import check as verdict
from james_client.answers import preflight as what_james_allows
from james_client.answers import probe as test_messages
from james_client.answers import routes as ways
from james_client.answers import status as page
from james_client.answers import trace as journey
from james_client.answers import watch as watcher
from james_client.changes import Changes, HostChanges
from james_client.run import alone, live, load, proof, rotation, service, whole
from james_client.run.plan import Plan
from james_client.wishes import checks
from salt.exceptions import CommandExecutionError, SaltInvocationError

__opts__: dict[str, Any]
__salt__: dict[str, Callable[..., Any]]
__pillar__: dict[str, Any]
__grains__: dict[str, Any]
__context__: dict[str, Any]

__func_alias__ = {"settings_": "settings"}


def _command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a command of a function: our errors become Salt's, and nothing secret leaves."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return load.answer(partial(function, *args, **kwargs), __pillar__, __context__)

    return call


def _plan(cf: str | None = None) -> Plan:
    plan = load.load_plan(__salt__, __pillar__, __grains__, __opts__, __context__)
    return plan if cf is None else plan.for_one(cf)


def _told(found: dict[str, Any], wrong: object) -> dict[str, Any]:
    """Exit with 1 where something is wrong: what monitors, scripts and orchestrations see."""
    if wrong:
        __context__["retcode"] = 1
    return found


@_command
def relay(cf: str | None = None, test: bool = False) -> HostChanges:
    """Make James the smart host, local relay and mail hub (how-to, step 2).

    cf
        one cf file to edit; all of the host's sendmail files where absent
    test
        say what would change and change nothing

    Returns ``{path: {thing: {"old": …, "new": …}}}``, empty where all is as the pillar says.
    Sendmail uses it after its next restart.

    .. code-block:: bash

        salt-call sendmail_james.relay test=True
    """
    return alone.take(_plan(cf), "relay", __salt__, test=test)


@_command
def loop_check(cf: str | None = None, test: bool = False) -> HostChanges:
    """Set mailer flag k as the pillar says (how-to, step 3).

    cf
        one cf file to edit; all of the host's sendmail files where absent
    test
        say what would change and change nothing

    Returns ``{path: {thing: {"old": …, "new": …}}}``.

    .. code-block:: bash

        salt-call sendmail_james.loop_check test=True
    """
    return alone.take(_plan(cf), "loop_check", __salt__, test=test)


@_command
def client_auth(cf: str | None = None, test: bool = False) -> HostChanges:
    """Set SMTP AUTH, and make it compulsory where the pillar says so (how-to, step 4).

    cf
        one cf file to edit; all of the host's sendmail files where absent
    test
        say what would change and change nothing

    Returns ``{path: {thing: {"old": …, "new": …}}}``.

    .. code-block:: bash

        salt-call sendmail_james.client_auth test=True
    """
    return alone.take(_plan(cf), "client_auth", __salt__, test=test)


@_command
def credentials(test: bool = False) -> HostChanges:
    """Write the credential files from pillar ``sendmail_james:auth``, mode 0600.

    test
        say what would change and change nothing

    Returns ``{path: {"credentials": {"old": "(not shown)", …}}}``.

    .. code-block:: bash

        salt-call sendmail_james.credentials
    """
    return alone.take(_plan(), "credentials", __salt__, test=test)


@_command
def rotate(test: bool = False) -> Changes:
    """Bring a new password, the pillar's, to James and to this host, so that mail waits at worst.

    test
        say what would change and change nothing

    The password is tried at James before it goes live here; nothing is sent. Where he refuses it,
    he is given it through WebAdmin if pillar ``account:update`` is true; otherwise nothing changes.
    A call that was killed is ended by the next one, or by a highstate.

    Returns ``{"password": {"old": "(not shown)", …}, path: {…}}``: what changed on James and here.

    .. code-block:: bash

        salt-call sendmail_james.rotate test=True
    """
    return rotation.rotate(_plan(), __salt__, test=test)


@_command
def drift() -> HostChanges:
    """Return what differs between the pillar and this host; empty means nothing.

    Returns ``{path: {thing: {"old": …, "new": …}}}``: what a highstate would change. A file that
    no step has words for is told as ``file``, with a diff; a restart that is owed, a stray daemon
    or queue runner and a service that does not start at boot under ``sendmail``. The exit code is 1
    where there is any.

    .. code-block:: bash

        salt-call sendmail_james.drift
    """
    plan = _plan()
    found = whole.drift(plan) | service.drift(plan, __salt__)
    return _told(found, found)


@_command
def settings_(cf: str | None = None) -> dict[str, Any]:
    """Show what the cf says now, and what is missing for James.

    cf
        one cf file to read; all of the host's where absent

    Returns ``{path: {…, "missing": [...]}}``.

    .. code-block:: bash

        salt-call sendmail_james.settings
        salt-call sendmail_james.settings cf=/etc/mail/submit.cf
    """
    return proof.facts(_plan(cf))


@_command
def routes(*addresses: str, cf: str | None = None) -> dict[str, Any]:
    """Ask sendmail where addresses go, sending nothing and asking no DNS.

    addresses
        any addresses; the how-to's five forms where absent
    cf
        one cf file; all of the host's where absent

    Returns ``{path: {address: {"mailer": …, "host": …, "user": …, "to James": "yes" | why not}}}``.

    .. code-block:: bash

        salt-call sendmail_james.routes root someone@example.org
    """
    return ways.routes(_plan(cf), addresses)


@_command
def probe(verbose: bool = False) -> dict[str, Any]:
    """Send the how-to's test messages as root and as a user, and say what James answered.

    verbose
        with all that is known of each message: route, login, where it arrived, the dialogue

    Returns ``{"messages": [a line each: address, sent by, outcome], "failed": {message: all that is
    known, its dialogue without AUTH}, "wrong": [...], …}``. Takes up to two minutes; leaves nothing
    in a queue. The exit code is 1 where something is wrong.

    .. code-block:: bash

        salt-call sendmail_james.probe
        salt-call sendmail_james.probe verbose=True
    """
    report = test_messages.probe(_plan(), verbose=verbose)
    return _told(report, report["wrong"])


@_command
def account(create: bool = False, test: bool = False) -> dict[str, Any]:
    """Say whether James lets sendmail's account in and takes what sendmail will send.

    create
        create the account, and the domain localhost, through WebAdmin where they are missing
    test
        say what would be created and create nothing

    Nothing is sent: AUTH, MAIL, RCPT, RSET. The exit code is 1 where James does not do as wanted.

    .. code-block:: bash

        salt-call sendmail_james.account create=True
    """
    report = account_report.account(_plan(), make=create, test=test)
    return _told(report, account_report.is_wrong(report))


@_command
def aliases(carry: bool = False, test: bool = False) -> dict[str, Any]:
    """Say of every alias what James has for it and what carrying it would make.

    carry
        have James do what pillar ``account:aliases`` and ``account:people`` want of him
    test
        say what would change on James and change nothing

    Returns ``{"names": {name: {"is": …, "James has": [...], "carried": [...], "lost": [...]}}}``,
    with ``"changes"`` where something was to be carried.

    .. code-block:: bash

        salt-call sendmail_james.aliases
        salt-call sendmail_james.aliases carry=True test=True
    """
    return alias_report.aliases(_plan(), make=carry, test=test)


@_command
def preflight() -> dict[str, Any]:
    """Say of all that sendmail needs of James whether he allows it, and what cures it.

    Returns ``{"wrong": [...], "checks": {thing: "yes" | "no, James says …; change …" |
    "not seen: …"}}``; the exit code is 1 where something is wrong. Nothing is sent: AUTH, MAIL,
    RCPT, RSET.

    .. code-block:: bash

        salt-call sendmail_james.preflight
    """
    report = what_james_allows.preflight(_plan())
    return _told(report, report["wrong"])


def check(perfdata: bool = False) -> str:
    """Say in one line whether mail moves: ``OK``, ``WARNING`` or ``CRITICAL``, why, and the cure.

    perfdata
        add the numbers for Nagios and Icinga

    The exit code is 0, 1 or 2, and 3 for ``UNKNOWN``, where there is nothing to look at. Takes
    pillar ``watch:timeout`` seconds at most, starts no process and changes nothing.

    .. code-block:: bash

        salt-call sendmail_james.check
        salt-call --retcode-passthrough sendmail_james.check perfdata=True
    """
    try:
        line, retcode = _check(perfdata)
    except (CommandExecutionError, SaltInvocationError) as err:
        line, retcode = verdict.unknown(err), verdict.UNKNOWN
    __context__["retcode"] = retcode
    return str(line)


@_command
def _check(perfdata: bool) -> tuple[str, int]:
    plan, mistakes = load.load_known(__salt__, __pillar__, __grains__, __opts__, __context__)
    found = verdict.check(plan, mistakes)
    return verdict.line(found, perfdata=perfdata), int(verdict.level_of(found))


@_command
def status(verbose: bool = False) -> dict[str, Any]:
    """Show on one page what is wrong, causes first, each with the command that cures it.

    verbose
        with each part of the host as it is, and all that is wrong

    Returns ``{"verdict": "OK" | "WARNING" | "CRITICAL", "wrong": [...], "next": …}``; the exit code
    is that of ``check``.

    .. code-block:: bash

        salt-call sendmail_james.status
        salt-call sendmail_james.status verbose=True
    """
    plan, mistakes = load.load_known(__salt__, __pillar__, __grains__, __opts__, __context__)
    found = page.status(plan, mistakes, verbose=verbose)
    __context__["retcode"] = page.LEVELS[found["verdict"]]
    return found


@_command
def trace(message: str = "latest") -> dict[str, Any]:
    """Follow one message from who handed it in to where James has it, by the log and WebAdmin.

    message
        a queue identifier; an address, for the newest message from or to it; or ``latest``

    Returns ``{"message": …, "way": ["<time> <event>", …], "now": …, "not seen": [...]}``; the exit
    code is 1 where nothing is known of it. Takes ten seconds at most, reads no message's content.

    .. code-block:: bash

        salt-call sendmail_james.trace root@localhost
    """
    plan, mistakes = load.load_known(__salt__, __pillar__, __grains__, __opts__, __context__)
    found = journey.trace(plan, message, mistakes)
    return _told(found, not found["way"])


@_command
def watch(test: bool = False) -> dict[str, Any]:
    """Check this host and tell whom pillar ``sendmail_james:watch`` names.

    test
        check, and tell nobody

    Writes the textfile that Prometheus's node_exporter reads, and sends an event, tagged
    sendmail_james/check/ and the level; its data holds what was found with its cures. Salt calls
    this where ``watch:every`` is set; any other timer may.

    Returns ``{"check": the line that check shows, "textfile": path, "event": what became of it}``.

    .. code-block:: bash

        salt-call sendmail_james.watch test=True
    """
    send = partial(load.send, __salt__, __pillar__, __context__)
    pillar = load.current_pillar(__opts__, __pillar__)
    plan, mistakes = load.load_known(__salt__, pillar, __grains__, __opts__, __context__)
    return watcher.watch(plan, mistakes, send, test=test)


@_command
def backups() -> list[dict[str, Any]]:
    """List the backups, newest first: id, when, by what, which files.

    .. code-block:: bash

        salt-call sendmail_james.backups
    """
    return live.backups(_plan())


@_command
def restore(backup: str, force: bool = False, test: bool = False) -> HostChanges:
    """Bring back what was there before the run that made a backup.

    backup
        an id from ``sendmail_james.backups``
    force
        also where somebody else has changed a file since
    test
        say what would change and change nothing

    .. code-block:: bash

        salt-call sendmail_james.restore 000003-20261123T101500Z
    """
    checks.check_backup(backup, "backup")
    return live.restore(_plan(), backup, force=force, holder="salt-call", test=test)
