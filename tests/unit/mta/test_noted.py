"""A control file is read as sendmail 8.17.1 writes it, and only in the queue's own folder."""

from __future__ import annotations

from pathlib import Path

from james_client.mta import noted

NAME = "6AOFffZd000462"
HEAD = (
    b"V8\nT1795534901\nK1795534906\nN1\nP120066\nMDeferred: Connection refused by [127.0.0.1]\n"
    b"Fbs\n$_bob@localhost\n${daemon_flags}c u\nSbob\nAbob@mail.example.test\nC:alice\n"
    b"rRFC822; alice@mail.example.test\nRPFD:alice\nR:<carol@example.org>\n"
    b"H?P?Return-Path: <\x81g>\nH??To: alice\n\tR:no@example.org\n.\n"
)


def test_what_sendmail_notes_is_read() -> None:
    found = noted.parse(NAME, HEAD)
    assert found == noted.Noted(
        NAME,
        1795534901,
        "bob",
        "bob@localhost",
        ("alice", "carol@example.org"),
        "Deferred: Connection refused by [127.0.0.1]",
        1,
    )


def test_a_file_that_is_not_whole_is_none() -> None:
    assert noted.parse(NAME, b"") is None
    assert noted.parse(NAME, HEAD.replace(b"T1795534901", b"Tsoon")) is None


def test_a_login_in_a_reason_is_not_shown() -> None:
    head = HEAD.replace(b"MDeferred", b"M>>> AUTH PLAIN AGJvYgBzZWNyZXQ= Deferred")
    found = noted.parse(NAME, head)
    assert found and "AGJvYgBzZWNyZXQ" not in found.reason


def test_the_newest_are_read_and_no_link_is_followed(tmp_path: Path) -> None:
    for number in range(5):
        head = HEAD.replace(b"T1795534901", b"T%d" % (1795534901 + number))
        (tmp_path / f"qf6AOFffZ{number}000462").write_bytes(head)
    (tmp_path / "elsewhere").write_bytes(HEAD)
    (tmp_path / "qf6AOFffZz000462").symlink_to("elsewhere")
    (tmp_path / "df6AOFffZz000462").write_bytes(HEAD)
    found = noted.newest([str(tmp_path), str(tmp_path / "none")], 3, 10)
    assert [one.id for one in found] == ["6AOFffZ4000462", "6AOFffZ3000462"]
    [one] = noted.newest([str(tmp_path)], 3, 10, only="6AOFffZ1000462")
    assert one.submitted == 1795534902
    assert noted.newest([str(tmp_path)], 3, 10, only="6AOFffZ9000462") == []
    assert noted.newest([str(tmp_path)], 3, 0) == []
