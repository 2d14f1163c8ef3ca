"""Backups are whole and few, and the way back gives the very files that were there."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
import time
from pathlib import Path

import pytest
from files_world import ACL_FOR_STRANGER, FIRST, NEW, OLD, ORDER, SECRET, World, as_format_1
from james_client.changes import Changes
from james_client.files import back as files_back
from james_client.files import backups as files_backups
from james_client.files import place as files_place
from james_client.files import snapshot as files_snapshot
from james_client.files.candidate import Candidate
from james_client.files.ledger import Record, Theirs
from james_client.files.theirs import without_us
from james_client.files.walk import STAGE, FilesError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root")

# our own lines in others' words: nobody can tell any more what is whose
TANGLED = NEW["cf"].replace(b"DSesmtp", b"DSother", 1)
LATER = {"cf": b"a later run\n", "auth": b"another-pa55word\n"}


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path).build()


def back(world: World, **more: object) -> Changes:
    return files_back.restore_first(world.backups, **world.call, **more)


def restore(world: World, backup_id: str, **more: object) -> Changes:
    return files_back.restore(world.backups, backup_id, **world.call, **more)


def ids(world: World) -> list[str]:
    return [backup.id for backup in files_back.backups(world.backups)]


class TestFirstState:
    def test_everything_is_as_it_was(self, world) -> None:
        cf = world.path("cf")
        os.setxattr(cf, "user.note", b"of the admin")
        os.setxattr(cf, "system.posix_acl_access", ACL_FOR_STRANGER)
        first = world.states()
        world.place()
        world.place(LATER)
        assert set(back(world)) == {str(world.path(name)) for name in ORDER}
        assert world.states() == first
        assert world.litter() == []

    def test_afterwards_it_is_forgotten(self, world) -> None:
        world.place()
        back(world)
        assert files_back.status(world.backups) == {}
        assert [p.name for p in (world.backups / "first").iterdir()] == ["ledger.json"]
        assert back(world) == {}
        world.path("cf").write_bytes(b"the admin's next version\n")
        world.place({"cf": b"ours again\n"})
        back(world)
        assert world.path("cf").read_bytes() == b"the admin's next version\n"

    def test_it_outlives_the_limit_of_backups(self, world) -> None:
        for turn in range(13):
            world.place({"cf": b"turn %d\n" % turn})
        assert len(ids(world)) == 10
        back(world)
        assert world.path("cf").read_bytes() == OLD["cf"]

    def test_a_failed_first_run_is_no_first_touch(self, world) -> None:
        candidates = world.candidates()
        world.etc.joinpath(STAGE).mkdir()
        with pytest.raises(FilesError):
            files_place.place(candidates, world.backups, **world.call)
        world.etc.joinpath(STAGE).rmdir()
        world.path("cf").write_bytes(b"the admin's next version\n")
        world.place()
        back(world)
        assert world.path("cf").read_bytes() == b"the admin's next version\n"

    def test_even_the_way_back_can_be_undone(self, world) -> None:
        world.place()
        placed = world.states()
        back(world)
        restore(world, ids(world)[-1])
        assert world.states() == placed
        back(world)
        assert world.contents() == FIRST


class TestChangedByOthers:
    def test_what_is_theirs_stays_and_what_is_ours_goes(self, world) -> None:
        before, ours = b"a\nb\nc\nd\n", b"a\nb\nours\nd\n"
        world.path("cf").write_bytes(before)
        world.place({"cf": ours})
        world.path("cf").write_bytes(b"theirs\n" + ours + b"theirs too\n")
        back(world)
        assert world.path("cf").read_bytes() == b"theirs\n" + before + b"theirs too\n"
        assert files_back.status(world.backups) == {}

    def test_a_file_without_anything_of_ours_is_theirs(self, world) -> None:
        world.place()
        world.path("cf").write_bytes(b"from a package upgrade\n")
        assert files_back.status(world.backups)[str(world.path("cf"))] == "changed since"
        back(world)
        assert world.contents() == FIRST | {"cf": b"from a package upgrade\n"}

    def test_our_own_lines_changed_stop_all_of_it(self, world) -> None:
        world.place()
        world.path("cf").write_bytes(TANGLED)
        before = world.contents()
        with pytest.raises(FilesError, match=r"cf: others have changed our own lines.*\n.*: do so"):
            back(world, cure="do so")
        assert world.contents() == before

    @pytest.mark.parametrize("all_paths", [True, False])
    def test_force_goes_on_and_keeps_the_change_in_a_backup(self, world, all_paths) -> None:
        world.place()
        world.path("cf").write_bytes(TANGLED)
        back(world, force=True if all_paths else [str(world.path("cf"))])
        assert world.contents() == FIRST
        restore(world, ids(world)[-1])
        assert world.path("cf").read_bytes() == TANGLED

    def test_force_for_another_path_does_not_count(self, world) -> None:
        world.place()
        world.path("cf").write_bytes(TANGLED)
        with pytest.raises(FilesError, match="cf: others have changed"):
            back(world, force=[str(world.path("knobs"))])

    def test_force_keeps_as_much_of_theirs_as_it_can(self, world) -> None:
        world.path("cf").write_bytes(b"a\nb\nc\nd\n")
        world.place({"cf": b"a\nb\nours\nours too\nd\n"})
        world.path("cf").write_bytes(b"theirs\nb\nours\nnot ours\nd\n")
        with pytest.raises(FilesError, match="not ours"):
            back(world)
        back(world, force=True)
        assert world.path("cf").read_bytes() == b"theirs\nb\nc\nd\n"

    def test_what_others_did_between_two_runs_stays(self, world) -> None:
        """Our second run did not make it ours."""
        world.path("cf").write_bytes(b"a\nb\nc\nd\n")
        world.place({"cf": b"a\nb\nours\nd\n"})
        world.path("cf").write_bytes(b"theirs\nb\nours\nd\n")
        world.place({"cf": b"theirs\nb\nours, later\nd\n"})
        back(world)
        assert world.path("cf").read_bytes() == b"theirs\nb\nc\nd\n"

    def test_what_was_put_back_by_hand_is_fine(self, world) -> None:
        world.place()
        for name in ("knobs", "cf"):
            world.path(name).write_bytes(OLD[name])
        back(world)
        assert world.contents() == FIRST

    def test_a_mode_and_an_owner_are_theirs(self, world) -> None:
        world.place()
        world.path("cf").chmod(0o600)
        os.chown(world.path("cf"), 1, 1)
        back(world)
        found = files_snapshot.read(world.path("cf"))
        assert (found.data, found.mode, found.uid, found.gid) == (OLD["cf"], 0o600, 1, 1)

    @pytest.mark.parametrize(
        "change",
        [
            lambda auth: auth.chmod(0o644),
            lambda auth: os.chown(auth, 1, 1),
            lambda auth: auth.write_bytes(SECRET + b"more\n"),
        ],
        ids=["mode", "owner", "content"],
    )
    def test_a_secret_of_ours_goes_whatever_was_done_to_it(self, world, change) -> None:
        world.place()
        change(world.path("auth"))
        back(world)
        assert not world.path("auth").exists()

    def test_a_file_of_theirs_where_a_secret_of_ours_once_was_stays(self, world) -> None:
        world.place({"auth": SECRET})
        world.place({"auth": None})
        world.path("auth").write_bytes(b"theirs\n")
        back(world)
        assert world.path("auth").read_bytes() == b"theirs\n"

    @pytest.mark.parametrize("name", ["cf", "auth"])
    def test_a_file_that_others_removed_stays_away(self, world, name) -> None:
        world.place()
        world.path(name).unlink()
        back(world)
        assert world.contents() == FIRST | {name: None}

    def test_what_sendmail_would_refuse_does_not_go_live(self, world) -> None:
        world.place()
        before = world.contents()

        def prove(candidates: list[Candidate]) -> None:
            assert {one.path for one in candidates} == {str(world.path(name)) for name in ORDER}
            raise FilesError("sendmail refuses it")

        for test in (True, False):
            with pytest.raises(FilesError, match="sendmail refuses it"):
                back(world, prove=prove, test=test)
        assert world.contents() == before
        back(world, prove=prove, force=True)
        assert world.contents() == FIRST

    def test_a_directory_that_went_with_its_package_is_named(self, world) -> None:
        """What was not there before needs no directory; what was cannot be brought back."""
        world.place()
        shutil.rmtree(world.etc)
        with pytest.raises(FilesError, match="'etc' does not exist"):
            back(world, force=True)
        world.etc.mkdir()
        back(world, force=True)
        assert world.contents() == FIRST

    def test_files_of_ours_alone_need_no_directory_back(self, world) -> None:
        world.place({"auth": SECRET})
        shutil.rmtree(world.etc)
        assert back(world) == {}
        assert files_back.status(world.backups) == {}


class TestRestore:
    def test_it_goes_back_through_later_runs(self, world) -> None:
        first = world.states()
        world.place({"cf": NEW["cf"]})
        world.place()
        world.place(LATER)
        restore(world, ids(world)[0])
        assert world.states() == first

    def test_the_last_renamed_is_the_first_on_the_way_back(self, world) -> None:
        """A sendmail.cf that comes first and a knob that comes later end in the knobs' order."""
        world.place({"cf": NEW["cf"]})
        world.place({"knobs": NEW["knobs"], "cf": b"next\n"})
        restore(world, ids(world)[0])
        newest = files_back.backups(world.backups)[-1]
        assert [Path(path).name for path in newest.paths] == ["cf", "knobs"]
        restore(world, newest.id)
        newest = files_back.backups(world.backups)[-1]
        assert [Path(path).name for path in newest.paths] == ["knobs", "cf"]

    def test_a_way_back_leaves_the_order_as_it_was(self, world) -> None:
        world.place()
        world.place(LATER)
        restore(world, ids(world)[-1])
        back(world)
        newest = files_back.backups(world.backups)[-1]
        assert [Path(path).name for path in newest.paths] == list(ORDER[::-1])

    def test_the_first_state_is_reached_in_that_order_too(self, world) -> None:
        world.place({"cf": NEW["cf"]})
        world.place({"knobs": NEW["knobs"], "cf": b"next\n"})
        back(world)
        newest = files_back.backups(world.backups)[-1]
        assert [Path(path).name for path in newest.paths] == ["cf", "knobs"]

    def test_a_state_after_clean_can_be_had_again(self, world) -> None:
        world.place({"knobs": NEW["knobs"], "cf": NEW["cf"]})
        placed = world.states()
        world.place(LATER)
        wanted = ids(world)[-1]
        back(world)
        restore(world, wanted)
        assert world.states() == {**placed, "auth": world.states()["auth"]}
        newest = files_back.backups(world.backups)[-1]
        assert [Path(path).name for path in newest.paths] == ["knobs", "cf"]

    def test_an_unknown_id_is_told_with_the_known_ones(self, world) -> None:
        world.place()
        with pytest.raises(FilesError, match=f"no backup '../x'; there are: {ids(world)[0]}"):
            restore(world, "../x")

    def test_without_any_backup_there_is_nothing(self, world) -> None:
        assert files_back.backups(world.backups) == []
        assert back(world) == {}
        with pytest.raises(FilesError, match="there are: none"):
            restore(world, "000001-20200101T000000Z")


