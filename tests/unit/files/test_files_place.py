"""Putting files in place: what is kept, what is refused, what is reported."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import stat

import pytest
from files_world import ACL_FOR_STRANGER, FIRST, GROUP, NEW, OLD, SECRET, STRANGER, World, forked
from james_client.files import back as files_back
from james_client.files import candidate as files_candidate
from james_client.files import lock as files_lock
from james_client.files import place as files_place
from james_client.files import renames as files_renames
from james_client.files import snapshot as files_snapshot
from james_client.files.candidate import Candidate
from james_client.files.walk import FilesError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root")


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path).build()


def test_new_contents_are_placed_and_owner_and_mode_stay(world) -> None:
    world.place()
    assert world.contents() == NEW
    cf = world.path("cf").stat()
    assert (stat.S_IMODE(cf.st_mode), cf.st_uid, cf.st_gid) == (0o640, 0, GROUP)
    assert world.litter() == []


def test_a_second_run_writes_nothing(world) -> None:
    world.place()
    before = world.snapshot_tree()
    assert world.place() is None
    after = world.snapshot_tree()
    lock = str(world.root / "lock")
    del before[lock], after[lock]
    assert after == before


def test_a_new_file_gets_what_was_asked_for(world) -> None:
    path = world.etc / "fresh"
    one = Candidate(files_snapshot.read(path), b"x\n", mode=0o604, uid=STRANGER, gid=GROUP)
    files_place.place([one], world.backups, **world.call)
    assert files_snapshot.read(path) == dataclasses.replace(one.wanted, mtime_ns=mtime(path))


def mtime(path) -> int:
    return path.stat().st_mtime_ns


def test_all_is_on_the_disk_before_a_rename_and_each_rename_before_the_next(
    world, monkeypatch
) -> None:
    """After a power cut, too, each file is whole and the new ones are the first of the order."""
    events: list[tuple[str, int]] = []
    real_fsync, real_rename = os.fsync, files_renames._rename

    def fsync(fd: int) -> None:
        real_fsync(fd)
        events.append(("on disk", os.fstat(fd).st_ino))

    def rename(one) -> None:
        real_rename(one)
        events.append(("renamed", os.fstat(one.dir_fd).st_ino))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(files_renames, "_rename", rename)
    world.place()
    first = [what for what, _ in events].index("renamed")
    for name in ("knobs", "drop-in", "auth", "cf"):
        assert ("on disk", world.path(name).stat().st_ino) in events[:first]
    for index, (what, inode) in enumerate(events):
        if what == "renamed":
            assert events[index + 1] == ("on disk", inode)


def test_order_of_candidates_is_order_of_times(world) -> None:
    """Debian's make rebuilds a cf that is older than its mc."""
    world.place()
    assert mtime(world.path("auth")) <= mtime(world.path("cf"))


def test_acl_and_attributes_of_the_old_file_are_kept(world) -> None:
    path = world.path("cf")
    os.setxattr(path, "user.note", b"of the admin")
    os.setxattr(path, "system.posix_acl_access", ACL_FOR_STRANGER)
    before = dict(files_snapshot.read(path).xattrs)
    world.place()
    assert before["user.note"] == b"of the admin"
    assert dict(files_snapshot.read(path).xattrs) == before


def test_a_label_is_kept(world) -> None:
    path = world.path("cf")
    try:
        os.setxattr(path, "security.test", b"system_u:object_r:etc_mail_t:s0")
    except OSError as err:
        pytest.skip(f"no security attributes on this file system: {err}")
    world.place()
    assert dict(files_snapshot.read(path).xattrs)["security.test"].startswith(b"system_u")


def test_systems_without_attributes_in_python_do_without(world, monkeypatch) -> None:
    for name in ("listxattr", "getxattr", "setxattr", "removexattr"):
        monkeypatch.delattr(os, name)
    world.place()
    files_back.restore_first(world.backups, **world.call)
    assert world.contents() == FIRST


def test_a_default_acl_of_the_directory_opens_nothing(world) -> None:
    """Its owner may set one, to be handed the password."""
    os.setxattr(world.etc, "system.posix_acl_default", ACL_FOR_STRANGER)
    twin = world.etc / "twin"
    os.close(os.open(twin, os.O_CREAT | os.O_WRONLY, 0o640))
    assert "system.posix_acl_access" in os.listxattr(twin), "the trap is not set"
    twin.unlink()
    world.place()
    for name in ("auth", "cf"):
        assert os.listxattr(world.path(name)) == []
    assert stat.S_IMODE(world.path("auth").stat().st_mode) == 0o600


def test_a_wider_secret_becomes_0600_and_its_owner_ours(world) -> None:
    path = world.path("auth")
    path.write_bytes(SECRET)
    path.chmod(0o644)
    os.setxattr(path, "system.posix_acl_access", ACL_FOR_STRANGER)
    one = Candidate(files_snapshot.read(path), SECRET, secret=True, folder_uid=STRANGER)
    assert one.differs
    files_place.place([one], world.backups, **world.call)
    now = files_snapshot.read(path)
    assert (now.data, now.mode, now.uid, now.xattrs) == (SECRET, 0o600, 0, ())


