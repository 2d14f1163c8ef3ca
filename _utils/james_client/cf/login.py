"""Write and find the rules that offer the login to James alone, and that insist on it.

sendmail asks ruleset authinfo for a login when a server offers AUTH, and tls_rcpt before each
RCPT. In both, ``$&h`` is the host of the resolved triple, whatever its address or MX: so the rules
say nothing about mail that a mailertable sends elsewhere, and hand what they got on unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from james_client.cf.text import Cf

__all__ = [
    "LOGIN_HEADER",
    "REQUIRE_HEADER",
    "SUBMISSION_HOST",
    "Offer",
    "find_offer",
    "find_required",
    "map_line",
    "offer_rules",
    "require_rules",
]

LOGIN_HEADER, REQUIRE_HEADER = "authinfo", "tls_rcpt"
SUBMISSION_HOST = "${MTAHost}"

_MAP = "jamesauth"
_SAYS = "454 James has not authenticated us"
_OFFER = re.compile(rb'R\$\* \$\| <([^>]*)>\s+\$# \$\(jamesauth .*"M:([^"]*)"')
_MAP_FILE = re.compile(rb"Kjamesauth\s.*?(/\S+)\s*\Z")


@dataclass(frozen=True)
class Offer:
    """Show to whom a cf offers a login: host, the map's file, the mechanisms."""

    host: str
    file: str
    mechanisms: tuple[str, ...]


def map_line(login: Offer) -> str:
    """Give the K line of the map: a text that sendmail reads anew for each look-up.

    It is optional, so that a file that cannot be read is no error but an answer: "temp", below.
    """
    return f"K{_MAP} text -o -k0 -v1 {login.file}"


def offer_rules(login: Offer) -> list[str]:
    """Give the rules at the head of ruleset authinfo; lines without endings.

    An answer that begins with "temp" keeps the mail in the queue: getauth() in usersmtp.c.
    """
    user, *others = (f"$({_MAP} {key}" for key in ("user", "password", "realm"))
    answer = " ".join([f"{user} $: temp $)", *(f"{other} $)" for other in others)])
    return [
        "R$*\t\t\t$: $1 $| <$&h>",
        f'R$* $| <{login.host}>\t$# {answer} "M:{" ".join(login.mechanisms)}"',
        "R$* $| <$*>\t\t$: $1",
    ]


def require_rules(host: str | None) -> list[str]:
    """Give the rules at the head of ruleset tls_rcpt; lines without endings.

    host
        the relay as the smart host names it; None for all mail, as in submit.cf
    """
    if host is None:
        mark, none, some = "<$&{auth_type}>", "<>", "<$*>"
    else:
        mark, none, some = "<$&{auth_type}> <$&h>", f"<> <{host}>", "<$*> <$*>"
    return [
        f"R$*\t\t\t$: $1 $| {mark}",
        f'R$* $| {none}\t\t$#error $@ 4.7.0 $: "{_SAYS}"',
        f"R$* $| {some}\t\t$: $1",
    ]


def find_offer(cf: Cf) -> tuple[Offer | None, Sequence[int]]:
    """Give the login that our rules offer, and their places with that of the map's line."""
    maps = [place for place in cf.places(b"K") if _MAP_FILE.match(cf.entry(place))]
    rules = _around(cf, LOGIN_HEADER, f"$({_MAP} ".encode(), b"$&h")
    match = _OFFER.match(cf.entry(rules[1])) if rules else None
    if not (maps and match):
        return None, [*maps, *rules]
    file = _MAP_FILE.match(cf.entry(maps[-1]))
    assert file is not None
    host, mechanisms = match[1].decode(), match[2].decode().split()
    return Offer(host, file[1].decode(), tuple(mechanisms)), [*maps, *rules]


def find_required(cf: Cf) -> Sequence[int]:
    """Give the places of our rules in ruleset tls_rcpt; none where AUTH is not compulsory."""
    return _around(cf, REQUIRE_HEADER, _SAYS.encode(), b"auth_type")


def _around(cf: Cf, ruleset: str, words: bytes, above: bytes) -> list[int]:
    # The places of our three rules: the middle one is known by its words, the first by its macro.
    header = cf.header(ruleset)
    rules = cf.rules(header) if header else []
    for at, rule in enumerate(rules[1:-1], 1):
        if words in cf.entry(rule.index) and above in rules[at - 1].rhs:
            return [neighbour.index for neighbour in rules[at - 1 : at + 2]]
    return []
