"""Read alias files as newaliases does, and name what of them no longer counts for programs' mail.

Source: readaliases() and setalias() in sendmail's alias.c, aliases(5).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from james_client.scrub import printable

# Map classes whose database newaliases makes of the text file that the cf names (map.c).
_OF_TEXT = ("implicit", "hash", "btree", "dbm", "ndbm", "cdb", "lmdb", "stab")
_LONGEST = 8190  # bytes of a logical line: readaliases() has a buffer of BUFSIZ
_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)|<[^<>]*>|\\.|[^,]', re.DOTALL)
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ROUTE = re.compile(r"<([^<>]*)>")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(
    rf"[A-Za-z0-9_][A-Za-z0-9._+=&'*^~-]{{0,63}}(?:@{_LABEL}(?:\.{_LABEL})*)?", re.ASCII
)


@dataclass(frozen=True)
class Alias:
    """One entry: its name in lower case, its targets as written, its first line, its file."""

    name: str
    targets: tuple[str, ...]
    line: int
    file: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the targets that are addresses, as a mail system takes them."""
        return tuple(found for target in self.targets if (found := address(target)) is not None)

    @property
    def place(self) -> str:
        """Return where it stands."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Reading:
    """What alias files say.

    entries
        those that count
    mistakes
        in words, what newaliases refuses or nobody can read
    unread
        in words, which files could not be read: what they say is not known
    """

    entries: tuple[Alias, ...] = ()
    mistakes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class AliasFile:
    """One alias file that a cf names; ``path`` is None where its class has no text file."""

    spec: str
    path: str | None
    optional: bool


def kind(target: str) -> str:
    """Return what a target is: "program", "file", "include", "error", "address" or "other"."""
    bare = target.strip().strip('"').lstrip()
    for start, found in ((":include:", "include"), ("error:", "error")):
        if bare.lower().startswith(start):
            return found
    if bare[:1] in ("|", "/"):
        return "program" if bare[0] == "|" else "file"
    return "other" if address(target) is None else "address"


def address(target: str) -> str | None:
    """Return a target as a plain address, without comment, phrase or backslash; None if it is none.

    Addresses that only some mail systems can take (quoted, routed, not ASCII) are none here.
    """
    bare = _COMMENT.sub("", target).strip()
    if route := _ROUTE.search(_QUOTED.sub('""', bare)):
        bare = route[1].strip()
    bare = bare.removeprefix("\\")
    dots = ".." in bare or ".@" in bare or bare.endswith(".")
    return bare if _ADDRESS.fullmatch(bare) and not dots else None


def files(values: Collection[str]) -> list[AliasFile]:
    """Return the alias files that the values of a cf's option AliasFile name, in their order."""
    found = []
    for value in values:
        for spec in _specs(value):
            before, colon, after = spec.partition(":")
            named = bool(colon) and not set(" ,/") & set(before)
            where = (after if named else spec).strip()
            words = where.split()
            of_text = not named or before in _OF_TEXT
            optional = any(word.startswith("-") and "o" in word for word in words[:-1])
            found.append(AliasFile(spec, words[-1] if of_text and words else None, optional))
    return found


def _specs(value: str) -> Iterator[str]:
    """Split at commas outside quotes, as setalias() does."""
    for part in re.findall(r'(?:"[^"]*"|[^,])+', value):
        if part.strip():
            yield part.strip()


def read(data: bytes, file: str = "", local: Collection[str] = ()) -> Reading:
    """Return what an alias file says: the last entry of a name counts.

    data
        the file
    file
        its path, for the entries and messages
    local
        in lower case, the domains whose names are local ones
    """
    found: dict[str, Alias] = {}
    mistakes = []
    for number, raw in _logical(data):
        try:
            name, value = _entry(raw, local)
        except ValueError as err:
            mistakes.append(f"{file}:{number}: {err}; newaliases refuses it too")
            continue
        if name:
            found[name] = Alias(name, _split(value), number, file)
    return Reading(tuple(found.values()), tuple(mistakes))


