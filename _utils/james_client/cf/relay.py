"""Make a sendmail cf send everything to the relay, and nothing past it: how-to step 2."""

from __future__ import annotations

from james_client.cf import localaddr
from james_client.cf.auth import follow_relay
from james_client.cf.macro_lines import set_macro
from james_client.cf.mailers import arguments, set_arguments, set_flag, smtp_mailer
from james_client.cf.option_lines import comment_out, set_option, settings_folder
from james_client.cf.text import Cf, CfError, Rule, one_line
from james_client.cf.versions import rebuild
from james_client.changes import Changes, note
from james_client.wishes.settings import Relay

__all__ = ["FALLBACKS", "SWITCH", "edit", "hub_rules", "submission_host"]

#: With ``relay:dns: false`` sendmail asks a file of this content, and no DNS, for the order of its
#: look-ups.
SWITCH = b"hosts files\n"

#: Options that name another way out where the relay does not answer; it would get the login too.
FALLBACKS = ("FallbackMXhost", "FallbackSmartHost")
_FALLBACK_SHOWN = "fall.back.host.net"  # by m4, in the comment of an option that is not set

_HUB_RULE = b"R< > $+\t\t\t$: < $H > $1\t\t\ttry hub"
_RELAY_RULE = b"R< > $+\t\t\t$: < $R > $1\t\t\ttry relay"
_HUB_SIDES = (b"<>$+", b"$:<$H>$1")
_RELAY_SIDES = (b"<>$+", b"$:<$R>$1")
_FORWARD_HOST = (b"$+", b"$:<>$1")
_THIS_HOST = {"[127.0.0.1]", "[localhost]"}
_AFTER_HUB = {(b"<>$+", b"$@$1"), (b"<>$+", b"$:<><$1<>$&h>")}


def edit(cf: Cf, relay: Relay) -> Changes:
    """Send local and remote mail to the relay, whether it answers or not.

    In sendmail.cf that is the smart host, the local relay and the mail hub with the rules of
    ruleset 5 that use them; in submit.cf the host and port of the one mailer that counts, and no
    smart host past it.

    cf
        the configuration, edited in place
    relay
        host, mailer, port, MX look-up and DNS

    Returns what changed, ``{thing: {"old": …, "new": …}}``; empty when nothing had to. Raises
    CfError where the cf has no such mailer, or a ruleset 5 that m4 did not write.
    """
    changes: Changes = {}
    with cf.whole():
        if cf.is_msp:
            _submit_to(cf, relay, changes)
        else:
            _move_flags(cf, relay, changes)
            _try_hub(cf, changes)  # which D line counts depends on the rules
            set_macro(cf, "S", "smart host", relay.triple, changes)
            set_macro(cf, "R", "local relay", relay.triple, changes)
            set_macro(cf, "H", "mail hub", relay.triple, changes)
            set_flag(cf, relay.mailer, "0", not relay.mx_lookup, changes)
            set_arguments(cf, relay.mailer, arguments(relay.port), changes)
            localaddr.ask(cf, relay.mailer, changes)
            follow_relay(cf, relay.host, changes)
        for name in FALLBACKS:
            while cf.option_index(name) is not None:
                comment_out(cf, name, _FALLBACK_SHOWN, changes)
        _service_switch(cf, relay, changes)
    return changes


def submission_host(relay: Relay) -> str:
    """Give the host as the submission program names it: in brackets it makes no MX look-up."""
    if relay.host.startswith("[") or (relay.mx_lookup and relay.host != "localhost"):
        return relay.host
    return f"[{relay.host}]"


def _try_hub(cf: Cf, changes: Changes) -> None:
    header = cf.header("localaddr", "5")
    if header is None:
        raise CfError(
            "expected ruleset 5 (Slocaladdr=5), found none: local mail cannot be "
            f"relayed; {rebuild(cf)}"
        )
    rules = cf.rules(header)
    start, stop = _hub_span(cf, header.index, rules)
    hub, local = (_rule(rules[start + 1 : stop], sides) for sides in (_HUB_SIDES, _RELAY_SIDES))
    if local is None:
        cf.insert(hub.index + 1 if hub else rules[stop].index, _RELAY_RULE)
        note(changes, "relay rule", None, one_line(_RELAY_RULE))
    if hub is None:
        cf.insert(local.index if local else rules[stop].index, _HUB_RULE)
        note(changes, "hub rule", None, one_line(_HUB_RULE))


