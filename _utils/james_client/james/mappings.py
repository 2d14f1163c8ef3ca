"""Say which forwards and groups of James stand for a host's aliases. Asks nobody.

A forward belongs to a user of James, a group to a name that is none. An alias of James's would also
let its owner send as that name, so none is made. Source: James's AbstractRecipientRewriteTable.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from james_client.changes import Changes
from james_client.james.graph import components

LIMIT = 9
"""So many mappings one after another James follows: of his limit, 10, the last address is one."""
FORWARD, GROUP = "Forward", "Group"
_REWRITES = frozenset({FORWARD, GROUP, "Alias", "Address"})  # from one address to another
_DOMAINS = frozenset({"Domain", "DomainAlias"})
_ADDRESS = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9._+=&'*^~-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)


@dataclass(frozen=True, order=True)
class JamesMapping:
    """One mapping of James's: where mail to an address goes, and what James calls that."""

    source: str
    kind: str
    target: str

    @property
    def ours(self) -> bool:
        """Tell whether it is one that this formula could have made."""
        plain = _ADDRESS.fullmatch(self.source) and _ADDRESS.fullmatch(self.target)
        return bool(plain) and self.kind in (FORWARD, GROUP)

    def __str__(self) -> str:
        return f"{self.kind.lower()} to {self.target}"


Mappings = frozenset[JamesMapping]


@dataclass(frozen=True)
class Known:
    """What James has: his domains, his users, as they log in, and his mappings."""

    domains: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    mappings: Mappings = frozenset()


