"""Tell by what WebAdmin answers whether James is well, and lets us look and make what we may."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from james_client.james.line import JamesError
from james_client.james.webadmin import DeniedError
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level


def _denied(seen: Evidence) -> Iterator[Finding]:
    try:
        _ = seen.domains  # his health James tells to all
    except DeniedError as err:
        cure = f"sendmail_james:{err.key}: one that James takes"
        yield Finding("webadmin-denies", Level.WARNING, str(err), cure)
    except JamesError:
        return  # "not seen", or he is down: other rows' business


def _ill(seen: Evidence) -> Iterator[Finding]:
    account = seen.plan.settings.account
    for name, state in seen.health.items():
        level = Level.CRITICAL if state.startswith("unhealthy") else Level.WARNING
        said = f"James calls his {name} {state}"
        url = f"{account.webadmin if account else ''}/healthcheck"
        yield Finding("james-ill", level, said, f"curl -s {shlex.quote(url)}")


CAUSES = (
    Cause(
        "webadmin-denies",
        Level.WARNING,
        (
            "it wants a token (account:token)",
            "it does not take the token (account:token)",
            "the token does not allow this (account:token)",
        ),
        _denied,
        explains=("james-ill", "account-gone"),
        means=(
            "WebAdmin does not let us in, so accounts and aliases can be neither "
            "seen nor made. Mail moves all the same."
        ),
        remedy=(
            "A token or password that James takes, in pillar `account:token` or "
            "`account:webadmin_password`."
        ),
    ),
    Cause(
        "james-ill",
        Level.CRITICAL,
        (),
        _ill,
        means="James calls one of his own components not well.",
        remedy="James's log, and WebAdmin's `/healthcheck`, say why.",
    ),
)
