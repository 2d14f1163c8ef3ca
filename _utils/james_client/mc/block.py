"""Keep a marked block in a sendmail mc, so that a rebuilt cf does what the edited one does.

The block has a section for each step; a step applied alone keeps the others. It stands in two
parts (``james_client.mc.parts``): flags and arguments of mailers before the first ``MAILER`` line,
because m4 writes them when it reads that line, all else at the end, where nothing of the site's can
win over it. ``FEATURE(`msp')`` holds ``MAILER`` lines, and sets two of our names before it reads
them; these are set once more while the first mailer's arguments are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from james_client.cf import localaddr
from james_client.cf.auth import offer_wanted, required_of
from james_client.cf.login import (
    LOGIN_HEADER,
    REQUIRE_HEADER,
    map_line,
    offer_rules,
    require_rules,
)
from james_client.cf.mailers import arguments
from james_client.cf.masquerade import kept_lines
from james_client.cf.option_lines import m4_option
from james_client.cf.options import OPTIONS
from james_client.cf.relay import FALLBACKS, submission_host
from james_client.cf.text import Cf
from james_client.cf.timeouts import KINDS, values
from james_client.changes import Changes
from james_client.mc.parts import (
    BEGIN,
    END,
    LAST_BEGIN,
    LAST_END,
    arranged,
    early,
    joined,
    last,
    taken,
)
from james_client.mc.place import Place, find_place, holds_mailer, refuse_overrides
from james_client.mc.text import McError, literal
from james_client.wishes.settings import Auth, Daemon, Loop, Relay

__all__ = ["BEGIN", "END", "McError", "McFile", "without_block", "without_quoted_block"]

_TITLES = {
    "loop": "dnl # loop: the relay may greet with this host's own name",
    "timeouts": "dnl # daemon: how long mail waits",
    "relay": "dnl # relay: where all mail goes",
    "masquerade": "dnl # relay: what this host's senders are called",
    "auth": "dnl # auth: log in at the relay, send nothing without",
}
_MAILERS = {"smtp", "esmtp", "smtp8", "dsmtp", "relay"}
_CF_MACROS = {"S": "SMART_HOST", "R": "LOCAL_RELAY", "H": "MAIL_HUB", "M": "MASQUERADE_NAME"}
# What FEATURE(`msp') sets itself, before it writes the mailers and the submission host.
_OVERWRITTEN = {"RELAY_MAILER_ARGS", "_MTA_HOST_"}
_LATE = "_JAMES_LATE_"
_FOOTER = (
    "dnl # the line behind us writes the mailers and sets some of this itself: once more, then\n"
    f"define(`SMTP_MAILER_ARGS', `{_LATE}`''"
    "ifdef(`SMTP_MAILER_ARGS', `defn(`SMTP_MAILER_ARGS')', ``TCP $h''))dnl"
)
_CHECK = (
    "ifdef(`_MAILER_smtp_', `errprint(`sendmail_james: MAILER(smtp) stands before this block, "
    "flags and port are lost"
    "\n')')dnl"
)
_QUOTED = re.compile(
    # from the last line that begins a part to the first that ends it
    rb"(?m)^# %s\n(?:(?!# %s\n).*\n)*?# %s\n|(?:^# |`')%s\n(?:(?!.*%s\n).*\n)*?# %s\n"
    % tuple(re.escape(m).encode() for m in (BEGIN, BEGIN, END, LAST_BEGIN, LAST_BEGIN, LAST_END))
)
# m4 hangs what is added to the flags of Mcyrus on Mcyrusbb, too; Mcyrus has the flag on its own.
_CYRUS = (
    "ifdef(`CYRUS_MF_', `MODIFY_MAILER_FLAGS(`CYRUS', _ADDCHAR_(CYRUS_MF_, `5'))', "
    "`ifdef(`CYRUS_MAILER_FLAGS', "
    "`define(`CYRUS_MAILER_FLAGS', _ADDCHAR_(CYRUS_MAILER_FLAGS, `5'))')')dnl",
)
# proto.m4 makes two timeouts of this old name, after all else: here they are made before ours.
_ONE_FOR_BOTH = (
    "ifdef(`confMESSAGE_TIMEOUT', `ifelse(index(confMESSAGE_TIMEOUT, /), -1,",
    "`define(`confTO_QUEUERETURN', confMESSAGE_TIMEOUT)',",
    "`define(`confTO_QUEUERETURN', substr(confMESSAGE_TIMEOUT, 0, index(confMESSAGE_TIMEOUT, /)))"
    "define(`confTO_QUEUEWARN',",
    "substr(confMESSAGE_TIMEOUT, eval(index(confMESSAGE_TIMEOUT, /) + 1)))')"
    "undefine(`confMESSAGE_TIMEOUT')')dnl",
)
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")  # to m4 a lone carriage return ends no line
_DEFINE = re.compile(r"define\(`(\w+)', ")
_NAME = re.compile(r"define\(`(\w+)'")
_DEFINE_LATE = re.compile(rf"define\(`{_LATE}', defn\(`{_LATE}'\)`(.*)'\)dnl\Z")
_MODIFIED = re.compile(r"MODIFY_MAILER_FLAGS\(`(\w+)'")
_MAILER_NAME = re.compile(r"\b(?:SMTP8|SMTP|ESMTP|DSMTP|RELAY)(?=_MF_|')")
# The relay's host in the rules of the auth section, where it is written out.
_RULE_HOST = re.compile(r"(?<=\$\| <> <)[^>$]+(?=>)|(?<=\$\| <)[^<>$]+(?=>\t\$'`# )")


class McFile:
    """Hold an mc and our block in it; all other bytes stay as they were.

    data
        the file's bytes

    Raises McError where one of two marks is there without the other, or twice.
    """

    def __init__(self, data: bytes) -> None:
        lines, behind = taken(_LINE.findall(data), LAST_BEGIN, LAST_END)
        self._lines, first = taken(lines, BEGIN, END)
        self._sections: dict[str, list[str]] = {}
        for part in (first, behind):
            self._read_sections(part)
        self._sections = {name: arranged(part) for name, part in self._sections.items()}

    def _read_sections(self, lines: list[str]) -> None:
        titles = {title: name for name, title in _TITLES.items()}
        name = ""
        for line in lines:
            name = titles.get(line, name)
            if line in titles or not name:
                continue
            if line == _FOOTER.partition("\n")[0]:
                break
            late = _DEFINE_LATE.match(line)
            self._sections.setdefault(name, []).append(f"{late[1]}dnl" if late else line)

    def clear(self) -> None:
        """Take our block out."""
        self._sections = {}

    def render(self) -> bytes:
        """Give the file's bytes, with the block in its place.

        Raises McError where there is no place for it, or the site's own lines would win over it.
        """
        if not any(self._sections.values()):
            return b"".join(self._lines)
        place = find_place(self._lines)
        refuse_overrides(self._lines, place, self._names())
        above, below = self._lines[: place.index], self._lines[place.index :]
        return joined(b"".join([*above, self._first(place), *below]), self._last())

    # -- steps --------------------------------------------------------------------------------

    def relay(self, cf: Cf, relay: Relay) -> Changes:
        """Write the section of step 2, as ``cf.relay.edit`` edits the cf.

        cf
            the cf after that edit
        relay
            host, mailer, port, MX look-up and DNS

        Returns the section before and after; empty when it stays. Raises McError where the mailer
        has no name in m4.
        """
        lines = _submission(cf, relay) if cf.is_msp else _transport(relay)
        lines += self._asking(cf)
        lines += [f"undefine(`{OPTIONS[name].m4}')dnl" for name in FALLBACKS]
        if not relay.dns:
            lines.append(_option("ServiceSwitchFile", relay.switch_file))
        changes = self._write("relay", lines)
        if not cf.is_msp:
            # The other sections name the mailer and the host too.
            changes |= self._rename("loop", _MAILER_NAME, _m4_name(relay))
            changes |= self._rename("auth", _RULE_HOST, relay.host)
        return changes

    def masquerade(self, cf: Cf, relay: Relay) -> Changes:
        """Write the section of the senders' domain, as ``cf.masquerade.edit`` edits the cf.

        cf
            the cf after that edit
        relay
            the domain and its exceptions; None for the domain changes nothing

        Returns the section before and after.
        """
        if relay.masquerade is None:
            return {}
        lines = [_define("MASQUERADE_NAME", relay.masquerade)]
        # What the features of these names define; they would write a line of their own, too.
        lines.append("define(`_MASQUERADE_ENVELOPE_', 1)dnl")
        lines.append("undefine(`_LIMITED_MASQUERADE_')dnl")
        if kept := kept_lines(relay):
            text = literal("\n".join([*kept, ""]))[1:-1]
            lines += f"PUSHDIVERT(5){text}POPDIVERT`'dnl".split("\n")
        return self._write("masquerade", lines)

    def timeouts(self, daemon: Daemon) -> Changes:
        """Write the section of the queue's patience, as ``cf.timeouts.edit`` edits the cf.

        daemon
            ``give_up_after`` and ``warn_after``; with None for both nothing is written

        Returns the section before and after.
        """
        wanted = values(daemon)
        lines = list(_ONE_FOR_BOTH) if wanted else []
        for timeout, value in wanted.items():
            lines.append(_option(f"Timeout.{timeout}", value))
            names = (f"Timeout.{timeout}.{kind}" for kind in KINDS)
            lines += [f"undefine(`{OPTIONS[name].m4}')dnl" for name in names]
        return self._write("timeouts", lines) if lines else {}

    def loop(self, cf: Cf, relay: Relay, loop: Loop) -> Changes:
        """Write the section of step 3, as ``cf.loop.edit`` edits the cf.

        cf
            the cf after that edit; for submit.cf nothing is written
        relay
            names the mailer
        loop
            ``check`` true takes flag ``k`` away

        Returns the section before and after. Raises McError where the mailer has no name in m4.
        """
        if cf.is_msp:
            return {}
        return self._write("loop", _flag(_m4_name(relay), "k", not loop.check))

    def auth(self, cf: Cf, auth: Auth | None, relay: Relay) -> Changes:
        """Write the section of step 4, as ``cf.auth.edit`` edits the cf.

        cf
            the cf after that edit; AuthMechanisms and AuthOptions are taken from it
        auth
            None takes the section away
        relay
            the host to which the login is offered

        Returns the section before and after. Raises McError where a value of the cf cannot be
        written in m4.
        """
        if auth is None or (cf.is_msp and auth.programs == "none"):
            return self._write("auth", [])
        values = {name: m4_option(cf, name) for name in ("AuthMechanisms", "AuthOptions")}
        lines = [_option(name, value) for name, value in values.items() if value is not None]
        if cf.is_msp:
            lines.append(_option("DeliveryMode", "queue"))
        # m4 puts these in the place of the ruleset's header, wherever it writes that.
        login = offer_wanted(cf, auth, relay)
        lines += _header(LOGIN_HEADER, [map_line(login)], offer_rules(login))
        if auth.required:
            lines += _header(REQUIRE_HEADER, [], require_rules(required_of(cf, relay)))
        return self._write("auth", lines)

    # -- the block ----------------------------------------------------------------------------

    def _asking(self, cf: Cf) -> list[str]:
        lines = []
        for name in localaddr.asking_mailers(cf):
            m4 = name.upper()
            if holds_mailer(self._lines, name, "5"):
                continue
            if cf.is_msp and name.lower() in _MAILERS:
                # FEATURE(`msp') adds the flag, in vain where the site has set all flags itself.
                lines.append(f"ifdef(`{m4}_MF_', `{_added(m4, '5')}')dnl")
            else:
                lines += _CYRUS if m4 == "CYRUS" else _flag(m4, "5", True)
        return lines

    def _write(self, name: str, lines: list[str]) -> Changes:
        old, lines = self._sections.get(name, []), arranged(lines)
        if old == lines:
            return {}
        self._sections[name] = lines
        return {f"mc section {name}": {"old": old or None, "new": lines or None}}

    def _rename(self, name: str, pattern: re.Pattern[str], new: str) -> Changes:
        old = self._sections.get(name)
        return self._write(name, [pattern.sub(new, line) for line in old]) if old else {}

    def _first(self, place: Place) -> bytes:
        lines = self._titled(early)
        if not lines:
            return b""
        late = [_late(line) for line in lines] if place.feature else lines
        footer = [] if late == lines else [_FOOTER]
        return _text([BEGIN, _CHECK, *late, *footer, END])

    def _last(self) -> bytes:
        lines = self._titled(last)
        return _text([LAST_BEGIN, *lines, LAST_END]) if lines else b""

    def _titled(self, part: Callable[[list[str]], list[str]]) -> list[str]:
        lines = []
        for name, title in _TITLES.items():
            if found := part(self._sections.get(name, [])):
                lines += [title, *found]
        return lines

    def _names(self) -> set[str]:
        lines = [line for lines in self._sections.values() for line in lines]
        text = "\n".join(line for line in lines if line not in _ONE_FOR_BOTH[:-1])
        names = set(_NAME.findall(text))
        modified = set(_MODIFIED.findall(text))
        names |= {name + "_MF_" for name in modified}
        names |= {"D" + letter for letter, name in _CF_MACROS.items() if name in names}
        names |= {"O " + option.name for option in OPTIONS.values() if option.m4 in names}
        if "relay" in self._sections:
            names |= {f"O {name} in LOCAL_CONFIG" for name in FALLBACKS}
        return names | {"M" + name.lower() for name in modified}


def without_block(data: bytes) -> bytes:
    """Give an mc's bytes without our block; McError where one of its marks is there alone."""
    mc = McFile(data)
    mc.clear()
    return mc.render()


