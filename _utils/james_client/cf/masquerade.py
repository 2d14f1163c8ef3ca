"""Let a host's own senders carry a domain's name, in a cf: envelope and header alike.

It is sendmail's own masquerading, as m4 writes it for MASQUERADE_AS with masquerade_envelope.
Recipients keep their address: what the local relay and the submission program do with a bare name
does not change.
"""

from __future__ import annotations

from collections.abc import Sequence

from james_client.cf.macro_lines import MASQUERADE_COMMENT, after_definitions, set_macro
from james_client.cf.text import Cf, CfError, Header, Rule
from james_client.cf.versions import rebuild
from james_client.changes import Changes, note
from james_client.wishes.settings import Relay

__all__ = ["edit", "exceptions", "kept_lines"]

_KEPT_COMMENT = "# sendmail_james: senders that keep their address"
_LEFTOVER = (b"$*<@*LOCAL*>", b"$@$1<@$j.>")
_TO_DOMAIN = (b"$*<@*LOCAL*>$*", b"$:$1<@$j.@$M>$2")
_EXPOSE_MORE = (b"$=E<@$=w.>", b"$@$1<@$2.>")
_HOST_TO_DOMAIN = (b"$*<@$=w.>$*", b"$:$1<@$2.@$M>$3")
_ENVELOPE_ALONE = (b"$*<@*LOCAL*>$*", b"$:$1<@$j.>$2")
_ENVELOPE_TOO = (b"$+", b"$@$>MasqHdr$1")
_ENTIRE_DOMAIN = (b"$*<@$*$=M>$*", b"$:$1<@$2$3.>$4")

_EXPOSE = b"R$=E < @ *LOCAL* >\t$@ $1 < @ $j . >\t\tleave exposed"
_EXPOSE_M = b"R$=E < @ $=M . >\t$@ $1 < @ $2 . >"
_EXPOSE_M_ENTIRE = b"R$=E < @ $* $=M . >\t$@ $1 < @ $2 $3 . >"
_EXPOSE_W = b"R$=E < @ $=w . >\t$@ $1 < @ $2 . >"
_CONVERT_M = b"R$* < @ $=M . > $*\t$: $1 < @ $2 . @ $M > $3\tconvert masqueraded doms"
_CONVERT_M_ENTIRE = b"R$* < @ $* $=M . > $*\t$: $1 < @ $2 $3 . @ $M > $4\tconvert masqueraded doms"
_CONVERT_W = b"R$* < @ $=w . > $*\t$: $1 < @ $2 . @ $M > $3"
_CONVERT_LOCAL = (
    b"R$* < @ *LOCAL* > $*\t$: $1 < @ $j . @ $M > $2",
    b"R$* < @ $+ @ > $*\t$: $1 < @ $2 > $3\t\t$M is null",
    b"R$* < @ $+ @ $+ > $*\t$: $1 < @ $3 . > $4\t\t$M is not null",
)
_ENVELOPE_RULE = b"R$+\t\t\t$@ $>MasqHdr $1"


def edit(cf: Cf, relay: Relay) -> Changes:
    """Give this host's senders the domain of ``relay:masquerade``; None changes nothing.

    cf
        the configuration, edited in place
    relay
        the domain, and the users and hosts that keep their address

    Returns what changed. Raises CfError where the rulesets for it are not as m4 writes them.
    """
    changes: Changes = {}
    if relay.masquerade is None:
        return changes
    with cf.whole():
        _header_rules(cf, changes)  # which D line counts depends on the rules
        _envelope_rule(cf, changes)
        set_macro(cf, "M", "senders' domain", relay.masquerade, changes)
        _keep(cf, relay, changes)
    return changes


def kept_lines(relay: Relay) -> list[str]:
    """Give the class lines of the senders that keep their address, below a comment; or none."""
    users, hosts = exceptions(relay)
    classes = (("E", users), ("N", hosts))
    lines = [f"C{{{name}}}{' '.join(words)}" for name, words in classes if words]
    return [_KEPT_COMMENT, *lines] if lines else []


def exceptions(relay: Relay) -> tuple[list[str], list[str]]:
    """Give the users and the hosts that keep their address."""
    every = relay.masquerade_except
    users = [one for one in every if not one.startswith("@")]
    return users, [one[1:] for one in every if one.startswith("@")]


