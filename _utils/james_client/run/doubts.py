"""Hold what we read in a cf against what sendmail itself makes of it: sendmail is right."""

from __future__ import annotations

import re
from collections.abc import Sequence

from james_client.cf.options import OPTIONS
from james_client.cf.text import Cf
from james_client.mta.reading import CfReading
from james_client.mta.routes import same_host
from james_client.wishes.settings import Relay

# How a text is written does not count: sendmail shows line feeds, dollars and quotes its own way.
_SPELLING = re.compile(r"\\[nt]|[\s\\$\"]")


def doubts(cf: Cf, seen: CfReading, relay: Relay) -> list[str]:
    """Say in words why a cf is not what its text seems to be; empty where it is.

    cf
        the configuration as this formula reads it
    seen
        the same as sendmail reads it
    relay
        the pillar's; its mailer is looked at, in submit.cf the submission program's own
    """
    found = [*_options(cf, seen), *_mailer(cf, seen, "relay" if cf.is_msp else relay.mailer)]
    elsewhere = seen.options.get("connectonlyto", ())
    if elsewhere and not _leads_to(elsewhere[-1], relay):
        found.append(
            f"O ConnectOnlyTo={elsewhere[-1]} takes all mail there, whatever its route: expected "
            f"no such line, or the relay's own address ({relay.host})"
        )
    return found


def _options(cf: Cf, seen: CfReading) -> list[str]:
    found = []
    for name in OPTIONS:
        theirs, ours = seen.options.get(name.lower(), ()), cf.option_values(name)
        if name != "AliasFile":  # the one option that adds to what was set before
            theirs, ours = theirs[-1:], ours[-1:]
        if not _alike(theirs, ours):
            found.append(_both(f"option {name}", ", ".join(theirs), ", ".join(ours)))
    return found


def _mailer(cf: Cf, seen: CfReading, name: str) -> list[str]:
    """Compare the mailer that goes to the relay; where there is none, a route tells."""
    ours = cf.mailer(name)
    theirs = next((m for key, m in seen.mailers.items() if key.lower() == name.lower()), None)
    if ours is None or theirs is None:
        said = ["nothing" if one is None else "one" for one in (theirs, ours)]
        return [_both(f"mailer {name}", *said)] if ours or theirs else []
    found = []
    if set(ours.flags) != set(theirs.flags):
        found.append(_both(f"flags of mailer {name}", theirs.flags, "".join(sorted(ours.flags))))
    if not _alike([theirs.path, *theirs.args.split()], [ours.path, *ours.args.split()]):
        theirs_said, ours_said = (f"P={one.path}, A={one.args}" for one in (theirs, ours))
        found.append(_both(f"mailer {name}", theirs_said, ours_said))
    return found


def _alike(theirs: Sequence[str], ours: Sequence[str]) -> bool:
    pairs = list(zip(theirs, ours, strict=False))
    same = (_SPELLING.sub("", a) == _SPELLING.sub("", b) for a, b in pairs if b.isascii())
    return len(theirs) == len(ours) and all(same)


def _both(what: str, theirs: str, ours: str) -> str:
    return f"{what}: sendmail reads {theirs or 'nothing'}, this formula {ours or 'nothing'}"


def _leads_to(value: str, relay: Relay) -> bool:
    port, _, host = value.rpartition("@")
    return same_host(host) == same_host(relay.host) and port in ("", str(relay.port))
