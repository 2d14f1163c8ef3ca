"""What is made on James is remembered before it is made, and nothing else is taken away."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cf_world import CF
from james_client.james.line import JamesError, NothingListensError
from james_client.james.mappings import FORWARD, GROUP, JamesMapping, Known, Mappings
from james_client.james.webadmin import RefusedError
from james_client.run import carry, made
from james_client.run.plan import Plan, RunError
from james_client.wishes.platform import select
from james_client.wishes.read import load

FORMULA = Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
PLATFORMS = yaml.safe_load((FORMULA / "platforms.yaml").read_text())
URL = "http://127.0.0.1:8000"
FOREIGN = JamesMapping("sales@localhost", GROUP, "carol@example.org")
ROOT = [JamesMapping(f"root@{one}", GROUP, "ops@example.org") for one in ("localhost", "h.test")]
BOB = [JamesMapping(f"bob@{one}", FORWARD, "x@example.org") for one in ("localhost", "h.test")]


class FakeAdmin:
    """A WebAdmin that can be killed, be down, and refuse; the real one cannot at a given moment."""

    def __init__(self, path: Path) -> None:
        self.path = path  # of what is noted
        self.domains, self.users = frozenset({"localhost", "h.test"}), frozenset({"alice", "bob"})
        self.mappings: set[JamesMapping] = {FOREIGN}
        self.refuses: set[JamesMapping] = set()
        self.dies_after: int | None = None
        self.down = False
        self.did: list[str] = []

    def known(self) -> Known:
        """Give what is there."""
        if self.down:
            raise NothingListensError("127.0.0.1:8000: nothing listens there")
        return Known(self.domains, self.users, frozenset(self.mappings))

    def put_mapping(self, one: JamesMapping) -> None:
        """Make it, if it is noted."""
        assert str(one.target) in self.path.read_text(), "made before it was noted"
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                raise KeyboardInterrupt
        if one in self.refuses:
            raise RefusedError(f"{one.source}: no")
        self.did.append(f"+ {one.source}")
        self.mappings.add(one)

    def delete_mapping(self, one: JamesMapping) -> None:
        """Take it away; what is in the way of another is in the way no more."""
        self.did.append(f"- {one.source}")
        self.mappings.discard(one)
        self.refuses.clear()


@dataclasses.dataclass
class World:
    """A host whose only alias file is `aliases`, and its James."""

    folder: Path
    admin: FakeAdmin

    @property
    def aliases(self) -> Path:
        """Give the alias file."""
        return self.folder / "aliases"

    def plan(self, **account: Any) -> Plan:
        """Give a plan of a pillar that carries aliases."""
        given = {"webadmin": URL, "aliases": "carry", **account}
        wishes = load({"account": given}, DEFAULTS)
        facts = select(PLATFORMS, {"os_family": "Debian", "host": "h"}, wishes.lookup)
        paths = {"cf": "cf", "state_dir": "state", "lock": "lock"}
        here = {key: str(self.folder / name) for key, name in paths.items()}
        return Plan(wishes, dataclasses.replace(facts, **here))

    def run(self, **account: Any) -> carry.Look:
        """Carry out what the pillar says."""
        plan = self.plan(**account)
        found = carry.look(plan)
        carry.carry_out(plan, found, holder="a test")
        return found

    def noted(self) -> Mappings:
        """Give what is noted as ours."""
        return made.made(self.plan()).get(URL, frozenset())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path, FakeAdmin(tmp_path / "state/mappings-made"))
    monkeypatch.setattr(carry, "webadmin", lambda settings: settings.account and found.admin)
    monkeypatch.setattr(carry, "local_domains", lambda _: ("localhost", "h.test"))
    (tmp_path / "cf").write_bytes(CF + f"O AliasFile={found.aliases}\n".encode())
    found.aliases.write_text("root: ops@example.org\nbob: x@example.org\n")
    return found


def test_what_is_made_is_noted_for_root_alone_and_goes_with_the_wish(world: World) -> None:
    assert world.run().make == {*ROOT, *BOB}
    assert world.noted() == {*ROOT, *BOB}
    assert stat.S_IMODE(world.admin.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(world.admin.path.parent.stat().st_mode) == 0o700
    assert world.run().changes == {}
    world.aliases.write_text("bob: x@example.org\n")
    assert world.run().remove == set(ROOT)
    assert world.noted() == set(BOB)
    world.run(aliases="ignore")
    assert world.admin.mappings == {FOREIGN}
    assert not world.admin.path.exists()


def test_a_target_that_was_there_is_not_ours(world: World) -> None:
    world.admin.mappings |= {ROOT[0], BOB[1]}
    before = set(world.admin.mappings)
    assert world.run().make == {ROOT[1], BOB[0]}
    left = carry.take_back(world.plan(), test=False, holder="x")
    assert (set(left.changes), left.why) == ({"root@h.test", "bob@localhost"}, None)
    assert world.admin.mappings == before


@pytest.mark.parametrize("after", range(5))
def test_a_kill_loses_nothing_of_what_is_ours(world: World, after: int) -> None:
    world.admin.dies_after = after
    if after < 4:
        with pytest.raises(KeyboardInterrupt):
            world.run()
    else:
        world.run()
    assert world.noted() >= world.admin.mappings - {FOREIGN}
    world.admin.dies_after = None
    carry.take_back(world.plan(), test=False, holder="x")
    assert world.admin.mappings == {FOREIGN}
    assert world.noted() == set()


def test_what_james_refuses_is_said_and_is_not_ours(world: World) -> None:
    world.admin.refuses = {ROOT[0]}
    plan = world.plan()
    found = carry.look(plan)
    assert carry.carry_out(plan, found, holder="x") == ["root@localhost: no"]
    assert set(found.changes) == {"root@h.test", "bob@localhost", "bob@h.test"}
    assert world.noted() == {ROOT[1], *BOB}


def test_no_name_is_unknown_in_between_and_what_is_in_the_way_goes_first(world: World) -> None:
    world.run()
    world.admin.did.clear()
    world.aliases.write_text("root: new@example.org\n")
    world.admin.refuses = {JamesMapping("root@localhost", GROUP, "new@example.org")}
    world.run()
    made_and_gone = [one for one in world.admin.did if "root@h.test" in one]
    assert made_and_gone == ["+ root@h.test", "- root@h.test"]
    assert world.admin.did[-1] == "+ root@localhost"


def test_a_mapping_that_somebody_took_away_is_made_again(world: World) -> None:
    world.run()
    world.admin.mappings.discard(ROOT[0])
    assert world.run().make == {ROOT[0]}


def test_a_mapping_that_somebody_took_away_and_made_again_for_himself_is_his(world: World) -> None:
    world.run()
    world.admin.mappings.difference_update(ROOT)
    world.aliases.write_text("bob: x@example.org\n")
    found = world.run()
    assert (found.changes, found.stale) == ({}, set(ROOT))
    world.admin.mappings |= set(ROOT)
    assert world.run().changes == {}
    carry.take_back(world.plan(), test=False, holder="x")
    assert world.admin.mappings == {FOREIGN, *ROOT}


def test_another_james_is_named_with_what_was_made_there(world: World) -> None:
    world.run()
    elsewhere = world.plan(webadmin="http://127.0.0.1:9000")
    said = carry.look(elsewhere).in_words()[-1]
    for words in (URL, "account:webadmin", "root@localhost (group to ops@example.org)"):
        assert words in said
    left = carry.take_back(elsewhere, test=False, holder="x")
    assert left.changes == {}
    assert URL in str(left.why)
    assert world.noted() == {*ROOT, *BOB}


def test_a_host_that_lost_its_name_keeps_its_names(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run()
    # A James elsewhere has a dot in his own name, whatever this host's is.
    monkeypatch.setattr(carry, "local_domains", lambda _: ("james.example.org", "localhost", "h"))
    monkeypatch.setattr(carry, "full_name", lambda _: "h")
    with pytest.raises(RunError, match=r"no full name now.*h\.test.*/etc/hosts"):
        world.run()
    assert set(BOB) < world.admin.mappings
    # With another full name it is another host.
    monkeypatch.setattr(carry, "local_domains", lambda _: ("localhost", "new.test"))
    monkeypatch.setattr(carry, "full_name", lambda _: "new.test")
    world.admin.domains |= {"new.test"}
    world.run()
    assert not {ROOT[1], BOB[1]} & world.admin.mappings


@pytest.mark.parametrize(
    ("account", "blocked"),
    [
        ({}, True),
        ({"aliases": "report"}, False),
        ({"aliases": "ignore"}, False),
        ({"aliases": "ignore", "people": {"root": "bob"}}, True),
    ],
)
def test_james_down_matters_where_something_is_wanted(
    world: World, account: dict[str, Any], blocked: bool
) -> None:
    world.admin.down = True
    found = carry.look(world.plan(**account))
    assert bool(found.blocked) is blocked
    assert found.changes == {}
    if blocked:
        assert "nothing listens" in found.summary(test=True)
        assert "root" in found.summary(test=True)
    world.admin.down = False
    world.run()
    world.admin.down = True
    # What is noted must go, or stay, and neither is known.
    assert carry.look(world.plan(**account)).blocked


def test_down_at_the_way_back_names_all_that_remains_and_how_to_finish(world: World) -> None:
    world.run()
    world.admin.down = True
    for test in (True, False):
        why = str(carry.take_back(world.plan(), test=test, holder="x").why)
        assert all(f"{one.source} ({one})" in why for one in (*ROOT, *BOB))
        assert "salt-call state.apply sendmail_james.clean" in why
    assert world.noted() == {*ROOT, *BOB}


def test_the_pillar_wins_over_the_file_and_works_without_it(world: World) -> None:
    people = {"Root": "alice", "hostmaster": ["root", "x@example.org"]}
    for mode in ("carry", "report", "ignore"):
        world.run(people=people, aliases=mode)
        found = {f"{one.source}>{one.target}" for one in world.admin.mappings}
        assert {"root@localhost>alice@localhost", "hostmaster@h.test>root@h.test"} <= found
        assert ("bob@localhost>x@example.org" in found) is (mode == "carry")
        assert "root@localhost>ops@example.org" not in found


def test_a_report_names_what_james_lacks_and_not_what_he_has(world: World) -> None:
    world.admin.mappings |= set(ROOT)
    said = carry.look(world.plan(aliases="report")).in_words()
    assert said == [
        f"alias bob: James has no forward to x@example.org for bob@{domain}"
        for domain in ("h.test", "localhost")
    ]
    assert carry.look(world.plan(aliases="report", acknowledged=["BOB"])).in_words() == []


def test_a_domain_that_james_lacks_is_named(world: World) -> None:
    world.admin.domains = frozenset({"localhost"})
    assert any("PUT /domains/h.test" in said for said in world.run().in_words())


def broken(world: World) -> list[Callable[[], object]]:
    """Give the ways in which an alias file may not be read."""
    return [
        lambda: world.aliases.chmod(0o664),
        lambda: world.aliases.chmod(0o646),
        lambda: os.chown(world.aliases, 65534, 0),
        lambda: world.aliases.unlink(),
        lambda: (world.aliases.unlink(), world.aliases.mkdir()),
        lambda: (world.aliases.unlink(), os.mkfifo(world.aliases)),
        lambda: (
            world.aliases.hardlink_to(world.aliases.with_suffix(".2"))
            if world.aliases.rename(world.aliases.with_suffix(".2"))
            else None
        ),
        lambda: (world.aliases.unlink(), world.aliases.symlink_to("aliases")),
    ]


@pytest.mark.parametrize("number", range(8))
def test_what_cannot_be_read_is_not_taken_for_gone(world: World, number: int) -> None:
    world.run()
    before = set(world.admin.mappings)
    broken(world)[number]()
    with pytest.raises(RunError, match=f"^{world.aliases}"):
        world.run()
    assert world.admin.mappings == before
    # To report it is enough.
    assert any(
        str(world.aliases) in said for said in carry.look(world.plan(aliases="report")).in_words()
    )


def test_a_symlink_of_roots_is_followed_and_nobody_elses(world: World) -> None:
    world.aliases.rename(world.folder / "real")
    world.aliases.symlink_to("real")
    assert world.run().make == {*ROOT, *BOB}
    os.chown(world.aliases, 65534, 0, follow_symlinks=False)
    with pytest.raises(RunError, match="a symlink of uid 65534"):
        world.run()


def test_an_optional_file_and_a_map_that_is_none(world: World) -> None:
    cf = world.folder / "cf"
    cf.write_bytes(CF + f"O AliasFile=hash:-o /no/such,{world.aliases}, nis:x\nOA/gone\n".encode())
    reading = carry.look(world.plan(aliases="report")).reading
    assert [entry.name for entry in reading.entries] == ["root", "bob"]
    assert reading.mistakes[0].startswith("nis:x: not a text file")
    assert len(reading.unread) == 1 and reading.unread[0].startswith("/gone: does not exist")
    cf.write_bytes(CF)
    assert carry.look(world.plan()).changes == {}, "a cf without alias files has no aliases"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"x": [["a"]]}',
        '{"x": [["../a", "Group", "b@c"]]}',
        '{"x": 1}',
        '{"x": [[1,2,3]]}',
    ],
)
def test_notes_that_are_none_are_said_and_not_acted_upon(world: World, text: str) -> None:
    world.admin.path.parent.mkdir(mode=0o700)
    world.admin.path.write_text(text)
    with pytest.raises(RunError, match="mappings-made: expected"):
        world.run()
    assert world.admin.did == []


def test_a_note_that_cannot_be_written_leaves_the_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run()
    before = world.admin.path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    world.aliases.write_text("root: new@example.org\n")
    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="No space"):
        world.run()
    assert world.admin.path.read_bytes() == before
    assert {*ROOT, *BOB} < world.admin.mappings


def test_a_james_who_dies_at_work_is_a_fault_and_what_was_asked_for_is_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(_: JamesMapping) -> None:
        raise JamesError("no answer within 10 s")

    monkeypatch.setattr(world.admin, "put_mapping", dies)
    with pytest.raises(JamesError, match="no answer"):
        world.run()
    assert len(world.noted()) == 1
    assert world.noted() < {*ROOT, *BOB}