class TestDry:
    @pytest.mark.parametrize("first", [True, False])
    def test_it_tells_the_same_and_touches_nothing(self, world, first) -> None:
        world.place()
        (world.root / "lock").unlink()

        def go(**more: object) -> Changes:
            return back(world, **more) if first else restore(world, ids(world)[0], **more)

        before = world.snapshot_tree()
        dry = go(test=True)
        assert world.snapshot_tree() == before
        assert len(dry) == len(ORDER)
        assert go() == dry
        assert world.contents() == FIRST

    def test_it_refuses_the_same(self, world) -> None:
        world.place()
        world.path("cf").write_bytes(TANGLED)
        before = world.snapshot_tree()
        with pytest.raises(FilesError, match="others have changed"):
            back(world, test=True)
        assert world.snapshot_tree() == before

    @pytest.mark.parametrize("test", [True, False])
    def test_it_sees_a_change_at_the_same_moment_as_well(self, world, monkeypatch, test) -> None:
        """Somebody writes between our look and our hands: the run refuses, and the trial too."""
        world.place()

        def look(path: str) -> files_snapshot.Snapshot:
            found = files_snapshot.read_or_absent(path)
            if path == str(world.path("cf")):
                Path(path).write_bytes(b"by an editor, this moment\n")
            return found

        monkeypatch.setattr(files_back, "read_or_absent", look)
        with pytest.raises(FilesError, match="cf: content, time changed since it was read"):
            back(world, test=test)
        assert world.path("cf").read_bytes() == b"by an editor, this moment\n"
        assert world.path("auth").read_bytes() == NEW["auth"]


