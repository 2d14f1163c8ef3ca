"""Every public function of states and module says what it does in the house's form."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PROMISED = {
    "_states": "queue_only relayed loop_check_off authenticated credentials live account_present "
    "delivers restored",
    "_modules": "settings_ relay loop_check client_auth credentials routes probe status drift "
    "backups restore account",
}
NO_ORDERS = {"return", "returns", "this", "the", "a", "an"}


def module(folder: str) -> ModuleType:
    """Load a module as Salt would, by its file."""
    path = REPOSITORY / folder / "sendmail_james.py"
    spec = importlib.util.spec_from_file_location(f"documented{folder}", path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def public(folder: str) -> Iterator[tuple[str, Callable[..., object]]]:
    """Give the functions that a user can call."""
    loaded = module(folder)
    for name, function in inspect.getmembers(loaded, inspect.isfunction):
        if function.__module__ == loaded.__name__ and not name.startswith("_"):
            yield name, function


ALL = [
    pytest.param(folder, function, id=f"{folder}.{name}")
    for folder in PROMISED
    for name, function in public(folder)
]


def faults(folder: str, function: Callable[..., object]) -> list[str]:
    """Give what a docstring lacks."""
    text = inspect.getdoc(function) or ""
    sentence = " ".join(text.partition("\n\n")[0].split())
    found = []
    if not re.fullmatch(r"[A-Z][a-z]+ .*\.", sentence):
        found.append("a first sentence")
    elif sentence.split()[0].lower() in NO_ORDERS - {"return"}:
        found.append("an order as its first word")
    for name in inspect.signature(function).parameters:
        if not re.search(rf"^{name}\n    \S", text, re.MULTILINE):
            found.append(f"its parameter {name}")
    name = function.__name__.rstrip("_")
    call = f"sendmail_james.{name}" if folder == "_states" else f"salt-call sendmail_james.{name}"
    example = text.partition(".. code-block::")[2]
    if call not in example:
        found.append(f"an example with {call}")
    return found


@pytest.mark.parametrize(("folder", "function"), ALL)
def test_a_docstring_has_all_that_a_user_needs(
    folder: str, function: Callable[..., object]
) -> None:
    assert faults(folder, function) == []


def test_a_docstring_that_lacks_something_is_found() -> None:
    def relay(cf: str) -> None:
        """this is it"""

    lacking = faults("_modules", relay)
    assert lacking[0] == "a first sentence"
    assert "its parameter cf" in lacking
    assert len(lacking) == 3


@pytest.mark.parametrize("folder", PROMISED)
def test_the_promised_functions_are_there(folder: str) -> None:
    assert set(PROMISED[folder].split()) <= {name for name, _ in public(folder)}


def test_every_edit_and_reading_takes_its_promised_argument() -> None:
    functions = dict(public("_modules"))
    changing = ("relay", "loop_check", "client_auth", "credentials", "account", "restore")
    reading = ("settings_", "routes", "relay", "loop_check", "client_auth")
    assert [name for name in changing if "test" not in parameters(functions[name])] == []
    assert [name for name in reading if "cf" not in parameters(functions[name])] == []


def parameters(function: Callable[..., object]) -> set[str]:
    return set(inspect.signature(function).parameters)
