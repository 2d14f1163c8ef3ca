"""What the pillar no longer says is taken back: by name what a life of changes does at random."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from files_world import as_format_1
from james_client.files import place
from james_client.files.walk import FilesError
from james_client.mc.block import BEGIN
from james_client.run import live, steps
from james_client.run.plan import Plan
from james_client.run.whole import whole
from whole_world import ALL, STOCK, Host, password

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root")

SITES_LOGIN = b"O AuthOptions=p,y\nO AuthMechanisms=GSSAPI\nO DefaultAuthInfo=/etc/mail/own\n"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Give a host whose cf has a login of its own; not below /tmp, where no secret may lie."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    folder = Path(tempfile.mkdtemp(prefix="test.", dir="/var/lib"))
    host = Host(folder / "host").build()
    host.edit("sendmail.cf", lambda cf: cf.replace(b"#O AuthMech", SITES_LOGIN + b"#O AuthMech"))
    yield host
    shutil.rmtree(folder)


LOGIN: dict[str, Any] = {"auth": {}}


@pytest.mark.parametrize(
    ("first", "then", "gone"),
    [
        (LOGIN, {}, ["auth", "programs"]),
        (LOGIN, {"auth": {"programs": "none"}}, ["programs"]),
        (LOGIN, {"auth": {"file": "other.auth"}}, ["auth"]),
        (LOGIN, {"auth": {"programs_file": "other.programs"}}, ["programs"]),
        (LOGIN, {"auth": {"required": False, "options": ""}}, []),
        ({"relay": {"dns": False}}, {}, ["switch"]),
        (
            {"relay": {"dns": False}},
            {"relay": {"dns": False, "switch_file": "other.switch"}},
            ["switch"],
        ),
        ({}, {"relay": {"mailer": "relay", "port": 525}}, []),
        ({"relay": {"mailer": "relay", "port": 525}}, {}, []),
        (LOGIN, {"auth": {}, "relay": {"host": "james.example.org", "mx_lookup": True}}, []),
        ({}, {"check": True}, []),
        (LOGIN, {"auth": {}, "manage": False}, []),
    ],
)
def test_a_later_pillar_leaves_what_a_first_apply_of_it_would(
    host: Host, first: dict[str, Any], then: dict[str, Any], gone: list[str]
) -> None:
    host.run(host.settings(**first))
    for name in gone:
        assert host.path(name).exists()
    wish = host.settings(**then)
    foretold = host.drift(wish)
    changes = host.run(wish)
    assert host.files() == host.fresh(wish)
    assert foretold.keys() == changes.keys()
    assert not any(host.path(name).exists() for name in gone)
    assert host.drift(wish) == {}


def test_a_login_taken_away_is_told_in_the_steps_words(host: Host) -> None:
    host.run(host.settings(auth={}))
    told = host.drift(host.settings())
    for name in ("auth", "programs"):
        assert told[str(host.path(name))]["credentials"] == {"old": "(not shown)", "new": None}
    for name in ("sendmail.cf", "submit.cf"):
        assert told[str(host.path(name))]["authinfo rules"]["new"] is None
        assert told[str(host.path(name))]["compulsory AUTH"] == {"old": True, "new": None}
    assert "s3cret" not in str(told)
    host.run(host.settings())
    cf = host.path("sendmail.cf").read_bytes()
    assert SITES_LOGIN in cf
    assert b"DeliveryMode=i" in host.path("submit.cf").read_bytes()


def test_what_a_cf_names_is_there_after_every_rename(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file before the cf that names it, the old one after: on the way there and back."""

    def order(plan: dict[str, Any]) -> list[str]:
        placed: list[str] = []

        def see(candidates: Any, *args: Any, **more: Any) -> Any:
            placed.extend(Path(one.path).name for one in candidates)
            return real(candidates, *args, **more)

        real = place.place
        with monkeypatch.context() as patch:
            patch.setattr(place, "place", see)
            host.run(host.settings(**plan))
        return placed

    order({"auth": {}, "relay": {"dns": False}})
    moved = order(
        {
            "auth": {"file": "other.auth", "programs_file": "other.programs"},
            "relay": {"dns": False, "switch_file": "other.switch"},
        }
    )
    cfs = [moved.index("submit.cf"), moved.index("sendmail.cf")]
    assert max(moved.index(f"other.{name}") for name in ("auth", "programs", "switch")) < min(cfs)
    assert min(moved.index(name) for name in ("auth", "programs", "switch")) > max(cfs)
    off = order({})
    cfs = [off.index("submit.cf"), off.index("sendmail.cf")]
    assert min(off.index(f"other.{name}") for name in ("auth", "programs", "switch")) > max(cfs)


