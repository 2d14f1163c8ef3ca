"""Tell from a file's own words that another tool writes it, and will write over what we edit."""

from __future__ import annotations

import re
from collections.abc import Collection

from james_client.files.walk import FilesError
from james_client.run.plan import Plan
from james_client.scrub import printable

_TOOL = (
    r"(?:puppet|chef|cinc|ansible|salt(?:stack)?|cf-?engine|bcfg2|rudder|quattor|lcfg|cdist|pyinfra"
    r"|itamae|terraform|cloud-init|suseconfig|configuration management)"
)
_DONE = (
    r"(?:(?:auto)?(?:managed|maintained|controlled|generated|created|written|installed|deployed"
    r"|distributed|delivered|provisioned|pushed|rendered|replaced|overwritten)|under|from)"
)
_OWNED = re.compile(
    rf"(?i)\b{_DONE}\b.{{0,60}}\b{_TOOL}(?:\b|_)"
    rf"|\b{_TOOL}\b.{{0,40}}\b(?:{_DONE}|control)\b"
    r"|\bansible_managed\b"
    r"|\bfile\b.{0,40}\bmanaged by\b"
    r"|\b(?:changes|modifications|edits)\b.{0,40}\b(?:overwritten|lost|reverted|undone)\b"
)
# A tool's block in a file that is somebody else's, ours among them, leaves the rest alone.
_OF_A_BLOCK = re.compile(r"(?i)\bblock\b|\A\W*(?:dnl\W*)?(?:begin|end)\b|sendmail_james")
_COMMENT = re.compile(rb"[ \t]*(?:#|dnl\b)")
_HEAD = 60  # lines, of which also those without a comment's mark may be one: divert(-1)
_MARKS = " \t\r#*;-=!|"


def header(data: bytes) -> str | None:
    """Return the line in which a file says that a tool writes it, None where it says so nowhere.

    data
        the content of an mc, a cf or a shell file
    """
    for number, line in enumerate(data.split(b"\n")):
        if number >= _HEAD and not _COMMENT.match(line):
            continue
        text = line.decode("utf-8", "replace")
        if _OWNED.search(text) and not _OF_A_BLOCK.search(text):
            said = re.sub(r"^\s*dnl\b", "", text.strip(_MARKS)).removesuffix("dnl").strip(_MARKS)
            return printable(said[:120], " ")
    return None


def owned(plan: Plan, paths: Collection[str]) -> dict[str, str]:
    """Return each of these files that a tool writes, with its words; unreadable ones are left out.

    paths
        those that are neither cf, mc nor knob are not looked at: they may hold a secret

    What m4 has copied from the mc to the cf is said of the mc alone.
    """
    found: dict[str, str] = {}
    facts = plan.platform
    known = [facts.mc, facts.submit_mc, *(knob.file for knob in facts.knobs), *plan.cf_paths()]
    for path in (one for one in known if one in paths):
        try:
            said = header(plan.before(path).data or b"")
        except (FilesError, OSError):
            continue
        if said and said not in found.values():
            found[path] = said
    return found


def in_words(plan: Plan, paths: Collection[str]) -> list[str]:
    """Say of each of these files that another tool writes it, and what to do about that."""
    return [
        f"{path} says {said!r}: what writes it will write over our lines; have it leave them, or "
        "run this after it"
        for path, said in owned(plan, paths).items()
    ]