def together(readings: Collection[Reading]) -> Reading:
    """Return what several files say: a name's first file counts, as in sendmail's look-up."""
    found: dict[str, Alias] = {}
    for reading in readings:
        for entry in reading.entries:
            found.setdefault(entry.name, entry)
    mistakes = tuple(said for reading in readings for said in reading.mistakes)
    unread = tuple(said for reading in readings for said in reading.unread)
    return Reading(tuple(found.values()), mistakes, unread)


def _logical(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each logical line with its number; a backslash or a blank that follows continues it."""
    lines = data.split(b"\n")
    last = len(lines) - (not lines[-1])  # what follows the last newline is no line
    at = 0
    while at < last:
        begin, parts = at, [lines[at]]
        at += 1
        while at < last:
            if parts[-1].endswith(b"\\"):
                parts[-1] = parts[-1][:-1]
            elif lines[at][:1] not in (b" ", b"\t"):
                break
            parts.append(lines[at])
            at += 1
        yield begin + 1, b"".join(parts)


def _entry(raw: bytes, local: Collection[str]) -> tuple[str, str]:
    """Return an entry's name and value, two empty ones for no entry. Raises ValueError."""
    if raw[:1] in (b"", b"#"):
        return "", ""
    if len(raw) > _LONGEST:
        raise ValueError(f"a line of {len(raw)} bytes, at most {_LONGEST} are read")
    if raw[:1] in (b" ", b"\t"):
        raise ValueError("a line that continues none begins with a blank")
    line = raw.decode("utf-8", "replace")
    before, colon, value = line.partition(":")
    if not colon:
        raise ValueError("no colon")
    name = _name(before, local)
    if not value.strip():
        raise ValueError(f"{name[:40]!a} has no value")
    return name, value.strip()


def _name(text: str, local: Collection[str]) -> str:
    """Return an alias's name, which must be a local one. Raises ValueError."""
    name = _COMMENT.sub("", text).strip()
    if route := _ROUTE.fullmatch(name):
        name = route[1].strip()
    shown = ascii(name[:40])
    outside = _QUOTED.sub("", name)
    if not name.isascii() or not re.sub(r"[\t ]", "", name).isprintable():
        raise ValueError(f"{shown} is no alias name: not ASCII")
    if '"' in outside:
        raise ValueError(f"{shown} has an unbalanced quote")
    user, at, domain = name.rpartition("@") if "@" in outside else (name, "", "")
    if set("!%@") & set(_QUOTED.sub("", user)) or (at and domain.lower() not in local):
        raise ValueError(f"{shown} is not a local name")
    if not user:
        raise ValueError("a name is missing")
    return (user if '"' in user else ".".join(user.split())).lower()


def _split(value: str) -> tuple[str, ...]:
    """Split at commas that stand outside quotes, comments and brackets."""
    parts: list[str] = []
    part: list[str] = []
    for found in re.finditer(rf"{_PARTS.pattern}|,", value, re.DOTALL):
        if found[0] == ",":
            parts.append("".join(part))
            part = []
        else:
            part.append(found[0])
    parts.append("".join(part))
    return tuple(part.strip() for part in parts if part.strip())


_CURES = {
    "program": "James runs no program; have it read a mailbox, or use a mailet",
    "file": "James writes to no file; give the name a person in account:people",
    "include": "James reads no list; name its members in account:people",
    "error": "James refuses a name that he does not know, which is the same: nothing to do",
    "other": "James cannot be told such an address; name a plain one in account:people",
}


def without_counterpart(entry: Alias, names: Collection[str] = ()) -> list[str]:
    """Return what of an entry James has nothing for, each in words with what to do.

    names
        all aliases' names
    """
    kinds = [(target, kind(target)) for target in entry.targets]
    found = [f"{shown(target)}: {_CURES[what]}" for target, what in kinds if what in _CURES]
    if entry.name.startswith("owner-") and entry.name.removeprefix("owner-") in names:
        listed = entry.name.removeprefix("owner-")
        found.append(
            f"bounces of mail to {listed} go to its sender: James knows no owner of a group"
        )
    return found


def shown(target: str) -> str:
    """Return a target as messages show it."""
    cut = target if len(target) <= 80 else f"{target[:80]}..."
    return printable(cut)
