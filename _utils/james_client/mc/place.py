"""Find where in a sendmail mc our flags of mailers count, and what of the site's would win over us.

What m4 reads at the end is no matter here: there the block has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile

from james_client.cf import timeouts
from james_client.cf.options import OPTIONS, meant
from james_client.mc.text import McError, statements

__all__ = ["Place", "find_place", "holds_mailer", "refuse_overrides"]

_ANCHOR = re.compile(
    rb"(?<!\w)(?:MAILER\(|(?:FEATURE|HACK)\(\s*`?(msp_nullclient|nullclient|msp)(?!\w))"
)
_WRITTEN = re.compile(rb"(?<!\w)MAILER\(\s*`?([\w-]+)")
_ARGUMENTS = re.compile(rb"(?<!\w)(?:define|undefine|pushdef|popdef)\(\s*`?(\w+_MAILER_ARGS)(?!\w)")
_FLAGS = re.compile(rb"(?<!\w)MODIFY_MAILER_FLAGS\(\s*`?(\w+)'?\s*,\s*`?([+-]?)")
_INCLUDE = re.compile(rb"(?<!\w)(?:s?include|DOMAIN|SITECONFIG)\(")
_DIVERSION = re.compile(
    rb"(LOCAL_CONFIG|LOCAL_RULESETS|LOCAL_RULE_[0-3]|LOCAL_NET_CONFIG|MAILER_DEFINITIONS)(?!\w)"
)
_MACRO = re.compile(rb"D(?:\{([SRHM])\}|([SRHM]))")
# Elsewhere the rules that use them have been read, or m4's own lines come later.
_MACROS_WIN = (b"LOCAL_CONFIG", b"LOCAL_RULE_3", b"LOCAL_NET_CONFIG")
_OPTION = re.compile(rb"O(?:\s+(?P<name>[A-Za-z0-9]+)|(?P<letter>[A-Za-z]))")
_RULESET = re.compile(rb"S(authinfo|tls_rcpt)(?!\w)")
_MAILER = re.compile(rb"M([\w-]+)\s*,")
_MAILER_FLAGS = re.compile(rb",\s*F[^=,]*=\s*([^,]*)")
_SMTP = {"SMTP", "ESMTP", "SMTP8", "DSMTP", "RELAY"}


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
        mailers (``Mesmtp``); of the m4 names only those count that m4 reads with a mailer

    Raises McError, which names the line and what to do.
    """
    section = b""
    written = {"smtp", "local"} if place.feature else set()
    for index, statement in enumerate(statements(lines)):
        code = statement.code.strip()
        if match := _DIVERSION.match(code):
            section = match[1]
        found = _cf_lines(code, section)
        if index >= place.index:
            found += _m4_names(code, written)
            # Inside quotes it may be for another host, or no more than a word.
            written |= {match[1].decode() for match in statement.outside(_WRITTEN)}
        for name in found:
            if name in names:
                where = lines[place.index].strip().decode("utf-8", "replace")
                raise McError(
                    f"{name!r} is set here and would win over our block: move it before line "
                    f"{place.index + 1} ({where}), delete it, or set mc:manage to false",
                    statement.line,
                )


def holds_mailer(lines: Sequence[bytes], name: str, flag: str) -> bool:
    """Tell whether an mc itself holds a mailer's line, whose flags m4 does not set.

    lines
        the mc without our block
    name
        the mailer's; case does not count
    flag
        what its flags must have

    Raises McError where they have it not.
    """
    read = statements(lines)
    for at, statement in enumerate(read):
        match = _MAILER.match(statement.code)
        if not match or match[1].decode().lower() != name.lower():
            continue
        more = takewhile(lambda one: one.code[:1] in (b" ", b"\t"), read[at + 1 :])
        body = b"".join([statement.code, *(one.code for one in more)])
        if flag.encode() not in b"".join(_MAILER_FLAGS.findall(body)):
            raise McError(
                f"mailer {name!r} has no flag {flag}, so that sendmail does not ask ruleset 5 and "
                "mail passes the relay by, and m4 sets no flags of a mailer whose line stands "
                f"here: add {flag} to its F=, or set mc:manage to false",
                statement.line,
            )
        return True
    return False


def _m4_names(code: bytes, written: Collection[str]) -> list[str]:
    found = [(match[1].decode(), "") for match in _ARGUMENTS.finditer(code)]
    for match in _FLAGS.finditer(code):
        name = match[1].decode()
        # What is added to a local mailer's flags, or taken away, leaves ours where it is.
        if name in _SMTP or not match[2]:
            found.append((name, "_MF_"))
    names = []
    for name, ending in found:
        whose = name.removesuffix("_MAILER_ARGS")
        # Once a mailer is written, its flags and arguments come too late to do harm.
        if ("smtp" if whose in _SMTP else whose.lower()) not in written:
            names.append(name + ending)
    return names


def _cf_lines(code: bytes, section: bytes) -> list[str]:
    # Raw cf lines: where they stand among ours depends on the section they are diverted to.
    names = []
    if section in _MACROS_WIN and (match := _MACRO.match(code)):
        names.append("D" + (match[1] or match[2]).decode())
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
