"""What the unprivileged owner of /etc/mail plants is never followed, never overwritten, named."""

from __future__ import annotations

import itertools
import mmap
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from files_world import GROUP, NEW, OLD, STRANGER, World
from james_client.files import place as files_place
from james_client.files import renames as files_renames
from james_client.files import snapshot as files_snapshot
from james_client.files.candidate import Candidate
from james_client.files.walk import STAGE, FilesError, directory, roots

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root")


@pytest.fixture
def world(tmp_path) -> World:
    world = World(tmp_path).build()
    (tmp_path / "victim").write_bytes(b"root's own\n")
    return world


def symlink(path: Path) -> None:
    path.symlink_to(path.parent.parent / "victim")


def hard_link(path: Path) -> None:
    os.link(path.parent.parent / "victim", path)


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is limited to some 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path.name)
    finally:
        os.chdir(here)


def foreign(path: Path) -> None:
    path.write_bytes(b"planted\n")
    os.chown(path, STRANGER, GROUP)


PLANTS: dict[str, Callable[[Path], None]] = {
    "a symlink": symlink,
    "a hard link": hard_link,
    "a FIFO": os.mkfifo,
    "a directory": Path.mkdir,
    "a socket": unix_socket,
    "a character device": lambda path: os.mknod(path, 0o020600, os.makedev(1, 5)),
}


@pytest.mark.parametrize("name", ["cf", "auth"])
@pytest.mark.parametrize("plant", PLANTS)
def test_a_plant_is_named_by_read_and_by_place(world, plant, name) -> None:
    candidates = world.candidates()
    world.path(name).unlink(missing_ok=True)
    PLANTS[plant](world.path(name))
    with pytest.raises(FilesError, match=f"{name}: found {plant}.* wanted"):
        files_snapshot.read(world.path(name))
    before = world.path(name).lstat()
    with pytest.raises(FilesError, match=f"{name}: found {plant}"):
        files_place.place(candidates, world.backups, **world.call)
    assert os.path.samestat(world.path(name).lstat(), before)
    assert (world.root / "victim").read_bytes() == b"root's own\n"
    assert world.path("knobs").read_bytes() == OLD["knobs"]


def test_a_plain_write_follows_the_same_symlink(world) -> None:
    world.path("cf").unlink()
    symlink(world.path("cf"))
    world.path("cf").write_bytes(b"overwritten\n")
    assert (world.root / "victim").read_bytes() == b"overwritten\n"


@pytest.mark.parametrize("name", ["cf", "auth"])
def test_a_file_of_the_directory_owner_is_refused(world, name) -> None:
    world.path(name).unlink(missing_ok=True)
    foreign(world.path(name))
    candidates = world.candidates()
    with pytest.raises(FilesError, match=f"{name}: found a file of uid {STRANGER}.* wanted root"):
        files_place.place(candidates, world.backups, **world.call)
    assert world.path(name).read_bytes() == b"planted\n"


@pytest.mark.parametrize("plant", [*PLANTS, "a regular file"])
def test_a_plant_at_the_staging_name_is_named_and_kept(world, plant) -> None:
    path = world.etc / STAGE
    PLANTS.get(plant, foreign)(path)
    if plant == "a directory":
        path.chmod(0o700)
    os.chown(path, STRANGER, GROUP, follow_symlinks=False)
    before = path.lstat()
    with pytest.raises(FilesError, match=rf"{STAGE}: found .* of uid {STRANGER}.* wanted nothing"):
        world.place()
    assert os.path.samestat(path.lstat(), before)
    assert world.path("knobs").read_bytes() == OLD["knobs"]


def test_a_directory_of_roots_moved_to_the_staging_name_keeps_its_files(world) -> None:
    """Its owner may rename anything in /etc/mail, a directory with keys, for one."""
    keys = world.etc / STAGE
    keys.mkdir(mode=0o700)
    (keys / "key.pem").write_bytes(b"a key\n")
    with pytest.raises(FilesError, match=r"key\.pem: is none of ours"):
        world.place()
    assert (keys / "key.pem").read_bytes() == b"a key\n"


