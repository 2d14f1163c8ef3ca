"""Read and edit a sendmail configuration file (cf) without touching a byte that is not meant.

The grammar is that of "Sendmail Installation and Operation Guide", section 5: a line is known by
its first character, and a line that begins with a blank continues the one before it. Not kept
apart: ``F``, ``H``, ``P``, ``Q``, ``T`` and ``X`` lines, which no edit needs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile

from james_client.cf.options import OPTIONS, Option, meant
from james_client.errors import FaultError

__all__ = ["Cf", "CfError", "Header", "LineError", "MailerLine", "Rule", "one_line"]

# One logical line: a line and what continues it.
_ENTRY = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*(?:\n|\Z))*|[^\n]+\Z")
_VERSION = re.compile(rb"V\s*\d")
_MACRO = re.compile(rb"D(?:\{([^}\s]+)\}|([^\s{]))[ \t]*(.*)", re.DOTALL)
_RULESET = re.compile(rb"S\s*([A-Za-z0-9_]+)\s*(?:=\s*(\w+))?")
_MAILER = re.compile(rb"M([^,\s]+)")
_FIELD = re.compile(rb"[,\s]*([^=,\s]+)[^=,]*=\s*")
# up to the next comma that is neither quoted nor behind a backslash: munchstring() in readcf.c
_VALUE = re.compile(rb'(?:\\.|"(?:\\.|[^"\\])*(?:"|\Z)|[^,"\\])*', re.DOTALL)
_UNQUOTED = re.compile(rb'\\(.)|"', re.DOTALL)
# "#" behind neither "$" nor a backslash, to the end of that line: translate_dollars() in readcf.c
_COMMENT = re.compile(rb"(?<=[^\\$])#[^\n]*")
_OPTION = re.compile(rb"#?O\s+([A-Za-z0-9](?:[^=\n]*[^=\s])?)\s*(?:=\s*(.*))?\Z", re.DOTALL)


class LineError(FaultError):
    """Say what in a configuration file is not as expected, and where.

    message
        what was found, what was expected, what to do
    line
        number of the line, from 1; None when no line is to blame
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.line = line


class CfError(LineError):
    """Say what in a cf is not as expected, and where."""


@dataclass(frozen=True)
class MailerLine:
    """Show one ``M`` line: its name, program (``P=``), flags (``F=``) and arguments (``A=``).

    A field may be there twice: sendmail adds up flags, and takes the last of all others.
    """

    name: str
    path: str
    flags: str
    args: str


@dataclass(frozen=True)
class Rule:
    """Show one ``R`` line: both sides without blanks, and its place in the cf."""

    lhs: bytes
    rhs: bytes
    index: int


@dataclass(frozen=True)
class Header:
    """Show one ``S`` line: the ruleset's name, its number (empty without one) and its place."""

    name: str
    number: str
    index: int


def _squeeze(text: bytes) -> bytes:
    """Leave out every blank, so that two spellings of the same rule compare equal."""
    return b"".join(text.split())


def one_line(text: bytes) -> str:
    """Show a line as errors and changes do: each run of blanks as one."""
    return " ".join(text.decode("utf-8", "replace").split())


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _without_comments(body: bytes) -> bytes:
    """Put blanks in the place of on-line comments, so that all else stays where it is."""
    return _COMMENT.sub(lambda match: b" " * len(match[0]), body)


def _only(flags: bytes, wanted: str) -> bytes:
    """Leave out the flags that are not wanted."""
    return bytes(flag for flag in flags if chr(flag) in wanted or chr(flag).isspace())


