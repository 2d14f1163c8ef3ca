"""Part what a block says into what m4 must read before the mailers and what it reads at the end.

m4 takes a mailer's flags and arguments at its ``MAILER`` line, and the submission program's host
where ``FEATURE(`msp')`` writes it. All else it looks up when the whole mc is read: there the last
word counts, whatever a site defines or includes behind the mailers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from james_client.mc.text import McError

__all__ = ["BEGIN", "END", "LAST_BEGIN", "LAST_END", "arranged", "early", "joined", "last", "taken"]

BEGIN = "dnl # BEGIN sendmail_james: written by Salt, changes between these two lines are lost"
END = "dnl # END sendmail_james"
LAST_BEGIN = (
    "dnl # BEGIN sendmail_james, the last word: written by Salt, "
    "changes between these two lines are lost"
)
LAST_END = "dnl # END sendmail_james, the last word"
# Where the file does not end its last line, ours begins on it: `' parts the two words.
_PARTED = b"`'" + LAST_BEGIN.encode()

_EARLY = re.compile(
    r"define\(`(?:\w+_MAILER_ARGS|_MTA_HOST_)'|MODIFY_MAILER_FLAGS\(|ifdef\(`\w+_MF_"
)


def _statements(lines: Iterable[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        found[-1].append(line)
        if line.endswith("dnl"):
            found.append([])
    return [statement for statement in found if statement]


def early(lines: Iterable[str]) -> list[str]:
    """Give the lines of a section that m4 must read before the mailers."""
    return [line for one in _statements(lines) if _EARLY.match(one[0]) for line in one]


def last(lines: Iterable[str]) -> list[str]:
    """Give the lines of a section that m4 had better read at the end."""
    return [line for one in _statements(lines) if not _EARLY.match(one[0]) for line in one]


def arranged(lines: Iterable[str]) -> list[str]:
    """Give a section's lines in the order in which a block holds them."""
    kept = list(lines)
    return early(kept) + last(kept)


def taken(lines: list[bytes], begin: str, end: str) -> tuple[list[bytes], list[str]]:
    """Take the lines between two marks out of a file.

    lines
        the file's, with their endings

    Returns what is left, and what stood between the marks, without endings; none where they are
    not there. Raises McError where one of them is there alone, or twice.
    """
    begins = [index for index, line in enumerate(lines) if _is_mark(line, begin)]
    ends = [index for index, line in enumerate(lines) if _is_mark(line, end)]
    if not begins and not ends:
        return lines, []
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise McError(
            f"expected one block between {begin!r} and {end!r}, found {len(begins)} and "
            f"{len(ends)} marks: delete what is left of it",
            (begins or ends)[-1] + 1,
        )
    start, stop = begins[0], ends[0]
    above, below = lines[:start], lines[stop + 1 :]
    if lines[start].rstrip().endswith(_PARTED):
        before = lines[start].rstrip().removesuffix(_PARTED)
        above.append(before + b"\n" * bool(below))
    between = [line.decode("utf-8", "replace").rstrip("\r\n") for line in lines[start + 1 : stop]]
    return above + below, between


def joined(above: bytes, block: bytes) -> bytes:
    """Put the block that has the last word behind a file's bytes, whether they end a line or not.

    An empty block changes nothing.
    """
    return above + (b"`'" if block and above and not above.endswith(b"\n") else b"") + block


def _is_mark(line: bytes, mark: str) -> bool:
    body = line.rstrip()
    return body == mark.encode() or (mark == LAST_BEGIN and body.endswith(_PARTED))
