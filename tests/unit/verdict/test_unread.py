"""Mail that nobody will read is named: its place, size and time, and nothing of what it says."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import run_world
from cf_world import CF
from james_client.run.plan import Plan
from james_client.verdict import unread as room
from james_client.verdict.unread import Unread, unread

HUB = b"DHesmtp:localhost\n"
TAKEN = 1_700_000_000.0  # when sendmail.cf last changed


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a host with a folder of mailboxes, root's home, and a sendmail.cf for James."""
    (tmp_path / "mail").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(room, "MAILBOXES", (tmp_path / "mail", tmp_path / "none"))
    home = SimpleNamespace(pw_dir=str(tmp_path / "home"))
    monkeypatch.setattr(room.pwd, "getpwuid", lambda uid: home)
    return tmp_path


def plan(host: Path, hub: bytes = HUB) -> Plan:
    """Give a plan whose sendmail.cf names a place for dead letters."""
    drop = f"O DeadLetterDrop={host}/dropped\n".encode()
    (host / "sendmail.cf").write_bytes(CF.replace(b"Sparse=0", hub + drop + b"Sparse=0"))
    os.utime(host / "sendmail.cf", (TAKEN, TAKEN))
    relay = {"stay_local": ["kept"]}
    return run_world.plan({"relay": relay}, cf=f"{host}/sendmail.cf", submit_cf=f"{host}/none.cf")


def box(path: Path, written: float, came: float | None = None, more: str = "") -> str:
    """Fill a mailbox with a message, which came when it was written if not at another time."""
    when = time.ctime(written if came is None else came)
    path.write_text(f"From x  {when}\nSubject: a secret\n\nmore\n{more}")
    os.utime(path, (written, written))
    return str(path)


def test_nothing_is_said_of_a_host_without_such_mail(host: Path) -> None:
    (host / "dropped").touch()
    (host / "mail/bob").touch()
    assert unread(plan(host)) == Unread((), (), ())


@pytest.mark.parametrize("where", ["dropped", "home/dead.letter"])
def test_a_dead_letter_is_told_until_it_is_emptied(host: Path, where: str) -> None:
    path = box(host / where, TAKEN - 1000)
    (dead,) = unread(plan(host)).dead
    assert str(dead).startswith("57 bytes, last written 20")
    assert str(dead.path) == path
    os.truncate(path, 0)
    assert unread(plan(host)).dead == ()


def test_a_mailbox_of_before_is_shown_and_no_more(host: Path) -> None:
    path = box(host / "mail/bob", TAKEN - 1)
    found = unread(plan(host))
    assert [str(one.path) for one in found.boxes] == [path]
    assert found.late == ()


def test_a_mailbox_that_mail_still_comes_to_is_late(host: Path) -> None:
    path = box(host / "mail/bob", TAKEN + 1)
    box(host / "mail/kept", TAKEN + 1)
    found = unread(plan(host))
    assert len(found.boxes) == 2
    assert [str(one.path) for one in found.late] == [path]
    assert unread(plan(host, hub=b"")).late == ()


@pytest.mark.parametrize("more", ["", "x\n", "From x\n", "From x  Mon Foo 99 25:00:00 2099\n"])
def test_a_mailbox_that_its_reader_wrote_to_is_not_late(host: Path, more: str) -> None:
    box(host / "mail/bob", TAKEN + 9, TAKEN - 9, more)
    found = unread(plan(host))
    assert (len(found.boxes), found.late) == (1, ())


def test_the_newest_message_of_a_large_mailbox_counts(host: Path) -> None:
    path = box(host / "mail/bob", TAKEN + 9, TAKEN - 9, "x" * 100_000 + "\n")
    with Path(path).open("a") as mailbox:
        mailbox.write(f"From y@z  {time.ctime(TAKEN + 5)}\n\nhere\n")
    os.utime(path, (TAKEN + 9, TAKEN + 9))
    assert [str(one.path) for one in unread(plan(host)).late] == [path]


def test_a_file_that_is_no_mailbox_is_no_dead_letter(host: Path) -> None:
    (host / "dropped").write_text("root:$y$j9T$x:19000:0:99999:7:::\n")
    assert unread(plan(host)).dead == ()


def test_the_newest_mailbox_comes_first_and_links_are_not_followed(host: Path) -> None:
    for number in range(3):
        box(host / f"mail/u{number}", TAKEN - number)
    (host / "mail/link").symlink_to(host / "mail/u0")
    assert [one.path.name for one in unread(plan(host)).boxes] == ["u0", "u1", "u2"]