@dataclass
class Arranged:
    """What James shall have.

    wanted
        the mappings
    notes
        by name, what of its targets is left out, and why
    missing
        those of the host's domains that James does not have
    """

    wanted: Mappings = frozenset()
    notes: dict[str, list[str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Target:
    """What an entry names: as written, as James stores it, and the node of the graph it means."""

    written: str
    stored: str
    node: str | None  # None for a remote address


def arrange(
    aliases: Mapping[str, Sequence[str]],
    known: Known,
    domains: Sequence[str],
    made: Collection[JamesMapping] = (),
) -> Arranged:
    """Return the mappings by which James does what aliases say.

    aliases
        name → addresses; one without a domain is a local name
    known
        what James has
    domains
        this host's own, in each of which every name is to be known
    made
        mappings that are there for aliases only, and may go
    """
    return _Arrangement(aliases, known, domains, made).result()


class _Arrangement:
    def __init__(
        self,
        aliases: Mapping[str, Sequence[str]],
        known: Known,
        domains: Sequence[str],
        made: Collection[JamesMapping],
    ) -> None:
        self.aliases, self.known = aliases, known
        self.virtual = any("@" in user for user in known.users)
        self.there = by_source(known.mappings.difference(made))
        self.local = tuple(dict.fromkeys(domain.lower() for domain in domains))
        self.own = [
            one
            for one in self.local
            if one in known.domains and self._led_to(one) not in self.local
        ]
        self.targets = {
            f"{name}@{domain}": [
                self._target(name, domain, one) for one in dict.fromkeys(addresses)
            ]
            for name, addresses in aliases.items()
            for domain in self.own
        }
        self.wanted: set[JamesMapping] = set()
        self.depth: dict[str, int] = {}  # mappings from here to the farthest end
        self.carried: set[str] = set()
        self.said: dict[tuple[str, str], list[str]] = defaultdict(list)

    def result(self) -> Arranged:
        """Arrange what comes last first, so that of each target is known whether it will do."""
        nodes = dict.fromkeys((*self.targets, *self.there))
        for members in components(nodes, self._next):
            together = frozenset(members)
            for node in members:
                if node in self.targets:
                    self._carry(node, together)
                else:
                    ends = (self.depth.get(one, 0) for one in self._next(node))
                    self.depth[node] = 1 + max(ends, default=0)
        notes: dict[str, list[str]] = defaultdict(list)
        for (name, what), where in self.said.items():
            some = f" (in {', '.join(where)})" if len(where) < len(self.own) else ""
            notes[name].append(what + some)
        missing = tuple(one for one in self.local if one not in self.known.domains)
        return Arranged(frozenset(self.wanted), dict(notes), missing)

    def _led_to(self, domain: str) -> str | None:
        """Return the domain that James takes all names of another for."""
        leads = (one.target for one in self.there.get(domain, ()) if one.kind in _DOMAINS)
        return next(leads, None)

    def _meant(self, address: str) -> str:
        """Return the address that James ends at by his aliases of domains."""
        for _ in range(LIMIT):
            local, _, domain = address.rpartition("@")
            led = None if address in self.there else self._led_to(domain)
            if led is None:
                break
            address = f"{local}@{led}"
        return address

    def _target(self, alias: str, here: str, written: str) -> _Target:
        """Return what a target of an alias in the domain HERE means."""
        local, at, domain = written.rpartition("@")
        domain = domain.lower()
        if at and domain not in self.known.domains and domain not in self.local:
            return _Target(written, f"{local}@{domain}", None)
        name = (local if at else written).lower()
        places = [domain] if at and domain in self.known.domains else [here, *self.own]
        found = [f"{name}@{place}" for place in places]
        if name == alias:
            found = [one for one in found if self._is_user(one)] or found
        elif name not in self.aliases:
            found = [one for one in found if self._exists(self._meant(one))] or found
        return _Target(written, found[0], self._meant(found[0]))

    def _is_user(self, address: str) -> bool:
        local, _, domain = address.rpartition("@")
        who = address if self.virtual else local
        return domain in self.known.domains and who in self.known.users

    def _exists(self, address: str) -> bool:
        """Tell whether James takes mail for an address, whatever the aliases say."""
        domain = address.rpartition("@")[2]
        found = (*self.there.get(address, ()), *self.there.get(domain, ()))
        return self._is_user(address) or any(one.kind != "Error" for one in found)

    def _next(self, node: str) -> Iterable[str]:
        """Return the addresses that mail to one goes on to."""
        for target in self.targets.get(node, ()):
            if target.node is not None and target.node != node:
                yield target.node
        for one in self.there.get(node, ()):
            if one.kind in _REWRITES and one.target.lower() != node:
                yield self._meant(one.target.lower())

    def _carry(self, source: str, together: frozenset[str]) -> None:
        """Decide on one name in one domain, those in a loop with it being TOGETHER."""
        others = [one for one in self.there.get(source, ()) if one.kind not in (FORWARD, GROUP)]
        if others:
            self._note(source, f"left alone: James has an {others[0]} of his own for it")
            return
        user, kept = self._is_user(source), []
        for target in self.targets[source]:
            why = self._refused(source, target, user, together)
            if why is None:
                kept.append(target)
            else:
                self._note(source, f"{target.written}: {why}")
        if all(target.node == source for target in kept):
            return  # a user's mail stays his without a word
        kind = FORWARD if user else GROUP
        self.wanted |= {JamesMapping(source, kind, target.stored) for target in kept}
        self.carried.add(source)
        self.depth[source] = 1 + max(self.depth.get(one.node or "", 0) for one in kept)

    def _refused(
        self, source: str, target: _Target, user: bool, together: frozenset[str]
    ) -> str | None:
        node = target.node
        if node is None:
            return None
        if node == source:
            return None if user else "James has no such user to keep a copy; make one, or leave it"
        if node in together:
            names = sorted({one.rpartition("@")[0] for one in together})
            shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            return f"a loop of {shown}; left out, mail would never end"
        if not (node in self.carried or self._exists(node)):
            return "James has neither a user nor a mapping of that name, mail to it would come back"
        if self.depth.get(node, 0) >= LIMIT:
            return f"more than {LIMIT} mappings one after another, which James does not follow"
        return None

    def _note(self, source: str, what: str) -> None:
        name, _, domain = source.rpartition("@")
        self.said[name, what].append(domain)


def changes(known: Known, make: Mappings, remove: Mappings) -> Changes:
    """Return what making and removing mappings changes, by address.

    Old and new are lists of all that James has for it, None where that is nothing.
    """
    touched = {one.source for one in make | remove}
    old = by_source(one for one in known.mappings if one.source in touched)
    new = by_source(one for one in (known.mappings | make) - remove if one.source in touched)
    return {
        source: {
            "old": [str(one) for one in old.get(source, ())] or None,
            "new": [str(one) for one in new.get(source, ())] or None,
        }
        for source in sorted(touched)
    }


def by_source(mappings: Iterable[JamesMapping]) -> dict[str, list[JamesMapping]]:
    """Return mappings, in order, by the address that they are for."""
    found: dict[str, list[JamesMapping]] = defaultdict(list)
    for one in sorted(mappings):
        found[one.source].append(one)
    return found


def by_name(mappings: Iterable[JamesMapping]) -> dict[str, list[JamesMapping]]:
    """Return mappings, in order, by the name that they are for, in whichever domain."""
    found: dict[str, list[JamesMapping]] = defaultdict(list)
    for one in sorted(mappings):
        found[one.source.rpartition("@")[0]].append(one)
    return found
