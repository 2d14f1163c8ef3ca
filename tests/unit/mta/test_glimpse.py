"""A short look into a queue counts it and reads the oldest, by files alone and in bounded time."""

from __future__ import annotations

from pathlib import Path

import pytest
from james_client.mta.queue import glimpse


def put(folder: Path, name: str, submitted: int, reason: str = "", tries: int = 0) -> None:
    """Put a control file into a queue."""
    said = f"M{reason}\n" if reason else ""
    text = f"V8\nT{submitted}\nK0\nN{tries}\n{said}Sbob\nrRFC822; alice\n.\n"
    (folder / f"qf{name}").write_text(text)


def test_the_oldest_are_read_and_all_are_counted(tmp_path: Path) -> None:
    for number in range(9):
        put(tmp_path, f"6AxAAAAA00000{number}", 1000 + number, "Deferred: so", number)
    (tmp_path / "df6AxAAAAA000000").write_text("T1\n")
    found = glimpse([str(tmp_path)], 3, 10)
    assert (found.total, found.whole) == (9, True)
    assert [one.age.submitted for one in found.read] == [1000, 1001, 1002]
    assert found.read[0].id == "6AxAAAAA000000"
    assert found.reasons() == {"Deferred: so": 2}, "the first was not tried yet"


def test_the_oldest_of_several_folders_and_subfolders_comes_first(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("q1", "q2")]
    for folder in folders:
        folder.joinpath("qf").mkdir(parents=True)
    put(folders[0], "6AxAAAAA000001", 2000)
    put(folders[1] / "qf", "6AxAAAAA000002", 1000)
    found = glimpse([str(folder) for folder in folders], 5, 10)
    assert [one.age.submitted for one in found.read] == [1000, 2000]


def test_what_is_gone_half_written_or_no_file_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "6AxAAAAA000001", 1000)
    (tmp_path / "qf6AxAAAAA000002").write_text("V8\n")
    (tmp_path / "qf6AxAAAAA000003").mkdir()
    (tmp_path / "qf6AxAAAAA000004").symlink_to("/etc/passwd")
    found = glimpse([str(tmp_path)], 5, 10)
    assert (len(found.read), found.total) == (1, 4)


def test_when_time_is_up_it_says_that_there_may_be_more(tmp_path: Path) -> None:
    put(tmp_path, "6AxAAAAA000001", 1000)
    found = glimpse([str(tmp_path)], 5, 0)
    assert (found.whole, found.read) == (False, ())


def test_a_queue_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        glimpse([str(tmp_path / "none")], 5, 10)


def test_no_reason_shows_a_login(tmp_path: Path) -> None:
    put(tmp_path, "6AxAAAAA000001", 1000, "Deferred: AUTH PLAIN AHNlbmRtYWlsAHMzY3JldA==", 1)
    assert "AHNlbmRtYWls" not in str(glimpse([str(tmp_path)], 5, 10))


def test_names_that_are_no_control_files_are_none_and_long_reasons_are_cut(tmp_path: Path) -> None:
    for name in ("6Ax\x1b[2J0001", "6AxAAAAA\u202e0001", "6Ax;id;AAAAA", "6A", "6" * 99):
        put(tmp_path, name, 1000, "Deferred: so", 1)
    put(tmp_path, "6AxAAAAA000001", 1000, "x" * 900_000, 1)
    found = glimpse([str(tmp_path)], 50, 10)
    assert (found.total, [one.id for one in found.read]) == (1, ["6AxAAAAA000001"])
    assert len(found.read[0].reason) == 300


def test_what_sendmail_has_lost_or_quarantined_is_no_waiting_mail_and_is_seen(
    tmp_path: Path,
) -> None:
    put(tmp_path, "6AxAAAAA000001", 1000)
    (tmp_path / "qf").mkdir()
    for name in ("Qf6AxAAAAA000002", "qf/hf6AxAAAAA000003", "Tf6AxAAAAA000004", "Qf", "hf"):
        (tmp_path / name).touch()
    found = glimpse([str(tmp_path)], 5, 10)
    assert found.total == 1
    assert found.lost == (f"{tmp_path}/Qf6AxAAAAA000002",)
    assert found.quarantined == (f"{tmp_path}/qf/hf6AxAAAAA000003",)
