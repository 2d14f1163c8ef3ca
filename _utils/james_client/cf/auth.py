"""Make a sendmail cf log in at the relay, and send it nothing without: how-to step 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from james_client.cf.login import (
    LOGIN_HEADER,
    REQUIRE_HEADER,
    SUBMISSION_HOST,
    Offer,
    find_offer,
    find_required,
    map_line,
    offer_rules,
    require_rules,
)
from james_client.cf.option_lines import comment_out, set_option, settings_folder
from james_client.cf.text import Cf, CfError, one_line
from james_client.cf.versions import rebuild
from james_client.changes import Changes, note
from james_client.wishes.settings import Auth, Relay

__all__ = ["edit", "follow_relay", "offer_wanted", "required_of"]

# An earlier form of this step took the ruleset out of sendmail's sight under this name, so that
# DefaultAuthInfo counted, for every server; it put LOGIN and PLAIN first.
_HIDDEN_HEADER = "JamesUnusedAuthinfo"
_HIDDEN_MECHANISMS = ("LOGIN", "PLAIN")


def edit(cf: Cf, auth: Auth | None, relay: Relay) -> Changes:
    """Let sendmail log in at the relay and nowhere else, and send nothing without.

    cf
        the configuration, edited in place
    auth
        mechanisms, options, credential files; None takes the rules away
    relay
        the host to which the login is offered, and for which AUTH is compulsory

    Returns what changed, ``{thing: {"old": …, "new": …}}``; empty when nothing had to. Raises
    CfError where the cf lacks ruleset authinfo or, AUTH being compulsory, tls_rcpt.
    """
    changes: Changes = {}
    if auth is None or (cf.is_msp and auth.programs == "none"):
        _take_out(cf, changes)
        return changes
    with cf.whole():
        login = offer_wanted(cf, auth, relay)
        before = _uncover(cf, auth, changes) or _mechanisms_before(cf)
        set_option(cf, "AuthMechanisms", _mechanisms(cf, auth, before), changes)
        set_option(cf, "AuthOptions", _options(cf, auth), changes)
        if cf.is_msp:
            # An ordinary user cannot read the password, so the queue runner has to deliver.
            set_option(cf, "DeliveryMode", "queue", changes)
        _offer(cf, login, changes)
        _require(cf, require_rules(required_of(cf, relay)) if auth.required else [], changes)
    return changes


def offer_wanted(cf: Cf, auth: Auth, relay: Relay) -> Offer:
    """Give the login that a cf is to offer: the submission program knows its one host by macro."""
    if cf.is_msp:
        return Offer(SUBMISSION_HOST, auth.programs_file, auth.mechanisms)
    return Offer(relay.host, auth.file, auth.mechanisms)


def required_of(cf: Cf, relay: Relay) -> str | None:
    """Give the host that must have authenticated us; None for any, as in submit.cf."""
    return None if cf.is_msp else relay.host


def follow_relay(cf: Cf, host: str, changes: Changes) -> None:
    """Let the rules of this step, where they are, mean another host."""
    if cf.is_msp:
        return
    login, _ = find_offer(cf)
    if login is not None:
        _offer(cf, replace(login, host=host), changes)
    if find_required(cf):
        _require(cf, require_rules(host), changes)


def _take_out(cf: Cf, changes: Changes) -> None:
    # The options are another matter: what they were before us, the rules do not tell.
    found, places = find_offer(cf)
    _remove(cf, places)
    if found:
        note(changes, "authinfo rules", _shown(cf, found), None)
    _require(cf, [], changes)


def _mechanisms(cf: Cf, auth: Auth, before: Sequence[str]) -> str:
    # Ours first. What the cf has besides stays behind them, for logins of the site's own: at James
    # the rule's "M:" counts. What an earlier run of ours put there goes.
    skip = {name.upper() for name in (*auth.mechanisms, *before)}
    others = (cf.option("AuthMechanisms") or "").split()
    return " ".join([*auth.mechanisms, *(name for name in others if name.upper() not in skip)])


def _mechanisms_before(cf: Cf) -> Sequence[str]:
    login, _ = find_offer(cf)
    return login.mechanisms if login else ()


def _options(cf: Cf, auth: Auth) -> str:
    # What the cf has, "A" only where it is wanted, then what is missing.
    found = cf.option("AuthOptions") or ""
    wanted = [letter for letter in auth.options if letter.isalpha()]
    present = [letter for letter in found if letter.isalpha()]
    kept = [letter for letter in present if letter != "A" or "A" in wanted]
    merged = kept + [letter for letter in wanted if letter not in kept]
    return found if merged == present else ",".join(merged)


def _uncover(cf: Cf, auth: Auth, changes: Changes) -> Sequence[str]:
    """Take back what the earlier form of this step left; give the mechanisms that it set."""
    while cf.option("DefaultAuthInfo") in (auth.file, auth.programs_file):
        comment_out(cf, "DefaultAuthInfo", f"{settings_folder(cf)}/default-auth-info", changes)
    hidden = [header.index for header in cf.headers() if header.name == _HIDDEN_HEADER]
    for index in hidden:
        body = cf.entry(index).replace(_HIDDEN_HEADER.encode(), LOGIN_HEADER.encode(), 1)
        cf.replace(index, body)
        note(changes, "authinfo ruleset", _HIDDEN_HEADER, LOGIN_HEADER)
    return _HIDDEN_MECHANISMS if hidden else ()


def _offer(cf: Cf, login: Offer, changes: Changes) -> None:
    found, places = find_offer(cf)
    lines = [map_line(login), *offer_rules(login)]
    there = [cf.entry(place).decode("utf-8", "replace") for place in places]
    if there == lines and list(places) == sorted(places):
        return
    _remove(cf, places)
    header = cf.header(LOGIN_HEADER)
    if header is None:
        raise CfError(
            "expected ruleset authinfo, as m4 writes it since 8.12, found none: the login would be "
            f"offered to every server; {rebuild(cf)}"
        )
    cf.insert(header.index + 1, *(line.encode() for line in lines[1:]))
    cf.insert(header.index, lines[0].encode())
    if login.host == SUBMISSION_HOST and cf.macro("MTAHost") is None:
        raise CfError(
            "expected D{MTAHost} as FEATURE(msp) writes it, above ruleset authinfo, found none: "
            f"{rebuild(cf)}",
            cf.line_of(header.index),
        )
    note(changes, "authinfo rules", _shown(cf, found) if found else None, _shown(cf, login))


def _shown(cf: Cf, login: Offer) -> str:
    host = cf.macro("MTAHost") if login.host == SUBMISSION_HOST else login.host
    return f"{host} alone: {' '.join(login.mechanisms)} from {login.file}"


def _require(cf: Cf, rules: list[str], changes: Changes) -> None:
    places = find_required(cf)
    lines = [rule.encode() for rule in rules]
    there = [cf.entry(place) for place in places]
    if there == lines:
        return
    _remove(cf, places)
    if lines:
        header = cf.header(REQUIRE_HEADER)
        if header is None:
            raise CfError(
                f"expected ruleset tls_rcpt, found none: AUTH cannot be compulsory; {rebuild(cf)} "
                "(m4 of sendmail 8.12 writes the ruleset for "
                "FEATURE(`access_db') only), or set auth:required to false"
            )
        cf.insert(header.index + 1, *lines)
    if there and lines:  # for another host
        old, new = next(pair for pair in zip(there, lines, strict=True) if pair[0] != pair[1])
        note(changes, "compulsory AUTH", one_line(old), one_line(new))
    else:
        note(changes, "compulsory AUTH", bool(there) or None, bool(lines) or None)


def _remove(cf: Cf, places: Sequence[int]) -> None:
    for place in sorted(places, reverse=True):
        cf.remove(place, place + 1)
