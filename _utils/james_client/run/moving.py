"""List what must move to James when sendmail stops listening, as far as this host has it."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

from james_client.cf.moving import Feature, features
from james_client.files import snapshot
from james_client.files.walk import FilesError
from james_client.run.plan import Plan


def look(plan: Plan) -> list[str]:
    """Return what this host's sendmail does as a server, each with how much there is of it.

    plan
        its sendmail.cf is read, and of the tables that it names the number of entries, never what
        they say; no sendmail is started

    A table without an entry is left out, one that cannot be counted is not. Each begins with a
    heading of docs/moving.md. Raises RunError where there is no sendmail.cf.
    """
    # As it is on the disk: steps may have edited the plan's own.
    cf = Plan(plan.settings, plan.platform).cf(plan.platform.cf)
    found = features(cf, smart_host=plan.settings.relay.triple)
    return [line for feature in found for line in _lines(feature)]


def still_to_move(plan: Plan) -> list[str]:
    """Return the same where this host is not James's client yet, nothing where it is."""
    fresh = Plan(plan.settings, plan.platform)
    fresh.cf(plan.platform.cf)
    return [] if fresh.hands_over() else look(plan)


def _lines(feature: Feature) -> Iterator[str]:
    if not feature.tables:
        yield f"{feature.name} ({feature.said})" if feature.said else feature.name
    for path in feature.tables:
        if said := _in_words(path, is_list=feature.name == "local-host-names"):
            yield f"{feature.name} ({said})"


def _in_words(path: str, *, is_list: bool) -> str:
    """Return how many entries a table has, in words; nothing where it has none."""
    try:
        data = snapshot.read_or_absent(path).data
        built = data is None and snapshot.read_or_absent(f"{path}.db").data is not None
    except FilesError as err:
        return f"not counted: {err}"
    if built:
        return f"{path}.db, not counted: its text file is not there"
    lines = (data or b"").decode("utf-8", "replace").splitlines()
    count = _count(lines, _own_names() if is_list else ())
    return f"{count} {'entry' if count == 1 else 'entries'} in {path}" if count else ""


def _count(lines: Iterable[str], left_out: Iterable[str]) -> int:
    entries = (line.partition("#")[0].strip().lower() for line in lines)
    return sum(1 for entry in entries if entry and entry not in left_out)


def _own_names() -> frozenset[str]:
    """Return the names that every host has of itself."""
    full = socket.getfqdn().lower()
    names = {"localhost", "localhost.localdomain", socket.gethostname().lower()}
    return frozenset({*names, full, full.partition(".")[0]})
