"""Tell by the credential files' modes, now and once, who may know the password."""

from __future__ import annotations

from collections.abc import Iterator

from james_client.run import exposure
from james_client.run.service import APPLY
from james_client.run.steps import credential_readers
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level

_ANOTHER = "another one in sendmail_james:auth:password, then: salt-call sendmail_james.rotate"


def _readable(seen: Evidence) -> Iterator[Finding]:
    auth = seen.plan.settings.auth
    for path in credential_readers(seen.plan, auth) if auth else ():
        found = seen.plan.before(path)
        if found.data is not None and found.mode & exposure.OTHERS:
            said = f"{path} has mode {found.mode:04o}, expected 0600: others can read the password"
            yield Finding("credentials-readable", Level.CRITICAL, said, APPLY)


def _exposed(seen: Evidence) -> Iterator[Finding]:
    if seen.plan.settings.auth and (was := exposure.told(seen.plan)):
        said = f"{was}, expected 0600: others may have read the password that is live"
        yield Finding("password-exposed", Level.WARNING, said, _ANOTHER)


CAUSES = (
    Cause(
        "credentials-readable",
        Level.CRITICAL,
        (),
        _readable,
        explains=("drift",),
        means="Others can read the credential file now.",
        remedy="`salt-call state.apply sendmail_james`, then another password.",
    ),
    Cause(
        "password-exposed",
        Level.WARNING,
        (),
        _exposed,
        means=(
            "Others could read the credential file before a highstate mended it: "
            "only another password ends that."
        ),
        remedy=(
            "Another password in pillar `auth:password`, then `salt-call sendmail_james.rotate`."
        ),
    ),
)
