"""Whatever a host has been through, a run gives what a fresh apply of its pillar would give."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from james_client.files import renames as files_renames
from james_client.mc.block import BEGIN, END, without_block, without_quoted_block
from whole_world import ALL, OURS, STOCK, Host, after, password

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root")
SEQUENCES = 150  # other ones each time; a thousand: make campaign-machine

LOGINS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "password": st.sampled_from(["first", "second"]).map(password),
        "mechanisms": st.sampled_from([("LOGIN", "PLAIN"), ("PLAIN",)]),
        "options": st.sampled_from(["", "A", "p,y"]),
        "required": st.booleans(),
        "programs": st.sampled_from(["queue", "none"]),
        "file": st.sampled_from(["auth", "other.auth"]),
        "programs_file": st.sampled_from(["programs", "other.programs"]),
    },
)
RELAYS = st.fixed_dictionaries(
    {},
    optional={
        "host": st.sampled_from(["localhost", "james.example.org"]),
        "mailer": st.sampled_from(["esmtp", "relay"]),
        "port": st.sampled_from([25, 525]),
        "mx_lookup": st.booleans(),
        "dns": st.booleans(),
        "switch_file": st.sampled_from(["switch", "other.switch"]),
        "masquerade": st.sampled_from(["example.org", "example.net"]),
        "masquerade_except": st.sampled_from([(), ("root",)]),
    },
)
PILLARS = st.fixed_dictionaries(
    {
        "auth": LOGINS,
        "relay": RELAYS,
        "check": st.booleans(),
        "interval": st.sampled_from(["10m", "1m"]),
        "patience": st.sampled_from([(None, None), ("10d", None), ("8d", "1d")]),
        "manage": st.sampled_from(["auto", True, False]),
    }
)
FAR = {
    "sendmail.cf": [b"V10", b"Sparse=0", b"Mlocal"],
    "submit.cf": [b"V10", b"Sparse=0", b"Mlocal"],
    "sendmail.mc": [b"divert", b"OSTYPE"],
    "submit.mc": [b"divert", b"OSTYPE"],
    "sendmail.conf": [b"# mine", b"other"],
}
LAST_RULE = b"R$* $| <$*> <$*>"
PLACES = st.sampled_from([(name, anchor) for name, anchors in FAR.items() for anchor in anchors])


def die_after(renames: int) -> None:
    """End this process at once, without any tidying, when it has renamed that many files."""
    real, left = files_renames._rename, iter(range(renames))

    def rename(one: Any) -> None:
        if next(left, None) is None:
            os._exit(9)
        real(one)

    files_renames._rename = rename


class Life(RuleBasedStateMachine):
    """One host: its pillar changes, others edit beside us, packages come, and it is taken off."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life.", dir="/var/lib"))
        self.host = Host(self.folder / "host").build()
        self.count = 0
        self.wish: dict[str, Any] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def line(self) -> bytes:
        self.count += 1
        return b"# theirs %d" % self.count

    @initialize(pillar=PILLARS)
    def first(self, pillar: dict[str, Any]) -> None:
        self.apply(pillar)

    @rule(pillar=PILLARS)
    def apply(self, pillar: dict[str, Any]) -> None:
        """A highstate; drift foretells which files, and afterwards is silent."""
        self.wish = pillar
        wish = self.host.settings(**pillar)
        wanted = self.host.fresh(wish)
        foretold = self.host.drift(wish)
        changes = self.host.run(wish)
        assert self.host.files() == wanted
        assert set(foretold) == set(changes)
        assert self.host.drift(wish) == {}

    @rule(steps=st.sets(st.sampled_from(ALL[:3]), min_size=1))
    def apply_some(self, steps: set[str]) -> None:
        """One SLS or command alone keeps what the others did."""
        wish = self.host.settings(**self.wish)
        wanted = self.host.fresh(wish, steps)
        self.host.run(wish, steps)
        assert self.host.files() == wanted
        assert self.host.run(wish, steps) == {}

    @rule(pillar=PILLARS, renames=st.integers(0, 6))
    def killed(self, pillar: dict[str, Any], renames: int) -> None:
        """A run that dies between two renames is finished by the next one."""
        child = os.fork()
        if not child:
            try:
                die_after(renames)
                self.host.run(self.host.settings(**pillar))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        self.apply(pillar)

    @rule(place=PLACES)
    def edit_far(self, place: tuple[str, bytes]) -> None:
        """Somebody adds a line where we have none."""
        name, anchor = place
        mark = b"dnl " if name.endswith("mc") else b""
        self.host.edit(name, after(anchor, mark + self.line()))

    @rule()
    def edit_near(self) -> None:
        """Somebody adds a line right behind our rules, and on both sides of our block."""
        line, cf = self.line(), self.host.path("sendmail.cf").read_bytes()
        # Not by our words: a rebuilt cf quotes its mc, rules and all, and not those of today.
        place = after(LAST_RULE if b"\n" + LAST_RULE in cf else b"Stls_rcpt", line)
        behind = after(b"Stls_rcpt", line)
        data = place(cf)
        self.host.edit("sendmail.cf", lambda _: data, model=False)
        self.host.theirs["sendmail.cf"] = behind(self.host.theirs["sendmail.cf"] or b"")

    @rule(name=st.sampled_from(["sendmail.mc"]))
    def edit_around_the_block(self, name: str) -> None:
        above, below = b"dnl " + self.line() + b"\n", b"dnl " + self.line() + b"\n"
        mc = self.host.path(name).read_bytes()
        if BEGIN.encode() in mc:
            both = mc.replace(BEGIN.encode(), above + BEGIN.encode())
            both = both.replace(END.encode() + b"\n", END.encode() + b"\n" + below)
        else:
            both = mc.replace(b"MAILER(`local", above + below + b"MAILER(`local")
        self.host.edit(name, lambda _: both, model=False)
        self.host.theirs[name] = without_block(both)

    @precondition(lambda self: b"\nDSe" in self.host.path("sendmail.cf").read_bytes())
    @rule()
    def edit_ours(self) -> None:
        """Somebody changes a line that is ours: the next highstate repairs it, and all else."""
        self.host.edit(
            "sendmail.cf", lambda data: data.replace(b"\nDSesmtp:", b"\nDSesmtp:not."), model=False
        )
        self.apply(self.wish)

    @rule(name=st.sampled_from(sorted(STOCK)))
    def replace_by_package(self, name: str) -> None:
        """A package brings its own version, with nothing of ours."""
        data = STOCK[name].replace(b"OSTYPE", b"dnl new\nOSTYPE").replace(b"Monday", b"Friday")
        self.host.edit(name, lambda _: data)

    @rule(name=st.sampled_from(["sendmail.cf", "submit.cf"]))
    def rebuild(self, name: str) -> None:
        """The platform builds a cf anew from its mc: another day, and the mc behind it."""
        mc = self.host.path(name.replace(".cf", ".mc")).read_bytes()
        quoted = b"".join(b"# " + line for line in mc.splitlines(keepends=True))

        def anew(data: bytes) -> bytes:
            day = b"##### built by root on day %d\n" % self.count
            return (
                day
                + data[: data.index(b"Mrelay")].partition(b"\n")[2]
                + (data[data.index(b"Mrelay") :].partition(b"# divert")[0] + quoted)
            )

        self.count += 1
        self.host.edit(name, anew)

    @rule(name=st.sampled_from(sorted(STOCK)), mode=st.sampled_from([0o644, 0o640]))
    def change_mode(self, name: str, mode: int) -> None:
        self.host.path(name).chmod(mode)

    @rule(name=st.sampled_from(["auth", "programs", "switch"]))
    def change_what_is_ours_alone(self, name: str) -> None:
        """Modes of our own files, and what a secret one holds: the next run puts them right."""
        if self.host.path(name).exists():
            self.host.path(name).chmod(0o600 if name == "switch" else 0o644)
            if name != "switch":
                self.host.path(name).write_bytes(b"changed\n")
            self.apply(self.wish)

    @rule()
    def clean(self) -> None:
        """Taken off: every file is as it would be without us, and nothing is remembered."""
        modes = {name: self.host.path(name).stat().st_mode for name in STOCK}
        for cf in ("sendmail.cf", "submit.cf"):
            self.host.theirs[cf] = without_quoted_block(self.host.theirs[cf] or b"")
        foretold = self.host.clean(test=True)
        assert self.host.clean() == foretold
        assert self.host.files() == self.host.theirs
        assert {name: self.host.path(name).stat().st_mode for name in STOCK} == modes
        assert not any(self.host.path(name).exists() for name in OURS)
        assert self.host.clean() == {}


