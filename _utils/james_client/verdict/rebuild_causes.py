"""Tell by what m4 builds what the next rebuild of a cf would do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from james_client.mc.block import McError
from james_client.mta.process import ProcessError
from james_client.run.plan import RunError
from james_client.run.service import APPLY
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level


def _broken(seen: Evidence) -> Iterator[Finding]:
    try:
        _ = seen.rebuilds
    except (ProcessError, McError, RunError) as err:
        mcs = shlex.join(mc for mc, _ in seen.plan.rebuildable_mcs())
        said = f"no cf can be built: {err}"
        yield Finding("mc-broken", Level.WARNING, said, f"mend it in {mcs}, then: {APPLY}")


def _loses(seen: Evidence) -> Iterator[Finding]:
    for path, lost in seen.rebuilds.items():
        if lost:
            said = f"the next rebuild of {path} would lose: {'; '.join(lost)}"
            yield Finding("rebuild-would-lose", Level.WARNING, said, APPLY)


CAUSES = (
    Cause(
        "mc-broken",
        Level.WARNING,
        ("m4:/etc/mail/sendmail.mc:",),
        _broken,
        explains=("rebuild-would-lose",),
        deep=True,
        means=("m4 can build no cf from the mc: the next rebuild fails, or leaves half a file."),
        remedy=("Mend the line that m4 names, then `salt-call state.apply sendmail_james`."),
    ),
    Cause(
        "rebuild-would-lose",
        Level.WARNING,
        (),
        _loses,
        deep=True,
        means=("The mc lacks what the cf has: the next rebuild ends mail's way to James."),
        remedy="`salt-call state.apply sendmail_james`.",
    ),
)
