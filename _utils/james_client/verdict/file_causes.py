"""Tell by the pillar and the files what differs from what is wanted, and where mail would go."""

from __future__ import annotations

from collections.abc import Iterator

from james_client.run import proof
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level
from james_client.verdict.words import APPLY, some

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
    ),
)
CAUSES = (
    Cause("drift", Level.WARNING, (), _drift, explains=("routes", "rebuild-would-lose")),
    Cause("routes", Level.CRITICAL, (), _routes, deep=True),
)
