"""Say of every alias what James has for it, and have him carry it."""

from __future__ import annotations

from typing import Any

from james_client.errors import CallerError
from james_client.james.mappings import by_name
from james_client.mta.aliases import shown
from james_client.run import carry
from james_client.run.carry import Look
from james_client.run.plan import Plan


def aliases(plan: Plan, *, make: bool, test: bool) -> dict[str, Any]:
    """Return per name what it is, what James has for it, what carrying makes, and what is lost.

    make
        have James do what the pillar wants of him
    test
        say it and make nothing

    Raises CallerError where the pillar wants nothing of James.
    """
    account = plan.settings.account
    wanted = account is not None and (account.aliases == "carry" or account.people)
    if make and not wanted:
        raise CallerError(
            "sendmail_james:account:aliases: expected carry, or names in account:people; the "
            "pillar wants nothing made on James, and the next run would take it back"
        )
    found = carry.look(plan, mode=None if make else "carry")
    report: dict[str, Any] = {"names": _names(found)}
    refused: list[str] = []
    if found.unasked:
        report["James"] = found.unasked
    if make:
        refused = [] if test else carry.carry_out(plan, found, holder="salt-call")
        report["changes"] = found.changes
    general = [*refused, *found.reading.unread, *found.reading.mistakes, *found.elsewhere]
    return report | ({"wrong": general} if general else {})


def _names(found: Look) -> dict[str, dict[str, Any]]:
    entries = {entry.name: entry for entry in found.reading.entries}
    names: dict[str, dict[str, Any]] = {}
    has = by_name(found.known.mappings - found.remove) if found.known else {}
    more = by_name(found.make)
    for name in sorted({*entries, *found.people}):
        entry = entries.get(name)
        here = [] if entry is None else [f"{entry.place}: {', '.join(map(shown, entry.targets))}"]
        if name in found.people:
            here = [f"account:people: {', '.join(found.people[name])}"]
        names[shown(name)] = {"is": here[0]}
        if found.known is not None:
            names[shown(name)] |= {
                "James has": [f"{one.source}: {one}" for one in has.get(name, ())],
                "carried": [f"{one.source}: {one}" for one in more.get(name, ())],
            }
        if found.lost.get(name):
            names[shown(name)]["lost"] = found.lost[name]
    return names
