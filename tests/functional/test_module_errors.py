"""The module's errors are Salt's: the caller's mistakes, or the system's faults, in plain words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

EVERY = {
    "settings": (),
    "relay": (),
    "loop_check": (),
    "client_auth": (),
    "credentials": (),
    "routes": (),
    "probe": (),
    "status": (),
    "drift": (),
    "account": (),
}


@pytest.mark.parametrize("function", EVERY)
def test_a_mistake_in_the_pillar_is_the_callers(load: Callable[..., Any], function: str) -> None:
    modules = load({"relay": {"port": 0}}).modules
    with pytest.raises(SaltInvocationError, match="sendmail_james:relay:port: expected") as caught:
        modules[f"sendmail_james.{function}"]()
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("function", ["settings", "relay", "loop_check", "client_auth", "routes"])
def test_a_cf_that_is_none_is_the_systems(
    load: Callable[..., Any], tmp_path: Path, function: str
) -> None:
    auth = {"auth": {"username": "sendmail", "password": "x"}}
    for bad in (tmp_path / "absent", tmp_path):
        with pytest.raises(CommandExecutionError, match=str(bad)):
            load(auth).modules[f"sendmail_james.{function}"](cf=str(bad))


def test_a_backup_that_does_not_exist_is_named(load: Callable[..., Any]) -> None:
    with pytest.raises(CommandExecutionError, match="no-such-backup"):
        load().modules["sendmail_james.restore"]("no-such-backup")


def test_what_is_no_backups_id_is_the_callers(load: Callable[..., Any]) -> None:
    with pytest.raises(SaltInvocationError, match="as `backups` lists them"):
        load().modules["sendmail_james.restore"]("../first")


def test_an_unknown_platform_is_told_what_to_set(
    load: Callable[..., Any], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(options, "grains", {"os_family": "Plan9"})
    with pytest.raises(CommandExecutionError, match=r"Plan9.*sendmail_james:lookup"):
        load({"lookup": {}}).modules["sendmail_james.settings"]()


def test_a_good_pillar_raises_nothing(load: Callable[..., Any], mail: Path) -> None:
    found = load().modules["sendmail_james.settings"]()
    assert found.keys() == {str(mail / "sendmail.cf"), str(mail / "submit.cf")}
