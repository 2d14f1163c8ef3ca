"""Every error of ours is the caller's mistake or the system's fault, and modules catch the base."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import james_client
import pytest
from james_client.errors import CallerError, ClientError, FaultError


def our_errors() -> Iterator[type[BaseException]]:
    """Give every exception class that a module of ours defines."""
    for module in pkgutil.walk_packages(james_client.__path__, "james_client."):
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(found, BaseException) and found.__module__ == module.name:
                yield found


@pytest.mark.parametrize("error", list(our_errors()), ids=lambda error: error.__name__)
def test_every_error_is_of_one_of_the_two_kinds(error: type[BaseException]) -> None:
    assert error is ClientError or issubclass(error, (CallerError, FaultError))


def test_the_walk_finds_errors_in_every_room() -> None:
    rooms = {error.__module__.split(".")[1] for error in our_errors()}
    assert {"cf", "errors", "files", "james", "mc", "mta", "run", "wishes"} <= rooms