@pytest.fixture(autouse=True)
def nothing_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    yield


def test_a_life_of_changes_ends_where_a_fresh_apply_does() -> None:
    Life.TestCase.settings = settings(
        max_examples=int(os.environ.get("SEQUENCES", SEQUENCES)),
        stateful_step_count=6,
        deadline=None,
        phases=(Phase.generate,),  # a failure is told as it came: shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    case = Life.TestCase("runTest")
    case.runTest()


PLAIN: dict[str, Any] = {
    "auth": {},
    "relay": {},
    "check": False,
    "interval": "10m",
    "patience": (None, None),
    "manage": "auto",
}


@pytest.fixture
def life() -> Iterator[Life]:
    life = Life()
    yield life
    life.teardown()


def test_what_is_added_to_a_cf_that_quotes_rules_we_no_longer_have_stays(life: Life) -> None:
    life.first(PLAIN)
    life.rebuild("sendmail.cf")
    life.apply(PLAIN | {"auth": None})
    assert b"454 James" in life.host.path("sendmail.cf").read_bytes()
    life.edit_near()
    life.apply(PLAIN | {"auth": None})
    life.clean()


def test_the_quote_of_our_block_goes_with_us_also_where_a_highstate_followed(life: Life) -> None:
    life.first(PLAIN)
    life.rebuild("sendmail.cf")
    life.apply(PLAIN | {"relay": {"port": 525}})
    assert BEGIN.encode() in life.host.path("sendmail.cf").read_bytes()
    life.clean()
    assert BEGIN.encode() not in life.host.path("sendmail.cf").read_bytes()
