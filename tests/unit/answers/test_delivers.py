"""What failed stays failed until it passes; a James who is away is no failure by himself."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
import run_world
from cf_world import CF
from james_client.answers import delivers as room
from james_client.answers.delivers import delivers, foretold
from james_client.james.line import JamesError, NothingListensError
from james_client.james.mappings import GROUP, JamesMapping
from james_client.run import carry, owed
from james_client.run.plan import Plan, RunError
from james_client.run.reach import Reach

GOOD = Reach(4, (), ())
BAD = Reach(4, ("root: dies",), ("a note",))
DOWN = NothingListensError("localhost:25: nothing listens there")


class Host:
    """A host where sendmail and James, faked, answer what a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.routes: list[str] | Exception = ["routes"]
        self.names: Reach | Exception = GOOD
        self.proved = 0
        self.coming: set[str] = set()
        self.look = carry.Look("carry")

    def plan(self, *, changed: bool = False) -> Plan:
        """Give the plan of a new run."""
        plan = run_world.plan(state_dir=str(self.folder))
        plan.placed = {"/etc/mail/sendmail.cf": {}} if changed else {}
        return plan

    def verify(self, _: Plan) -> list[str]:
        self.proved += 1
        if isinstance(self.routes, Exception):
            raise self.routes
        return list(self.routes)

    def reach(self, _: Plan, *, patient: bool = False, coming: Collection[str] = ()) -> Reach:
        self.coming = set(coming)
        if isinstance(self.names, Exception):
            raise self.names
        return self.names


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Give a host where all is well."""
    host = Host(tmp_path / "state")
    monkeypatch.setattr(room.proof, "verify", host.verify)
    monkeypatch.setattr(room, "reach", host.reach)
    monkeypatch.setattr(room.carry, "look", lambda _: host.look)
    monkeypatch.setattr(room, "_is_relayed", lambda _: True)
    return host


def test_routes_are_proved_after_a_change_and_names_always(host: Host) -> None:
    assert delivers(host.plan(changed=True)) == {
        "comment": "routes; James takes all 4 addresses of names that get mail"
    }
    assert delivers(host.plan()) == {
        "comment": "James takes all 4 addresses of names that get mail"
    }
    assert host.proved == 1
    assert list(host.folder.iterdir()) == []


@pytest.mark.parametrize("changed", [False, True])
def test_a_name_that_dies_fails_until_it_lives(host: Host, changed: bool) -> None:
    host.names = BAD
    said = delivers(host.plan(changed=changed))
    assert said["result"] is False
    assert "root: dies" in said["comment"]
    assert "a note" in said["comment"]
    assert delivers(host.plan())["result"] is False
    host.names = GOOD
    proved = host.proved
    assert "result" not in delivers(host.plan())
    assert host.proved == proved + 1
    delivers(host.plan())
    assert host.proved == proved + 1


def test_routes_that_failed_are_proved_again(host: Host) -> None:
    host.routes = RunError("not every address reaches James")
    with pytest.raises(RunError):
        delivers(host.plan(changed=True))
    with pytest.raises(RunError):
        delivers(host.plan())
    host.routes = ["routes"]
    assert delivers(host.plan())["comment"].startswith("routes")
    assert not owed.is_owed(host.plan(), owed.VERIFICATION)


def test_routes_are_not_skipped_where_nothing_has_read_the_cf_yet(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(room, "reach", host.reach)
    monkeypatch.setattr(room.carry, "look", lambda _: host.look)
    monkeypatch.setattr(room.proof, "prove_routes", lambda path, plan, title: f"by {title}")
    cf, state = host.folder.parent / "sendmail.cf", str(host.folder)
    cf.write_bytes(CF.replace(b"Sparse=0", b"DHesmtp:localhost\nSparse=0"))
    alone = run_world.plan(state_dir=state, cf=str(cf), submit_cf=f"{cf}.none")
    owed.owe(alone, owed.VERIFICATION)
    assert f"by {cf}" in delivers(alone)["comment"]


def test_a_james_who_is_down_is_a_warning_after_no_change_only(host: Host) -> None:
    host.names = DOWN
    said = delivers(host.plan())
    assert "result" not in said
    assert said["warnings"] == [f"names at James were not looked at: {DOWN}"]
    assert not host.folder.exists()
    with pytest.raises(NothingListensError):
        delivers(host.plan(changed=True))
    with pytest.raises(NothingListensError):
        delivers(host.plan())


def test_names_are_not_asked_for_where_the_pillar_says_so(host: Host) -> None:
    host.names = BAD
    plan = run_world.plan({"verify": {"names": False}}, state_dir=str(host.folder))
    assert delivers(plan) == {"comment": "nothing to look at"}
    assert "result" not in foretold(plan)


def test_a_james_who_refuses_is_none(host: Host) -> None:
    host.names = JamesError("James refuses the login")
    with pytest.raises(JamesError):
        delivers(host.plan())


def test_a_test_run_says_what_would_fail_and_leaves_nothing(host: Host) -> None:
    host.names = BAD
    said = foretold(host.plan(changed=True))
    assert said["result"] is None
    assert said["comment"].startswith("this would fail:\nroot: dies")
    host.names = JamesError("sendmail still listens on port 25")
    said = foretold(host.plan(changed=True))
    assert "James will have to know" in said["comment"]
    assert "root, postmaster, MAILER-DAEMON" in said["comment"]
    assert not host.folder.exists()
    assert host.proved == 0


def test_what_the_same_run_carries_is_not_foretold_to_die(host: Host) -> None:
    host.look.make = frozenset({JamesMapping("root@localhost", GROUP, "ops@example.org")})
    foretold(host.plan(changed=True))
    assert host.coming == {"root@localhost"}
