"""Tell by the pillar and the files what differs from what is wanted, and where mail would go."""

from __future__ import annotations

from collections.abc import Iterator

from james_client.run import proof
from james_client.run.service import APPLY
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level
from james_client.verdict.words import some

_STAYS = "sendmail_james:relay:stay_local, or take out what sends it elsewhere"


def _mistakes(seen: Evidence) -> Iterator[Finding]:
    for said in seen.mistakes:
        yield Finding("pillar-mistake", Level.CRITICAL, said, said.partition(": ")[0])


def _drift(seen: Evidence) -> Iterator[Finding]:
    if found := seen.drift:
        said = f"{some(list(found))} not as the pillar says"
        yield Finding("drift", Level.WARNING, said, APPLY)


def _routes(seen: Evidence) -> Iterator[Finding]:
    forms = proof.address_forms(seen.plan.settings)
    for path in seen.plan.cf_paths():
        lost = proof.lost(path, seen.plan, forms)
        if lost:
            said = some([f"{address} ({why})" for address, why in lost.items()])
            said = f"{path} does not take to James {said}"
            yield Finding("routes", Level.CRITICAL, said, _STAYS)


FIRST = (
    Cause(
        "pillar-mistake",
        Level.CRITICAL,
        (),
        _mistakes,
        explains=("drift", "no-credentials", "wrong-password", "names-unknown", "routes"),
        means=("The pillar has mistakes; the host is judged by what is known without them."),
        remedy="Set each key as the message says.",
    ),
)
CAUSES = (
    Cause(
        "drift",
        Level.WARNING,
        (),
        _drift,
        explains=("routes", "rebuild-would-lose"),
        means="Files are not as the pillar says.",
        remedy=("`salt-call state.apply sendmail_james test=True`, then without `test=True`."),
    ),
    Cause(
        "routes",
        Level.CRITICAL,
        (),
        _routes,
        deep=True,
        means="By the live configuration an address form does not reach James.",
        remedy="`salt-call state.apply sendmail_james`; what it refuses, it names.",
    ),
)
