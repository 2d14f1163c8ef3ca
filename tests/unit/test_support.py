"""The machinery of the tests: its cache, its counts, and that nothing is skipped silently."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

SUPPORT = Path(__file__).resolve().parents[1] / "support"
CONFTEST = SUPPORT.parent / "integration" / "conftest.py"
COUNTED = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """Give the cache module, working on an empty folder."""
    monkeypatch.syspath_prepend(str(SUPPORT))
    module = importlib.import_module("cache")
    monkeypatch.setattr(module, "CACHE", tmp_path)
    return module


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> object:
    """Give the function that sums up what the suites did."""
    monkeypatch.syspath_prepend(str(SUPPORT))
    return importlib.import_module("run_tests").count


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the module that runs Salts and Pythons."""
    monkeypatch.syspath_prepend(str(SUPPORT))
    return importlib.import_module("matrix")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("....\n12 passed, 1 skipped in 3.21s\n", "12 passed, 1 skipped"),
        ("= 1 failed, 3 passed in 75.00s (0:01:15) =\n", "1 failed, 3 passed"),
        ("49 passed, 385 deselected, 45 warnings in 9.00s\n", "49 passed"),
        ("no tests ran in 0.01s\n", "did not run"),
        ("bash: pytest: not found\n", "did not run"),
        ("nothing passed in 1s\n", "did not run"),
    ],
)
def test_a_cell_says_how_pytest_ended(matrix: ModuleType, output: str, words: str) -> None:
    assert matrix.closing(output) == words


def test_readme_has_a_row_for_every_salt_and_python(matrix: ModuleType) -> None:
    text = matrix.README.read_text()
    block = text[text.index(matrix.BEGIN) : text.index(matrix.END)]
    wanted = [f"Salt {version}" for version in (*matrix.OLDER_SALTS, matrix.cache.SALT)]
    wanted += [f"Python {minor}" for minor in (*matrix.RELEASES, *matrix.JARS)]
    assert {minor for minor in wanted if minor not in block} == set()
    assert "failed" not in block and "did not run" not in block
    assert len(re.findall(r"(?m)^\| (?:Salt|Python) .*passed \|$", block)) == 11


def test_a_matrix_s_block_says_what_failed(matrix: ModuleType) -> None:
    cells = [matrix.Cell("Salt 1", "functional", ()), matrix.Cell("Python 2", "rooms", ())]
    block = matrix.table("2026-01-02", cells, ["1 failed", "3 passed"])
    assert block.splitlines()[2] == "Last run: 2026-01-02."
    assert block.index("| Python 2 | rooms | 3 passed |") < block.index("| Salt 1 |")
    assert "| Salt 1 | functional | 1 failed |" in block


def test_an_interpreter_is_unpacked_without_its_own_tests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(SUPPORT))
    builder = importlib.import_module("build_python")
    with zipfile.ZipFile(tmp_path / "jar", "w") as jar:
        for name in ("bin/python3.12", "lib/python3.12/os.py", "lib/python3.12/test/x.py"):
            jar.writestr(builder.INSIDE + name, "#!/bin/true\n")
        jar.writestr("META-INF/MANIFEST.MF", "x")
    builder.unpack(tmp_path / "jar", "12", tmp_path / "python")
    found = {str(path.relative_to(tmp_path / "python")) for path in tmp_path.glob("python/*/**/*")}
    assert found == {"bin/python3.12", "lib/python3.12", "lib/python3.12/os.py"}
    assert os.access(tmp_path / "python/bin/python3.12", os.X_OK)


def test_an_item_is_built_once_and_again_when_an_input_changes(
    cache: ModuleType, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe"
    recipe.write_text("one")
    first = cache.Item("thing", (recipe,), ("cp", str(recipe)))
    first.build(tmp_path / "log")
    assert (first.existing() / "recipe").read_text() == "one"
    recipe.write_text("two")
    second = cache.Item("thing", (recipe,), ("cp", str(recipe)))
    with pytest.raises(cache.CacheError, match=f"{second.stamp} is missing: run"):
        second.existing()
    second.build(tmp_path / "log")
    with cache.locked(first.path, exclusive=False):
        second.remove_others()
        assert first.ready
    second.remove_others()
    assert second.ready
    assert not first.ready


def test_linting_counts_as_one_test(count: object, tmp_path: Path) -> None:
    assert count(tmp_path, {"lint": 0})["passed"] == 1  # type: ignore[operator]
    assert count(tmp_path, {"unit": 0})["passed"] == 0  # type: ignore[operator]
    assert count(tmp_path, {"lint": 1})["failed"] == 1  # type: ignore[operator]


def test_what_one_release_leaves_out_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SUPPORT))
    once = importlib.import_module("run_tests").ONCE
    assert [name for name in once if not (SUPPORT.parents[1] / f"{name}.py").is_file()] == []


