"""Tell how old a cf's form is: what an old sendmail's m4 wrote it writes again."""

from __future__ import annotations

import re

from james_client.cf.text import Cf, one_line

__all__ = ["rebuild"]

_LEVEL = 10  # of what m4 writes since sendmail 8.12
_VERSION = re.compile(rb"V\s*(\d+)")


def rebuild(cf: Cf) -> str:
    """Say how a cf comes to have what m4 writes today, and where it is too old for that, how old.

    Source: operations guide, 5.8 (configuration version level).
    """
    file = "submit.cf" if cf.is_msp else "cf"
    lines = [cf.entry(place) for place in cf.places(b"V")]
    found = [(int(match[1]), line) for line in lines if (match := _VERSION.match(line))]
    level, line = found[-1]
    if level >= _LEVEL:
        return f"build the {file} from its mc again"
    by = cf.macro("Z")
    said = one_line(line) + (f", of sendmail {by}" if by else "")
    return (
        f"this cf is of version level {level} ({said}), expected {_LEVEL}, as m4 of sendmail 8.12 "
        f"and later writes: build a new {file} from an mc, with the m4 files of the sendmail that "
        "is installed here"
    )