def test_some_steps_alone_keep_the_others(host: Host) -> None:
    host.run(host.settings(auth={}))
    wish = host.settings(auth={}, check=True)
    changes = host.run(wish, {"loop_check_off"})
    assert {Path(path).name for path in changes} == {"sendmail.cf", "sendmail.mc"}
    assert host.files() == host.fresh(wish)


def test_steps_taken_one_by_one_end_where_all_at_once_do(host: Host) -> None:
    wish = host.settings(auth={})
    for step in ALL:
        host.run(wish, {step})
    assert host.files() == host.fresh(wish)


def test_a_step_that_was_never_taken_is_not_taken_by_another(host: Host) -> None:
    host.run(host.settings(auth={}), {"queue_only", "relayed"})
    host.run(host.settings(auth={}), {"loop_check_off"})
    assert not host.path("auth").exists()
    assert b"jamesauth" not in host.path("sendmail.cf").read_bytes()


@pytest.mark.parametrize("harm", [lambda p: p.chmod(0o600), lambda p: os.chown(p, 0, 1)])
def test_the_mode_and_owner_of_our_own_files_are_drift(host: Host, harm: Any) -> None:
    wish = host.settings(auth={}, relay={"dns": False})
    host.run(wish)
    harm(host.path("switch"))
    assert set(host.drift(wish)) == {str(host.path("switch"))}
    host.run(wish)
    found = host.path("switch").stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o644, 0, 0)


def test_the_mode_of_others_files_is_theirs(host: Host) -> None:
    host.run(host.settings())
    host.path("sendmail.cf").chmod(0o640)
    assert host.drift(host.settings()) == {}
    host.run(host.settings(check=True))
    host.clean()
    assert host.path("sendmail.cf").stat().st_mode & 0o777 == 0o640
    assert host.files() == host.theirs


def test_masquerading_that_an_administrator_added_to_the_mc_stays(host: Host) -> None:
    host.run(host.settings(auth={}))
    added = b"MASQUERADE_AS(`example.org')dnl\n"
    host.edit("sendmail.mc", lambda mc: mc.replace(b"dnl\nOSTYPE", b"dnl\n" + added + b"OSTYPE"))
    host.clean()
    assert host.files() == host.theirs
    assert added in host.path("sendmail.mc").read_bytes()


def test_words_within_our_block_are_lost_as_its_mark_says(host: Host) -> None:
    host.run(host.settings())
    mc = host.path("sendmail.mc")
    mc.write_bytes(mc.read_bytes().replace(b"SMART_HOST", b"OTHER_HOST"))
    host.clean()
    assert host.files() == host.theirs


def test_our_own_lines_changed_are_repaired_by_a_run_that_says_so(host: Host) -> None:
    wish = host.settings(auth={})
    host.run(wish)
    cf = host.path("sendmail.cf")
    cf.write_bytes(cf.read_bytes().replace(b"O AuthOptions=p,y,A", b"O AuthOptions=S"))
    plan = Plan(wish, host.platform)
    for step in steps.STEPS:
        steps.take(step, plan)
    (said,) = whole(plan).said()
    assert said.startswith(f"{cf}: others had changed lines of ours to 'O AuthOptions=S'")
    host.run(wish)
    assert host.files() == host.fresh(wish)


def test_clean_refuses_them_and_names_the_command_that_forces_it(host: Host) -> None:
    host.run(host.settings(auth={}))
    host.edit("sendmail.cf", lambda cf: b"# theirs\n" + cf)
    cf = host.path("sendmail.cf")
    cf.write_bytes(cf.read_bytes().replace(b"O AuthOptions=p,y,A", b"O AuthOptions=S"))
    before = host.files()
    with pytest.raises(FilesError, match=r"our own lines to 'O AuthOptions=S'"):
        host.clean(cure=live.FORCE)
    assert host.files() == before
    host.clean(force=True)
    assert host.files() == host.theirs


