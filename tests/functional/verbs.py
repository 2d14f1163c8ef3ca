"""Find the functions of states and module that a user can call."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = ("_states", "_modules")


@cache
def _module(folder: str) -> ModuleType:
    """Load a module as Salt would, by its file."""
    path = REPOSITORY / folder / "sendmail_james.py"
    spec = importlib.util.spec_from_file_location(f"documented{folder}", path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def public(folder: str) -> Iterator[tuple[str, Callable[..., object]]]:
    """Give the functions by the names under which Salt has them."""
    loaded = _module(folder)
    aliases = getattr(loaded, "__func_alias__", {})
    for name, function in inspect.getmembers(loaded, inspect.isfunction):
        if function.__module__ == loaded.__name__ and not name.startswith("_"):
            yield aliases.get(name, name), function


def names(folder: str) -> list[str]:
    """Give the names of all functions that a user can call."""
    return [name for name, _ in public(folder)]
