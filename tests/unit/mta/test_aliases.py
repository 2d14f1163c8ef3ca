"""The aliases file is read as sendmail reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from james_client.mta.aliases import (
    Alias,
    files,
    kind,
    read,
    together,
    without_counterpart,
)


def parse(text):
    """Give the entries of a file."""
    return read(text.encode()).entries


FILE = """\
# comment
postmaster: root
root:\tops@example.org,
\tnight@example.org , "a, b"@example.org,
   third@example.org
Prog: "|/usr/bin/vacation bob"
"two words": bob
list: :include:/etc/mail/list
file: /var/mail/archive
long: one, \\
two

no colon here
bob: bob
root2: x
ROOT2: y
"""


def test_entries_targets_and_lines():
    """Continuations, quotes, comments; the last of a name counts."""
    entries = {entry.name: entry for entry in parse(FILE)}
    members = ("ops@example.org", "night@example.org", '"a, b"@example.org', "third@example.org")
    assert entries["root"] == Alias("root", members, 3)
    assert entries["prog"].targets == ('"|/usr/bin/vacation bob"',)
    assert entries['"two words"'].targets == ("bob",)
    assert entries["long"].targets == ("one", "two")
    assert entries["root2"].targets == ("y",)
    assert "no colon here" not in entries
    assert entries["postmaster"].line == 2


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("|/bin/x", "program"),
        ('"|/bin/x -a"', "program"),
        ("/var/mail/x", "file"),
        (":include:/x", "include"),
        (":INCLUDE:/x", "include"),
        ("bob", "address"),
        ('"a b"@c', "other"),
        ("\\bob", "address"),
        ("Bob <bob@x.org> (he)", "address"),
        ("a%b@c", "other"),
        ("../x", "other"),
        ("a/b", "other"),
        ("b\xf6b", "other"),
        ("x y", "other"),
        ("x@[192.0.2.1]", "other"),
        ("friends: a", "other"),
        ("error:5.1.1:no", "error"),
        ('"error:no"', "error"),
    ],
)
def test_kinds_of_targets(target, wanted):
    """Programs, files and lists are told from addresses."""
    assert kind(target) == wanted


@given(st.text(alphabet='ab:,"\\\n\t #|/@', max_size=200))
def test_any_text_is_read(text):
    """Nothing makes the reader fail or hang."""
    for entry in parse(text):
        assert entry.name
        assert all(entry.targets)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([], []),
        (["/etc/aliases"], ["/etc/aliases"]),
        (["/etc/a, hash:/etc/b,dbm:-o /etc/c"], ["/etc/a", "/etc/b", "/etc/c"]),
        (["/etc/a", "implicit:/etc/b"], ["/etc/a", "/etc/b"]),
        (['nis:mail.aliases,ldap:-k "(a=%0,b)" -v x'], [None, None]),
        (["sequence:a b"], [None]),
        (["/etc/odd:name"], ["/etc/odd:name"]),
        (["", " , "], []),
    ],
)
def test_the_files_that_a_cf_names(values, wanted):
    """A class before the colon, options, several files, several lines."""
    assert [one.path for one in files(values)] == wanted


def test_an_optional_file():
    """Only -o says so."""
    assert [one.optional for one in files(["hash:-o /a,hash:/b,-o,/o"])] == [
        True,
        False,
        False,
        False,
    ]


def test_the_first_file_of_a_name_counts():
    """As sendmail asks one map after the other."""
    both = together([read(b"a: x\nbad\n", "/1"), read(b"a: y\nb: z\n", "/2")])
    assert {entry.name: (entry.targets, entry.place) for entry in both.entries} == {
        "a": (("x",), "/1:1"),
        "b": (("z",), "/2:2"),
    }
    assert both.mistakes == ("/1:2: no colon; newaliases refuses it too",)


def test_what_is_refused_is_named_without_its_line():
    """A file in the wrong place may hold a password."""
    said = str(
        read(b"s3cret word\nb\xc3\xb6b: x\nempty:\nx@far.org: y\n \n", "/f", {"here"}).mistakes
    )
    assert "s3cret" not in said
    for words in (
        "/f:1: no colon",
        "not ASCII",
        "'empty' has no value",
        "'x@far.org' is not a local",
    ):
        assert words in said
    assert read(b"x@here: y\n", "/f", {"here"}).entries[0].name == "x"


def test_what_james_has_nothing_for():
    """Each thing is named once, with what to do."""
    entries = parse('l: |/bin/x, /var/f, ":include:/i", error:no, a b, bob\nowner-l: root\n')
    found = without_counterpart(entries[0])
    assert [said.split(": James")[0] for said in found] == [
        "|/bin/x",
        "/var/f",
        '":include:/i"',
        "error:no",
        "a b",
    ]
    assert without_counterpart(entries[1]) == []
    assert "no owner" in without_counterpart(entries[1], {"l"})[0]
    assert entries[0].addresses == ("bob",)