def test_a_copy_is_edited_as_it_is_and_remembered_for_no_run(host: Host, tmp_path: Path) -> None:
    copy = tmp_path / "copy.cf"
    copy.write_bytes(STOCK["sendmail.cf"])
    plan = Plan(host.settings(), host.platform).for_one(str(copy))
    steps.take(steps.STEPS[1], plan)
    assert whole(plan) is plan
    live.go_live(plan, holder="test", test=False)
    edited = copy.read_bytes()
    assert b"DSesmtp:localhost" in edited
    host.run(host.settings())
    assert copy.read_bytes() == edited


def test_the_hosts_own_cf_edited_alone_is_kept_by_the_next_run(host: Host) -> None:
    wish = host.settings()
    plan = Plan(wish, host.platform).for_one(str(host.path("sendmail.cf")))
    steps.take(steps.STEPS[1], plan)
    live.go_live(whole(plan), holder="test", test=False)
    assert BEGIN.encode() not in host.path("sendmail.mc").read_bytes()
    host.run(wish, {"loop_check_off"})
    assert b"DSesmtp:localhost" in host.path("sendmail.cf").read_bytes()
    assert b"F=mDFMuXak0" in host.path("sendmail.cf").read_bytes()


def test_a_smart_host_and_a_local_mailer_that_were_taken_over_come_back(host: Host) -> None:
    host.edit("sendmail.cf", lambda data: data.replace(b"F=lsDFMAw5", b"F=lsDFMAw"))
    host.edit("submit.cf", lambda data: data.replace(b"\nDS\n", b"\nDSsmart.example.com\n"))
    host.edit("submit.mc", lambda data: b"define(`SMART_HOST', `smart.example.com')dnl\n" + data)
    host.edit("sendmail.mc", lambda data: data + b"define(`LOCAL_RELAY', `late.example.com')dnl")
    host.run(host.settings())
    assert b"F=lsDFMAw5" in host.path("sendmail.cf").read_bytes()
    assert b"\nDS\n" in host.path("submit.cf").read_bytes()
    host.run(host.settings(relay={"mailer": "relay"}))
    assert b"F=lsDFMAw5" in host.path("sendmail.cf").read_bytes()
    host.clean()
    assert host.files() == host.theirs


def test_a_new_password_takes_the_place_of_the_old(host: Host) -> None:
    host.run(host.settings(auth={}))
    old = host.path("auth").read_bytes()
    host.run(host.settings(auth={"password": password("another")}))
    assert host.path("auth").read_bytes() != old
    held = [path.read_bytes() for path in (host.root / "backups" / "first").iterdir()]
    assert old not in held and host.path("auth").read_bytes() not in held


class TestEarlierLedger:
    """A host that an earlier version of the formula was applied to, with the ledger of format 1."""

    def test_what_nobody_else_changed_is_taken_back(self, host: Host) -> None:
        host.run(host.settings(auth={}, relay={"dns": False}))
        as_format_1(host.root / "backups")
        host.run(host.settings())
        assert host.files() == host.fresh(host.settings())

    def test_a_run_with_nothing_to_change_makes_good_what_the_ledger_lacks(
        self, host: Host
    ) -> None:
        wish = host.settings(auth={})
        host.run(wish)
        as_format_1(host.root / "backups")
        assert host.run(wish) == {}
        host.edit("sendmail.cf", lambda cf: b"# theirs\n" + cf)
        host.clean()
        assert host.files() == host.theirs

    def test_of_what_others_changed_the_login_goes_and_the_run_says_so(self, host: Host) -> None:
        host.run(host.settings(auth={}))
        as_format_1(host.root / "backups")
        host.edit("sendmail.cf", lambda cf: b"# theirs\n" + cf)
        plan = Plan(host.settings(), host.platform)
        for step in steps.STEPS:
            steps.take(step, plan)
        assert [one for one in whole(plan).said() if "edited as it was found" in one]
        host.run(host.settings())
        cf = host.path("sendmail.cf").read_bytes()
        assert b"jamesauth" not in cf and b"454 James" not in cf and b"# theirs" in cf
        assert not host.path("auth").exists()
        with pytest.raises(FilesError, match="what we placed there is not known"):
            host.clean()

    def test_one_step_alone_keeps_the_others_though_they_are_not_known(self, host: Host) -> None:
        host.run(host.settings(auth={}))
        as_format_1(host.root / "backups")
        wish = host.settings(auth={}, check=True)
        host.run(wish, {"loop_check_off"})
        assert host.files() == host.fresh(wish)
        host.run(wish)
        assert host.files() == host.fresh(wish)