def hub_rules(cf: Cf) -> tuple[bool, bool]:
    """Tell whether ruleset 5 tries the mail hub, and whether it tries the local relay."""
    header = cf.header("localaddr", "5")
    rules = cf.rules(header) if header else []
    return _rule(rules, _HUB_SIDES) is not None, _rule(rules, _RELAY_SIDES) is not None


def _rule(rules: list[Rule], sides: tuple[bytes, bytes]) -> Rule | None:
    return next((rule for rule in rules if (rule.lhs, rule.rhs) == sides), None)


def _hub_span(cf: Cf, header: int, rules: list[Rule]) -> tuple[int, int]:
    sides = [(rule.lhs, rule.rhs) for rule in rules]
    if _FORWARD_HOST not in sides:
        raise CfError(
            "ruleset 5 is not as m4 writes it: expected a rule 'R$+  $: <> $1' (prepend an empty "
            f"forward host), found none; {rebuild(cf)}",
            cf.line_of(header),
        )
    start = sides.index(_FORWARD_HOST)
    for stop in range(start + 1, len(sides)):
        if sides[stop] in _AFTER_HUB:
            return start, stop
    raise CfError(
        "ruleset 5 is not as m4 writes it: expected 'R< > $+  $: < > < $1 <> $&h >' or "
        f"'R< > $+  $@ $1' after this rule, found neither; {rebuild(cf)}",
        cf.line_of(rules[start].index),
    )


def _move_flags(cf: Cf, relay: Relay, changes: Changes) -> None:
    # Our own earlier relay is known by its three equal triples. What we hung on its mailer, always
    # at the end of the flags, moves to the new one; flags in other places are the site's.
    triples = {cf.macro(name) for name in "SRH"}
    before = (triples.pop() or "") if len(triples) == 1 else ""
    old, _, host = before.partition(":")
    if not host or old == relay.mailer or cf.mailer(old) is None:
        return
    flags = smtp_mailer(cf, old).flags
    kept = flags.removesuffix("0")
    loop = kept.endswith("k")
    kept = kept[:-1] if loop else kept
    if kept != flags:
        cf.set_mailer_field(old, "F", kept)
        note(changes, f"flags of mailer {old}", flags, kept)
    set_arguments(cf, old, arguments(25), changes)
    if loop:
        set_flag(cf, relay.mailer, "k", True, changes)


def _submit_to(cf: Cf, relay: Relay, changes: Changes) -> None:
    smtp_mailer(cf, "relay")
    old = cf.macro("MTAHost")
    index = cf.macro_index("MTAHost")
    if old is None or index is None:
        raise CfError("expected D{MTAHost} as FEATURE(msp) writes it, found none in this submit.cf")
    new = submission_host(relay)
    if old.lower() != new.lower() and not {old.lower(), new} <= _THIS_HOST:
        cf.set_macro("MTAHost", new, index)
        note(changes, "submission host", old, new)
    set_arguments(cf, "relay", arguments(relay.port), changes)
    if cf.macro("S"):
        # Mail for other hosts would go there at once; without one, ruleset 5 sends it to MTAHost.
        set_macro(cf, "S", "smart host", "", changes)
    localaddr.ask(cf, "relay", changes)


def _service_switch(cf: Cf, relay: Relay, changes: Changes) -> None:
    if not relay.dns:
        set_option(cf, "ServiceSwitchFile", relay.switch_file, changes)
    elif cf.option("ServiceSwitchFile") == relay.switch_file:
        comment_out(cf, "ServiceSwitchFile", f"{settings_folder(cf)}/service.switch", changes)
