"""Set flags and arguments of a cf's SMTP mailers, as m4 writes them."""

from __future__ import annotations

from james_client.cf.text import Cf, CfError, MailerLine
from james_client.changes import Changes, note

__all__ = ["arguments", "set_arguments", "set_flag", "smtp_mailer"]


def arguments(port: int) -> str:
    """Give the arguments, ``A=``, of a mailer that connects to ``port``."""
    return "TCP $h" if port == 25 else f"TCP $h {port}"


def smtp_mailer(cf: Cf, name: str) -> MailerLine:
    """Give the mailer of that name; CfError where it is not there or speaks no SMTP over TCP."""
    mailer = cf.mailer(name)
    if mailer is None:
        raise CfError(
            f"expected a mailer {name!r} (M{name}, …), found only: {', '.join(cf.mailers())}"
        )
    if mailer.path.upper() not in ("[IPC]", "[TCP]"):
        raise CfError(
            f"mailer {name!r}: expected P=[IPC], found P={mailer.path}: it speaks no SMTP over TCP",
            cf.line_of(cf.mailer_index(name) or 0),
        )
    return mailer


def set_flag(cf: Cf, name: str, flag: str, wanted: bool, changes: Changes) -> None:
    """Add one flag to a mailer's, or take it away."""
    old = smtp_mailer(cf, name).flags
    if (flag in old) == wanted:
        return
    if not wanted:
        new = old.replace(flag, "")
    elif flag == "k" and old.endswith("0"):
        new = old[:-1] + "k0"  # the order in which the mc's block adds them
    else:
        new = old + flag
    cf.set_mailer_field(name, "F", new)
    note(changes, f"flags of mailer {name}", old, new)


def set_arguments(cf: Cf, name: str, value: str, changes: Changes) -> None:
    """Give a mailer its arguments, unless it has them in another spelling."""
    old = smtp_mailer(cf, name).args
    if old.split() != value.split() and old.split() != value.replace("TCP", "IPC", 1).split():
        cf.set_mailer_field(name, "A", value)
        note(changes, f"arguments of mailer {name}", old, value)
