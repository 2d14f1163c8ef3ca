"""Have James do what this host's aliases say, as far as the pillar wants it, and take it back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from james_client.changes import Changes
from james_client.files.lock import locked
from james_client.james.account import patience, patiently, webadmin
from james_client.james.line import JamesError, NothingListensError
from james_client.james.mappings import (
    Arranged,
    JamesMapping,
    Known,
    Mappings,
    arrange,
    by_name,
    changes,
)
from james_client.james.webadmin import RefusedError, WebAdmin
from james_client.mta.aliases import Alias, Reading, address, shown, without_counterpart
from james_client.run import made
from james_client.run.alias_files import reading
from james_client.run.domains import full_name, local_domains
from james_client.run.plan import Plan, RunError

_WAIT = 30.0  # seconds for another run to end
_NOT_PLAIN = "James cannot be told such a name; give its mail a plain one"
_NONE: Mappings = frozenset()


@dataclass
class Look:
    """What one look at aliases and James shows.

    mode
        the pillar's ``account:aliases``
    reading
        the alias files, empty where they are to be ignored
    people
        the pillar's own names
    known
        what James has, None where he was not asked
    unasked, down
        why not, and whether it is because he is down
    make, remove, keep, stale
        mappings to make and to take away, those noted as ours that stay, and those noted that
        somebody else has taken away and nobody wants any more
    lost
        by name, in words, what of it has no effect on programs' mail
    elsewhere
        what is still noted of a James that the pillar does not name any more
    noted
        whether mappings of ours are noted
    nameless
        what is wrong where the host has lost its full name, and names in it would be taken away
    """

    mode: str
    reading: Reading = field(default_factory=Reading)
    people: dict[str, tuple[str, ...]] = field(default_factory=dict)
    known: Known | None = None
    unasked: str | None = None
    down: bool = False
    make: Mappings = _NONE
    remove: Mappings = _NONE
    keep: Mappings = _NONE
    stale: Mappings = _NONE
    lost: dict[str, list[str]] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
    noted: bool = False
    nameless: str | None = None

    @property
    def plain(self) -> dict[str, tuple[str, ...]]:
        """Return the aliases that James can be told, and their addresses."""
        entries = self.reading.entries
        plain = {one.name: one.addresses for one in entries if address(one.name) == one.name}
        return {name: addresses for name, addresses in plain.items() if addresses}

    @property
    def warnings(self) -> dict[str, list[str]]:
        """Return Salt's ``warnings``, of all that a person should know."""
        words = self.in_words()
        return {"warnings": words} if words else {}

    @property
    def changes(self) -> Changes:
        """Return what James would gain and lose, by address."""
        return changes(self.known or Known(), self.make, self.remove)

    @property
    def blocked(self) -> str | None:
        """Return why nothing may be changed: what is not known must not be taken for gone."""
        if self.mode == "carry" and self.reading.unread:
            return "; ".join(self.reading.unread)
        if self.unasked and (self.people or self.noted or (self.mode == "carry" and self.plain)):
            return self.unasked
        return self.nameless

    def summary(self, *, test: bool) -> str:
        """Return in one line what is, or in test mode would be, on James."""
        if self.blocked:
            waiting = ", ".join(
                sorted({*self.people, *(self.plain if self.mode == "carry" else ())})
            )
            return f"{self.blocked}; to be carried: {waiting or 'nothing'}"
        made, gone = len(self.make), len(self.remove)
        would = "would be " if test else ""
        parts = [f"{made} mappings {would}made on James"] * bool(made)
        parts += [f"{gone} {would}taken away"] * bool(gone)
        parts += [f"{len(self.keep)} of ours are there"] * bool(self.keep)
        if self.unasked and self.reading.entries:
            parts.append(self.unasked)
        if self.lost:
            parts.append(f"{len(self.lost)} aliases do not count as they stand (see warnings)")
        return "; ".join(parts) or "no alias is lost"

    def in_words(self) -> list[str]:
        """Return all that a person should know: mistakes, what is lost, what is left elsewhere."""
        lost = [f"alias {shown(name)}: {said}" for name, some in self.lost.items() for said in some]
        return [*self.reading.unread, *self.reading.mistakes, *lost, *self.elsewhere]


def look(plan: Plan, *, patient: bool = False, mode: str | None = None) -> Look:
    """Look at the alias files and at James, and see what is to be made and taken away.

    patient
        wait up to ``account:timeout`` seconds for a James that is just starting
    mode
        in the place of the pillar's ``account:aliases``
    """
    account, admin = plan.settings.account, webadmin(plan.settings)
    found = Look(mode or (account.aliases if account else "report"))
    found.people = dict(account.people) if account else {}
    if found.mode != "ignore":
        found.reading = reading(plan)
    url = account.webadmin if account else None
    noted = made.made(plan)
    found.elsewhere = _elsewhere(noted, url)
    if admin is None:
        found.unasked = "James is not asked: set account:webadmin"
    elif found.reading.entries or found.people or noted.get(url or ""):
        try:
            found.known = patiently(admin.known, patience(plan.settings) if patient else 0)
        except JamesError as err:
            found.unasked, found.down = str(err), isinstance(err, NothingListensError)
    found.noted = bool(noted.get(url or ""))
    _judge(plan, found, noted.get(url or "", _NONE))
    silent = set(account.acknowledged) if account else set()
    found.lost = {name: some for name, some in found.lost.items() if some and name not in silent}
    return found


def _elsewhere(noted: dict[str, Mappings], url: str | None) -> list[str]:
    return [
        f"{len(some)} mappings were made at {other}, which the pillar does not name any more: set "
        f"account:webadmin to that, apply sendmail_james.clean or account:aliases: ignore, or "
        f"take them away by hand: {', '.join(f'{one.source} ({one})' for one in sorted(some))}"
        for other, some in noted.items()
        if other != url
    ]


