"""mailq's output is read, and only messages with our token are ever removed."""

import fcntl
import os
import time
from pathlib import Path

import pytest
from james_client.mta.queue import find, gone, parse, remove

LISTED = """\
\t\t/var/spool/mqueue (5 requests)
-----Q-ID----- --Size-- -----Q-Time----- ------------Sender/Recipient-----------
6ANFhNIN000612        3 Mon Nov 23 15:43 root
                 (Deferred: Connection refused by localhost)
\t\t\t\t\t <alice@example.org>
\t\t\t\t\t bob
6ANFhJqI000587*    1203 Mon Nov  3 05:43 <>
\t\t\t\t\t alice
\t\tTotal requests: 2
"""
EMPTY = "/var/spool/mqueue-client is empty\n\t\tTotal requests: 0\n"
TOKEN = "0123456789abcdef"


def test_a_queue_is_read():
    """Identifiers, reasons, recipients, and what is being delivered."""
    queue = parse(LISTED)
    assert queue.folders == ("/var/spool/mqueue",)
    assert queue.total == 2
    first, second = queue.waiting
    assert first.recipients == ("<alice@example.org>", "bob")
    assert first.reason == "Deferred: Connection refused by localhost"
    assert (second.id, second.size, second.sender) == ("6ANFhJqI000587", 1203, "<>")
    assert second.state == "being delivered"
    assert queue.reasons() == {
        "Deferred: Connection refused by localhost": 1,
        "not tried yet": 1,
    }


def test_an_empty_queue_has_a_folder():
    """That is how the folders are found."""
    assert parse(EMPTY).folders == ("/var/spool/mqueue-client",)
    assert parse(EMPTY).total == 0


def test_several_folders_are_found():
    """Queue groups and /var/spool/mqueue/q* have one each."""
    text = EMPTY.replace("mqueue-client", "mqueue/q1") + LISTED
    assert parse(text).folders == ("/var/spool/mqueue/q1", "/var/spool/mqueue")


def message(folder: Path, name: str, *, head: str = "", body: str = "") -> Path:
    """Put a message into a queue folder."""
    control = folder / f"qf{name}"
    control.write_text(f"V8\nMDeferred: nobody home\nH??Subject: x\n{head}\n.\n")
    (folder / f"df{name}").write_text(body)
    (folder / f"xf{name}").write_text("")
    return control


@pytest.fixture
def queue(tmp_path):
    """Give a queue folder with mail of other people's."""
    message(tmp_path, "AAAAAA0001", head="H??X-Other: 1")
    return tmp_path


def test_a_token_is_found_in_the_header_or_in_returned_mail(queue):
    """A bounce carries it in its body only."""
    message(queue, "BBBBBB0001", head=f"H??X-Token: {TOKEN}.")
    message(queue, "CCCCCC0001", body=f"> X-Token: {TOKEN}.")
    found = find([str(queue)], TOKEN)
    assert [item.id for item in found] == ["BBBBBB0001", "CCCCCC0001"]
    assert found[0].reason == "Deferred: nobody home"


