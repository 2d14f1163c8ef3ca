"""The log is read from its end, bounded, and only where root and syslog alone can write."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from james_client.mta import journal, maillog
from support import pristine

NOW = time.mktime((2026, 1, 2, 12, 0, 0, 0, 0, -1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder as /var/log is, and no journal."""
    tmp_path.chmod(0o755)
    return tmp_path


def read(path: Path, **how: int) -> maillog.Log:
    """Read a file where there is no journal."""
    return maillog.read([str(path)], {0}, folders=(str(path.parent / "none"),), **how)


def line(text: str, stamp: str = "Jan  2 10:00:00", tag: str = "sm-msp[7]") -> str:
    """Give a line as rsyslog writes it."""
    return f"{stamp} mail {tag}: {text}\n"


def test_both_forms_of_time_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maillog.time, "time", lambda: NOW)
    stamps = {
        "Dec 31 10:00:00": NOW - 2 * 86400 - 7200,  # of the year before
        "Jan  2 10:00:00": NOW - 7200,
        "Jan  3 10:00:00": NOW + 86400 - 7200,  # a clock that goes wrong
        "2026-01-02T09:00:00.123456+00:00": 1767344400,
        "2026-01-02T09:00:00Z": 1767344400,
        "2026-01-02T11:00:00+02:00": 1767344400,
    }
    path = folder / "mail.log"
    path.write_text("".join(line("x", stamp) for stamp in stamps))
    assert [one.time for one in read(path).lines] == list(stamps.values())


def test_what_is_not_sendmails_is_left_out(folder: Path) -> None:
    path = folder / "mail.log"
    path.write_text(
        line("1")
        + line("no", tag="dovecot[1]")
        + line("no", tag="sm-msp")
        + "no line at all\nJan 99 10:00:00 mail sm-msp[7]: no\n\n"
        + line("2", tag="sendmail[8]")
        + line("3", tag="sm-mta-queue[9]")
    )
    log = read(path)
    assert [one.text for one in log.lines] == ["1", "2", "3"]
    assert [(one.tag, one.pid) for one in log.lines][1] == ("sendmail", "8")
    assert (log.source, log.forgeable, log.unseen) == (str(path), True, ())


def test_the_file_before_it_is_read_as_well(folder: Path) -> None:
    path = folder / "mail.log"
    path.write_text(line("new"))
    (folder / "mail.log.1").write_text(line("older") + line("old"))
    assert [one.text for one in read(path).lines] == ["older", "old", "new"]
    assert [one.text for one in read(path, limit=2).lines] == ["old", "new"]


def test_a_file_that_was_rotated_a_moment_ago(folder: Path) -> None:
    (folder / "mail.log.1").write_text(line("old"))
    assert [one.text for one in read(folder / "mail.log").lines] == ["old"]


def test_no_more_than_the_end_of_a_great_file_is_read(folder: Path) -> None:
    path = folder / "mail.log"
    with path.open("w") as stream:
        stream.write(line("first"))
        stream.truncate(1 << 40)  # a terabyte, most of it a hole
    with path.open("a") as stream:
        stream.write("\n" + "".join(line(f"number {one}") for one in range(100_000)))
    log = read(path)
    assert len(log.lines) == maillog.LINES
    assert log.lines[-1].text == "number 99999"


@pytest.mark.parametrize("kind", ["a user's", "anybody's", "a group's", "link", "pipe", "folder"])
def test_a_file_that_a_user_can_write_is_not_believed(folder: Path, kind: str) -> None:
    path = folder / "mail.log"
    if kind == "link":
        (folder / "other").write_text(line("x"))
        path.symlink_to(folder / "other")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text(line("x"))
        os.chown(path, 1 if kind == "a user's" else 0, 1)
        path.chmod({"anybody's": 0o646, "a group's": 0o664}.get(kind, 0o644))
        folder.chmod(0o777 if kind == "folder" else 0o755)
    log = read(path)
    assert log.lines == ()
    assert log.source == ""
    (why,) = log.unseen
    assert str(folder if kind == "folder" else path) in why


def test_no_log_is_said(folder: Path) -> None:
    log = read(folder / "mail.log")
    assert log == maillog.Log(
        (), "", False, (f"no line of sendmail's in the journal or in {folder}/mail.log",)
    )


ON_A_HOST = pytest.mark.skipif(
    not pristine.in_disposable_host(), reason="writes into the host's journal"
)


def log(*texts: str, by: str = "root", tag: str = "sm-msp[7]") -> None:
    """Write entries of the journal as a user, and wait until they are in its file."""
    for text in texts:
        command = ["logger", "-p", "mail.info", "-t", tag, text]
        subprocess.run(command, check=True, user=by, group=by, extra_groups=[])
    pristine.run("journalctl", "--sync")


@ON_A_HOST
def test_the_journal_comes_first_and_no_user_is_believed_there(folder: Path) -> None:
    path = folder / "mail.log"
    path.write_text(line("in the file"))
    log("true")
    log("pretended", by="daemon")
    read = maillog.read([str(path)], {0}, folders=journal.FOLDERS)
    assert (read.source, read.forgeable) == ("journal", False)
    assert read.lines[-1].text == "true"
    assert not [one for one in read.lines if one.text == "pretended"]


@ON_A_HOST
def test_what_others_log_takes_no_room() -> None:
    log("true")
    log(*map(str, range(12)), by="daemon")
    found = maillog.read([], {0}, folders=journal.FOLDERS, limit=2)
    assert found.lines[-1].text == "true"


@ON_A_HOST
@pytest.mark.parametrize("bound", [("ENTRIES", 3), ("SECONDS", -1.0)])
def test_a_flooded_journal_is_said_and_no_file_read_in_its_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch, bound: tuple[str, float]
) -> None:
    (folder / "mail.log").write_text(line("pretended"))
    log(*map(str, range(20)), by="daemon")
    monkeypatch.setattr(maillog, *bound)
    found = maillog.read([str(folder / "mail.log")], {0}, folders=journal.FOLDERS, limit=2)
    assert (found.lines, found.source, found.forgeable) == ((), "journal", False)
    (why,) = found.unseen
    assert "the journal before " in why


def test_a_line_longer_than_sendmails_is_left_out(folder: Path) -> None:
    path = folder / "mail.log"
    path.write_text(line("x" * maillog.LONGEST) + line("short"))
    assert [one.text for one in read(path).lines] == ["short"]
