"""Name the options of sendmail that this formula reads or sets, once for cf and mc.

Source: "Sendmail Installation and Operation Guide", section 5.6, and cf/README for m4's names.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OPTIONS", "Option", "meant"]


@dataclass(frozen=True)
class Option:
    """Show one option.

    name
        as section 5.6 spells it
    shortest
        as many letters of the name as some build of sendmail takes for it (readcf says "used as
        abbreviation for")
    m4
        what an mc defines for it; empty where no step sets the option
    step
        the pillar's section whose value it holds; empty where none does
    letter
        the one letter of the old form, ``OVhost``; empty without one
    """

    name: str
    shortest: int
    m4: str = ""
    step: str = ""
    letter: str = ""


OPTIONS = {
    option.name: option
    for option in (
        Option("ServiceSwitchFile", 3, "confSERVICE_SWITCH_FILE", "relay"),
        Option("FallbackMXhost", 3, "confFALLBACK_MX", "relay", "V"),
        Option("FallbackSmartHost", 9, "confFALLBACK_SMARTHOST", "relay"),
        Option("AuthMechanisms", 6, "confAUTH_MECHANISMS", "auth"),
        Option("AuthOptions", 5, "confAUTH_OPTIONS", "auth"),
        Option("DefaultAuthInfo", 8, "confDEF_AUTH_INFO", "auth"),
        Option("DeliveryMode", 8, "confDELIVERY_MODE", "auth", "d"),
        *(
            Option(name, 5, f"confTO_{m4}", step)
            for name, m4, step in (
                ("Timeout.queuereturn", "QUEUERETURN", "daemon"),
                ("Timeout.queuereturn.normal", "QUEUERETURN_NORMAL", ""),
                ("Timeout.queuereturn.urgent", "QUEUERETURN_URGENT", ""),
                ("Timeout.queuereturn.non-urgent", "QUEUERETURN_NONURGENT", ""),
                ("Timeout.queuereturn.dsn", "QUEUERETURN_DSN", ""),
                ("Timeout.queuewarn", "QUEUEWARN", "daemon"),
                ("Timeout.queuewarn.normal", "QUEUEWARN_NORMAL", ""),
                ("Timeout.queuewarn.urgent", "QUEUEWARN_URGENT", ""),
                ("Timeout.queuewarn.non-urgent", "QUEUEWARN_NONURGENT", ""),
                ("Timeout.queuewarn.dsn", "QUEUEWARN_DSN", ""),
            )
        ),
        Option("AliasFile", 6, letter="A"),
        Option("DaemonPortOptions", 7, letter="O"),
        Option("DeadLetterDrop", 3),
        Option("HelpFile", 8),
        Option("InputMailFilters", 2),
        Option("MaxMessageSize", 5),
        Option("MinFreeBlocks", 4, letter="b"),
        Option("QueueDirectory", 6, letter="Q"),
        Option("QueueFactor", 7, letter="q"),
        Option("QueueLA", 6, letter="x"),
        Option("RecipientFactor", 3, letter="y"),
        Option("RunAsUser", 2),
        Option("ServerCertFile", 7),
        Option("ServerKeyFile", 7),
        Option("UseMSP", 4),
    )
}


def meant(option: Option, written: str) -> bool:
    """Tell whether a name, perhaps cut short, in any case, is that option's.

    What follows a dot is never cut short, and ``queuewarn.*`` is ``queuewarn``; behind a name that
    has no such parts it does not count: readcf.c.
    """
    name, _, part = written.lower().partition(".")
    whole, _, wanted = option.name.lower().partition(".")
    same = not wanted or part.removesuffix(".*") == wanted
    return same and len(name) >= option.shortest and whole.startswith(name)