def test_a_change_while_files_are_staged_is_seen_before_any_rename(world, monkeypatch) -> None:
    real = files_renames._write

    def write(one) -> None:
        real(one)
        world.path("cf").write_bytes(b"edited by hand\n")

    monkeypatch.setattr(files_renames, "_write", write)
    monkeypatch.setattr(files_renames, "_rename", lambda one: pytest.fail("renamed"))
    with pytest.raises(FilesError, match="cf: content"):
        world.place()
    assert world.path("cf").read_bytes() == b"edited by hand\n"


def test_a_swap_in_the_last_moment_is_put_back(world, monkeypatch) -> None:
    swap_before_rename(world, monkeypatch, lambda path: path.write_bytes(b"edited by hand\n"))
    assert world.path("cf").read_bytes() == b"edited by hand\n"


@pytest.mark.parametrize("plant", PLANTS)
def test_a_plant_in_the_last_moment_is_put_back(world, monkeypatch, plant) -> None:
    swap_before_rename(world, monkeypatch, PLANTS[plant])
    with pytest.raises(FilesError, match=f"cf: found {plant}"):
        files_snapshot.read(world.path("cf"))
    assert (world.root / "victim").read_bytes() == b"root's own\n"


def swap_before_rename(world: World, monkeypatch, plant: Callable[[Path], None]) -> None:
    """Let somebody be faster than the exchange of cf; all else must be as before."""
    real = files_renames._renameat2
    done = []

    def late(old_fd: int, old: str, new_fd: int, new: str) -> bool:
        if new == "cf" and not done:
            done.append(new)
            world.path("cf").unlink()
            plant(world.path("cf"))
        return real(old_fd, old, new_fd, new)

    monkeypatch.setattr(files_renames, "_renameat2", late)
    with pytest.raises(FilesError, match=r"cf: .*\n.*put back: .*knobs"):
        world.place()
    assert done
    assert world.path("knobs").read_bytes() == OLD["knobs"]
    assert not world.path("auth").exists()
    assert not (world.etc / STAGE).exists()


def test_a_new_file_never_replaces_what_appears_in_the_last_moment(world, monkeypatch) -> None:
    real = files_renames._link

    def late(old_fd: int, old: str, new_fd: int, new: str) -> None:
        if new == "auth":
            symlink(world.path("auth"))
        real(old_fd, old, new_fd, new)

    monkeypatch.setattr(files_renames, "_link", late)
    with pytest.raises(FilesError, match=r"auth: cannot be put in place: File exists\n.*put back"):
        world.place()
    assert world.path("auth").is_symlink()
    assert (world.root / "victim").read_bytes() == b"root's own\n"
    assert world.path("knobs").read_bytes() == OLD["knobs"]


def test_under_attack_no_run_hangs_or_harms(tmp_path) -> None:
    """The directory's owner swaps a name in a loop while runs go on; nothing outside changes."""
    for index, (name, plant) in enumerate(itertools.product(ATTACKED, ATTACKS)):
        world = World(tmp_path / str(index)).build()
        victim = world.root / "victim"
        victim.write_bytes(b"root's own\n")
        swaps = mmap.mmap(-1, 8)  # shared with the attacker
        pid = attacker(world, name, plant, swaps)
        try:
            turn = 0
            while turn < 10 or int.from_bytes(swaps[:], "little") < 100:
                turn += 1
                try:
                    world.place({"cf": b"turn %d\n" % turn, "auth": NEW["auth"]})
                except FilesError as err:
                    assert str(world.etc) in str(err)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert (victim.read_bytes(), victim.stat().st_mode & 0o777) == (b"root's own\n", 0o644)
        assert world.exposed() == []


