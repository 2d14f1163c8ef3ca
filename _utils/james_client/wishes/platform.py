"""Hold what a platform's sendmail package decides: paths, services, knobs.

The facts themselves are data in sendmail_james/platforms.yaml; pillar ``lookup`` overrides them for
a host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from james_client.errors import FaultError
from james_client.wishes.lookup import PLATFORM_FACTS
from james_client.wishes.mistakes import SettingsError


class PlatformError(FaultError):
    """Say that a platform is unknown."""


@dataclass(frozen=True)
class Knob:
    """Describe one file that tells the platform to run sendmail's queues only.

    ``read_after`` are files, and folders of them, whose assignments win over this one's.
    """

    file: str
    assign: Mapping[str, str] | None = None
    content: str | None = None
    read_after: Sequence[str] = ()


@dataclass(frozen=True)
class Platform:
    """Hold the facts of one platform; the keys are those of platforms.yaml."""

    packages: tuple[str, ...]
    other_mtas: tuple[str, ...]
    services: tuple[str, ...]
    restart: str
    sendmail: str
    cf: str
    mc: str
    submit_cf: str
    submit_mc: str
    submit_user: str
    mail_owner: str
    mail_logs: tuple[str, ...]
    cf_dir: str
    rebuilds: bool
    generated: tuple[str, ...]
    knobs: tuple[Knob, ...]
    state_dir: str
    backups: str
    lock: str


def select(
    platforms: Mapping[str, Any], grains: Mapping[str, Any], lookup: Mapping[str, Any]
) -> Platform:
    """Return the facts for a host.

    platforms
        the parsed platforms.yaml
    grains
        Salt's grains; ``os_family``, ``init`` and ``nodename`` (what ``hostname`` prints) are used
    lookup
        pillar ``sendmail_james:lookup``, whose keys win over the platform's

    Raises PlatformError where neither names a fact, or a fact is none.
    """
    family, init = grains.get("os_family", ""), grains.get("init", "")
    name = f"{family}/{init}" if f"{family}/{init}" in platforms else family
    facts = _checked(name, platforms.get(name, {})) | dict(lookup)
    missing = [key for key in PLATFORM_FACTS if key not in facts]
    if missing:
        raise PlatformError(
            f"no facts for this platform (os_family {family!r}): set "
            f"sendmail_james:lookup:{{{', '.join(missing)}}}, or use one of "
            f"{', '.join(key for key in platforms if '/' not in key)}"
        )
    for key in ("mc", "submit_mc"):
        facts[key] = facts[key].replace("{host}", str(grains.get("nodename", "")))
    for key in ("packages", "other_mtas", "services", "generated", "mail_logs"):
        facts[key] = tuple(facts[key])
    facts["knobs"] = tuple(Knob(**knob) for knob in facts["knobs"])
    return Platform(**facts)


def _checked(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a platform's facts, each as pillar ``lookup`` would have to give it."""
    where = f"platforms.yaml: {name}"
    if unknown := sorted(str(key) for key in facts if key not in PLATFORM_FACTS):
        raise PlatformError(
            f"{where}: expected the keys {', '.join(PLATFORM_FACTS)}, got {', '.join(unknown)}"
        )
    try:
        return {key: PLATFORM_FACTS[key](value, f"{where}:{key}") for key, value in facts.items()}
    except SettingsError as err:
        raise PlatformError(str(err)) from None
