"""Read the pillar: fill in the defaults, check every value, and say all mistakes at once."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any

from james_client.wishes.checks import is_loopback
from james_client.wishes.lookup import PLATFORM_FACTS
from james_client.wishes.mistakes import SettingsError, hidden, shown, unknown_key
from james_client.wishes.rules import contradictions
from james_client.wishes.settings import ROOT, SECRETS, SECTIONS, Settings

Resolve = Callable[[str], Any]
"""Turn an ``sdb://`` address into the secret."""


def own(pillar: Mapping[str, Any]) -> Any:
    """Return what a whole pillar has under our key, None where nothing is meant for us.

    Raises SettingsError where only a key is there that looks like ours.
    """
    if ROOT in pillar:
        return pillar[ROOT]
    for key in pillar:
        plain = key.lower().replace("-", "_") if isinstance(key, str) else ""
        if difflib.SequenceMatcher(None, plain, ROOT).ratio() > 0.85:
            raise SettingsError(
                [
                    f"{ROOT}: expected this key in the pillar, got {shown(key)} and none of this "
                    f"name: rename it. Where all defaults are meant, say {ROOT}: {{}}"
                ]
            )
    return None


def load(
    pillar: Mapping[str, Any] | None,
    defaults: Mapping[str, Any],
    *,
    resolve: Resolve | None = None,
    unprivileged_from: int = 1024,
    is_here: Callable[[str], bool] = is_loopback,
) -> Settings:
    """Check the pillar and give it back with the defaults filled in.

    pillar
        what stands under ``sendmail_james``; None where nothing does
    defaults
        the parsed ``defaults.yaml``
    resolve
        asked for a secret that the pillar only points at; without it an address is the secret
    unprivileged_from
        the first port that an ordinary user of this host may listen on
    is_here
        tells whether a host is this very one

    Raises SettingsError with all mistakes, in the order of the sections and keys, then those
    values that do not go together.
    """
    _refuse_unread(defaults)
    reader = _Reader(defaults, resolve, unprivileged_from, is_here)
    return reader.read({} if pillar is None else pillar)


def load_known(pillar: Any, load_: Callable[[Any], Settings]) -> tuple[Settings, tuple[str, ...]]:
    """Return what a pillar with mistakes means without them, and the mistakes.

    pillar
        what stands under ``sendmail_james``
    load_
        ``load`` with all but its first argument

    A key with a mistake has its default; a section that lacks a key, or is none, is left out.
    """
    mistakes: tuple[str, ...] = ()
    known = copy.deepcopy(pillar) if isinstance(pillar, Mapping) else pillar
    while True:
        try:
            return load_(known), mistakes
        except SettingsError as err:
            if known == {}:
                raise  # the formula's own defaults are wrong
            mistakes = mistakes or err.mistakes
            known = _without(known, [line.partition(": ")[0] for line in err.mistakes])


def _without(pillar: Any, paths: Collection[str]) -> Any:
    """Return a pillar without what stands at some paths: less than it was, or nothing at all."""
    if not isinstance(pillar, Mapping):
        return {}
    left = {name: pillar[name] for name in (*SECTIONS, "lookup") if name in pillar}
    for section, key in dict.fromkeys((*path.split(":")[1:3], "", "")[:2] for path in paths):
        part = left.get(section)
        if not isinstance(part, Mapping):
            left.pop(section, None)
        elif key:
            found = {name: value for name, value in part.items() if name != key}
            _put(left, section, found, was=part)
        elif section:
            known = PLATFORM_FACTS if section == "lookup" else SECTIONS[section][1]
            # an unknown key, of which a mistake does not say which
            _put(left, section, {name: part[name] for name in known if name in part}, was=part)
    return {} if left == pillar else left


def _put(pillar: dict[str, Any], section: str, part: Any, *, was: Any) -> None:
    """Put what is left of a section in its place; it goes where that is all that was there."""
    if part == was:
        del pillar[section]
    else:
        pillar[section] = part