def without_quoted_block(cf: bytes) -> bytes:
    """Give a cf's bytes without our block in the mc that Debian's tools append as a comment."""
    return _QUOTED.sub(lambda match: b"\n" if match[0].startswith(b"`'") else b"", cf)


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _define(name: str, value: str) -> str:
    return f"define(`{name}', {literal(value)})dnl"


def _option(name: str, value: str) -> str:
    return _define(OPTIONS[name].m4, value)


def _header(ruleset: str, above: list[str], rules: list[str]) -> list[str]:
    return _define(f"S{ruleset}", "\n".join([*above, f"S{ruleset}", *rules])).split("\n")


def _late(line: str) -> str:
    match = _DEFINE.match(line)
    if match is None or match[1] not in _OVERWRITTEN:
        return line
    return f"define(`{_LATE}', defn(`{_LATE}')`{line.removesuffix('dnl')}')dnl"


def _m4_name(relay: Relay) -> str:
    if relay.mailer not in _MAILERS:
        raise McError(
            f"mailer {relay.mailer!r} has no flags in m4: expected one of "
            f"{', '.join(sorted(_MAILERS))}, or mc:manage false"
        )
    return relay.mailer.upper()


def _transport(relay: Relay) -> list[str]:
    name = _m4_name(relay)
    return [
        *(_define(macro, relay.triple) for macro in ("SMART_HOST", "LOCAL_RELAY", "MAIL_HUB")),
        *_flag(name, "0", not relay.mx_lookup),
        _define(f"{name}_MAILER_ARGS", arguments(relay.port)),
    ]


def _submission(cf: Cf, relay: Relay) -> list[str]:
    host = submission_host(relay)
    lines = [_define("_MTA_HOST_", host)] if cf.macro("MTAHost") == host else []
    return [
        *lines,
        _define("RELAY_MAILER_ARGS", arguments(relay.port)),
        # Another host's mail goes by ruleset 5 then, as all mail of programs.
        _define("SMART_HOST", ""),
    ]


def _flag(name: str, flag: str, wanted: bool) -> list[str]:
    # NAME_MF_ holds flags that the site has set as a whole, NAME_MF_A_ those it has added.
    if wanted:
        return [f"{_added(name, flag)}dnl"]
    return [
        f"ifdef(`{name}_MF_A_', `define(`{name}_MF_A_', translit({name}_MF_A_, `{flag}'))')dnl",
        f"MODIFY_MAILER_FLAGS(`{name}', "
        f"ifdef(`{name}_MF_', `translit({name}_MF_, `{flag}')', `-{flag}'))dnl",
    ]


def _added(name: str, flag: str) -> str:
    return (
        f"MODIFY_MAILER_FLAGS(`{name}', "
        f"ifdef(`{name}_MF_', `_ADDCHAR_({name}_MF_, `{flag}')', `+{flag}'))"
    )
