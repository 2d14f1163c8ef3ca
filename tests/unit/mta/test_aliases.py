"""The aliases file is read as sendmail reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from james_client.mta.aliases import Alias, kind, lost, parse

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
    assert entries["two words"].targets == ("bob",)
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
        ('"a b"@c', "address"),
    ],
)
def test_kinds_of_targets(target, wanted):
    """Programs, files and lists are told from addresses."""
    assert kind(target) == wanted


def test_what_no_longer_counts():
    """An entry that names only itself changes nothing; the others are named with a cure."""
    found = lost(parse(FILE))
    assert "bob" not in found
    assert found["postmaster"] == "root: give it to James (WebAdmin, /address/aliases)"
    assert "/address/forwards or groups" in found["root"]
    assert "James runs no program" in found["prog"]
    assert lost(()) == {}


@given(st.text(alphabet='ab:,"\\\n\t #|/@', max_size=200))
def test_any_text_is_read(text):
    """Nothing makes the reader fail or hang."""
    for entry in parse(text):
        assert entry.name
        assert all(entry.targets)