def test_a_secret_for_another_user_is_his_alone(world) -> None:
    path = world.path("auth")
    his = {"uid": STRANGER, "gid": GROUP, "secret": True, "folder_uid": STRANGER}
    one = Candidate(files_snapshot.read(path), SECRET, **his)
    files_place.place([one], world.backups, **world.call)
    info = path.stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (STRANGER, GROUP, 0o600)
    again = Candidate(files_snapshot.read(path), SECRET, **his)
    assert not again.differs


def test_a_wide_mode_for_a_secret_is_refused(world) -> None:
    one = Candidate(files_snapshot.read(world.path("auth")), SECRET, mode=0o640, secret=True)
    refused(world, [one], r"auth: asked for mode 0640, a secret wants at most 0600")


def refused(world: World, candidates, match: str) -> str:
    """Expect a refusal that touches no file; give its words."""
    before = world.snapshot_tree()
    with pytest.raises(FilesError, match=match) as caught:
        files_place.place(candidates, world.backups, **world.call)
    after = world.snapshot_tree()
    ours = (str(world.backups), str(world.root / "lock"))

    def rest(tree):
        return {k: v for k, v in tree.items() if not k.startswith(ours) and k != str(world.root)}

    assert [v[0:3] + v[4:] for v in rest(after).values()] == [
        v[0:3] + v[4:] for v in rest(before).values()
    ]
    assert files_back.backups(world.backups) == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("meanwhile", "words"),
    [
        (lambda path: path.write_bytes(b"edited by hand\n"), "content, time changed"),
        (lambda path: os.utime(path, ns=(5, 5)), "time changed"),
        (lambda path: path.chmod(0o600), "mode changed"),
        (lambda path: os.chown(path, 0, 0), "gid changed"),
        (lambda path: os.setxattr(path, "user.a", b"b"), "ACL or attributes changed"),
        (lambda path: path.unlink(), "nothing is there any more"),
    ],
)
def test_a_file_changed_since_it_was_read_is_refused(world, meanwhile, words) -> None:
    candidates = world.candidates()
    meanwhile(world.path("cf"))
    refused(world, candidates, f"cf: {words} since it was read")


def test_a_file_that_appeared_since_is_refused(world) -> None:
    candidates = world.candidates()
    world.path("auth").write_bytes(b"somebody's\n")
    refused(world, candidates, "auth: a file is there meanwhile since it was read")
    assert world.path("auth").read_bytes() == b"somebody's\n"


def test_without_the_comparison_the_edit_would_be_lost(world, monkeypatch) -> None:
    candidates = world.candidates()
    world.path("cf").write_bytes(b"edited by hand\n")
    monkeypatch.setattr(files_candidate, "check_unchanged", lambda before, now: None)
    monkeypatch.setattr("james_client.files.renames.check_unchanged", lambda before, now: None)
    files_place.place(candidates, world.backups, **world.call)
    assert world.path("cf").read_bytes() == NEW["cf"]


def test_all_reasons_are_told_at_once(world) -> None:
    candidates = world.candidates()
    world.path("cf").write_bytes(b"edited\n")
    world.path("knobs").chmod(0o600)
    words = refused(world, [*candidates, candidates[0]], "is wanted twice")
    assert "cf: content" in words
    assert "knobs: mode changed" in words


def test_a_missing_drop_in_directory_is_made_and_goes_with_its_file(world) -> None:
    folder = world.path("drop-in").parent
    world.place()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    files_back.restore_first(world.backups, **world.call)
    assert not folder.exists()


def test_a_drop_in_directory_with_others_files_stays(world) -> None:
    folder = world.path("drop-in").parent
    world.place()
    (folder / "other.conf").write_bytes(b"the admin's\n")
    files_back.restore_first(world.backups, **world.call)
    assert [path.name for path in folder.iterdir()] == ["other.conf"]


def test_a_missing_directory_is_named(world) -> None:
    with pytest.raises(FilesError, match=r"nowhere/deep: 'nowhere' does not exist"):
        files_snapshot.read(world.root / "nowhere" / "deep" / "cf")


def test_a_file_over_the_limit_is_refused(world, monkeypatch) -> None:
    monkeypatch.setattr(files_snapshot, "LIMIT", 10)
    with pytest.raises(FilesError, match=f"cf: found {len(OLD['cf'])} bytes, wanted at most 10"):
        files_snapshot.read(world.path("cf"))


@pytest.mark.parametrize("path", ["cf", "", "/", "/etc/../etc/hosts", "/etc/", "/a\0b", "/x/."])
def test_paths_that_are_not_absolute_files_are_refused(path) -> None:
    with pytest.raises(FilesError, match=r"wanted (the|an) absolute path"):
        files_snapshot.read(path)


