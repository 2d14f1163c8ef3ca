"""The schedule and the textfile are as the pillar says, and only ours are taken away.

Salt's functions are a fake schedule here; the real one is in the integration tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import run_world
from james_client.files.walk import FilesError
from james_client.run import watching
from james_client.run.plan import Plan, RunError
from james_client.run.watching import JOB, keep, take_back


class FakeSchedule(dict[str, Any]):
    """Stand for Salt's functions: one list of jobs, and a minion that runs or not."""

    def __init__(self, *, runs: bool = True, takes: bool = True) -> None:
        self.jobs: dict[str, Any] = {"theirs": {"function": "test.ping", "seconds": 5}}
        self.runs, self.takes, self.asked, self.refreshed = runs, takes, 0, 0
        super().__init__(
            {
                "event.fire": self.fire,
                "saltutil.refresh_pillar": self.refresh,
                "schedule.list": self.list_,
                "schedule.build_schedule_item": lambda name, **job: {"name": name, **job},
                "schedule.add": self.add,
                "schedule.delete": self.delete,
            }
        )

    def fire(self, *_: Any) -> bool:
        self.asked += 1
        return self.runs

    def list_(self, **_: Any) -> dict[str, Any]:
        self.asked += 1
        return dict(self.jobs)

    def refresh(self) -> None:
        self.refreshed += 1

    def add(self, name: str, *, offline: bool, **job: Any) -> dict[str, Any]:
        assert offline is not self.runs
        self.jobs |= {name: {"name": name, **job, "enabled": True}} if self.takes else {}
        return {"result": self.takes, "comment": "no room"}

    def delete(self, name: str, *, offline: bool) -> dict[str, Any]:
        assert offline is not self.runs
        del self.jobs[name]
        return {"result": True}


def plan(folder: Path, **watch: Any) -> Plan:
    return run_world.plan({"watch": watch}, state_dir=str(folder / "state"))


def asking(folder: Path, name: str = "a.prom", every: str = "1m") -> Plan:
    return plan(folder, every=every, textfile=str(folder / name))


def test_nothing_wanted_is_nothing_done_and_salt_is_not_asked(tmp_path: Path) -> None:
    salt = FakeSchedule()
    assert keep(plan(tmp_path), salt, test=False)["changes"] == {}
    assert take_back(plan(tmp_path), salt, test=False) == {}
    assert salt.asked == 0
    assert not (tmp_path / "state").exists()


def test_the_job_is_made_once_and_changed_with_the_pillar(tmp_path: Path) -> None:
    salt = FakeSchedule()
    first = keep(asking(tmp_path), salt, test=False)
    assert first["changes"]["schedule"] == {"old": None, "new": "sendmail_james.watch every 60 s"}
    assert "warnings" not in first
    assert salt.refreshed == 1, "the job would see an old pillar"
    assert keep(asking(tmp_path), salt, test=False)["changes"] == {}
    keep(asking(tmp_path, every="2m"), salt, test=False)
    assert salt.jobs[JOB]["seconds"] == 120
    assert set(salt.jobs) == {"theirs", JOB}


def test_a_test_says_the_same_and_does_nothing(tmp_path: Path) -> None:
    salt = FakeSchedule()
    said = keep(asking(tmp_path), salt, test=True)
    assert said["result"] is None
    assert set(salt.jobs) == {"theirs"}
    assert keep(asking(tmp_path), salt, test=False)["changes"] == said["changes"]


def test_without_a_minion_the_state_warns_with_the_cure(tmp_path: Path) -> None:
    salt = FakeSchedule(runs=False)
    (warning,) = keep(asking(tmp_path), salt, test=False)["warnings"]
    assert "systemctl start salt-minion" in warning
    assert JOB in salt.jobs


def test_a_schedule_that_takes_no_job_fails_the_state(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no room"):
        keep(asking(tmp_path), FakeSchedule(takes=False), test=False)


def test_a_place_that_will_not_do_is_said_before_anything_changes(tmp_path: Path) -> None:
    salt = FakeSchedule()
    (tmp_path / "a.prom").write_text("theirs 1\n")
    with pytest.raises(FilesError, match="holds something else"):
        keep(asking(tmp_path), salt, test=False)
    assert set(salt.jobs) == {"theirs"}


def write(one: Plan) -> Path:
    """Write the textfile as a check does, after a state."""
    path = one.settings.watch.textfile
    assert path
    keep(one, FakeSchedule(), test=False)
    assert watching.put(one, path, "x 1\n")
    return Path(path)


def test_what_the_pillar_no_longer_asks_for_goes(tmp_path: Path) -> None:
    salt = FakeSchedule()
    keep(asking(tmp_path), salt, test=False)
    old = write(asking(tmp_path))
    moved = keep(asking(tmp_path, "b.prom"), salt, test=False)
    assert list(moved["changes"]) == [str(old)]
    assert not old.exists()
    new = write(asking(tmp_path, "b.prom"))
    would = keep(plan(tmp_path), salt, test=True)
    assert new.exists() and JOB in salt.jobs
    assert keep(plan(tmp_path), salt, test=False)["changes"] == would["changes"]
    assert set(salt.jobs) == {"theirs"}
    assert not new.exists()
    assert watching.noted(plan(tmp_path)) == []


def test_the_way_back_takes_ours_and_no_other(tmp_path: Path) -> None:
    salt, ours = FakeSchedule(), asking(tmp_path)
    keep(ours, salt, test=False)
    path = write(ours)
    (tmp_path / "other.prom").write_text("theirs 1\n")
    (tmp_path / "state" / watching.TOLD).write_text("{}")
    would = take_back(ours, salt, test=True)
    assert set(would) == {"schedule", str(path)}
    assert path.exists()
    assert take_back(ours, salt, test=False) == would
    assert take_back(ours, salt, test=False) == {}
    assert set(salt.jobs) == {"theirs"}
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["other.prom"]
    assert list((tmp_path / "state").iterdir()) == []


def test_a_check_that_goes_on_while_it_is_taken_back_writes_no_more(tmp_path: Path) -> None:
    ours, salt = asking(tmp_path), FakeSchedule()
    path = write(ours)
    take_back(ours, salt, test=False)
    assert not watching.put(ours, str(path), "x 2\n")
    assert not path.exists()


def test_what_no_state_has_asked_for_is_not_written(tmp_path: Path) -> None:
    assert not watching.put(asking(tmp_path), str(tmp_path / "a.prom"), "x 1\n")
    assert list(tmp_path.iterdir()) == []


def test_a_textfile_that_somebody_put_in_its_place_stays(tmp_path: Path) -> None:
    path = write(asking(tmp_path))
    path.write_text("theirs 1\n")
    assert take_back(asking(tmp_path), FakeSchedule(), test=False) == {}
    assert path.read_text() == "theirs 1\n"
