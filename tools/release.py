"""Tag a release, once FORMULA, CHANGELOG.md and the tags agree on it.

Usage: release.py VERSION, in a clean work tree. The tag vVERSION is made with the changelog's words
for it; nothing is pushed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<day>\S+))?[ \t]*$", re.MULTILINE)
UNRELEASED = "Unreleased"


def main() -> int:
    version, top = (sys.argv[1:] or [""])[0], Path.cwd()
    if found := list(problems(top, version)):
        print(*(f"release: {problem}" for problem in found), sep="\n", file=sys.stderr)
        return 1
    words = f"Version {version}\n\n{sections(top)[version]}\n"
    git(top, "tag", "--annotate", "--cleanup=whitespace", "--file=-", f"v{version}", given=words)
    print(f"tagged v{version}; publish it with: git push --follow-tags")
    return 0


def git(top: Path, *arguments: str, given: str = "") -> str:
    """Return what a git command prints; CalledProcessError."""
    command = ["git", "-C", str(top), *arguments]
    return subprocess.run(
        command, input=given, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def problems(top: Path, version: str) -> Iterator[str]:
    """Give in words what keeps a version from being released."""
    if not VERSION.fullmatch(version):
        yield f"expected VERSION=major.minor.patch, got {version!r}"
        return
    if changed := git(top, "status", "--porcelain").splitlines():
        yield f"expected a clean work tree, got {len(changed)} changed files: {changed[0][3:]} …"
    yield from tag_problems(top, version)
    stated = re.search(r"^version: *(\S+)$", (top / "FORMULA").read_text(), re.MULTILINE)
    if (said := stated[1] if stated else "none") != version:
        yield f"FORMULA: expected version {version}, got {said}"
    yield from changelog_problems(top, version)


def tag_problems(top: Path, version: str) -> Iterator[str]:
    """Give what is wrong with a version beside those that are tagged already."""
    tagged = [tag.removeprefix("v") for tag in git(top, "tag", "--list", "v*").splitlines()]
    newest = max((tag for tag in tagged if VERSION.fullmatch(tag)), key=numbers, default="0.0.0")
    if version in tagged:
        yield f"tag v{version}: expected none yet, got one"
    elif numbers(version) <= numbers(newest):
        yield f"expected a version above the tagged {newest}, got {version}"


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, which compare as versions do."""
    return tuple(map(int, version.split(".")))


def changelog_problems(top: Path, version: str) -> Iterator[str]:
    """Give what is wrong with the changelog's words on a version."""
    found = sections(top)
    released = [name for name in found if name != UNRELEASED]
    if version not in found:
        yield f"CHANGELOG.md: expected a heading '## [{version}] - YYYY-MM-DD', got none"
        return
    if released[0] != version:
        yield f"CHANGELOG.md: expected {version} before {released[0]}"
    if not found[version]:
        yield f"CHANGELOG.md: expected words under {version}, got none"
    if found.get(UNRELEASED):
        yield f"CHANGELOG.md: expected nothing under {UNRELEASED}, got {found[UNRELEASED][:40]!r}"
    day = next(one["day"] for one in headings(top) if one["name"] == version)
    if not is_day(day):
        yield f"CHANGELOG.md: expected {version} with a day such as 2026-01-31, got {day}"


def is_day(text: str | None) -> bool:
    """Tell whether a text is a day of the calendar, as 2026-01-31."""
    try:
        return date.fromisoformat(text or "").isoformat() == text
    except ValueError:
        return False


def headings(top: Path) -> list[re.Match[str]]:
    """Return the headings of the changelog's sections, top down."""
    return list(HEADING.finditer((top / "CHANGELOG.md").read_text()))


def sections(top: Path) -> dict[str, str]:
    """Return the changelog's sections, top down, by the name in their heading."""
    text, found = (top / "CHANGELOG.md").read_text(), headings(top)
    ends = [one.start() for one in found[1:]] + [len(text)]
    return {
        one["name"]: text[one.end() : end].strip() for one, end in zip(found, ends, strict=True)
    }


if __name__ == "__main__":
    sys.exit(main())
