"""What a run reports: old and new in words, a diff that shows no secret."""

from __future__ import annotations

import pytest
from files_world import SECRET
from james_client.files import candidate as files_candidate
from james_client.files.candidate import Candidate
from james_client.files.snapshot import Snapshot


def changed(
    old: bytes | None, new: bytes | None, found: int = 0o644, **more: object
) -> dict[str, str | None]:
    before = Snapshot("/etc/mail/x", old, found if old is not None else 0)
    one = Candidate(before, new, uid=0, gid=0, **more)
    return files_candidate.changes([one], diff=True)["/etc/mail/x"]


def test_a_text_file_is_told_with_a_diff() -> None:
    told = changed(b"a\nb\n", b"a\nc\n")
    assert told["old"] == told["new"] == "4 bytes"
    assert told["diff"].splitlines()[2:] == ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]


def test_mode_and_owner_are_told_where_they_change() -> None:
    told = changed(b"a\n", b"a\n", 0o600, exact=Snapshot("/etc/mail/x", b"a\n", 0o644))
    assert told["old"] == "(not shown), mode 0600, uid 0, gid 0"
    assert told["new"] == "(not shown), mode 0644, uid 0, gid 0"
    assert changed(None, b"a\n")["new"] == "2 bytes, mode 0644, uid 0, gid 0"


def test_a_new_and_a_removed_file_have_one_side() -> None:
    assert changed(None, b"a\n")["old"] is None
    assert changed(b"a\n", None)["new"] is None
    assert changed(b"a\n", None)["diff"].endswith("-a\n")


def test_without_being_asked_for_no_diff_is_told() -> None:
    before = Snapshot("/etc/mail/x", b"a\n", 0o644)
    (told,) = files_candidate.changes([Candidate(before, b"b\n")]).values()
    assert told.keys() == {"old", "new"}


def test_nothing_is_told_of_a_file_that_stays() -> None:
    before = Snapshot("/etc/mail/x", b"a\n", 0o644)
    assert files_candidate.changes([Candidate(before, b"a\n")]) == {}


def test_a_secret_is_not_shown_in_any_way() -> None:
    told = changed(SECRET, SECRET * 3, secret=True)
    assert told["diff"] == "(not shown)"
    assert told["old"] == "(not shown), mode 0644, uid 0, gid 0"
    assert "pa55word" not in str(told)


@pytest.mark.parametrize(
    "line",
    [
        b'AuthInfo:example.org "U:me" "P:pl4nted"',
        b'authinfo: "P=cGw0bnRlZA== pl4nted"\r',
        b"\tKx AUTHINFO:a pl4nted \xff",
    ],
)
def test_what_follows_authinfo_is_masked(line) -> None:
    told = changed(line + b"\n", b"other\n" + line.replace(b"nted", b"nted2") + b"\n")
    assert "pl4nted" not in told["diff"]
    assert "(not shown)" in told["diff"]
    assert "+other" in told["diff"]


def test_a_plain_diff_would_show_it() -> None:
    assert "pl4nted" in changed(b"x\n", b"AuthInf:pl4nted\n")["diff"]


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert "\\xff" in changed(b"\xff\r\n", b"\xfe\r\n")["diff"]
    assert changed(b"\0", b"\1")["diff"] == "(binary)"
    assert changed(b"a\n", b"b\n" * 200_000)["diff"] == "(too large to show)"


def test_a_missing_newline_at_the_end_is_told() -> None:
    assert changed(b"a", b"a\n")["diff"].count("\\ No newline at end of file") == 1


@pytest.mark.parametrize("found", [0o600, 0o640, 0o000, 0o660, 0o711])
def test_of_a_file_that_others_cannot_read_no_diff_is_shown(found) -> None:
    told = changed(SECRET, b"a\n", found)
    assert told["diff"] == "(not shown: others cannot read it)"
    assert told["old"] == "(not shown)"
    assert "pa55word" not in str(told)


def test_of_a_file_that_others_will_not_be_able_to_read_no_diff_is_shown() -> None:
    assert changed(None, SECRET, mode=0o640)["diff"] == "(not shown: others cannot read it)"
    former = Snapshot("/etc/mail/x", SECRET, 0o600)
    assert "pa55word" not in str(changed(b"a\n", SECRET, exact=former))


@pytest.mark.parametrize("found", [0o604, 0o644, 0o444, 0o666])
def test_of_a_file_that_others_can_read_the_diff_is_shown(found) -> None:
    assert changed(b"a\n", b"b\n", found)["diff"].endswith("-a\n+b\n")