def test_nothing_shows_the_content(world) -> None:
    world.path("auth").write_bytes(SECRET)
    one = Candidate(files_snapshot.read(world.path("auth")), SECRET + b"more", secret=True)
    shown = f"{one!r} {one.before!r} {one.wanted!r} {files_candidate.changes([one], diff=True)}"
    assert "pa55word" not in shown
    assert pickle.loads(pickle.dumps(one)) == one


class TestLock:
    def test_it_is_roots_own_and_says_nothing_when_nobody_holds_it(self, world) -> None:
        world.place()
        lock = world.root / "lock"
        assert (stat.S_IMODE(lock.stat().st_mode), lock.read_bytes()) == (0o600, b"")

    def test_a_child_does_not_inherit_it(self, world) -> None:
        call = {**world.call, "timeout": 0}
        gate, go = os.pipe()
        with files_lock.locked(call["lock"], "a run", 0):
            pid = os.fork()
            if not pid:
                os.close(go)
                os.read(gate, 1)
                os._exit(0)
        files_place.place(world.candidates(), world.backups, **call)
        os.close(go)
        os.close(gate)
        assert os.waitpid(pid, 0)[1] == 0

    def test_the_holder_is_named_when_time_is_up(self, world) -> None:
        ready, tell = os.pipe()
        pid = os.fork()
        if not pid:
            with files_lock.locked(world.root / "lock", "the\nother highstate", 1):
                os.write(tell, b"x")
                signal.pause()
        try:
            os.read(ready, 1)
            call = {**world.call, "timeout": 0}
            with pytest.raises(
                FilesError, match=rf"the other highstate \(pid {pid}\) since 2.*nothing was"
            ):
                files_place.place(world.candidates(), world.backups, **call)
            assert world.contents() == FIRST
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert world.place() is not None, "the kernel frees the lock of the dead"

    def test_a_symlink_in_its_place_is_not_followed(self, world) -> None:
        victim = world.root / "victim"
        victim.write_bytes(b"kept")
        (world.root / "lock").symlink_to(victim)
        with pytest.raises(FilesError, match="lock: the lock file cannot be opened"):
            world.place()
        assert victim.read_bytes() == b"kept"

    @pytest.mark.parametrize("plant", ["hard link", "FIFO", "stranger's"])
    def test_what_is_not_ours_is_refused(self, world, plant) -> None:
        lock = world.root / "lock"
        if plant == "FIFO":
            os.mkfifo(lock)
        elif plant == "hard link":
            (world.root / "victim").touch()
            os.link(world.root / "victim", lock)
        else:
            lock.touch()
            os.chown(lock, STRANGER, GROUP)
        with pytest.raises(FilesError, match="lock: "):
            world.place()
        assert world.path("cf").read_bytes() == OLD["cf"]

    def test_two_runs_end_as_one_of_the_two(self, world) -> None:
        one = {"knobs": b"A\n" * 5000, "cf": b"A\n" * 9000}
        two = {"knobs": b"B\n" * 5000, "cf": b"B\n" * 9000}
        for _ in range(10):
            won = race(world, [world.candidates(one), world.candidates(two)])
            assert won == 1
            found = {name: world.contents()[name] for name in one}
            assert found in (one, two)
            reset = {"knobs": b"0\n", "cf": b"0\n"}
            world.place(reset)

    def test_without_lock_and_comparison_both_would_win(self, world, monkeypatch) -> None:
        monkeypatch.setattr(files_candidate, "check_unchanged", lambda before, now: None)
        monkeypatch.setattr("james_client.files.renames.check_unchanged", lambda before, now: None)
        pair = [world.candidates({"cf": b"A\n"}), world.candidates({"cf": b"B\n"})]
        assert race(world, pair) == 2


def race(world: World, runs) -> int:
    """Place several sets at once, each in a process of its own; give how many succeeded."""
    gate, go = os.pipe()
    pids = []
    for candidates in runs:
        pid = os.fork()
        if not pid:
            os.close(go)
            os.read(gate, 1)  # ends for all when the parent closes its end
            try:
                files_place.place(candidates, world.backups, **world.call)
            except FilesError as err:
                os._exit(3 if "since it was read" in str(err) else 4)
            os._exit(0)
        pids.append(pid)
    os.close(gate)
    os.close(go)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert set(codes) <= {0, 3}
    return codes.count(0)


def test_an_ordinary_user_can_read_but_not_place(world) -> None:
    def as_user() -> None:
        world.root.chmod(0o755)
        os.setresuid(STRANGER, STRANGER, STRANGER)
        files_snapshot.read("/etc/passwd")
        with pytest.raises(FilesError, match=r"Permission denied|wanted root's"):
            files_place.place([], world.backups, **world.call)

    assert forked(as_user) == 0