def test_subfolders_are_searched(tmp_path):
    """Sendmail may keep qf, df and xf files apart."""
    for kind in ("qf", "df", "xf"):
        (tmp_path / kind).mkdir()
    (tmp_path / "qf" / "qfDDDDDD0001").write_text(f"H??X: {TOKEN}\n")
    (tmp_path / "df" / "dfDDDDDD0001").write_text("body")
    (found,) = find([str(tmp_path)], TOKEN)
    assert remove(found, TOKEN, 0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_only_our_own_mail_is_removed(queue):
    """All files of ours go; every file of anybody else's stays."""
    others = sorted(path.name for path in queue.iterdir())
    message(queue, "BBBBBB0001", head=f"H??X-Token: {TOKEN}.")
    for item in find([str(queue)], TOKEN):
        assert remove(item, TOKEN, 0)
    assert sorted(path.name for path in queue.iterdir()) == others


def test_a_reused_identifier_is_not_ours_any_more(queue):
    """The token is looked for again under the lock."""
    control = message(queue, "BBBBBB0001", head=f"H??X-Token: {TOKEN}.")
    (item,) = find([str(queue)], TOKEN)
    control.write_text("V8\nH??Subject: somebody else's\n.\n")
    assert remove(item, TOKEN, 0)
    assert control.exists()


@pytest.mark.parametrize("lock", [fcntl.flock, fcntl.lockf])
def test_mail_that_is_being_delivered_is_left_alone(queue, lock):
    """Sendmail's lock is honoured, whichever kind it was built with."""
    control = message(queue, "BBBBBB0001", head=f"H??X-Token: {TOKEN}.")
    (item,) = find([str(queue)], TOKEN)
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        with control.open("rb+") as stream:
            lock(stream, fcntl.LOCK_EX)
            os.write(ready[1], b"x")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    assert not remove(item, TOKEN, 0)
    assert control.exists()
    os.write(done[1], b"x")
    os.waitpid(child, 0)
    assert remove(item, TOKEN, 0)
    assert not control.exists()


def test_links_and_pipes_in_a_queue_are_not_followed(queue, tmp_path_factory):
    """The submission program's user may write there: nothing outside is read or removed."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_text(TOKEN)
    (queue / "qfEEEEEE0001").symlink_to(outside)
    os.mkfifo(queue / "qfFFFFFF0001")
    assert find([str(queue)], TOKEN) == []
    assert outside.exists()


VICTIM = "AAAAAA0001"  # a message of somebody else's, in the fixture `queue`


def planted(queue: Path, ours: Path, how: str) -> Path:
    """Have a queue's owner make ours out of another's message; give the folder to search."""
    os.chown(ours, 12345, 12345)
    (ours / f"qf{VICTIM}").write_text(f"H??X: {TOKEN}\n")
    if how == "subfolders":
        for kind in ("df", "xf"):
            (ours / kind).symlink_to(queue)
    elif how == "qf folder":
        (ours / f"qf{VICTIM}").unlink()
        (queue / f"qf{VICTIM}").write_text(f"H??X: {TOKEN}\n")
        (ours / "qf").symlink_to(queue)
    elif how == "files":
        for kind in ("df", "xf"):
            (ours / f"{kind}{VICTIM}").symlink_to(queue / f"{kind}{VICTIM}")
    elif how == "hard links":
        for kind in ("df", "xf"):
            os.link(queue / f"{kind}{VICTIM}", ours / f"{kind}{VICTIM}")
    elif how == "queue":
        (queue / f"qf{VICTIM}").write_text(f"H??X: {TOKEN}\n")
        (ours / "q1").symlink_to(queue)
        return ours / "q1"
    return ours


@pytest.mark.parametrize("how", ["subfolders", "qf folder", "files", "hard links", "queue"])
def test_what_links_lead_to_is_not_removed(queue, tmp_path_factory, how):
    """A queue belongs to another user than root: he must not choose what root removes."""
    folder = planted(queue, tmp_path_factory.mktemp("ours"), how)
    others = sorted(queue.iterdir())
    for item in find([str(folder)], TOKEN):
        assert remove(item, TOKEN, 0)
    assert sorted(queue.iterdir()) == others


def test_a_link_swapped_in_after_the_search_is_not_followed(queue, tmp_path_factory):
    """Nothing that was looked at by name is used by name later."""
    ours = planted(queue, tmp_path_factory.mktemp("ours"), "none")
    (item,) = find([str(ours)], TOKEN)
    others = sorted(queue.iterdir())
    (ours / "df").symlink_to(queue)
    assert remove(item, TOKEN, 0)
    assert sorted(queue.iterdir()) == others


def test_a_queue_that_root_has_moved_is_searched(queue, tmp_path_factory):
    """The twin: /var/spool/mqueue may be a link, in a folder that is root's alone."""
    moved = tmp_path_factory.mktemp("spool") / "mqueue"
    moved.symlink_to(queue)
    message(queue, "BBBBBB0001", head=f"H??X-Token: {TOKEN}.")
    (item,) = find([str(moved)], TOKEN)
    assert remove(item, TOKEN, 0)
    assert find([str(moved)], TOKEN) == []


def test_a_file_that_is_gone_is_not_waited_for(tmp_path):
    """And one that stays is waited for no longer than said."""
    assert gone(tmp_path / "qfAAAAAA0001", time.monotonic() + 60)
    (tmp_path / "qfAAAAAA0002").touch()
    assert not gone(tmp_path / "qfAAAAAA0002", time.monotonic())