def _more(flags: bytes, wanted: str) -> bytes:
    """Give the flags that are wanted; up to the first that changes all stay as they are written."""
    once = bytes(dict.fromkeys(flags))
    pairs = zip(once, wanted.encode(), strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    kept = flags[: flags.index(once[same])] if same < len(once) else flags
    return kept + wanted.encode()[same:]


def _ending(entry: bytes) -> bytes:
    if entry.endswith(b"\r\n"):
        return b"\r\n"
    return b"\n" if entry.endswith(b"\n") else b""


def _kind(entry: bytes) -> bytes:
    return entry[:2] if entry[:1] == b"#" else entry[:1]


class Cf:
    """Hold a cf as its logical lines; what is not edited renders as it was read.

    data
        the file's bytes

    Raises CfError where they are no sendmail configuration.
    """

    def __init__(self, data: bytes) -> None:
        self._entries: list[bytes] = _ENTRY.findall(data)
        self._kinds: defaultdict[bytes, list[int]] | None = None
        self._eol = _ending(self._entries[0]) if self._entries else b"\n"
        self._refuse_other_files()

    def _refuse_other_files(self) -> None:
        if not any(_VERSION.match(self._entries[place]) for place in self.places(b"V")):
            found = repr(self._entries[0][:40]) if self._entries else "an empty file"
            raise CfError(f"no sendmail configuration: expected a V line, found {found}", 1)
        if self.header("parse", "0") is None:
            raise CfError("no sendmail configuration: expected ruleset 0 (Sparse=0), found none")
        if not self.mailers():
            raise CfError("no sendmail configuration: expected mailers (M lines), found none")

    # -- lines ------------------------------------------------------------------------------

    def render(self) -> bytes:
        """Give the file's bytes as they are now."""
        return b"".join(self._entries)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Undo every edit made inside when one of them fails, so that none stays half done."""
        before = self._entries.copy()
        try:
            yield
        except BaseException:
            self._entries, self._kinds = before, None
            raise

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, index: int) -> bytes:
        """Give one logical line without its line ending."""
        return self._entries[index].rstrip(b"\r\n")

    def index_of(self, body: bytes) -> int | None:
        """Give the place of the first logical line that reads ``body``, None without one."""
        for ending in (b"\n", b"\r\n", b""):
            with suppress(ValueError):
                return self._entries.index(body + ending)
        return None

    def line_of(self, index: int) -> int:
        """Give the line number, from 1, at which a logical line begins."""
        return 1 + sum(entry.count(b"\n") for entry in self._entries[:index])

    def replace(self, index: int, body: bytes) -> None:
        """Put ``body`` in the place of a logical line and keep its line ending."""
        old = self._entries[index]
        self._entries[index] = body + _ending(old)
        if _kind(old) != _kind(body):
            self._kinds = None

    def insert(self, index: int, *bodies: bytes) -> None:
        """Put lines before the logical line at ``index``, with the line ending used there."""
        eol = _ending(self._entries[index]) if index < len(self._entries) else b""
        if index and not _ending(self._entries[index - 1]):
            self._entries[index - 1] += self._eol or b"\n"
        self._entries[index:index] = [body + (eol or self._eol or b"\n") for body in bodies]
        self._kinds = None

    def remove(self, start: int, stop: int) -> None:
        """Take out the logical lines from ``start`` up to, but without, ``stop``."""
        del self._entries[start:stop]
        self._kinds = None

    def places(self, kind: bytes) -> Sequence[int]:
        """Give the places of all lines that begin with a letter; ``b"#O"`` is a comment's."""
        # Found in one go, and anew after an edit: there are few edits and many questions.
        if self._kinds is None:
            self._kinds = defaultdict(list)
            for index, entry in enumerate(self._entries):
                self._kinds[_kind(entry)].append(index)
        return self._kinds[kind]

    # -- macros (section 5.3) -----------------------------------------------------------------

    def macro(self, name: str) -> str | None:
        """Give a macro's value as the rules see it, None where it is not defined."""
        index = self.macro_index(name)
        if index is None:
            return None
        match = _MACRO.match(self.entry(index))
        assert match is not None
        return _text(_without_comments(b"D" + match[3])[1:].rstrip())

    def macro_index(self, name: str) -> int | None:
        """Give the place of the ``D`` line that counts: the last before the first rule in need."""
        # A rule's macros are expanded when it is read: what is defined after it comes too late.
        wanted, last = name.encode(), None
        usage = b"${%b}" % wanted if len(wanted) > 1 else b"$" + wanted
        rulesets = next(iter(self.places(b"S")), 0)  # a rule above all rulesets is an error
        rules = (place for place in self.places(b"R") if usage in self._entries[place])
        needed = next((place for place in rules if place > rulesets), len(self._entries))
        for index in self.places(b"D"):
            match = _MACRO.match(self._entries[index])
            if index < needed and match and wanted in (match[1], match[2]):
                last = index
        return last

    def set_macro(self, name: str, value: str, index: int) -> None:
        """Give the ``D`` line at ``index`` another value."""
        match = _MACRO.match(self.entry(index))
        assert match is not None
        self.replace(index, self.entry(index)[: match.start(3)] + value.encode())

    # -- rulesets (section 5.2) ---------------------------------------------------------------

    def headers(self) -> list[Header]:
        """List every ``S`` line."""
        found = []
        for index in self.places(b"S"):
            if match := _RULESET.match(self._entries[index]):
                found.append(Header(_text(match[1]), _text(match[2] or b""), index))
        return found

    def header(self, *names: str) -> Header | None:
        """Give the first header of the ruleset that has one of these names or numbers."""
        wanted = set(names)
        for header in self.headers():
            if wanted & {header.name, header.number}:
                return header
        return None

    def rules(self, header: Header) -> list[Rule]:
        """List the rules below one header, up to the next one."""
        found = []
        for index in range(header.index + 1, len(self._entries)):
            entry = self._entries[index]
            if entry[:1] == b"S":
                break
            if entry[:1] == b"R":
                sides = re.split(rb"\t+", entry[1:].replace(b"\n\t", b"\t").rstrip())
                rhs = sides[1] if len(sides) > 1 else b""
                found.append(Rule(_squeeze(sides[0]), _squeeze(rhs), index))
        return found

    # -- mailers (section 5.4) ----------------------------------------------------------------

    def mailer_index(self, name: str) -> int | None:
        """Give the place of a mailer's ``M`` line, None where there is none; case does not count.

        Raises CfError where two mailers have that name.
        """
        wanted = b"m" + name.lower().encode()
        places = [
            index
            for index in self.places(b"M")
            if (match := _MAILER.match(self._entries[index])) and match[0].lower() == wanted
        ]
        if len(places) > 1:
            lines = " and ".join(str(self.line_of(place)) for place in places)
            raise CfError(
                f"expected one mailer {name!r}, found {len(places)} (lines {lines})",
                self.line_of(places[1]),
            )
        return places[0] if places else None

    def mailer(self, name: str) -> MailerLine | None:
        """Show the mailer of that name, None where there is none.

        Raises CfError where two mailers have that name.
        """
        index = self.mailer_index(name)
        if index is None:
            return None
        fields = {key: _text(value) for key, value, _, _ in self._fields(index)}
        flags = "".join(_text(value) for key, value, _, _ in self._fields(index) if key == "F")
        once = "".join(dict.fromkeys(flags.replace(" ", "").replace("\t", "")))
        return MailerLine(name, fields.get("P", ""), once, fields.get("A", ""))

    def mailers(self) -> list[str]:
        """List the names of all mailers, in the order of the file."""
        lines = (self._entries[place] for place in self.places(b"M"))
        return [_text(match[1]) for line in lines if (match := _MAILER.match(line))]

    def set_mailer_field(self, name: str, key: str, value: str) -> None:
        """Give one field of a mailer, ``F`` or ``A``, another value; other bytes stay.

        Where a field is there more than once the last gets it; flags that are not in the value
        leave all, and those that another field has stay there.
        """
        index = self.mailer_index(name)
        assert index is not None
        body = self.entry(index)
        places = [(start, stop) for found, _, start, stop in self._fields(index) if found == key]
        if not places:
            raise CfError(
                f"mailer {name!r}: expected a field {key}=, found none", self.line_of(index)
            )
        texts = [_more(body[slice(*places[-1])], value) if key == "F" else value.encode()]
        if key == "F" and len(places) > 1:
            above = [_only(body[start:stop], value) for start, stop in places[:-1]]
            missing = [flag for flag in value if flag.encode() not in b"".join(above)]
            texts = [*above, "".join(missing).encode()]
        for (start, stop), text in reversed(list(zip(places[-len(texts) :], texts, strict=True))):
            body = body[:start] + text + body[stop:]
        self.replace(index, body)

    def _fields(self, index: int) -> list[tuple[str, bytes, int, int]]:
        """List the fields of a mailer: letter, value as sendmail takes it, and its place."""
        body, fields = _without_comments(self.entry(index)), []
        match = _MAILER.match(body)
        assert match is not None
        at = match.end()
        while match := _FIELD.match(body, at):
            found = _VALUE.match(body, match.end())
            assert found is not None
            written = found[0].rstrip()
            # Only the first letter of a field's name counts.
            value = _UNQUOTED.sub(rb"\1", written)
            fields.append((_text(match[1][:1]), value, match.end(), match.end() + len(written)))
            at = found.end()
        return fields

    # -- options (section 5.6) ----------------------------------------------------------------

    @property
    def is_msp(self) -> bool:
        """Tell whether this is the submission program's cf (submit.cf: ``O UseMSP=True``)."""
        value = self.option("UseMSP")
        return value is not None and value[:1].lower() in ("t", "y", "")

    def option(self, name: str) -> str | None:
        """Give the value of one of ``OPTIONS``, the last that is set; None where none is."""
        index = self.option_index(name)
        return None if index is None else self._option_value(index, OPTIONS[name])

    def option_values(self, name: str) -> list[str]:
        """Give every value of an option that may be set more than once, in the file's order."""
        values = (self._option_value(index, OPTIONS[name]) for index in self.places(b"O"))
        return [value for value in values if value is not None]

    def option_index(self, name: str, *, commented: bool = False) -> int | None:
        """Give the place of the last ``O`` line (or of the last one commented out) of an option."""
        option = OPTIONS[name]
        near, letter = option.name[: option.shortest].lower().encode(), option.letter.encode()
        for index in reversed(self.places(b"#O" if commented else b"O")):
            line = self._entries[index]
            maybe = near in line.lower() or (letter and line[1:2] == letter)
            if maybe and self._option_value(index, option) is not None:
                return index
        return None

    def _option_value(self, index: int, option: Option) -> str | None:
        body = _without_comments(self.entry(index))
        if match := _OPTION.match(body):
            found = _text(match[1])
            return _text((match[2] or b"").strip()) if meant(option, found) else None
        old_form = option.letter and body.startswith(f"O{option.letter}".encode())
        return _text(body[2:].strip()) if old_form else None
