"""Every public function of states and module says what it does in the house's form."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from verbs import names, public

PROMISED = {
    "_states": "queue_only relayed loop_check_off authenticated credentials live account_present "
    "delivers restored",
    "_modules": "settings relay loop_check client_auth credentials routes probe status drift "
    "backups restore account preflight",
}
NO_ORDERS = {"returns", "gives", "this", "the", "a", "an"}


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
    elif sentence.split()[0].lower() in NO_ORDERS:
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
    assert lacking == [
        "a first sentence",
        "its parameter cf",
        "an example with salt-call sendmail_james.relay",
    ]


@pytest.mark.parametrize(
    ("sentence", "lacks"),
    [
        ("Return what differs.", []),
        ("Returns what differs.", ["an order as its first word"]),
        ("This returns what differs.", ["an order as its first word"]),
        ("Return what differs", ["a first sentence"]),
    ],
)
def test_a_first_sentence_is_an_order(sentence: str, lacks: list[str]) -> None:
    def drift() -> None: ...

    drift.__doc__ = f"{sentence}\n\n.. code-block:: bash\n\n    salt-call sendmail_james.drift\n"
    assert faults("_modules", drift) == lacks


@pytest.mark.parametrize("folder", PROMISED)
def test_the_promised_functions_are_there(folder: str) -> None:
    assert set(PROMISED[folder].split()) <= {name for name, _ in public(folder)}


def test_every_edit_and_reading_takes_its_promised_argument() -> None:
    functions = dict(public("_modules"))
    changing = ("relay", "loop_check", "client_auth", "credentials", "account", "restore")
    reading = ("settings", "routes", "relay", "loop_check", "client_auth")
    assert [name for name in changing if "test" not in parameters(functions[name])] == []
    assert [name for name in reading if "cf" not in parameters(functions[name])] == []


def parameters(function: Callable[..., object]) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_the_loaders_offer_what_is_defined_here_and_no_import(
    load: Callable[..., SimpleNamespace],
) -> None:
    run = load()
    for folder, loader in (("_modules", run.modules), ("_states", run.states)):
        offered = {name for name in loader if name.startswith("sendmail_james.")}
        assert offered == {f"sendmail_james.{name}" for name in names(folder)}
