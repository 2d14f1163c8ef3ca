"""An event is sent when something has changed, and counts as sent only where it was taken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import run_world
from james_client.answers import watch as room
from james_client.answers.watch import watch
from james_client.run import watching
from james_client.run.plan import Plan
from james_client.verdict.causes import CAUSES
from james_client.verdict.finding import Finding, Level, Verdict

TOP = Path(__file__).parents[3]
DOWN = Finding("james-down", Level.CRITICAL, "nobody listens", "systemctl start james")
RUNNER = Finding("no-runner", Level.CRITICAL, "no runner", "systemctl restart sendmail")
LATE = Finding("queue-late", Level.WARNING, "waits", "")


class FakeSalt:
    """Stand for Salt's event bus."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.takes = True

    def send(self, tag: str, data: dict[str, Any]) -> bool:
        self.sent += [(tag, data)] * self.takes
        return self.takes

    @property
    def tags(self) -> list[str]:
        return [tag.rpartition("/")[2] for tag, _ in self.sent]


@pytest.fixture
def salt() -> FakeSalt:
    return FakeSalt()


Look = Callable[..., dict[str, Any]]


@pytest.fixture
def look(tmp_path: Path, salt: FakeSalt, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Give what watches a host on which some things are found."""

    def look(
        *found: Finding, unseen: Sequence[str] = (), test: bool = False, **wish: Any
    ) -> dict[str, Any]:
        monkeypatch.setattr(room, "check", lambda *_: Verdict(found, {}, unseen))
        return watch(plan(tmp_path, **wish), (), salt.send, test=test)

    return look


def plan(folder: Path, **wish: Any) -> Plan:
    return run_world.plan({"watch": {"event": "change", **wish}}, state_dir=str(folder / "state"))


def test_a_host_that_is_well_from_the_start_is_no_news(look: Look, salt: FakeSalt) -> None:
    assert look()["event"] == "nothing has changed"
    assert salt.sent == []


def test_each_change_of_level_or_causes_is_told_once(look: Look, salt: FakeSalt) -> None:
    for found in ((LATE,), (LATE,), (DOWN,), (DOWN,), (RUNNER,), (), ()):
        look(*found)
    assert salt.tags == ["WARNING", "CRITICAL", "CRITICAL", "OK"]
    assert [data["was"] for _, data in salt.sent] == [None, "WARNING", "CRITICAL", "CRITICAL"]
    assert salt.sent[1][1]["causes"] == ["james-down"]
    assert salt.sent[1][1]["findings"][0]["cure"] == "systemctl start james"


def test_what_could_not_be_seen_is_told(look: Look, salt: FakeSalt) -> None:
    look(unseen=["the log: not there"])
    assert salt.tags == ["WARNING"]
    assert salt.sent[0][1]["unseen"] == ["the log: not there"]


def test_always_tells_each_time_and_never_does_not(look: Look, salt: FakeSalt) -> None:
    for event in ("always", "always", "never"):
        look(DOWN, event=event)
    assert salt.tags == ["CRITICAL", "CRITICAL"]


def test_an_event_that_nobody_took_is_sent_again(look: Look, salt: FakeSalt) -> None:
    salt.takes = False
    assert "no salt-minion runs here" in look(DOWN)["event"]
    salt.takes = True
    assert look(DOWN)["event"] == "sendmail_james/check/CRITICAL was sent"


def test_a_test_tells_nobody(look: Look, salt: FakeSalt, tmp_path: Path) -> None:
    path = str(tmp_path / "a.prom")
    said = look(DOWN, test=True, textfile=path)
    assert said["event"].endswith("would be sent")
    assert said["textfile"] == f"{path} would be written"
    assert salt.sent == []
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_says_nothing_is_no_note(look: Look, salt: FakeSalt, tmp_path: Path) -> None:
    look(DOWN)
    (tmp_path / "state" / watching.TOLD).write_text("[")
    look(DOWN)
    assert salt.tags == ["CRITICAL", "CRITICAL"]
    assert json.loads((tmp_path / "state" / watching.TOLD).read_text())["level"] == "CRITICAL"


def test_a_textfile_that_cannot_be_written_keeps_no_event_back(
    look: Look, salt: FakeSalt, tmp_path: Path
) -> None:
    said = look(DOWN, textfile=str(tmp_path / "a.prom"))
    assert "was not written: first salt-call state.apply" in said["textfile"]
    assert salt.tags == ["CRITICAL"]


def test_the_papers_reactor_knows_the_causes_by_their_names() -> None:
    text = (TOP / "docs/monitoring/reactor.sls").read_text()
    (listed,) = re.findall(r"set cured = \[(.*?)\]", text)
    named = set(re.findall(r"'(.*?)'", listed))
    assert named
    assert named <= {cause.name for cause in CAUSES}