def _judge(plan: Plan, found: Look, ours: Mappings) -> None:
    """Set what is to be made and taken away, and what is lost."""
    entries = {entry.name: entry for entry in found.reading.entries}
    full, domains = {**found.plain, **found.people}, local_domains(plan)
    wanted = full if found.mode == "carry" else found.people
    if found.known is None:
        for name in sorted(entries.keys() - found.people.keys()):
            found.lost[name] = _unless_itself(entries[name]) + _always(entries[name], entries)
        return
    theirs = arrange(full, found.known, domains, ours)
    arranged = theirs if wanted is full else arrange(wanted, found.known, domains, ours)
    present = found.known.mappings
    found.make = arranged.wanted - present
    found.remove = (ours & present) - arranged.wanted
    found.keep = ours & arranged.wanted
    found.stale = ours - present - arranged.wanted
    found.nameless = _nameless(found.remove, domains, full_name(plan))
    after = (present | found.make) - found.remove
    lacking = by_name(theirs.wanted - after)
    for name in sorted({*entries, *found.people}):
        said = (
            [] if name in found.people or name not in entries else _always(entries[name], entries)
        )
        said += [f"James has no {one} for {one.source}" for one in lacking.get(name, ())]
        found.lost[name] = said + theirs.notes.get(name, [])
    found.elsewhere += _missing(theirs, found)


def _nameless(remove: Mappings, domains: Sequence[str], full: str) -> str | None:
    """Refuse to take away what only a name that the resolver does not tell now stands for."""
    gone = {one.source.rpartition("@")[2] for one in remove} - {one.lower() for one in domains}
    if not gone or "." in full:
        return None
    return (
        f"this host has no full name now, but mappings were made in {', '.join(sorted(gone))}: "
        "give it one in /etc/hosts; nothing was changed on James"
    )


def _missing(arranged: Arranged, found: Look) -> list[str]:
    if not (found.reading.entries or found.people):
        return []
    return [
        f"domain {one}: James does not have it, so no name is made in it; PUT /domains/{one} at "
        "WebAdmin where local mail comes with it"
        for one in arranged.missing
    ]


def _always(entry: Alias, names: Collection[str]) -> list[str]:
    """Return what of an entry James can have nothing for."""
    said = without_counterpart(entry, names)
    return said if address(entry.name) == entry.name else [*said, _NOT_PLAIN]


def _unless_itself(entry: Alias) -> list[str]:
    others = [one for one in entry.addresses if one != entry.name]
    return [f"its mail does not go to {', '.join(others)} any more"] if others else []


def carry_out(plan: Plan, found: Look, *, holder: str) -> list[str]:
    """Make and take away what a look found, and remember it; return what James refuses, in words.

    holder
        who holds the lock meanwhile, for others' error messages

    What he refuses is not in the look's ``changes`` any more. New ones come first, so that no name
    is unknown to James in between. Raises JamesError, and RunError where the look does not know
    enough to change anything.
    """
    if found.blocked:
        raise RunError(found.blocked)
    account, admin = plan.settings.account, webadmin(plan.settings)
    if admin is None or account is None or account.webadmin is None or found.known is None:
        return []
    url = account.webadmin
    with locked(plan.platform.lock, holder, _WAIT):
        before = made.made(plan).get(url, _NONE)
        made.remember(plan, url, before | found.make)
        tried: set[JamesMapping] = set()
        try:
            refused = _made(admin, found.make, tried)
        except JamesError:
            # the rest may be made by hand now, and is not ours then
            made.remember(plan, url, before | tried)
            raise
        for one in sorted(found.remove):
            admin.delete_mapping(one)
        # What is gone now may have stood in their way.
        refused = _made(admin, frozenset(refused), tried) if found.remove else refused
        found.make -= refused.keys()
        made.remember(plan, url, found.keep | found.make)
    return [str(err) for err in refused.values()]


def _made(
    admin: WebAdmin, mappings: Mappings, tried: set[JamesMapping]
) -> dict[JamesMapping, RefusedError]:
    """Make mappings, noting those that were asked for; return those that James refuses."""
    refused: dict[JamesMapping, RefusedError] = {}
    for one in sorted(mappings):
        tried.add(one)
        try:
            admin.put_mapping(one)
        except RefusedError as err:
            refused[one] = err
    return refused


@dataclass
class Left:
    """What is left of ours on James, and why it cannot be taken away, None where it can."""

    changes: Changes
    why: str | None


def take_back(plan: Plan, *, test: bool, holder: str) -> Left:
    """Take away from James all that was made there; return what that changes and what is left.

    test
        say it and take nothing away
    holder
        who holds the lock meanwhile, for others' error messages

    Raises nothing for a James who is down: the host's files are given back all the same.
    """
    noted = made.made(plan)
    account, admin = plan.settings.account, webadmin(plan.settings)
    url = (account.webadmin if account else None) or ""
    left = _elsewhere(noted, url)
    found = Look("ignore", known=Known(mappings=noted.get(url, _NONE)))
    if admin is not None and url in noted:
        found.remove = noted[url]
        try:
            found.known = admin.known()
            found.remove = noted[url] & found.known.mappings
            if not test:
                carry_out(plan, found, holder=holder)
        except JamesError as err:
            names = ", ".join(f"{one.source} ({one})" for one in sorted(noted[url]))
            left.append(
                f"on James remain {names}: {err}. When he is up: "
                "salt-call state.apply sendmail_james.clean"
            )
            return Left({}, "; ".join(left))
    return Left(found.changes, "; ".join(left) or None)
