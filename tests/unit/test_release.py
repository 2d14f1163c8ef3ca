"""A release is tagged only where FORMULA, changelog and tags agree; tried on a real repository."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools/release.py"
CHANGELOG = """# Changelog

## [Unreleased]

## [1.1.0] - 2026-11-30

### Added

- A thing.

## [1.0.0] - 2026-11-23

- The first.
"""


def git(top: Path, *arguments: str) -> str:
    """Run git as somebody with a name."""
    who = ["-c", "user.name=tester", "-c", "user.email=tester@example.net"]
    command = ["git", "-C", str(top), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def commit(top: Path, path: str, text: str) -> None:
    """Have a file say something in a new commit."""
    (top / path).write_text(text)
    git(top, "add", path)
    git(top, "commit", "--quiet", "--message", path)


def swap(top: Path, path: str, old: str, new: str) -> None:
    """Commit a file with one text in another's place."""
    text = (top / path).read_text()
    assert old in text
    commit(top, path, text.replace(old, new))


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository that is ready for version 1.1.0."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@example.net")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "CHANGELOG.md", CHANGELOG)
    commit(tmp_path, "FORMULA", "name: sendmail_james\nversion: 1.0.0\nminimum_version: 3006\n")
    git(tmp_path, "tag", "v1.0.0")
    git(tmp_path, "tag", "v-something")
    swap(tmp_path, "FORMULA", "1.0.0", "1.1.0")
    return tmp_path


def release(top: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=top, capture_output=True, text=True, check=False)


def test_what_agrees_is_tagged_with_the_changelogs_words(top: Path) -> None:
    done = release(top, "1.1.0")
    assert done.returncode == 0, done.stderr
    assert git(top, "rev-parse", "v1.1.0^{commit}") == git(top, "rev-parse", "HEAD")
    words = git(top, "tag", "--list", "--format=%(contents)", "v1.1.0")
    assert words.strip() == "Version 1.1.0\n\n### Added\n\n- A thing."
    assert git(top, "status", "--porcelain") == ""


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed file": (
        lambda top: (top / "FORMULA").write_text("version: 1.1.0\n"),
        "expected a clean work tree, got 1 changed files: FORMULA",
    ),
    "a new file": (
        lambda top: (top / "litter").touch(),
        "expected a clean work tree, got 1 changed files: litter",
    ),
    "a tag that exists": (
        lambda top: git(top, "tag", "v1.1.0", "v1.0.0"),
        "tag v1.1.0: expected none yet, got one",
    ),
    "a higher tag": (
        lambda top: git(top, "tag", "v1.10.0"),
        "expected a version above the tagged 1.10.0, got 1.1.0",
    ),
    "another version in FORMULA": (
        lambda top: swap(top, "FORMULA", "1.1.0", "1.1.1"),
        "FORMULA: expected version 1.1.0, got 1.1.1",
    ),
    "no version in FORMULA": (
        lambda top: swap(top, "FORMULA", "version: 1.1.0\n", ""),
        "FORMULA: expected version 1.1.0, got none",
    ),
    "no heading": (
        lambda top: swap(top, "CHANGELOG.md", "## [1.1.0] - 2026-11-30", "## Next"),
        "CHANGELOG.md: expected a heading '## [1.1.0] - YYYY-MM-DD', got none",
    ),
    "another heading before it": (
        lambda top: swap(top, "CHANGELOG.md", "## [1.1.0]", "## [1.2.0] - 2026-12-01\n## [1.1.0]"),
        "CHANGELOG.md: expected 1.1.0 before 1.2.0",
    ),
    "no day": (
        lambda top: swap(top, "CHANGELOG.md", " - 2026-11-30", ""),
        "CHANGELOG.md: expected 1.1.0 with a day such as 2026-01-31, got None",
    ),
    "a day that is none": (
        lambda top: swap(top, "CHANGELOG.md", "2026-11-30", "2026-11-31"),
        "CHANGELOG.md: expected 1.1.0 with a day such as 2026-01-31, got 2026-11-31",
    ),
    "no words": (
        lambda top: swap(top, "CHANGELOG.md", "### Added\n\n- A thing.\n", ""),
        "CHANGELOG.md: expected words under 1.1.0, got none",
    ),
    "something unreleased": (
        lambda top: swap(top, "CHANGELOG.md", "eased]\n", "eased]\n\n- One more.\n"),
        "CHANGELOG.md: expected nothing under Unreleased, got '- One more.'",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), FAULTS.values(), ids=FAULTS)
def test_what_does_not_agree_is_refused_and_nothing_is_tagged(
    top: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(top)
    tags = git(top, "tag")
    done = release(top, "1.1.0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].removesuffix(" …") == f"release: {words}"
    assert git(top, "tag") == tags


@pytest.mark.parametrize("version", [[], [""], ["1.1"], ["v1.1.0"], ["1.1.0-rc1"], ["01.1.0"]])
def test_what_is_no_version_is_refused(top: Path, version: list[str]) -> None:
    done = release(top, *version)
    assert done.returncode == 1
    assert "expected VERSION=major.minor.patch, got" in done.stderr
    assert git(top, "tag").split() == ["v-something", "v1.0.0"]


def test_all_that_is_wrong_is_said_at_once(top: Path) -> None:
    (top / "litter").touch()
    done = release(top, "2.0.0")
    assert len(done.stderr.splitlines()) == 3