class TestStore:
    def test_nobody_else_can_read_it(self, world) -> None:
        world.place()
        world.place(LATER)
        for path in [world.backups, *world.backups.rglob("*")]:
            info = path.lstat()
            assert info.st_uid == 0
            wanted = 0o700 if stat.S_ISDIR(info.st_mode) else 0o600
            assert stat.S_IMODE(info.st_mode) == wanted, path

    def test_ids_grow_though_the_clock_jumps_back(self, world, monkeypatch) -> None:
        real = time.gmtime
        for turn, seconds in enumerate((2_000_000_000, 1_000_000_000, 1_000_000_000)):
            monkeypatch.setattr(files_backups.time, "gmtime", lambda s=seconds: real(s))
            world.place({"cf": b"turn %d\n" % turn})
        found = ids(world)
        assert found == sorted(found)
        assert len(set(found)) == 3
        assert found[-1].endswith("20010909T014640Z")

    @pytest.mark.parametrize(
        ("harm", "words"),
        [
            (lambda path: path.write_bytes(path.read_bytes()[:40]), "damaged"),
            (lambda path: path.write_text("[]"), "damaged"),
            (lambda path: path.unlink(), "damaged, it cannot be read: No such file"),
            (lambda path: path.write_text('{"format": 2}'), "found format 2, wanted 1"),
            (lambda path: path.write_text('{"format": 1}'), "'files' is missing"),
        ],
    )
    def test_a_damaged_one_is_told_and_stops_nothing(self, world, harm, words) -> None:
        world.place()
        harm(world.backups / ids(world)[0] / "manifest.json")
        (listed,) = files_back.backups(world.backups)
        assert words in listed.reason
        with pytest.raises(FilesError, match=words):
            restore(world, listed.id)
        assert world.contents() == NEW
        world.place(LATER)
        back(world)
        assert world.contents() == FIRST

    def test_damaged_content_is_never_restored(self, world) -> None:
        world.place()
        backup_id = ids(world)[0]
        for path in (world.backups / backup_id).iterdir():
            if path.name != "manifest.json":
                path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(FilesError, match=r"damaged: the content of .* has sha256 .*, wanted"):
            restore(world, backup_id)
        assert world.contents() == NEW

    def test_a_damaged_ledger_is_told_before_anything_changes(self, world) -> None:
        world.place()
        (world.backups / "first" / "ledger.json").write_bytes(b"{")
        with pytest.raises(FilesError, match=r"ledger\.json: the backup is damaged"):
            world.place(LATER)
        assert world.contents() == NEW

    def test_names_that_are_no_utf8_and_other_attributes_survive(self, world) -> None:
        path = os.fsdecode(bytes(world.etc) + b"/caf\xe9")
        Path(path).write_bytes(b"old\n")
        os.setxattr(path, "user.raw", b"\xff\0")
        first = files_snapshot.read(path)
        one = Candidate(first, b"new\n")
        files_place.place([one], world.backups, **world.call)
        back(world)
        assert files_snapshot.read(path) == first

    def test_a_secret_stays_hidden_on_the_way_back(self, world) -> None:
        world.place()
        world.place(LATER)
        shown = str(restore(world, ids(world)[-1])) + str(back(world))
        assert "pa55word" not in shown
        listing = json.dumps([dataclasses.asdict(b) for b in files_back.backups(world.backups)])
        assert "pa55word" not in listing


