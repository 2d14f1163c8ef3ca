"""Say what a sendmail cf does now, and what it lacks to be James's client."""

from __future__ import annotations

from typing import Any, Protocol

from james_client.cf import auth, localaddr, loop, masquerade, relay, timeouts
from james_client.cf.classes import words
from james_client.cf.login import find_offer, find_required
from james_client.cf.options import OPTIONS
from james_client.cf.relay import hub_rules
from james_client.cf.text import Cf
from james_client.changes import Change, Changes, note
from james_client.wishes.settings import Auth, Daemon, Loop, Relay

__all__ = ["Wishes", "facts", "missing"]


class Wishes(Protocol):
    """Hold what the steps need: ``james_client.wishes.settings.Settings`` does."""

    @property
    def daemon(self) -> Daemon: ...
    @property
    def relay(self) -> Relay: ...
    @property
    def loop(self) -> Loop: ...
    @property
    def auth(self) -> Auth | None: ...


def facts(cf: Cf) -> dict[str, Any]:
    """Show what counts for the relay: as sendmail would read it, nothing guessed.

    cf
        the configuration, sendmail.cf or submit.cf

    Returns thing → value; None where the cf says nothing.
    """
    shown = _submission(cf) if cf.is_msp else _transport(cf)
    return {
        "submission program": cf.is_msp,
        **shown,
        "senders' domain": cf.macro("M") or None,
        "senders that keep their address": [
            *words(cf, "E"),
            *(f"@{host}" for host in words(cf, "N")),
        ],
        **{name: cf.option(name) for name, option in OPTIONS.items() if option.step},
        "authinfo ruleset": cf.header("authinfo") is not None,
        **_login(cf),
        "compulsory AUTH": bool(find_required(cf)),
    }


def _login(cf: Cf) -> dict[str, Any]:
    login, _ = find_offer(cf)
    if login is None:
        return dict.fromkeys(("login for", "login file", "login mechanisms"))
    return {
        "login for": cf.macro("MTAHost") if cf.is_msp else login.host,
        "login file": login.file,
        "login mechanisms": " ".join(login.mechanisms),
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
        "mailers that pass ruleset 5 by": localaddr.silent_mailers(cf),
        "names kept local": words(cf, "L"),
    }


def _submission(cf: Cf) -> dict[str, Any]:
    mailer = cf.mailer("relay")
    return {
        "submission host": cf.macro("MTAHost"),
        "smart host": cf.macro("S") or None,
        "mailer": "relay" if mailer else None,
        "flags": mailer.flags if mailer else None,
        "arguments": mailer.args if mailer else None,
        "mailers that pass ruleset 5 by": localaddr.silent_mailers(cf),
    }


def missing(cf: Cf, wishes: Wishes) -> list[str]:
    """Say in words what the three steps would change; empty where the cf is James's client.

    cf
        the configuration; it is not edited
    wishes
        the settings

    Raises CfError where a step cannot be applied to this cf.
    """
    trial = Cf(cf.render())
    changes: Changes = {}
    for step in (
        timeouts.edit(trial, wishes.daemon),
        relay.edit(trial, wishes.relay),
        masquerade.edit(trial, wishes.relay),
        auth.edit(trial, wishes.auth, wishes.relay),
        loop.edit(trial, wishes.relay, wishes.loop),
    ):
        for thing, change in step.items():
            note(changes, thing, change["old"], change["new"])
    return [_in_words(thing, change) for thing, change in changes.items()]


def _in_words(thing: str, change: Change) -> str:
    old, new = change["old"], change["new"]
    if new is True:
        return f"{thing}: not there"
    return f"{thing}: {_shown(old)}, wanted {_shown(new)}"


def _shown(value: Any) -> Any:
    return "none" if value is None else value
