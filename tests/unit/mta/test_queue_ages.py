"""How long messages wait is read from their control files, whatever else stands in the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from james_client.mta.queue import Aged, ages


def put(folder: Path, name: str, head: str) -> None:
    """Put a control file into a queue folder."""
    (folder / f"qf{name}").write_text(head)


def test_the_oldest_comes_first(tmp_path: Path) -> None:
    put(tmp_path, "1", "V8\nT200\nK0\nN0\nFs\nSbob\n")
    put(tmp_path, "2", "V8\nT100\nK0\nN0\nFsr\nS<>\n")
    (tmp_path / "df1").write_text("T1\n")
    assert ages([str(tmp_path)]) == [Aged(100, "dsn", False), Aged(200, "normal", True)]


def test_a_queue_with_folders_of_its_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "qf").mkdir()
    put(tmp_path / "qf", "1", "T7\nSbob\n")
    assert ages([str(tmp_path), str(tmp_path / "gone")]) == [Aged(7, "normal", True)]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("H??Priority: urgent\n", "urgent"),
        ("H?P?priority: Non-Urgent\n", "non-urgent"),
        ("Fsr\nH??Priority: normal\n", "normal"),
        ("Fsr\nH??Priority: other\n", "dsn"),
        ("Fs\nH??Precedence: bulk\n", "non-urgent"),
        ("H??Precedence: special-delivery\n", "urgent"),
        ("H??Precedence: first-class\n", "normal"),
        (
            'H??Content-Type: multipart/report; report-type=delivery-status;\n\tboundary="x"\n',
            "dsn",
        ),
        ('H??Content-Type: multipart/report;\n\treport-type="delivery-status"\n', "dsn"),
        ("H??Content-Type: multipart/report; report-type=disposition-notification\n", "normal"),
        ("H??Subject: Priority: urgent\nRPFD:root\n", "normal"),
    ],
)
def test_the_kind_is_the_one_whose_timeout_holds(head: str, kind: str, tmp_path: Path) -> None:
    put(tmp_path, "1", f"V8\nT7\nSbob\n{head}.\n")
    assert [one.kind for one in ages([str(tmp_path)])] == [kind]


def test_what_is_no_message_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "1", "")
    put(tmp_path, "2", "Tomorrow\n")
    put(tmp_path, "3", f"T{'9' * 400}\n")
    (tmp_path / "qf4").symlink_to("/etc/shadow")
    os.mkfifo(tmp_path / "qf5")
    assert ages([str(tmp_path)]) == []
