"""Find where in a sendmail mc our block wins, and what of the site's would win over it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from james_client.cf import timeouts
from james_client.cf.options import OPTIONS, meant
from james_client.mc.text import McError, statements

__all__ = ["Place", "find_place", "refuse_overrides"]

_ANCHOR = re.compile(
    rb"(?<!\w)(?:MAILER\(|(?:FEATURE|HACK)\(\s*`?(msp_nullclient|nullclient|msp)(?!\w))"
)
_SMTP = re.compile(rb"(?<!\w)MAILER\(\s*`?smtp(?!\w)")
_SET = re.compile(rb"(?<!\w)(?:define|undefine|pushdef|popdef)\(\s*`?(\w+)")
_MASQUERADE = re.compile(rb"(?<!\w)MASQUERADE_AS\(")
_LIMITED = re.compile(rb"(?<!\w)(?:FEATURE|HACK)\(\s*`?limited_masquerade(?!\w)")
_FLAGS = re.compile(rb"(?<!\w)MODIFY_MAILER_FLAGS\(\s*`?(\w+)")
_INCLUDE = re.compile(rb"(?<!\w)(?:s?include|DOMAIN|SITECONFIG)\(")
_DIVERSION = re.compile(
    rb"(LOCAL_CONFIG|LOCAL_RULESETS|LOCAL_RULE_[0-3]|LOCAL_NET_CONFIG|MAILER_DEFINITIONS)(?!\w)"
)
_MACRO = re.compile(rb"D\{?([SRHM])(?!\w*\})\}?")
_OPTION = re.compile(rb"O(?:\s+(?P<name>[A-Za-z0-9]+)|(?P<letter>[A-Za-z]))")
_RULESET = re.compile(rb"S(authinfo|tls_rcpt)(?!\w)")
_MAILER = re.compile(rb"M(\w+)\s*,")


@dataclass(frozen=True)
class Place:
    """Show where the block goes: before which line, and which feature writes the mailers there.

    ``feature`` is empty before a plain ``MAILER`` line.
    """

    index: int
    feature: str


def find_place(lines: Sequence[bytes]) -> Place:
    """Find the first line that makes m4 write a mailer.

    lines
        the mc without our block

    Raises McError where there is none.
    """
    read = statements(lines)
    whole = 0  # the last line that begins outside all quotes
    for index, statement in enumerate(read):
        if statement.depth == 0:
            whole = index
        if match := _ANCHOR.search(statement.code):
            return Place(whole, (match[1] or b"").decode())
    includes = [
        f"line {s.line} ({s.code.strip().decode('utf-8', 'replace')})"
        for s in read
        if _INCLUDE.search(s.code) and b"m4/cf.m4" not in s.code
    ]
    hint = f"; they may come from {', '.join(includes)}" if includes else ""
    raise McError(
        f"expected a line MAILER(`smtp') in this file, found none{hint}: write the MAILER lines "
        "here, or set mc:manage to false"
    )


def refuse_overrides(lines: Sequence[bytes], place: Place, names: Collection[str]) -> None:
    """Refuse an mc in which the site's own lines would win over our block.

    lines
        the mc without our block
    place
        where the block goes
    names
        what the block sets: m4 names, cf macros (``DS``), options (``O AuthOptions``, or
        ``O AuthOptions in LOCAL_CONFIG`` where that would win too), rulesets (``Sauthinfo``) and
        mailers (``Mesmtp``)

    Raises McError, which names the line and what to do.
    """
    section, written = b"", bool(place.feature)
    for index, statement in enumerate(statements(lines)):
        code = statement.code.strip()
        if match := _DIVERSION.match(code):
            section = match[1]
        found = _cf_lines(code, section)
        if index >= place.index:
            found += _m4_names(code, written)
            written = written or bool(_SMTP.search(code))
        for name in found:
            if name in names:
                where = lines[place.index].strip().decode("utf-8", "replace")
                raise McError(
                    f"{name!r} is set here and would win over our block: move it before line "
                    f"{place.index + 1} ({where}), delete it, or set mc:manage to false",
                    statement.line,
                )


def _m4_names(code: bytes, written: bool) -> list[str]:
    names = [match[1].decode() for match in _SET.finditer(code)]
    names += [match[1].decode() + "_MF_" for match in _FLAGS.finditer(code)]
    names += ["MASQUERADE_NAME"] * bool(_MASQUERADE.search(code))
    names += ["_LIMITED_MASQUERADE_"] * bool(_LIMITED.search(code))
    # Once the mailers are written, their flags and arguments come too late to do harm.
    return [name for name in names if not (written and name.endswith(("_MAILER_ARGS", "_MF_")))]


def _cf_lines(code: bytes, section: bytes) -> list[str]:
    # Raw cf lines: where they stand among ours depends on the section they are diverted to.
    names = []
    if match := _MACRO.match(code):
        names.append("D" + match[1].decode())
    if match := _OPTION.match(code):
        # LOCAL_CONFIG stands before m4's own options, of which the last one counts.
        early = section in (b"", b"LOCAL_CONFIG")
        found = [*_options(match), *timeouts.named(code)]
        names += [f"O {name}{' in LOCAL_CONFIG' * early}" for name in found]
    if match := _RULESET.match(code):
        names.append("S" + match[1].decode())
    if match := _MAILER.match(code):
        names.append("M" + match[1].decode())
    return names


def _options(match: re.Match[bytes]) -> list[str]:
    name, letter = ((match[group] or b"").decode() for group in ("name", "letter"))
    return [
        option.name
        for option in OPTIONS.values()
        if (name and meant(option, name)) or (letter and letter == option.letter)
    ]
