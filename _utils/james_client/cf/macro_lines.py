"""Set the ``D`` lines of a cf, the new ones where m4 would have written them."""

from __future__ import annotations

from collections.abc import Sequence

from james_client.cf.text import Cf, CfError
from james_client.changes import Changes, note

__all__ = ["MASQUERADE_COMMENT", "after_definitions", "set_macro"]

MASQUERADE_COMMENT = b"# who I masquerade as (null for no masquerading) (see also $=M)"
_ERROR_NAME_COMMENT = b"# my name for error messages"
_RELAY_COMMENT = (
    b"# who I send unqualified names to if FEATURE(stickyhost) is used",
    b"# (null means deliver locally)",
)
_HUB_COMMENT = (
    b"# who gets all local email traffic",
    b"# ($R has precedence for unqualified names if FEATURE(stickyhost) is used)",
)


def set_macro(cf: Cf, name: str, thing: str, value: str, changes: Changes) -> None:
    """Give a macro a value, by the line that counts or by a new one.

    cf
        the configuration, edited in place
    name
        ``S``, ``R``, ``H`` or ``M``
    thing
        what the macro is called in ``changes``
    value
        what stands behind the name
    changes
        where a change is noted

    Raises CfError where rules use the macro above the place of a new line.
    """
    old = cf.macro(name)
    if old == value:
        return
    index = cf.macro_index(name)
    if index is not None:
        cf.set_macro(name, value, index)
    else:
        _new_macro(cf, name, value.encode())
        if cf.macro(name) != value:
            raise CfError(f"rules use ${name} above the place where m4 defines D{name}: define it")
    note(changes, thing, old or None, value)


def after_definitions(cf: Cf) -> int:
    """Give the place behind the last ``D`` or ``C`` line that stands before all rulesets."""
    at = 0
    for index in range(len(cf)):
        first = cf.entry(index)[:1]
        if first == b"S":
            return at or index
        if first in (b"D", b"C"):
            at = index + 1
    return at


def _new_macro(cf: Cf, name: str, value: bytes) -> None:
    line = b"D" + name.encode() + value
    below = cf.index_of(_ERROR_NAME_COMMENT if name == "M" else b"# dequoting map")
    if name == "S" or below is None:
        cf.insert(after_definitions(cf), line)
    elif name == "M":
        _fill_slot(cf, below, [MASQUERADE_COMMENT, line])
    elif name == "H":
        _fill_slot(cf, below, [*_HUB_COMMENT, line])
    else:
        _fill_slot(cf, _hub_group(cf, below), [*_RELAY_COMMENT, line])


def _hub_group(cf: Cf, dequote: int) -> int:
    # The line before which m4 writes the local relay: the mail hub's group, or its empty place.
    for index in range(max(dequote - 5, 0), dequote):
        if cf.entry(index) == _HUB_COMMENT[0]:
            return index
    return dequote - 2 if _blank(cf, dequote - 2) else dequote


def _fill_slot(cf: Cf, before: int, lines: Sequence[bytes]) -> None:
    # m4 leaves an empty line where nothing was defined, and one between the groups.
    if _blank(cf, before - 1) and _blank(cf, before - 2):
        cf.insert(before - 2, *lines)
        cf.remove(before - 2 + len(lines), before - 1 + len(lines))
    else:
        cf.insert(before, *lines, b"")


def _blank(cf: Cf, index: int) -> bool:
    return index >= 0 and cf.entry(index) == b""
