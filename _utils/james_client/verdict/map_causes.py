"""Tell by the tables that a cf names what is missing, and what goes elsewhere than to James."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from james_client.cf.maps import Map, maps
from james_client.mta.databases import unusable
from james_client.mta.tables import entries
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level
from james_client.verdict.words import some

_MAILERTABLE = "mailertable"
_HARMLESS = ("error:", "discard:")
_KEYS = 5  # in one command
_DOMAIN = re.compile(r"\.?[A-Za-z0-9_.-]+")
_HOP = re.compile(r"([\w-]+):[A-Za-z0-9_.:\[\]-]*")


def _missing(seen: Evidence) -> Iterator[Finding]:
    own = set(seen.plan.leant_on())
    for path, one in _maps(seen):
        if one.optional or one.file in own or not (why := _unusable(one)):
            continue
        said = f"{one.file}, map {one.name} of {path}, {why}"
        cure = _anew(one)
        if one.source == one.file or not Path(one.source).exists():
            source, mc = shlex.quote(one.source), seen.plan.platform.mc
            cure = f"give back {source}, or take map {one.name} out of {mc}"
        yield Finding("map-missing", Level.CRITICAL, said, cure)


def _maps(seen: Evidence) -> Iterator[tuple[str, Map]]:
    """Give each map of each cf, with the cf's path."""
    for path in seen.plan.cf_paths():
        for one in maps(seen.plan.cf(path)):
            yield path, one


def _unusable(one: Map) -> str:
    """Return why sendmail can't open a map, empty where it can."""
    try:
        return unusable(one.kind, one.file)
    except FileNotFoundError:
        return "does not exist"


def _around(seen: Evidence) -> Iterator[Finding]:
    for path, one in _maps(seen):
        if one.name != _MAILERTABLE or not Path(one.file).exists():
            continue
        mailers = {name.lower() for name in seen.plan.cf(path).mailers()}
        found, odd = {}, 0
        for key, to in entries(one.kind, one.source):
            if _to_james(seen, key, to):
                continue
            # Who owns the folder may have put any map here, a site's passwords among them.
            hop = _HOP.fullmatch(to)
            if hop and hop[1].lower() in mailers and _DOMAIN.fullmatch(key):
                found[key] = to
            else:
                odd += 1
        if odd:
            said = f"{one.file} holds what is none of a mailertable ({odd} entries)"
            yield Finding("around-james", Level.WARNING, said, _anew(one))
        if found:
            shown = some([f"{key} to {to}" for key, to in found.items()])
            said = f"{one.file} sends mail elsewhere than to James: {shown}"
            yield Finding("around-james", Level.WARNING, said, _without(one, list(found)))


def _to_james(seen: Evidence, domain: str, to: str) -> bool:
    relay = seen.plan.settings.relay
    host = to.partition(":")[2].strip("[]").rstrip(".").lower()
    meant = domain.lstrip(".").lower() in relay.elsewhere
    return meant or to.lower().startswith(_HARMLESS) or host == relay.host.strip("[]").lower()


def _without(one: Map, keys: list[str]) -> str:
    """Give the command that takes entries out of a table, or the key that says they are meant."""
    either = "|".join(re.escape(key) for key in keys[:_KEYS])
    taken = f"sed -i -E {shlex.quote(f'/^({either})[[:space:]]/Id')} {shlex.quote(one.source)}"
    meant = f"sendmail_james:relay:elsewhere: [{some([key.lstrip('.') for key in keys])}]"
    return f"{taken} && {_anew(one)}  # or, if it is meant: {meant}"


def _anew(one: Map) -> str:
    """Give the command that builds a map of its source."""
    source = shlex.quote(one.source)
    return f"makemap {one.kind} {source} < {source}"


CAUSES = (
    Cause(
        "map-missing",
        Level.CRITICAL,
        (
            'hash map "mailertable": missing map file /etc/mail/mailertable.db',
            "rewrite: map access not found",
            "Cannot open hash database /etc/mail/mailertable.db: Invalid argument",
        ),
        _missing,
        explains=("routes", "around-james"),
        means=(
            "A table that a cf names was never built, is gone, or is none that sendmail can "
            "open: lookups fail, and so may every message."
        ),
        remedy="`makemap`, as status prints it.",
    ),
    Cause(
        "around-james",
        Level.WARNING,
        (),
        _around,
        deep=True,
        means="A mailertable sends domains to others than James.",
        remedy=(
            "Take the entries out, as status prints it, or name the domains in "
            "pillar `relay:elsewhere`."
        ),
    ),
)