def test_what_others_write_because_of_ours_is_given_back_too(world) -> None:
    generated, made = world.path("generated"), world.path("made")
    generated.write_text("old\n")
    also = [str(generated), str(made)]
    files_place.place(world.candidates(), world.backups, **world.call, also=also)
    generated.write_text("written anew\n")
    made.write_text("made\n")
    ours = (str(generated), str(made))

    def theirs(now: files_snapshot.Snapshot, record: Record) -> Theirs:
        return Theirs(record.newest.theirs) if now.path in ours else without_us(now, record)

    back(world, theirs=theirs)
    assert generated.read_text() == "old\n"
    assert not made.exists()


class TestEarlierLedger:
    """A ledger of format 1 knows the first state and a fingerprint of what was placed."""

    def test_it_leads_back_to_the_first_state(self, world) -> None:
        world.place()
        as_format_1(world.backups)
        back(world)
        assert world.contents() == FIRST

    def test_the_next_run_makes_good_what_it_lacks(self, world) -> None:
        world.path("cf").write_bytes(b"a\nb\nc\nd\n")
        world.place({"cf": b"a\nb\nours\nd\n"})
        as_format_1(world.backups)
        files_place.sweep([], world.backups, **world.call)
        world.path("cf").write_bytes(b"theirs\nb\nours\nd\n")
        back(world)
        assert world.path("cf").read_bytes() == b"theirs\nb\nc\nd\n"

    def test_what_others_had_changed_before_that_is_refused(self, world) -> None:
        world.place()
        as_format_1(world.backups)
        world.path("cf").write_bytes(TANGLED)
        with pytest.raises(FilesError, match="what we placed there is not known"):
            back(world)
        back(world, force=True)
        assert world.contents() == FIRST

    def test_what_others_had_changed_between_two_runs_is_refused(self, world) -> None:
        world.place()
        as_format_1(world.backups, {str(world.path("cf")): [["then", "something"]]})
        with pytest.raises(FilesError, match="what we placed there is not known"):
            back(world)
        back(world, force=True)
        assert world.contents() == FIRST