ATTACKED = ("cf", "auth", STAGE)
ATTACKS = (lambda name: Path(name).symlink_to("../victim"), os.mkfifo, os.mkdir)


def attacker(world: World, name: str, plant: Callable[[str], None], swaps: mmap.mmap) -> int:
    """Start the unprivileged owner of etc, who swaps one name for a plant and back, and counts."""
    etc = os.open(world.etc, os.O_RDONLY)
    ready, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.read(ready, 1)
        for fd in (etc, ready, tell):
            os.close(fd)
        return pid
    try:
        os.fchdir(etc)
        os.setgroups([])
        os.setresgid(GROUP, GROUP, GROUP)
        os.setresuid(STRANGER, STRANGER, STRANGER)
        os.write(tell, b"x")
        for turn in itertools.count(1):
            attack(name, plant)
            swaps[:] = turn.to_bytes(8, "little")
    finally:
        os._exit(1)


def attack(name: str, plant: Callable[[str], None]) -> None:
    remove = os.rmdir if plant is os.mkdir else os.unlink
    for act in (
        lambda: Path(name).rename("moved"),
        lambda: plant(name),
        lambda: remove(name),
        lambda: Path("moved").rename(name),
        lambda: os.sched_yield(),
    ):
        try:
            act()
        except OSError:
            continue


class TestOnTheWay:
    def test_a_symlink_that_root_alone_can_make_is_followed(self, world) -> None:
        (world.root / "alias").symlink_to("etc")
        found = files_snapshot.read(world.root / "alias" / "cf")
        assert found.data == OLD["cf"]

    def test_a_symlink_in_a_strangers_directory_is_refused(self, world) -> None:
        (world.etc / "m4").symlink_to(world.root / "default")
        with pytest.raises(FilesError, match="'m4' on the way is a symlink of uid 0 in a direc"):
            files_snapshot.read(world.etc / "m4" / "knobs")

    def test_a_strangers_symlink_is_refused(self, world) -> None:
        alias = world.root / "alias"
        alias.symlink_to("etc")
        os.chown(alias, STRANGER, GROUP, follow_symlinks=False)
        with pytest.raises(FilesError, match=f"'alias' on the way is a symlink of uid {STRANGER}"):
            files_snapshot.read(alias / "cf")

    def test_a_loop_ends(self, world) -> None:
        (world.root / "loop").symlink_to("loop")
        with pytest.raises(FilesError, match="more than 20 symlinks"):
            files_snapshot.read(world.root / "loop" / "cf")

    def test_backups_in_a_strangers_directory_are_refused(self, world) -> None:
        with pytest.raises(FilesError, match=f"'etc' on the way has owner uid {STRANGER}"):
            files_place.place(world.candidates(), world.etc / "backups", **world.call)
        assert not (world.etc / "backups").exists()
        assert world.path("knobs").read_bytes() == OLD["knobs"]

    def test_backups_open_to_others_are_refused(self, world) -> None:
        world.backups.mkdir(mode=0o755)
        with pytest.raises(FilesError, match="mode 0755, wanted root and 0700"):
            world.place()
        assert world.path("knobs").read_bytes() == OLD["knobs"]

    def test_a_sticky_directory_is_trusted_and_an_open_one_is_not(self, tmp_path) -> None:
        tmp_path.chmod(0o1777)
        with directory(str(tmp_path), roots):
            pass
        tmp_path.chmod(0o777)
        with pytest.raises(FilesError, match="mode 0777"), directory(str(tmp_path), roots):
            pass


def test_a_foreign_file_may_be_had_for_its_owner(world) -> None:
    """The submission program's credentials belong to smmsp."""
    foreign(world.path("auth"))
    one = Candidate(
        files_snapshot.read(world.path("auth")),
        b"x",
        uid=STRANGER,
        secret=True,
        folder_uid=STRANGER,
    )
    files_place.place([one], world.backups, **world.call)
    assert world.path("auth").read_bytes() == b"x"
