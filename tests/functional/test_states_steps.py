"""The steps edit candidates and say what changes, alike in both modes; no file is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verbs import names

PASSWORD = "Unique-Password-42"
STEPS = ("queue_only", "relayed", "loop_check_off", "authenticated", "credentials")


@pytest.fixture
def pillar() -> dict[str, Any]:
    """Give a pillar with a login."""
    return {"auth": {"username": "sendmail", "password": PASSWORD}}


@pytest.fixture(params=[False, True], ids=["really", "test mode"])
def testmode(request: pytest.FixtureRequest) -> bool:
    """Give both modes."""
    return bool(request.param)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_says_what_it_changes_and_touches_nothing(
    load: Callable[..., Any], mail: Path, pillar: dict[str, Any], step: str, testmode: bool
) -> None:
    before = contents(mail)
    ret = load(pillar, test=testmode).states[f"sendmail_james.{step}"](name="a sentence")
    assert ret["name"] == "a sentence"
    assert ret["result"] is (None if testmode else True), ret
    assert ret["changes"]
    assert ("would" in ret["comment"]) is testmode
    assert PASSWORD not in str(ret)
    assert contents(mail) == before


@pytest.mark.parametrize("step", STEPS)
def test_both_modes_say_the_same_changes(
    load: Callable[..., Any], pillar: dict[str, Any], step: str
) -> None:
    said = [load(pillar, test=test).states[f"sendmail_james.{step}"](name="x") for test in (0, 1)]
    assert said[0]["changes"] == said[1]["changes"]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_taken_twice_in_a_run_has_nothing_more_to_change(
    load: Callable[..., Any], pillar: dict[str, Any], step: str, testmode: bool
) -> None:
    run = load(pillar, test=testmode)
    first, again = (run.states[f"sendmail_james.{step}"](name="x") for _ in range(2))
    assert first["changes"]
    if step == "credentials":  # told from the disk, which has not changed
        assert again == first
    else:
        assert (again["result"], again["changes"]) == (True, {})
        assert again["comment"] not in ("", first["comment"])


@pytest.mark.parametrize("step", ["authenticated", "credentials", "account_present"])
def test_without_a_login_the_auth_steps_have_nothing_to_do(
    load: Callable[..., Any], step: str, testmode: bool
) -> None:
    ret = load(test=testmode).states[f"sendmail_james.{step}"](name="x")
    assert (ret["result"], ret["changes"]) == (True, {})


@pytest.mark.parametrize("state", names("_states"))
def test_every_state_refuses_a_pillar_with_mistakes_and_names_all(
    load: Callable[..., Any], mail: Path, state: str, testmode: bool
) -> None:
    before = contents(mail)
    wrong = {"relay": {"port": "smtp"}, "auth": {"username": "x", "pasword": PASSWORD}}
    ret = load(wrong, test=testmode).states[f"sendmail_james.{state}"](name="x")
    assert ret["result"] is False
    assert ret["changes"] == {}
    assert "sendmail_james:relay:port: expected" in ret["comment"]
    assert "sendmail_james:auth: expected a known key, got 'pasword'" in ret["comment"]
    assert PASSWORD not in ret["comment"]
    assert contents(mail) == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda cf: cf.unlink(), "does not exist"),
        (lambda cf: cf.write_bytes(b""), "an empty file"),
        (lambda cf: (cf.unlink(), cf.mkdir()), "directory"),
        (lambda cf: (cf.rename(f"{cf}.real"), cf.symlink_to(f"{cf}.real")), "link"),
        (lambda cf: cf.write_bytes(cf.read_bytes().replace(b"Mesmtp,", b"Mother,")), "esmtp"),
    ],
    ids=["absent", "empty", "a directory", "a symlink", "no esmtp mailer"],
)
def test_a_cf_that_is_none_is_named(
    load: Callable[..., Any],
    mail: Path,
    spoil: Callable[[Path], object],
    words: str,
    testmode: bool,
) -> None:
    cf = mail / "sendmail.cf"
    spoil(cf)
    pillar = {"package": {"install": False}}
    ret = load(pillar, test=testmode).states["sendmail_james.relayed"](name="x")
    assert ret["result"] is False
    assert ret["changes"] == {}
    assert words in ret["comment"]


def test_a_knob_that_a_program_sets_is_refused(load: Callable[..., Any], mail: Path) -> None:
    conf = mail / "sendmail.conf"
    conf.write_text("DAEMON_MODE=$(cat /etc/mode)\n")
    ret = load().states["sendmail_james.queue_only"](name="x")
    assert ret["result"] is False
    assert "DAEMON_MODE" in ret["comment"]


def test_a_step_after_live_is_refused(load: Callable[..., Any], pillar: dict[str, Any]) -> None:
    run = load(pillar, test=True)
    assert run.states["sendmail_james.live"](name="x")["result"] is not False
    late = run.states["sendmail_james.queue_only"](name="x")
    assert late["result"] is False
    assert "must come before it" in late["comment"]
    assert not late["changes"]


@pytest.mark.parametrize("timeout", ["soon", -1, 1.5, None])
def test_a_wait_that_is_none_is_refused(load: Callable[..., Any], timeout: Any) -> None:
    ret = load().states["sendmail_james.restored"]("all is as before", timeout=timeout)
    assert ret["result"] is False
    assert ret["comment"].startswith("timeout: expected 0..3600, got ")


def foretold(load: Callable[..., Any], pillar: dict[str, Any], last: str) -> dict[str, Any]:
    """Give what a state says in test mode after two steps, live last."""
    run = load(pillar, test=True)
    for state in ("queue_only", "relayed", "live"):
        ret = run.states[f"sendmail_james.{state}"](name="x")
        assert ret["result"] is None, ret
    said: dict[str, Any] = ret if last == "live" else run.states[f"sendmail_james.{last}"](name="x")
    return said


@pytest.mark.parametrize("wanted", [True, False])
def test_live_shows_a_diff_where_the_pillar_wants_one(
    load: Callable[..., Any], pillar: dict[str, Any], wanted: bool
) -> None:
    changes = foretold(load, pillar | {"verify": {"diff": wanted}}, "live")["changes"]
    assert len(changes) >= 3
    assert {("diff" in change) for change in changes.values()} == {wanted}


@pytest.mark.parametrize("offline", ["1", "0"])
def test_a_restart_is_foretold_only_where_one_would_be(
    load: Callable[..., Any],
    pillar: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    offline: str,
) -> None:
    monkeypatch.setenv("SYSTEMD_OFFLINE", offline)
    ret = foretold(load, pillar, "running")
    assert bool(ret["changes"]) is (offline == "0")
    assert ("would NOT be restarted" in ret["comment"]) is (offline == "1")
