"""The reference is what the code says: it is made by one command, and never stale."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import make_reference
import pytest

TOP = Path(__file__).parents[2]
REFERENCE, README = "docs/reference.md", "README.md"
TROUBLES = "docs/troubleshooting.md"
SOURCES = (
    *("_modules", "_states", "_utils", "sendmail_james", "docs", "tools"),
    *(README, "pillar.example"),
)


@pytest.mark.parametrize("path", [README, REFERENCE, TROUBLES])
def test_it_is_not_stale(path: str) -> None:
    assert make_reference.made()[path] == (TOP / path).read_text(), "run `make reference`"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of all that the reference is made from."""
    for name in SOURCES:
        if (TOP / name).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(TOP / name, tmp_path / name, ignore=unwanted)
        else:
            shutil.copy2(TOP / name, tmp_path)
    return tmp_path


def make(copy: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a copy."""
    command = [sys.executable, "-B", "tools/make_reference.py"]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


def swap(path: Path, old: str, new: str) -> None:
    """Put one text in another's place."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("source", "old", "new", "made", "shown"),
    [
        ("_modules/sendmail_james.py", '"""Show on', '"""Look on', README, "| Look on"),
        ("_modules/sendmail_james.py", '"""Show on', '"""Look on', REFERENCE, "\nLook on"),
        (
            "_states/sendmail_james.py",
            "def live(name: str",
            "def alive(name: str",
            REFERENCE,
            "sendmail_james.alive(",
        ),
        ("_utils/james_client/verdict/map_causes.py", "rewrite: map", "no map", TROUBLES, "no map"),
        ("sendmail_james/loop.sls", "# Step", "# The step", README, "| The step"),
        ("sendmail_james/loop.sls", "# Step", "# The step", REFERENCE, "| The step"),
        ("sendmail_james/defaults.yaml", "  port: 25\n", "  port: 26\n", REFERENCE, "| `26` |"),
        ("pillar.example", "# where James is", "# the place of James", REFERENCE, "| the place of"),
        ("_utils/james_client/wishes/settings.py", "(1, 300)", "(1, 301)", REFERENCE, "| 1..301 |"),
    ],
)
def test_a_change_of_a_source_changes_it(
    copy: Path, source: str, old: str, new: str, made: str, shown: str
) -> None:
    assert shown not in (copy / made).read_text()
    swap(copy / source, old, new)
    assert (done := make(copy)).returncode == 0, done.stderr
    assert shown in (copy / made).read_text()


def test_a_new_sls_is_in_it(copy: Path) -> None:
    (copy / "sendmail_james/orch").mkdir()
    (copy / "sendmail_james/orch/all.sls").write_text("# All hosts,\n# one by one.\nx: []\n")
    assert (done := make(copy)).returncode == 0, done.stderr
    for path in (README, REFERENCE):
        row = "| `sendmail_james.orch.all` | All hosts, one by one. |"
        assert row in (copy / path).read_text()


def test_a_readme_without_its_region_is_refused(copy: Path) -> None:
    swap(copy / README, "<!-- end of functions -->", "")
    before = (copy / REFERENCE).read_text()
    done = make(copy)
    assert done.returncode
    assert "README.md: expected a region" in done.stderr
    assert (copy / REFERENCE).read_text() == before


def test_every_key_has_a_meaning() -> None:
    meanings = make_reference.comments((TOP / "pillar.example").read_text())
    wanted = {
        (section, key)
        for section, keys in make_reference.KEYS.items()
        for key in keys
        if section != "lookup"
    }
    assert wanted - meanings.keys() == set()
    assert ("relay", "port") in meanings


def test_a_comment_goes_on_in_the_next_line() -> None:
    text = "  relay:  # where\n    host: a   # first,\n              # second\n    port: 1#2\n"
    found = make_reference.comments(text)
    assert found == {("relay",): "where", ("relay", "host"): "first, second"}