def test_what_is_half_made_is_never_used(cache: ModuleType, tmp_path: Path) -> None:
    broken = cache.Item("thing", ("x",), ("sh", "-c", 'touch "$1/half"; exit 3', "sh"))
    with pytest.raises(subprocess.CalledProcessError):
        broken.build(tmp_path / "log")
    assert not broken.ready
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.mark.parametrize(
    ("code", "report", "wanted"),
    [
        (0, (5, 0, 0, 1), (4, 0, 1)),
        (1, (5, 1, 1, 0), (3, 2, 0)),
        (1, None, (0, 1, 0)),
        (2, (3, 0, 0, 0), (3, 1, 0)),
        (5, (0, 0, 0, 0), (0, 0, 0)),
    ],
)
def test_no_failure_goes_uncounted(
    count: object, tmp_path: Path, code: int, report: tuple[int, ...] | None, wanted: object
) -> None:
    if report:
        (tmp_path / "some.xml").write_text(COUNTED.format(*report))
    total = count(tmp_path, {"some": code})  # type: ignore[operator]
    assert (total["passed"], total["failed"], total["skipped"]) == wanted


@pytest.mark.parametrize(
    ("ci", "here", "summary"),
    [
        ("false", False, "1 skipped"),
        ("true", False, "1 error"),
        ("false", True, "1 skipped"),
        ("true", True, "1 failed"),
    ],
)
def test_an_integration_test_is_refused_elsewhere_and_never_skipped_in_ci(
    tmp_path: Path, ci: str, here: bool, summary: str
) -> None:
    shutil.copy(CONFTEST, tmp_path)
    body = "    pytest.skip('some reason')" if here else "    raise AssertionError('touched')"
    (tmp_path / "test_it.py").write_text(f"import pytest\n\ndef test_it():\n{body}\n")
    asked = f"from support import pristine; pristine.in_disposable_host = lambda: {here}"
    run = f"import sys; sys.path.insert(0, {str(SUPPORT.parent)!r}); {asked}; import pytest; "
    ran = subprocess.run(
        [sys.executable, "-c", run + f"sys.exit(pytest.main(['-ra', {str(tmp_path)!r}]))"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"CI": ci, "PATH": "/usr/bin:/bin"},
    )
    assert summary in ran.stdout
    assert ("some reason" if here else "needs a disposable host") in ran.stdout


def test_further_releases_are_tested_only_where_they_are_named(
    cache: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_tests = importlib.import_module("run_tests")

    def released(*names: str) -> set[str]:
        waiting = run_tests.chosen(names, {})
        return {waiting.get_nowait().release for _ in range(waiting.qsize())}

    assert released() == set(cache.RELEASES)
    assert released("forky") == {"forky"}
    with pytest.raises(SystemExit, match="no suite sid"):
        released("sid")
    bootstrap = importlib.import_module("bootstrap")
    asked: list[str] = []
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    monkeypatch.setattr(bootstrap, "install_packages", lambda: None)
    monkeypatch.setattr(bootstrap, "build", lambda lines: None)
    for name in ("root_tree", "salt_layer", "james_classes"):
        real = getattr(cache, name)
        monkeypatch.setattr(cache, name, lambda *of, real=real: asked.append(of[0]) or real(*of))
    monkeypatch.setattr(sys, "argv", ["bootstrap"])
    bootstrap.main()
    assert set(asked) == set(cache.RELEASES)
    asked.clear()
    monkeypatch.setattr(sys, "argv", ["bootstrap", "--release", "bullseye"])
    bootstrap.main()
    assert set(asked) == {"bullseye"}
