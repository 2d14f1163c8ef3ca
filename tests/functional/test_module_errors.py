"""What goes wrong is told as Salt tells it: the caller's mistake, the system's fault, or False."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from james_client.errors import CallerError, ClientError, FaultError
from salt.exceptions import CommandExecutionError, SaltInvocationError
from verbs import names

GIVEN = {"restore": ("000001-20260101T000000Z",)}
"""What a function must be given; all others can be called without an argument."""

MODULES = names("_modules")
STATES = names("_states")
LOOKS = {"check", "status", "trace", "watch"}  # what shows a host whatever the pillar says
BROKEN = {"relay": {"port": 0}}
MISTAKE = "sendmail_james:relay:port: expected"
FAULTS: dict[type[Exception], type[Exception]] = {
    CallerError: SaltInvocationError,
    FaultError: CommandExecutionError,
    ClientError: CommandExecutionError,
    CommandExecutionError: CommandExecutionError,
    OSError: CommandExecutionError,
    PermissionError: CommandExecutionError,
}


@pytest.fixture(params=[False, True], ids=["really", "test mode"])
def testmode(request: pytest.FixtureRequest) -> bool:
    """Give both modes."""
    return bool(request.param)


def call(run: SimpleNamespace, function: str) -> Any:
    """Call one of the module's functions with what it must be given."""
    return run.modules[f"sendmail_james.{function}"](*GIVEN.get(function, ()))


def failing(run: SimpleNamespace, error: type[Exception]) -> SimpleNamespace:
    """Have the first thing fail that every function asks Salt for: the formula's own files."""

    def fail(*_: Any, **__: Any) -> str:
        raise error("the disk is on fire")

    assert run.modules["cp.get_file_str"]
    run.modules["cp.get_file_str"] = fail
    return run


def test_the_walk_finds_all() -> None:
    assert {"settings", "relay", "status", "account", "restore", "probe"} <= {*MODULES}
    assert {"queue_only", "live", "running", "delivers", "restored", "installed"} <= {*STATES}


@pytest.mark.parametrize("function", sorted({*MODULES} - LOOKS))
def test_a_mistake_in_the_pillar_is_the_callers(load: Callable[..., Any], function: str) -> None:
    with pytest.raises(SaltInvocationError, match=MISTAKE) as caught:
        call(load(BROKEN), function)
    assert caught.value.__cause__ is None


def test_a_check_that_cannot_be_made_is_unknown_and_no_exception(
    load: Callable[..., Any],
) -> None:
    for error in FAULTS:
        run = failing(load(), error)
        assert call(run, "check") == "UNKNOWN - the disk is on fire"


def test_a_mistake_in_the_pillar_is_told_by_what_looks(load: Callable[..., Any]) -> None:
    run = load(BROKEN)
    assert call(run, "check").startswith(f"CRITICAL - {MISTAKE}")
    page = call(run, "status")
    assert page["verdict"] == "CRITICAL"
    assert page["wrong"][0].startswith(f"CRITICAL pillar-mistake: {MISTAKE}")
    assert page["next"] == "sendmail_james:relay:port"
    assert any(MISTAKE in one for one in call(run, "trace")["not seen"])


@pytest.mark.parametrize("state", STATES)
def test_a_mistake_in_the_pillar_fails_a_state(
    load: Callable[..., Any], state: str, testmode: bool
) -> None:
    ret = load(BROKEN, test=testmode).states[f"sendmail_james.{state}"](name="x")
    assert (ret["name"], ret["result"], ret["changes"]) == ("x", False, {})
    assert MISTAKE in ret["comment"]


@pytest.mark.parametrize(("error", "salts"), FAULTS.items(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("function", sorted({*MODULES} - {"check"}))
def test_each_kind_of_error_has_its_own_of_salts(
    load: Callable[..., Any], function: str, error: type[Exception], salts: type[Exception]
) -> None:
    with pytest.raises(salts, match="the disk is on fire") as caught:
        call(failing(load(), error), function)
    assert type(caught.value) is salts


@pytest.mark.parametrize("error", FAULTS)
@pytest.mark.parametrize("state", STATES)
def test_each_kind_of_error_fails_a_state(
    load: Callable[..., Any], state: str, error: type[Exception], testmode: bool
) -> None:
    run = failing(load(test=testmode), error)
    ret = run.states[f"sendmail_james.{state}"](name="x")
    assert (ret["name"], ret["result"], ret["changes"]) == ("x", False, {})
    assert ret["comment"] == "the disk is on fire"


@pytest.mark.parametrize("function", MODULES[:1])
def test_an_error_of_another_kind_is_a_fault_in_the_code_and_stays_one(
    load: Callable[..., Any], function: str
) -> None:
    with pytest.raises(ZeroDivisionError):
        call(failing(load(), ZeroDivisionError), function)


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
