"""A step tells what it changes by things, each once, whatever the number of files."""

from __future__ import annotations

import pytest
from james_client.run.told import things

CF, MSP = "/etc/mail/sendmail.cf", "/etc/mail/submit.cf"
NEW = {"old": None, "new": "LOGIN PLAIN"}
LINES = ["define(`SMART_HOST', ``esmtp:localhost'')dnl"]


def test_the_same_change_in_several_files_is_told_once() -> None:
    changes = {CF: {"AuthMechanisms": NEW}, MSP: {"AuthMechanisms": dict(NEW)}}
    assert things(changes) == {"AuthMechanisms": "LOGIN PLAIN"}


def test_what_differs_is_told_with_its_file() -> None:
    other = {"old": "CRAM-MD5", "new": "LOGIN PLAIN"}
    assert things({CF: {"AuthMechanisms": NEW}, MSP: {"AuthMechanisms": other}}) == {
        f"AuthMechanisms in {CF}": "LOGIN PLAIN",
        f"AuthMechanisms in {MSP}": "LOGIN PLAIN, was CRAM-MD5",
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (None, True, "True"),
        (True, None, "none, was True"),
        ("i", "queue", "queue, was i"),
        (None, LINES, "builds the same"),
        (["other"], LINES, "builds the same, was other lines"),
        (LINES, [], "none, was other lines"),
    ],
)
def test_old_and_new_are_words_and_an_mc_s_lines_are_not_repeated(
    old: object, new: object, words: str
) -> None:
    assert things({"/etc/mail/sendmail.mc": {"x": {"old": old, "new": new}}}) == {"x": words}


def test_an_mc_is_not_told_beside_the_cf_that_it_builds() -> None:
    section = {"mc section auth": {"old": None, "new": LINES}}
    changes = {CF: {"AuthMechanisms": NEW}, "/etc/mail/sendmail.mc": section}
    assert things(changes) == {"AuthMechanisms": "LOGIN PLAIN"}


def test_no_change_is_none() -> None:
    assert things({}) == {}
