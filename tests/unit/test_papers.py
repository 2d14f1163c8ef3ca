"""What the papers name is there: files, tests, modules, targets; and the map is the house's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from test_architecture import BELOW

TOP = Path(__file__).parents[2]
PACKAGE = TOP / "_utils/james_client"
PAPERS = [*sorted(TOP.glob("*.md")), *sorted(TOP.glob("docs/*.md"))]
OURS = (
    "_modules/",
    "_states/",
    "_utils/",
    "bench/",
    "docs/",
    "sendmail_james/",
    "tests/",
    "tools/",
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
TARGET = re.compile(r"(?:^|`)make ([a-z][a-z-]*)", re.MULTILINE)
TEST = re.compile(r"\btest_\w+")
MODULE = re.compile(rf"(?<![\w/.])(?:james_client\.)?({'|'.join(BELOW)})\.([a-z]\w*)\b(?![/(])")


def known_tests() -> set[str]:
    """Give the names of all tests and of the files that they are in."""
    files = list((TOP / "tests").rglob("*.py"))
    text = "\n".join(path.read_text() for path in files)
    return {path.stem for path in files} | set(re.findall(r"^ *def (test_\w+)", text, re.MULTILINE))


def targets() -> set[str]:
    """Give what make can be told to make."""
    rules = re.findall(r"^([a-z][a-z -]*):", (TOP / "Makefile").read_text(), re.MULTILINE)
    return {word for rule in rules for word in rule.split()}


def paths(code: str) -> Iterator[str]:
    """Give the words of a piece of code that name files of ours; globs and options left out."""
    for word in re.split(r"[\s`\"',;()=]+", code):
        if word.startswith(OURS) and not re.search(r"[*<>{}$]", word):
            yield word.rstrip(":.").partition(":")[0]


def missing(text: str, folder: Path) -> list[str]:
    """Give what a paper names that is not there."""
    code = "\n".join(CODE.findall(text))
    wrong = [link for link in LINK.findall(text) if not (folder / link).exists()]
    wrong += [path for path in paths(code) if not (TOP / path).exists()]
    wrong += sorted(set(TEST.findall(code)) - known_tests())
    wrong += [f"make {target}" for target in TARGET.findall(code) if target not in targets()]
    for room, module in MODULE.findall(code):
        if not (PACKAGE / room / f"{module}.py").exists():
            wrong.append(f"{room}.{module}")
    return wrong


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.stem)
def test_what_a_paper_names_is_there(paper: Path) -> None:
    assert missing(paper.read_text(), paper.parent) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](nowhere.md)", "nowhere.md"),
        ("`tests/unit/nowhere.py`", "tests/unit/nowhere.py"),
        ("`test_that_nobody_wrote`", "test_that_nobody_wrote"),
        ("```\nmake nothing\n```", "make nothing"),
        ("`run.away`", "run.away"),
        ("`james_client.cf.nothing`", "cf.nothing"),
    ],
)
def test_what_is_not_there_is_found(text: str, wrong: str) -> None:
    assert missing(text, TOP) == [wrong]


def test_what_is_there_is_not_found_missing() -> None:
    text = "[a](README.md) `tests/unit/test_papers.py` `make lint` `run.plan` `sendmail.cf` `make`"
    assert missing(text, TOP) == []


def test_the_table_of_rooms_is_what_imports_keep_to() -> None:
    text = (TOP / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    found = {room: set(below.split(", ")) - {"nothing"} for room, below in rows}
    assert found == BELOW


def test_the_commit_hook_runs_what_make_lint_runs() -> None:
    config = yaml.safe_load((TOP / ".pre-commit-config.yaml").read_text())
    (hook,) = [hook for repo in config["repos"] for hook in repo["hooks"]]
    wanted = {"entry": "make lint", "language": "system", "always_run": True}
    assert hook.items() >= wanted.items()
    assert hook["pass_filenames"] is False
