"""Say which local names James must know, and why: each may get mail, or send some that returns."""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from james_client.run.alias_files import reading
from james_client.run.domains import own_names
from james_client.run.plan import Plan

ALWAYS = {
    "root": "the mail of cron and of programs",
    "postmaster": "returned mail that cannot be returned",
    "MAILER-DAEMON": "answers to returned mail",
}
SHELLS = Path("/etc/shells")
CRONTABS = (Path("/etc/crontab"), Path("/etc/cron.d"))
USER_CRONTABS = (Path("/var/spool/cron/crontabs"), Path("/var/spool/cron"), Path("/var/cron/tabs"))
MAILBOXES = (Path("/var/mail"), Path("/var/spool/mail"))
FIRST_PERSON = 1000  # uid, as login.defs has it
_ASKABLE = re.compile(r"[A-Za-z0-9._+=&'*^~/!#$%?{|}`-]+")
_MAILTO = re.compile(r"MAILTO\s*=\s*(.*)")
_JOB = re.compile(r"(?:@\w+|\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(\S+)\s+\S")

Reasons = dict[str, str]
"""Local names, each with the reason why James must know it."""


def acknowledged(plan: Plan) -> frozenset[str]:
    """Return the names, in small letters, that the pillar says may be lost or stay on this host."""
    account = plan.settings.account
    names = (*(account.acknowledged if account else ()), *plan.settings.relay.stay_local)
    return frozenset(name.lower() for name in names)


def required(plan: Plan) -> Reasons:
    """Return the names that James must know, those that matter most first.

    plan
        its pillar says what is acknowledged, its cf where the aliases are

    They are the names that every mail system must have, those who have cron jobs or get their
    output, each alias with its local targets, people, system users who can log in, and those who
    have a mailbox here.
    """
    found: Reasons = {}
    own = {"localhost", *own_names(plan)}
    done = set(acknowledged(plan))
    for name, reason in _all(plan):
        local, at, domain = name.removeprefix("\\").partition("@")
        if (at and domain.lower() not in own) or not _ASKABLE.fullmatch(local):
            continue  # elsewhere, or no name that an envelope takes unquoted
        if local.lower() not in done:
            done.add(local.lower())
            found[local] = reason
    return found


def _all(plan: Plan) -> Iterator[tuple[str, str]]:
    yield from ALWAYS.items()
    for path in _files(*CRONTABS):
        yield from _of_crontab(path, users=True)
    users = {entry.pw_name for entry in pwd.getpwall()}
    for path in _files(*USER_CRONTABS):
        if path.name not in users and not _is_user(path.name):
            continue  # half-written by crontab, or of a user who has gone: cron skips it
        yield path.name, f"cron jobs in {path}"
        if path.name == "root":  # a user's mistake in his own is no fault of the host's
            yield from _of_crontab(path, users=False)
    account = plan.settings.account
    ignored = account is not None and account.aliases == "ignore"
    for alias in () if ignored else reading(plan).entries:
        yield alias.name, f"an alias of {alias.file}"
        for target in alias.addresses:
            yield target, f"a target of alias {alias.name}"
    yield from _users()


def _of_crontab(path: Path, *, users: bool) -> Iterator[tuple[str, str]]:
    """Give those who get the output of a crontab's jobs, and those whose jobs they are.

    users
        whether each job names its user, as in /etc/crontab (crontab(5))
    """
    silent = False
    with suppress(OSError):
        for raw in path.read_text(encoding="utf-8", errors="replace").splitlines():
            line = raw.strip()
            if match := _MAILTO.match(line):
                targets = match[1].strip().strip("\"'")
                silent = not targets
                for target in re.split(r"[,\s]+", targets):
                    if target:
                        yield target, f"MAILTO in {path}"
            elif users and not silent and not line.startswith("#") and (job := _JOB.match(line)):
                yield job[1], f"cron jobs in {path}"


def _is_user(name: str) -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


def _users() -> Iterator[tuple[str, str]]:
    """Give people and system users who can log in, and owners of mailboxes on this host."""
    shells = _shells()
    boxes = {path.name for path in _files(*MAILBOXES) if path.stat().st_size}
    for entry in sorted(pwd.getpwall(), key=lambda one: one.pw_uid):
        if entry.pw_shell in shells and entry.pw_uid < FIRST_PERSON:
            yield entry.pw_name, "a system user who can log in"
        elif entry.pw_shell in shells:
            yield entry.pw_name, "a user of this host"
        elif entry.pw_name in boxes:
            yield entry.pw_name, "a mailbox on this host"


def _shells() -> set[str]:
    """Return what counts as a login shell; an empty one means sh (passwd(5))."""
    found = {"", "/bin/sh", "/bin/bash"}
    with suppress(OSError):
        lines = SHELLS.read_text(encoding="utf-8", errors="replace").splitlines()
        found |= {line.strip() for line in lines if line.startswith("/")}
    # some platforms list shells that let nobody in
    return {shell for shell in found if Path(shell).name not in ("nologin", "false")}


def _files(*places: Path) -> Iterator[Path]:
    """Give the files that stand at some places or directly in folders there, each once."""
    seen = set()
    for place in places:
        with suppress(OSError):
            for path in sorted(place.iterdir()) if place.is_dir() else [place]:
                hidden = path.name.startswith(".") or path.name.endswith("~")
                if path.is_file() and not hidden and path.resolve() not in seen:
                    seen.add(path.resolve())
                    yield path
