"""Only what sendmail can open is a table: makemap's own, of the right kind, and whole."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from james_client.mta.databases import unusable


def made(folder: Path, kind: str, entries: str) -> str:
    """Have makemap make a table."""
    path = folder / kind
    command = ["makemap", kind, str(path)]
    subprocess.run(command, input=entries, text=True, check=True)
    return f"{path}.db"


@pytest.mark.parametrize("entries", ["", "a.example\tesmtp:localhost\n"])
@pytest.mark.parametrize(("kind", "other"), [("hash", "btree"), ("btree", "hash")])
def test_what_makemap_makes_is_of_its_kind(
    tmp_path: Path, kind: str, other: str, entries: str
) -> None:
    path = made(tmp_path, kind, entries)
    assert unusable(kind, path) == ""
    assert unusable(other, path) == f"is a {kind}, expected a {other}"


def test_one_of_the_other_byte_order_is_one(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(bytes(12) + 0x00061561.to_bytes(4, "big") + bytes(100))
    assert unusable("hash", str(path)) == ""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty, which no hash is"),
        (b"a.example\tesmtp:localhost\n" * 9, "is no hash"),
        (bytes(4096), "is no hash"),
        (b"short", "is no hash"),
    ],
)
def test_what_makemap_did_not_make_is_none(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(data)
    assert unusable("hash", str(path)) == said


def test_a_cdb_may_stand_in_for_a_hash_and_text_is_text(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes((2048).to_bytes(4, "little") + bytes(2044))
    assert unusable("hash", str(path)) == ""
    path.write_bytes(b"")
    assert unusable("text", str(path)) == unusable("cdb", str(path)) == ""


def test_a_folder_or_a_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        assert unusable("text", str(path)) == "is no regular file"