def _keep(cf: Cf, relay: Relay, changes: Changes) -> None:
    lines = [line.encode() for line in kept_lines(relay)]
    start = cf.index_of(_KEPT_COMMENT.encode())
    stop = start
    if start is not None and stop is not None:
        stop += 1
        while stop < len(cf) and cf.entry(stop)[:4] in (b"C{E}", b"C{N}"):
            stop += 1
        found = [cf.entry(index) for index in range(start, stop)]
        if found == lines:
            return
        cf.remove(start, stop)
        note(changes, "senders that keep their address", _words(found), _words(lines))
    elif lines:
        start = _end_of_classes(cf)
        note(changes, "senders that keep their address", None, _words(lines))
    if lines and start is not None:
        cf.insert(start, *lines)


def _words(lines: Sequence[bytes]) -> str | None:
    said = [
        ("@" if line[2:3] == b"N" else "") + one.decode()
        for line in lines[1:]
        for one in line[4:].split()
    ]
    return " ".join(said) or None


def _end_of_classes(cf: Cf) -> int:
    # m4 writes the classes of the mc's own lines right above the group of the masquerade's name.
    group = cf.index_of(MASQUERADE_COMMENT)
    if group is None or group < 2 or cf.entry(group - 1):
        return after_definitions(cf)
    return group - 2 if cf.entry(group - 2) == b"CR$={VirtHost}" else group - 1


def _header_rules(cf: Cf, changes: Changes) -> None:
    header = _ruleset(cf, "MasqHdr", "93")
    rules = cf.rules(header)
    entire = _entire_domain(cf)
    local = _find(rules, _TO_DOMAIN)
    if local is None:
        leftover = _find(rules, _LEFTOVER)
        if leftover is None:
            raise CfError(
                "ruleset MasqHdr is not as m4 writes it: expected a rule for < @ *LOCAL* >, found "
                f"none: senders cannot be masqueraded; {rebuild(cf)}",
                cf.line_of(header.index),
            )
        cf.remove(leftover.index, leftover.index + 1)
        cf.insert(leftover.index, *_rules(entire=entire))
        note(changes, "rules for senders' headers", None, True)
        return
    # FEATURE(`limited_masquerade') leaves out the rules for the host's own names.
    for sides, rule, above in (
        (_HOST_TO_DOMAIN, _CONVERT_W, local.index),
        (_EXPOSE_MORE, _EXPOSE_W, _below_exposed(rules, local)),
    ):
        if _find(rules, sides) is None:
            cf.insert(above, rule)
            note(changes, "rules for this host's own names", None, True)


def _rules(*, entire: bool) -> list[bytes]:
    return [
        b"# special case the users that should be exposed",
        _EXPOSE,
        _EXPOSE_M_ENTIRE if entire else _EXPOSE_M,
        _EXPOSE_W,
        b"",
        b"# handle domain-specific masquerading",
        _CONVERT_M_ENTIRE if entire else _CONVERT_M,
        _CONVERT_W,
        *_CONVERT_LOCAL,
    ]


def _below_exposed(rules: Sequence[Rule], local: Rule) -> int:
    exposed = [rule.index for rule in rules if rule.lhs.startswith(b"$=E<@")]
    return exposed[-1] + 1 if exposed else local.index


def _entire_domain(cf: Cf) -> bool:
    header = cf.header("canonify", "3")
    canonify = cf.header("Canonify2", "96")
    rules = [rule for one in (header, canonify) if one for rule in cf.rules(one)]
    return _find(rules, _ENTIRE_DOMAIN) is not None


def _envelope_rule(cf: Cf, changes: Changes) -> None:
    header = _ruleset(cf, "MasqEnv", "94")
    rules = cf.rules(header)
    if _find(rules, _ENVELOPE_TOO) is not None:
        return
    alone = _find(rules, _ENVELOPE_ALONE)
    if alone is None:
        raise CfError(
            "ruleset MasqEnv is not as m4 writes it: expected a rule for < @ *LOCAL* >, found none:"
            f" the envelope's sender cannot be masqueraded; {rebuild(cf)}",
            cf.line_of(header.index),
        )
    cf.replace(alone.index, _ENVELOPE_RULE)
    note(changes, "rule for the envelope's sender", None, True)


def _ruleset(cf: Cf, name: str, number: str) -> Header:
    header = cf.header(name, number)
    if header is None:
        raise CfError(
            f"expected ruleset {number} (S{name}={number}), found none: senders cannot be "
            f"masqueraded; {rebuild(cf)}"
        )
    return header


def _find(rules: Sequence[Rule], sides: tuple[bytes, bytes]) -> Rule | None:
    return next((rule for rule in rules if (rule.lhs, rule.rhs) == sides), None)
