"""Read the alias files that this host's sendmail.cf names, where root alone may write them."""

from __future__ import annotations

from james_client.files.walk import FilesError
from james_client.mta import aliases
from james_client.mta.aliases import AliasFile, Reading
from james_client.run.domains import local_domains
from james_client.run.plan import Plan
from james_client.run.roots import read_roots


def reading(plan: Plan) -> Reading:
    """Return what all alias files say, as sendmail looks names up in them.

    What cannot or must not be read is told there, not raised.
    """
    local = {domain.lower() for domain in local_domains(plan)}
    named = aliases.files(plan.cf(plan.platform.cf).option_values("AliasFile"))
    return aliases.together([_read(one, local) for one in named])


def _read(named: AliasFile, local: set[str]) -> Reading:
    if named.path is None:
        said = "not a text file: its aliases are not looked at, and programs' mail loses them"
        return Reading(mistakes=(f"{named.spec}: {said}",))
    try:
        data = read_roots(named.path)
    except (FilesError, OSError) as err:
        return Reading(unread=(str(err),))
    if data is None:
        gone = () if named.optional else (f"{named.path}: does not exist; expected an alias file",)
        return Reading(unread=gone)
    return aliases.read(data, named.path, local)
