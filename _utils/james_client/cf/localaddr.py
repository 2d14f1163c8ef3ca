"""Have sendmail ask ruleset 5, where the relay's rules are, for the mail that a cf keeps here.

Ruleset 5 (localaddr) is asked after aliases and .forward, but only for mailers with flag 5. m4's
``local`` has it, and so have the submission program's mailers; cyrusv2 and others do not.
Source: operations guide, 5.4 (flag 5); recipient() in sendmail's recipient.c.
"""

from __future__ import annotations

from james_client.cf.text import Cf, CfError
from james_client.changes import Changes, note

__all__ = ["ask", "asking_mailers", "silent_mailers"]

# How m4 ends ruleset Parse1: a name without a host, and in submit.cf any other host's, too.
_LOCAL = (b"$+", b"$:$1")
_REMOTE = (b"$*<@$*>$*", b"$@$2$:$1<@$2>$3")


def asking_mailers(cf: Cf) -> list[str]:
    """Name the mailers by which a cf's own mail reaches ruleset 5, or should.

    cf
        sendmail.cf: the local mailer; submit.cf: also the one for other hosts

    Returns their names as the rules spell them; none where the cf's rules are not m4's.
    """
    header = cf.header("Parse1")
    endings = (_LOCAL, _REMOTE) if cf.is_msp else (_LOCAL,)
    found = []
    for rule in cf.rules(header) if header else []:
        for left, right in endings:
            name = rule.rhs.removeprefix(b"$#").removesuffix(right)
            if rule.lhs == left and rule.rhs == b"$#" + name + right:
                found.append(name.decode("utf-8", "replace"))
    return list(dict.fromkeys(found))


def silent_mailers(cf: Cf) -> list[str]:
    """Name those of them that lack flag 5: their mail stays on this host, or goes anywhere."""
    mailers = {name: cf.mailer(name) for name in asking_mailers(cf)}
    return [name for name, mailer in mailers.items() if mailer and "5" not in mailer.flags]


def ask(cf: Cf, relay: str, changes: Changes) -> None:
    """Give these mailers flag 5.

    cf
        the configuration, edited in place
    relay
        the name of the mailer that leads to the relay: what ruleset 5 answers
    changes
        where a change is noted

    Raises CfError where one of them is the relay's mailer itself: with the flag sendmail would ask
    about its own answer, for ever.
    """
    for name in asking_mailers(cf):
        if name.lower() == relay.lower():
            raise CfError(
                f"mailer {name!r} is meant to reach the relay, but this cf already has its own "
                f"mail go by it, so that ruleset 5 cannot be asked: {_way_out(cf, name)}",
                cf.line_of(cf.mailer_index(name) or 0),
            )
    for name in silent_mailers(cf):
        mailer = cf.mailer(name)
        assert mailer is not None
        cf.set_mailer_field(name, "F", mailer.flags + "5")
        note(changes, f"flags of mailer {name}", mailer.flags, mailer.flags + "5")


def _way_out(cf: Cf, name: str) -> str:
    if cf.is_msp:
        return "take confSMTP_MAILER and confLOCAL_MAILER out of its mc, and build it again"
    return (
        "set sendmail_james:relay:mailer to another one, or give local mail a mailer of its own "
        f"(confLOCAL_MAILER in the mc is {name})"
    )
