"""Set one ``O`` line of a sendmail cf where m4 would have set it, and keep account of changes."""

from __future__ import annotations

from james_client.cf.text import Cf
from james_client.changes import Changes, note

__all__ = ["own_option", "set_option"]


def set_option(cf: Cf, name: str, value: str, changes: Changes) -> None:
    """Give an option a value, by the line that counts or by the default that m4 left as a comment.

    :param cf: the configuration, edited in place
    :param name: the option, as the "Installation and Operation Guide", section 5.6, spells it
    :param value: what stands behind ``=``; empty for a bare ``O name``, which an option that
        is not set equals
    :param changes: where a change is noted
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


def own_option(cf: Cf, name: str) -> str | None:
    """Give an option's value where m4 writes options; None where LOCAL_CONFIG or nobody sets it."""
    index = cf.option_index(name)
    return None if index is None or index < _banner(cf) else cf.option(name)


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
