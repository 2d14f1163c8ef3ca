"""Set and take away ``O`` lines of a cf where m4 writes them, and keep account of changes."""

from __future__ import annotations

from james_client.cf.text import Cf
from james_client.changes import Changes, note

__all__ = ["comment_out", "m4_option", "set_option", "settings_folder"]


def set_option(cf: Cf, name: str, value: str, changes: Changes) -> None:
    """Give an option a value, by the line that counts or by the default that m4 left as a comment.

    cf
        the configuration, edited in place
    name
        one of ``james_client.cf.options.OPTIONS``
    value
        what stands behind ``=``; empty for a bare ``O name``, which an option that is not set
        equals
    changes
        where a change is noted
    """
    old = cf.option(name)
    if (old or "") == value:
        return
    line = f"O {name}={value}".encode() if value else f"O {name}".encode()
    active, default = cf.option_index(name), cf.option_index(name, commented=True)
    # An option that LOCAL_CONFIG sets stands before m4's own, which counts once it is no comment.
    if default is not None and (active is None or active < _banner(cf) < default):
        cf.replace(default, line)
    elif active is not None:
        cf.replace(active, line)
    else:
        cf.insert(_after_options(cf), line)
    note(changes, name, old, value)


def comment_out(cf: Cf, name: str, default: str, changes: Changes) -> None:
    """Turn the option's line that counts into the comment that m4 writes where it is not set.

    default
        the value that m4 shows in that comment
    """
    index = cf.option_index(name)
    if index is not None:
        old = cf.option(name)
        cf.replace(index, f"#O {name}={default}".encode())
        note(changes, name, old, cf.option(name))


def m4_option(cf: Cf, name: str) -> str | None:
    """Give an option's value where m4 writes options; None where LOCAL_CONFIG or nobody sets it."""
    index = cf.option_index(name)
    return None if index is None or index < _banner(cf) else cf.option(name)


def settings_folder(cf: Cf) -> str:
    """Give the folder of sendmail's files, which m4 puts into the defaults it writes."""
    return (cf.option("HelpFile") or "/etc/mail/helpfile").rpartition("/")[0]


def _banner(cf: Cf) -> int:
    return cf.index_of(b"#   Options   #") or 0


def _after_options(cf: Cf) -> int:
    at = 0
    for index in range(len(cf)):
        first = cf.entry(index)[:1]
        if first == b"S":
            return at or index
        if first == b"O":
            at = index + 1
    return at or len(cf)
