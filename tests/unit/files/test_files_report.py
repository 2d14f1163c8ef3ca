"""A report for another program is whole at any moment, and others' files are let alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from james_client.files.report import check, is_there, remove, write
from james_client.files.walk import FilesError

MARK = b"# ours\n"
TEXT = MARK + b"a 1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.prom"


def test_it_is_written_for_all_to_read_and_nothing_else_is_left(path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(str(path), TEXT, MARK)
        write(str(path), TEXT + b"b 2\n", MARK)
    finally:
        os.umask(before)
    assert path.read_bytes() == TEXT + b"b 2\n"
    assert path.stat().st_mode & 0o7777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_one_left_is_no_hindrance(path: Path) -> None:
    path.with_name(".a.prom.new").write_text("half")
    write(str(path), TEXT, MARK)
    assert list(path.parent.iterdir()) == [path]


def test_a_planted_symlink_leads_nowhere(path: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("x")
    path.with_name(".a.prom.new").symlink_to(tmp_path / "theirs")
    write(str(path), TEXT, MARK)
    assert (tmp_path / "theirs").read_text() == "x"
    assert not path.is_symlink()


@pytest.mark.parametrize("kind", ["file", "symlink", "directory", "fifo"])
def test_what_is_somebody_elses_is_neither_written_nor_removed(path: Path, kind: str) -> None:
    if kind == "file":
        path.write_text("node_other 1\n")
    elif kind == "symlink":
        path.with_name("b.prom").write_bytes(TEXT)
        path.symlink_to("b.prom")
    elif kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    before = path.lstat()
    for refuses in (lambda: write(str(path), TEXT, MARK), lambda: check(str(path), MARK)):
        with pytest.raises(FilesError, match="holds something else"):
            refuses()
    assert not is_there(str(path), MARK)
    assert not remove(str(path), MARK)
    assert path.lstat().st_ino == before.st_ino


def test_a_folder_that_anybody_may_write_to_is_refused(path: Path) -> None:
    path.parent.chmod(0o777)
    with pytest.raises(FilesError, match="chmod o-w"):
        write(str(path), TEXT, MARK)
    assert not path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="'nowhere' does not exist"):
        check(str(tmp_path / "nowhere/a.prom"), MARK)
    assert not remove(str(tmp_path / "nowhere/a.prom"), MARK)


def test_ours_is_removed_and_its_neighbours_stay(path: Path) -> None:
    write(str(path), TEXT, MARK)
    path.with_name("b.prom").write_bytes(TEXT)
    path.with_name(".a.prom.new").write_text("half")
    assert is_there(str(path), MARK)
    assert remove(str(path), MARK)
    assert [one.name for one in path.parent.iterdir()] == ["b.prom"]