def _refuse_unread(defaults: Mapping[str, Any]) -> None:
    """Refuse a default that nothing reads: a key that was renamed, or a mistyped one."""
    known = {name: checks for name, (_, checks) in SECTIONS.items()} | {"lookup": PLATFORM_FACTS}
    mistakes = [f"{name}: expected a section of its name" for name in defaults if name not in known]
    for name in known.keys() & defaults.keys():
        unread = defaults[name].keys() - known[name].keys()
        mistakes += [f"{name}:{key}: expected a key that the pillar may have" for key in unread]
    if mistakes:
        raise SettingsError([f"defaults.yaml: {line}" for line in sorted(mistakes)])


class _Reader:
    def __init__(
        self,
        defaults: Mapping[str, Any],
        resolve: Resolve | None,
        unprivileged_from: int,
        is_here: Callable[[str], bool],
    ) -> None:
        self.defaults = defaults
        self.resolve = resolve
        self.unprivileged_from = unprivileged_from
        self.is_here = is_here
        self.mistakes: list[str] = []

    def read(self, pillar: Any) -> Settings:
        given = self.mapping(pillar, ROOT, (*SECTIONS, "lookup"))
        built = {name: self.section(name, given) for name in SECTIONS}
        built["lookup"] = self.lookup(given)
        self.mistakes.extend(contradictions(built, self.unprivileged_from, self.is_here))
        if self.mistakes:
            raise SettingsError(self.mistakes)
        if not built["auth"].get("enabled"):
            built["auth"] = {}
        parts: dict[str, Any] = {
            name: maker(**built[name]) if built[name] else None
            for name, (maker, _) in SECTIONS.items()
        }
        return Settings(lookup=built["lookup"], **parts)

    def mapping(self, value: Any, path: str, known: Collection[str]) -> dict[str, Any]:
        """Give the known part of a mapping; unknown keys are mistakes."""
        if not isinstance(value, Mapping):
            # A word in the place of a section may be a secret.
            self.mistakes.append(f"{path}: expected a mapping, got {hidden(value)}")
            return {}
        self.mistakes.extend(
            unknown_key(path, key, value[key], known)
            for key in value
            if not isinstance(key, str) or key not in known
        )
        return {key: value[key] for key in known if key in value}

    def section(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check one section; an absent auth or account is empty."""
        path = f"{ROOT}:{name}"
        _, checks = SECTIONS[name]
        found = self.mapping(given.get(name, {}), path, checks)
        if not isinstance(given.get(name, {}), Mapping) or (name in SECRETS and name not in given):
            return {}
        values = {**self.defaults.get(name, {}), **found}
        off = name == "auth" and values.get("enabled") is False
        checked: dict[str, Any] = {}
        for key, check in checks.items():
            where = f"{path}:{key}"
            if key not in values:
                if not off:
                    self.mistakes.append(f"{where}: expected a value, got none (it is required)")
                continue
            try:
                value = values[key]
                if key in SECRETS.get(name, ()) and not off:
                    value = self.resolved(value, where)
                checked[key] = check(value, where)
            except SettingsError as err:
                self.mistakes.extend(err.mistakes)
        return checked

    def resolved(self, value: Any, path: str) -> Any:
        """Ask for a secret that the pillar only points at."""
        if self.resolve is None or not isinstance(value, str) or not value.startswith("sdb://"):
            return value
        try:
            found = self.resolve(value)
        # sdb drivers raise anything, and their words may hold the secret.
        except Exception as err:
            kind = type(err).__name__
        else:
            if found is not None and found != value:
                return found
            # Salt gives the address back where no such sdb profile is configured.
            kind = "nothing"
        raise SettingsError([f"{path}: expected a secret behind its sdb:// address, got {kind}"])

    def lookup(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the platform facts."""
        path = f"{ROOT}:lookup"
        found = self.mapping(given.get("lookup", {}), path, PLATFORM_FACTS)
        facts: dict[str, Any] = {}
        for key, value in {**self.defaults.get("lookup", {}), **found}.items():
            try:
                facts[key] = PLATFORM_FACTS[key](value, f"{path}:{key}")
            except SettingsError as err:
                self.mistakes.extend(err.mistakes)
        return facts
