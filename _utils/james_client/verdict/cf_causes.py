"""Tell by a cf's owner and mode whether what it says may be believed at all."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator

from james_client.files.walk import kind
from james_client.mta.ask import is_roots
from james_client.verdict import (
    file_causes,
    host_causes,
    map_causes,
    process_causes,
    queue_causes,
    rebuild_causes,
)
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level

_BY_A_CF = (
    *host_causes.CAUSES,
    *process_causes.CAUSES,
    *map_causes.CAUSES,
    *file_causes.CAUSES,
    *rebuild_causes.CAUSES,
    *queue_causes.CAUSES,
)
"""What is seen by a cf, or cured by having sendmail read it."""


def _foreign(seen: Evidence) -> Iterator[Finding]:
    facts = seen.plan.platform
    # not the plan's: that reads submit.cf, which may be no file
    for path in filter(os.path.lexists, (facts.cf, facts.submit_cf)):
        if what := _not_roots(seen, path):
            said = f"{path} {what}, expected a file that root alone can write: sendmail runs as "
            said += "root what it says"
            cure = f"look at {shlex.quote(path)}, and neither chown it nor restart sendmail; then "
            cure += "give back your own: salt-call sendmail_james.backups"
            yield Finding("cf-not-roots", Level.CRITICAL, said, cure)


def _not_roots(seen: Evidence, path: str) -> str:
    mode = os.lstat(path).st_mode
    if not stat.S_ISREG(mode):
        return f"is {kind(mode)}"
    # of the very file that was read: who owns the folder may put another one there meanwhile
    found = seen.plan.before(path)
    if is_roots(found.uid, found.gid, found.mode):
        return ""
    return f"has owner {found.uid}:{found.gid} and mode {found.mode:04o}"


CAUSES = (
    Cause(
        "cf-not-roots",
        Level.CRITICAL,
        (),
        _foreign,
        explains=(
            *("james-defers", "names-unknown", "james-settings"),
            *(one.name for one in _BY_A_CF),
        ),
        means=(
            "Another than root could have written a cf: nothing that it says is believed, "
            "and a restart would run its programs as root."
        ),
        remedy=(
            "Look at it. Do not `chown` it, which would make the foreign content root's, and do "
            "not restart sendmail. Move it away and put a cf of your own in its place, from "
            "`/var/backups/sendmail_james` (`salt-call sendmail_james.backups`) or built from an "
            "mc that you have read; then `salt-call state.apply sendmail_james`."
        ),
    ),
)
