"""Say what a sendmail cf does now, and what it lacks to be James's client."""

from __future__ import annotations

import re
from typing import Any, Protocol

from james_client.cf.auth import client_auth, requires_auth
from james_client.cf.relay import hub_rules, loop_check, relay
from james_client.cf.text import Cf
from james_client.wishes.settings import Auth, Loop, Relay

__all__ = ["Wishes", "facts", "missing"]

_CLASS = re.compile(rb"C(?:\{([^}\s]+)\}|(\S))\s*(.*)")


class Wishes(Protocol):
    """Hold what the three steps need: ``james_client.wishes.settings.Settings`` does."""

    @property
    def relay(self) -> Relay: ...
    @property
    def loop(self) -> Loop: ...
    @property
    def auth(self) -> Auth | None: ...


def facts(cf: Cf) -> dict[str, Any]:
    """Show what counts for the relay: as sendmail would read it, nothing guessed.

    :param cf: the configuration, sendmail.cf or submit.cf
    :return: thing → value; None where the cf says nothing
    """
    shown = _submission(cf) if cf.is_msp else _transport(cf)
    return {
        "submission program": cf.is_msp,
        **shown,
        "ServiceSwitchFile": cf.option("ServiceSwitchFile"),
        "DeliveryMode": cf.option("DeliveryMode"),
        "AuthMechanisms": cf.option("AuthMechanisms"),
        "DefaultAuthInfo": cf.option("DefaultAuthInfo"),
        "AuthOptions": cf.option("AuthOptions"),
        "authinfo ruleset": cf.header("authinfo") is not None,
        "compulsory AUTH": requires_auth(cf),
    }


def _transport(cf: Cf) -> dict[str, Any]:
    smart = cf.macro("S") or None
    name = smart.partition(":")[0] if smart and ":" in smart else "esmtp"
    mailer = cf.mailer(name)
    hub, local = hub_rules(cf)
    return {
        "smart host": smart,
        "local relay": cf.macro("R") or None,
        "mail hub": cf.macro("H") or None,
        "hub rule": hub,
        "relay rule": local,
        "mailer": name if mailer else None,
        "flags": mailer.flags if mailer else None,
        "arguments": mailer.args if mailer else None,
        "names kept local": _class(cf, b"L"),
    }


def _submission(cf: Cf) -> dict[str, Any]:
    mailer = cf.mailer("relay")
    return {
        "submission host": cf.macro("MTAHost"),
        "mailer": "relay" if mailer else None,
        "flags": mailer.flags if mailer else None,
        "arguments": mailer.args if mailer else None,
    }


def _class(cf: Cf, name: bytes) -> list[str]:
    names: list[str] = []
    for index in range(len(cf)):
        match = _CLASS.match(cf.entry(index))
        if match and name in (match[1], match[2]):
            names += match[3].decode("utf-8", "replace").split()
    return names


def missing(cf: Cf, wishes: Wishes) -> list[str]:
    """Say in words what the three steps would change; empty where the cf is James's client.

    :param cf: the configuration; it is not edited
    :param wishes: the settings
    :raises CfError: a step cannot be applied to this cf
    """
    trial = Cf(cf.render())
    changes = {
        **relay(trial, wishes.relay),
        **client_auth(trial, wishes.auth, wishes.relay),
    }
    for thing, change in loop_check(trial, wishes.relay, wishes.loop).items():
        old = changes.get(thing, change)["old"]
        changes[thing] = {"old": old, "new": change["new"]}
    return [_in_words(thing, change) for thing, change in changes.items()]


def _in_words(thing: str, change: dict[str, Any]) -> str:
    old, new = change["old"], change["new"]
    if old is None:
        return f"{thing}: none, wanted {new}" if new is not True else f"{thing}: not there"
    return f"{thing}: {old}, wanted {new}"
