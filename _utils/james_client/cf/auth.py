"""Make a sendmail cf log in at the relay, and send it nothing without: how-to step 4."""

from __future__ import annotations

from james_client.cf.options import set_option
from james_client.cf.text import Cf, CfError
from james_client.changes import Changes, note
from james_client.wishes.settings import Auth, Relay

__all__ = [
    "UNUSED_AUTHINFO",
    "auth_rules",
    "client_auth",
    "follow_host",
    "merged_mechanisms",
    "merged_options",
    "required_for",
    "requires_auth",
]

#: The name that takes the authinfo ruleset out of sendmail's sight, see :func:`client_auth`.
UNUSED_AUTHINFO = "JamesUnusedAuthinfo"

_SAYS = "454 James has not authenticated us"
_OURS = {"LOGIN", "PLAIN"}


def client_auth(cf: Cf, auth: Auth | None, relay: Relay) -> Changes:
    """Let sendmail log in at the relay, and send nothing without it: how-to step 4.

    :param cf: the configuration, edited in place
    :param auth: mechanisms, options, credential files; None changes nothing
    :param relay: the host for which AUTH is compulsory
    :return: what changed, ``{thing: {"old": …, "new": …}}``; empty when nothing had to
    :raises CfError: AUTH is to be compulsory and the cf has no ruleset tls_rcpt
    """
    changes: Changes = {}
    if auth is None or (cf.is_msp and auth.programs == "none"):
        return changes
    with cf.whole():
        set_option(cf, "AuthMechanisms", merged_mechanisms(cf, auth), changes)
        set_option(cf, "DefaultAuthInfo", auth.programs_file if cf.is_msp else auth.file, changes)
        set_option(cf, "AuthOptions", merged_options(cf, auth), changes)
        _unhook_authinfo(cf, changes)
        if cf.is_msp:
            # An ordinary user cannot read the password, so the queue runner has to deliver.
            set_option(cf, "DeliveryMode", "queue", changes)
        _require(cf, auth_rules(required_for(cf, relay)) if auth.required else [], changes)
    return changes


def merged_mechanisms(cf: Cf, auth: Auth) -> str:
    """Give AuthMechanisms: the wanted ones first, then what the cf has besides LOGIN and PLAIN."""
    wanted = list(auth.mechanisms)
    skip = {*map(str.upper, wanted), *_OURS}
    others = [m for m in (cf.option("AuthMechanisms") or "").split() if m.upper() not in skip]
    return " ".join(wanted + others)


def merged_options(cf: Cf, auth: Auth) -> str:
    """Give AuthOptions: what the cf has, ``A`` only where it is wanted, then what is missing."""
    found = cf.option("AuthOptions") or ""
    wanted = [letter for letter in auth.options if letter.isalpha()]
    present = [letter for letter in found if letter.isalpha()]
    kept = [letter for letter in present if letter != "A" or "A" in wanted]
    merged = kept + [letter for letter in wanted if letter not in kept]
    return found if merged == present else ",".join(merged)


def required_for(cf: Cf, relay: Relay) -> str | None:
    """Give the host that must have authenticated us; None for any, as in submit.cf."""
    return None if cf.is_msp else relay.host


def auth_rules(host: str | None) -> list[str]:
    """Give the rules at the head of ruleset tls_rcpt that make AUTH compulsory.

    :param host: the relay as the smart host names it; None for all mail (the submission program)
    :return: lines without endings
    """
    # sendmail asks tls_rcpt before each RCPT. $&h is the host of the resolved triple, whatever its
    # address or MX: so the rules say nothing about mail that a mailertable sends elsewhere.
    if host is None:
        mark, none, some = "<$&{auth_type}>", "<>", "<$*>"
    else:
        mark, none, some = "<$&{auth_type}> <$&h>", f"<> <{host}>", "<$*> <$*>"
    return [
        f"R$*\t\t\t$: $1 $| {mark}",
        f'R$* $| {none}\t\t$#error $@ 4.7.0 $: "{_SAYS}"',
        f"R$* $| {some}\t\t$: $1",
    ]


def follow_host(cf: Cf, host: str, changes: Changes) -> None:
    """Let the rules of compulsory AUTH, where they are, mean another host."""
    if not cf.is_msp and _ours(cf):
        _require(cf, auth_rules(host), changes)


def requires_auth(cf: Cf) -> bool:
    """Tell whether our rules make AUTH compulsory here."""
    return bool(_ours(cf))


def _unhook_authinfo(cf: Cf, changes: Changes) -> None:
    # While a ruleset of this name exists, empty or not, sendmail does not read DefaultAuthInfo.
    for header in cf.headers():
        if header.name == "authinfo":
            body = cf.entry(header.index)
            cf.replace(header.index, body.replace(b"authinfo", UNUSED_AUTHINFO.encode(), 1))
            note(changes, "authinfo ruleset", "authinfo", UNUSED_AUTHINFO)


def _require(cf: Cf, rules: list[str], changes: Changes) -> None:
    places = _ours(cf)
    lines = [rule.encode() for rule in rules]
    if [cf.entry(place) for place in places] == lines:
        return
    for place in reversed(places):
        cf.remove(place, place + 1)
    if lines:
        header = cf.header("tls_rcpt")
        if header is None:
            raise CfError(
                "expected ruleset tls_rcpt, found none: AUTH cannot be compulsory; build the cf "
                "from its mc again (m4 of sendmail 8.12 writes the ruleset for "
                "FEATURE(`access_db') only), or set auth:required to false"
            )
        cf.insert(header.index + 1, *lines)
    note(changes, "compulsory AUTH", bool(places) or None, bool(lines) or None)


def _ours(cf: Cf) -> list[int]:
    # The places of our rules: the refusal, known by its words, with its neighbours.
    header = cf.header("tls_rcpt")
    rules = cf.rules(header) if header else []
    for at, rule in enumerate(rules[1:-1], 1):
        if _SAYS.encode() in cf.entry(rule.index) and b"auth_type" in rules[at - 1].rhs:
            return [neighbour.index for neighbour in rules[at - 1 : at + 2]]
    return []
