"""Read a cf's K lines: which maps it has, and in which files.

Source: makemapentry() in sendmail's readcf.c, map_parseargs() and text_map_parseargs() in map.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from james_client.cf.text import Cf

__all__ = ["Map", "maps"]

_LINE = re.compile(r"K\s*([\w.]+)\s+(\w+)\s*(.*)", re.DOTALL)
_FLAG = re.compile(r"-([kv])\s*\S*|-(\w)\S*")
# What each class appends to the name of its file, where it is not there already.
_ENDINGS = {"hash": ".db", "btree": ".db", "dbm": ".pag", "cdb": ".cdb", "text": ""}


@dataclass(frozen=True)
class Map:
    """Name a map that is kept in a file.

    name, kind
        as in its K line: ``mailertable``, ``hash``
    source
        the file that the K line names, which makemap makes the other of
    file
        the file that sendmail opens
    optional
        whether sendmail goes on without it (``-o``)
    """

    name: str
    kind: str
    source: str
    file: str
    optional: bool


def maps(cf: Cf) -> list[Map]:
    """Return the maps of a cf that are kept in files, in their order; of a name the last."""
    found: dict[str, Map] = {}
    for index in cf.places(b"K"):
        match = _LINE.match(cf.entry(index).decode("utf-8", "replace"))
        if match is None:
            continue
        name, kind, rest = match[1].lower(), match[2].lower(), match[3].strip()
        flags: set[str] = set()
        while flag := _FLAG.match(rest):
            flags.add(flag[1] or flag[2])
            rest = rest[flag.end() :].strip()
        found.pop(name, None)
        path = rest.split()[0] if rest else ""
        if kind in _ENDINGS and path.startswith("/"):
            source = path.removesuffix(_ENDINGS[kind])
            found[name] = Map(name, kind, source, f"{source}{_ENDINGS[kind]}", "o" in flags)
    return list(found.values())
