"""The journal is read as journalctl reads it, and a user's entry stays a user's."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import islice
from pathlib import Path

import pytest
from james_client.mta import journal
from support import pristine

pytestmark = pytest.mark.skipif(
    not pristine.in_disposable_host(), reason="writes into the journal of the host it runs on"
)


def log(*texts: str, tag: str = "sm-msp[12]", by: str = "root", facility: str = "mail") -> None:
    """Write entries as a user, and wait until they are in the journal's file."""
    command = ["logger", "-p", f"{facility}.info", "-t", tag]
    for text in texts:
        subprocess.run([*command, "--", text], check=True, user=by, group=by, extra_groups=[])
    pristine.run("journalctl", "--sync")


def newest(count: int) -> list[journal.JournalEntry]:
    """Give the newest entries of the system's journal."""
    return list(islice(journal.entries(journal.files()[0]), count))


def test_it_gives_what_journalctl_gives() -> None:
    log(*(f"line {number}" for number in range(50)))
    shown = pristine.run("journalctl", "--system", "-o", "json", "-n", "60", "--facility=mail")
    wanted = [json.loads(line) for line in reversed(shown.splitlines())]
    found = newest(len(wanted))
    assert len(found) > 49
    assert [one.text for one in found] == [one["MESSAGE"] for one in wanted]
    assert [round(one.time * 1e6) for one in found] == [
        int(one["__REALTIME_TIMESTAMP"]) for one in wanted
    ]
    assert [str(one.uid) for one in found] == [one["_UID"] for one in wanted]
    assert [one.tag for one in found] == [one["SYSLOG_IDENTIFIER"] for one in wanted]


def test_no_other_facility_is_read() -> None:
    log("of the mail system")
    log("of cron", facility="cron")
    assert newest(1)[0].text == "of the mail system"


def test_who_wrote_an_entry_is_what_the_kernel_says() -> None:
    log("mine")
    log("pretended", by="daemon")
    pretended, mine = newest(2)
    assert (mine.uid, mine.tag, mine.pid) == (0, "sm-msp", "12")
    assert pretended.uid != 0
    assert (pretended.tag, pretended.pid, pretended.text) == ("sm-msp", "12", "pretended")


def test_a_line_that_journald_compresses_is_there_without_its_words() -> None:
    log("short", "long " * 300)
    assert [one.text for one in newest(2)] == [None, "short"]


def broken(folder: Path) -> list[Path]:
    """Give files that are no journal, or were one."""
    whole = journal.files()[0].read_bytes()[: 2 * 1024 * 1024]
    table = int.from_bytes(whole[120:128], "little")
    shapes = {
        "empty": b"",
        "text": b"x" * 100_000,
        "newer": whole[:12] + b"\xff" * 4 + whole[16:],
        "cut": whole[: table + 8],
        "astray": whole[:120] + (1 << 62).to_bytes(8, "little") + whole[128:],
        "noise": whole[:4096] + b"\x01" * (len(whole) - 4096),
    }
    for name, data in shapes.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in shapes]


def test_a_broken_journal_is_an_error_that_names_it(tmp_path: Path) -> None:
    log("one")
    for path in broken(tmp_path):
        with pytest.raises(journal.JournalError, match=str(path)):
            list(journal.entries(path))


@pytest.mark.parametrize("kind", ["link", "pipe", "a user's", "anybody's"])
def test_a_file_that_a_user_could_have_made_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "system.journal"
    if kind == "link":
        path.symlink_to(journal.files()[0])
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(journal.files()[0].read_bytes()[:65536])
        os.chown(path, 1 if kind == "a user's" else 0, 0)
        path.chmod(0o666 if kind == "anybody's" else 0o644)
    with pytest.raises(journal.JournalError, match=str(path)):
        list(journal.entries(path))


def test_a_host_without_a_journal_has_none(tmp_path: Path) -> None:
    assert journal.files((str(tmp_path), str(tmp_path / "none"))) == []
