"""The rooms of `james_client` keep to their map: arrows point down, no circle, nothing private."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import james_client
import pytest

PACKAGE = Path(james_client.__file__).parent
TESTS = Path(__file__).parent
GROUND = {"errors", "changes", "scrub", "scratch"}
# Each room with the rooms that it may import from, besides itself and the ground.
BELOW = {
    "wishes": set(),
    "cf": {"wishes"},
    "mc": {"wishes", "cf"},
    "files": set(),
    "mta": {"wishes"},
    "james": {"wishes"},
    "run": {"wishes", "cf", "mc", "files", "mta", "james"},
    "verdict": {"wishes", "cf", "mc", "files", "mta", "james", "run"},
    "answers": {"wishes", "cf", "mc", "files", "mta", "james", "run", "verdict"},
}
PURE = {"wishes", "cf", "mc"}
IMPURE = {"os", "pathlib", "pwd", "shutil", "socket", "subprocess", "tempfile", "psutil", "salt"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """Give a file's module as an import names it, without ``james_client.``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(source: str) -> Iterator[tuple[str, str]]:
    """Give each import as (module, name); the name is empty for ``import module``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from ((node.module or "", alias.name) for alias in node.names)


def ours(source: str) -> Iterator[tuple[str, str]]:
    """Give the imports from this package as (module without the package's name, name)."""
    known = {module_name(path) for path in MODULES}
    for module, name in imports(source):
        if module.split(".")[0] == "james_client":
            inside = module.removeprefix("james_client").removeprefix(".")
            deeper = f"{inside}.{name}".removeprefix(".")
            yield (deeper, "") if deeper in known else (inside, name)


def wrong_arrows(module: str, source: str) -> list[str]:
    """Say which imports of a module its room's place in the house forbids."""
    room = module.split(".")[0]
    found = []
    for target, name in ours(source):
        there = target.split(".")[0]
        allowed = there in GROUND or (room not in GROUND and there in BELOW[room] | {room})
        if not allowed:
            found.append(f"{module} imports {target}")
        if name.startswith("_") or (target != module and target.split(".")[-1].startswith("_")):
            found.append(f"{module} imports the private {target}.{name}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_arrows_point_down(path: Path) -> None:
    if module := module_name(path):
        assert wrong_arrows(module, path.read_text()) == []


@pytest.mark.parametrize(
    "module, source",
    [
        ("cf.text", "from james_client.run.plan import Plan"),
        ("files.walk", "from james_client.mta import process"),
        ("scrub", "from james_client.wishes.secret import Secret"),
        ("run.plan", "from james_client.files.walk import _walk"),
        ("mta.queue", "from james_client import answers"),
    ],
)
def test_the_arrows_test_bites(module: str, source: str) -> None:
    assert wrong_arrows(module, source)


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if module_name(p).split(".")[0] in PURE],
    ids=module_name,
)
def test_pure_rooms_open_nothing(path: Path) -> None:
    found = {module.split(".")[0] for module, _ in imports(path.read_text())} & IMPURE
    # A name's shape is no access to the disk.
    assert found - {"pathlib"} == set(), f"{module_name(path)} imports {found}"


def test_only_one_module_knows_salt() -> None:
    knows = {
        module_name(path)
        for path in MODULES
        if any(module.split(".")[0] == "salt" for module, _ in imports(path.read_text()))
    }
    assert knows == {"run.load"}


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Give the modules that can be reached from themselves."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for target in graph.get(todo.pop(), set()) - seen:
                seen.add(target)
                todo.append(target)
        return seen

    return [module for module in graph if module in reached(module)]


def test_no_circle() -> None:
    graph = {
        module_name(path): {target for target, _ in ours(path.read_text())} for path in MODULES
    }
    assert circles(graph) == []
    assert circles({"a": {"b"}, "b": {"a"}, "c": set()}) == ["a", "b"]


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module_name(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
    assert places["Plan"] == ["run.plan"]


def test_the_map_names_every_room() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(BELOW)
    assert james_client.__doc__ is not None
    for room in (*BELOW, *GROUND):
        assert room in james_client.__doc__


def test_the_tests_mirror_the_rooms() -> None:
    folders = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert folders <= set(BELOW), "a folder of tests without a room"
    assert set(BELOW) - folders <= {"answers"}, "a room without a folder of tests"
