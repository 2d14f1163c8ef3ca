"""Keep one marked block in a sendmail mc, so that a rebuilt cf does what the edited one does.

The block has a section for each step; a step applied alone keeps the others. It stands before the
first ``MAILER`` line, because m4 writes a mailer's flags and arguments when it reads that line.
``FEATURE(`msp')`` and ``FEATURE(`nullclient')`` hold such lines and set some of our names
themselves; these are set once more while the first mailer's arguments are read.
"""

from __future__ import annotations

import re

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
from james_client.mc.place import Place, find_place, refuse_overrides
from james_client.mc.text import McError, literal
from james_client.wishes.settings import Auth, Daemon, Loop, Relay

__all__ = ["BEGIN", "END", "McError", "McFile", "without_block", "without_quoted_block"]

BEGIN = "dnl # BEGIN sendmail_james: written by Salt, changes between these two lines are lost"
END = "dnl # END sendmail_james"
_TITLES = {
    "loop": "dnl # loop: the relay may greet with this host's own name",
    "timeouts": "dnl # daemon: how long mail waits",
    "relay": "dnl # relay: where all mail goes",
    "masquerade": "dnl # relay: what this host's senders are called",
    "auth": "dnl # auth: log in at the relay, send nothing without",
}
_MAILERS = {"smtp", "esmtp", "smtp8", "dsmtp", "relay"}
_CF_MACROS = {"S": "SMART_HOST", "R": "LOCAL_RELAY", "H": "MAIL_HUB", "M": "MASQUERADE_NAME"}
# What FEATURE(`msp') and FEATURE(`nullclient') set themselves, before they write the mailers.
_OVERWRITTEN = {
    *("SMART_HOST", "MAIL_HUB", "RELAY_MAILER_ARGS", "_MTA_HOST_", "confDELIVERY_MODE"),
    *("_MSP_FQHN_", "MASQUERADE_NAME", "_MASQUERADE_ENVELOPE_"),
}
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
_QUOTED = re.compile(rb"(?ms)^# %s\n.*?^# %s\n" % (re.escape(BEGIN).encode(), END.encode()))
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

    Raises McError where one of the two marks is there without the other, or twice.
    """

    def __init__(self, data: bytes) -> None:
        lines = _LINE.findall(data)
        self._sections: dict[str, list[str]] = {}
        marks = {mark: _places(lines, mark) for mark in (BEGIN, END)}
        begin, end = marks[BEGIN], marks[END]
        if not begin and not end:
            self._lines = lines
            return
        if len(begin) != 1 or len(end) != 1 or begin[0] > end[0]:
            line = (begin or end)[-1] + 1
            raise McError(
                f"expected one block between {BEGIN!r} and {END!r}, found {len(begin)} and "
                f"{len(end)} marks: delete what is left of it",
                line,
            )
        self._read_sections([line.decode("utf-8", "replace") for line in lines[begin[0] : end[0]]])
        self._lines = lines[: begin[0]] + lines[end[0] + 1 :]

    def _read_sections(self, lines: list[str]) -> None:
        titles = {title: name for name, title in _TITLES.items()}
        name = ""
        for line in lines:
            body = line.rstrip("\r\n")
            name = titles.get(body, name)
            if body in titles or not name:
                continue
            if body == _FOOTER.partition("\n")[0]:
                break
            late = _DEFINE_LATE.match(body)
            self._sections.setdefault(name, []).append(f"{late[1]}dnl" if late else body)

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
        block = self._block(place)
        refuse_overrides(self._lines, place, self._names())
        return b"".join([*self._lines[: place.index], block, *self._lines[place.index :]])

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
        # Where bare names of programs' mail go is decided by FEATURE(`msp') in this very macro.
        lines = ["define(`_MSP_FQHN_', _MSP_FQHN_)dnl"] if cf.is_msp else []
        lines.append(_define("MASQUERADE_NAME", relay.masquerade))
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

    def _write(self, name: str, lines: list[str]) -> Changes:
        old = self._sections.get(name, [])
        if old == lines:
            return {}
        self._sections[name] = lines
        return {f"mc section {name}": {"old": old or None, "new": lines or None}}

    def _rename(self, name: str, pattern: re.Pattern[str], new: str) -> Changes:
        old = self._sections.get(name)
        return self._write(name, [pattern.sub(new, line) for line in old]) if old else {}

    def _block(self, place: Place) -> bytes:
        lines = [BEGIN, _CHECK]
        for name, title in _TITLES.items():
            if self._sections.get(name):
                lines += [title, *self._sections[name]]
        if place.feature:
            lines = [*map(_late, lines), _FOOTER]
        return "".join(f"{line}\n" for line in [*lines, END]).encode()

    def _names(self) -> set[str]:
        lines = (line for lines in self._sections.values() for line in lines)
        text = "\n".join(line for line in lines if line not in _ONE_FOR_BOTH[:-1])
        names = set(_NAME.findall(text))
        names |= {name + "_MF_" for name in _MODIFIED.findall(text)}
        names |= {"D" + letter for letter, name in _CF_MACROS.items() if name in names}
        names |= {"O " + option.name for option in OPTIONS.values() if option.m4 in names}
        if "relay" in self._sections:
            names |= {f"O {name} in LOCAL_CONFIG" for name in FALLBACKS}
        return names | {"M" + name.lower() for name in _MODIFIED.findall(text)}


def without_block(data: bytes) -> bytes:
    """Give an mc's bytes without our block; McError where one of its marks is there alone."""
    mc = McFile(data)
    mc.clear()
    return mc.render()


def without_quoted_block(cf: bytes) -> bytes:
    """Give a cf's bytes without our block in the mc that Debian's tools append as a comment."""
    return _QUOTED.sub(b"", cf)


def _places(lines: list[bytes], mark: str) -> list[int]:
    return [index for index, line in enumerate(lines) if line.rstrip() == mark.encode()]


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
    return [*lines, _define("RELAY_MAILER_ARGS", arguments(relay.port))]


def _flag(name: str, flag: str, wanted: bool) -> list[str]:
    # NAME_MF_ holds flags that the site has set as a whole, NAME_MF_A_ those it has added.
    if wanted:
        return [
            f"MODIFY_MAILER_FLAGS(`{name}', "
            f"ifdef(`{name}_MF_', `_ADDCHAR_({name}_MF_, `{flag}')', `+{flag}'))dnl"
        ]
    return [
        f"ifdef(`{name}_MF_A_', `define(`{name}_MF_A_', translit({name}_MF_A_, `{flag}'))')dnl",
        f"MODIFY_MAILER_FLAGS(`{name}', "
        f"ifdef(`{name}_MF_', `translit({name}_MF_, `{flag}')', `-{flag}'))dnl",
    ]
