"""A secret lies only where root alone can change the way to it, and where nobody else reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from files_world import GROUP, NOBODY_ID, SECRET, STRANGER, World, acl
from james_client.files import back
from james_client.files import place as files_place
from james_client.files import private as files_private
from james_client.files import renames as files_renames
from james_client.files.candidate import Candidate, check
from james_client.files.snapshot import read
from james_client.files.walk import STAGE, FilesError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other owners: needs root")


@pytest.fixture
def world(tmp_path: Path) -> World:
    tmp_path.chmod(0o755)
    world = World(tmp_path).build()
    (tmp_path / "own").mkdir(mode=0o755)
    return world


def secret(path: Path, **more: object) -> Candidate:
    return Candidate(read(path), SECRET, secret=True, **more)  # type: ignore[arg-type]


def refused(world: World, one: Candidate, said: str) -> None:
    """See a secret refused by check and by place, and nothing written."""
    before = world.snapshot_tree()
    with pytest.raises(FilesError, match=said):
        check([one])
    assert world.snapshot_tree() == before
    with pytest.raises(FilesError, match=said):
        files_place.place([one], world.backups, **world.call)  # type: ignore[arg-type]
    assert not Path(one.path).exists()


def test_a_folder_of_roots_is_taken_and_so_is_one_that_only_its_group_reads(world: World) -> None:
    for number, mode in enumerate((0o755, 0o700, 0o750, 0o2755)):
        (world.root / "own").chmod(mode)
        one = secret(world.root / "own" / f"auth{number}")
        files_place.place([one], world.backups, **world.call)  # type: ignore[arg-type]
        assert Path(one.path).read_bytes() == SECRET


def with_acl(folder: Path) -> None:
    """Let a stranger write by an ACL; the group itself may not."""
    entries = [(1, 7, NOBODY_ID), (2, 7, STRANGER), (4, 5, NOBODY_ID), (16, 7, NOBODY_ID)]
    os.setxattr(folder, "system.posix_acl_access", acl([*entries, (32, 5, NOBODY_ID)]))


OPEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "everybody's": (lambda folder: folder.chmod(0o777), "mode 0777.*chmod go-w {}$"),
    "a group's": (lambda folder: folder.chmod(0o775), "mode 0775.*chmod go-w {}$"),
    "others'": (lambda folder: folder.chmod(0o757), "mode 0757.*chmod go-w {}$"),
    "a sticky one": (lambda folder: folder.chmod(0o1777), "mode 1777.*chmod go-w {}$"),
    "by an ACL": (with_acl, "mode 0775.*chmod go-w {0} and setfacl -b {0}$"),
    "a user's": (lambda folder: os.chown(folder, 1000, 1000), "owner uid 1000 .*chown root {},"),
    "a mail owner's": (lambda folder: os.chown(folder, STRANGER, GROUP), "chown root {},"),
}


@pytest.mark.parametrize("how", OPEN)
@pytest.mark.parametrize("deep", ["auth", "deep/auth"])
def test_a_folder_that_others_can_write_to_is_refused(world: World, how: str, deep: str) -> None:
    make_open, said = OPEN[how]
    folder = world.root / "own"
    (folder / "deep").mkdir(mode=0o755)
    make_open(folder)
    refused(world, secret(folder / deep), said.format(folder))


@pytest.mark.parametrize("how", OPEN)
def test_a_symlink_into_such_a_folder_is_refused_by_the_folders_name(
    world: World, how: str
) -> None:
    make_open, said = OPEN[how]
    folder = world.root / "own"
    (world.root / "alias").symlink_to(folder)
    one = secret(world.root / "alias" / "auth")
    make_open(folder)
    refused(world, one, said.format(folder))


def test_a_symlink_by_way_of_such_a_folder_is_refused(world: World) -> None:
    (world.root / "open").mkdir()
    (world.root / "alias").symlink_to("open/../own")
    one = secret(world.root / "alias" / "auth")
    (world.root / "open").chmod(0o777)
    refused(world, one, f"{world.root}/open has owner uid 0 and mode 0777")


def test_a_symlink_that_root_alone_can_change_is_taken(world: World) -> None:
    (world.root / "alias").symlink_to("own")
    one = secret(world.root / "alias" / "auth")
    files_place.place([one], world.backups, **world.call)  # type: ignore[arg-type]
    assert (world.root / "own" / "auth").read_bytes() == SECRET


class TestTheMailOwner:
    def test_may_own_the_last_folder(self, world: World) -> None:
        one = secret(world.etc / "secret", folder_uid=STRANGER)
        files_place.place([one], world.backups, **world.call)  # type: ignore[arg-type]
        assert Path(one.path).read_bytes() == SECRET

    def test_may_not_let_others_write_there(self, world: World) -> None:
        world.etc.chmod(0o2775)
        refused(world, secret(world.etc / "secret", folder_uid=STRANGER), "mode 2775")

    def test_may_not_own_a_folder_on_the_way(self, world: World) -> None:
        (world.etc / "deep").mkdir(mode=0o755)
        one = secret(world.etc / "deep" / "secret", folder_uid=STRANGER)
        refused(world, one, f"{world.etc} has owner uid {STRANGER} .*chown root {world.etc}, or")

    def test_is_no_other_user(self, world: World) -> None:
        os.chown(world.etc, 1000, 1000)
        refused(world, secret(world.etc / "secret", folder_uid=STRANGER), "owner uid 1000")


class TestOtherPrograms:
    @pytest.mark.parametrize("name", ["sudoers.d", "x.d", STAGE])
    def test_a_drop_in_or_staging_folder_is_refused(self, world: World, name: str) -> None:
        (world.root / name / "deep").mkdir(parents=True)
        said = f"{world.root}/{name} belongs to another program.*install -d -m 0755 /etc/james"
        refused(world, secret(world.root / name / "auth"), said)
        refused(world, secret(world.root / name / "deep" / "auth"), said)

    def test_a_link_to_one_is_refused(self, world: World) -> None:
        (world.root / "cron.d").mkdir()
        (world.root / "mine").symlink_to("cron.d")
        refused(world, secret(world.root / "mine" / "auth"), "cron.d belongs to another program")

    @pytest.mark.parametrize("name", ["/etc/cron.daily", "/etc/skel", "/var/spool", "/proc/self"])
    def test_known_ones_are_refused(self, world: World, name: str) -> None:
        refused(world, secret(Path(name, "james-auth-info")), "another program")

    def test_another_name_for_one_is_no_way_in(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (world.root / "www").symlink_to("own")
        monkeypatch.setattr(files_private, "_OTHERS", (f"{world.root}/www",))
        refused(world, secret(world.root / "own" / "auth"), "own belongs to another program")

    def test_the_backups_are_refused(self, world: World) -> None:
        world.place({"knobs": b"1\n"})
        one = secret(world.backups / "auth")
        with pytest.raises(FilesError, match="backups belongs to another program"):
            check([one], [str(world.backups)])
        with pytest.raises(FilesError, match="backups belongs to another program"):
            files_place.place([one], world.backups, **world.call)  # type: ignore[arg-type]
        assert not Path(one.path).exists()


@pytest.mark.parametrize("deep", ["own", "own/deep"])
def test_a_folder_swapped_while_files_are_written_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch, deep: str
) -> None:
    """Even for one that would do: the new file is in the folder that was looked at first."""
    (world.root / "own" / "deep").mkdir(mode=0o755)
    real = files_renames._write

    def write(one: files_renames._Staged) -> None:
        real(one)
        (world.root / deep).rename(world.root / "moved")
        (world.root / deep).mkdir(mode=0o755)

    monkeypatch.setattr(files_renames, "_write", write)
    one = secret(world.root / deep / "auth")
    with pytest.raises(FilesError, match=rf"{deep}: was swapped meanwhile"):
        files_place.place([one], world.backups, **world.call)  # type: ignore[arg-type]
    assert not list(world.root.rglob("auth"))
    assert not list(world.root.rglob(STAGE))


def test_a_folder_opened_while_files_are_written_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files_renames._write

    def write(one: files_renames._Staged) -> None:
        real(one)
        (world.root / "own").chmod(0o777)

    monkeypatch.setattr(files_renames, "_write", write)
    one = secret(world.root / "own" / "auth")
    with pytest.raises(FilesError, match="mode 0777"):
        files_place.place([one], world.backups, **world.call)  # type: ignore[arg-type]
    assert not list(world.root.rglob("auth*"))


def test_what_is_no_secret_may_lie_anywhere(world: World) -> None:
    """The twin: a knob's folder is nobody's business here."""
    (world.root / "x.d").mkdir()
    (world.root / "x.d").chmod(0o777)
    one = Candidate(read(world.root / "x.d" / "knob"), b"a\n")
    files_place.place([one], world.backups, **world.call)  # type: ignore[arg-type]
    assert Path(one.path).read_bytes() == b"a\n"


def test_the_way_back_is_open_even_where_the_folder_became_so(world: World) -> None:
    """What was placed can be taken away, and what was there comes back."""
    path = world.root / "own" / "auth"
    path.write_bytes(b"theirs\n")
    files_place.place([secret(path)], world.backups, **world.call)  # type: ignore[arg-type]
    path.parent.chmod(0o777)
    back.restore_first(world.backups, **world.call)  # type: ignore[arg-type]
    assert path.read_bytes() == b"theirs\n"
