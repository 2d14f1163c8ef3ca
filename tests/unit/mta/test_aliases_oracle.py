"""An alias file is read as real newaliases reads it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from james_client.mta.aliases import read

LINES = (
    rb"""# comment
  of two lines: x
postmaster: root
root:	ops@example.org,
	night@example.org , "a, b"@example.org,
   third@example.org
Prog: "|/usr/bin/vacation bob"
"two words": bob
list: :include:/etc/mail/list
file: /var/mail/archive
long: one, \
two
back: one\
two
no colon here
bob: \bob
dup: x
DUP: y
empty:
spaces:@@
at@localhost: bob
far@example.org: bob

   : bob
(comment) c1: bob (a comment)
c2 (comment): "Bob" <bob@x.org>
<brack>: bob
tab	ws	: bob
trail: bob,
colon:a:b
plus+tag: bob
pl!bang: bob
perc%cent: bob
dot.ted: bob
MixedCase: Bob
self: self
err: error:5.1.1:nope
nonutf\xff: bob
value: b\xe4r
crlf: bob\r
""".replace(rb"\xff", b"\xff")
    .replace(rb"\xe4", b"\xe4")
    .replace(b"@@", b"  ")
    .replace(rb"bob\r", b"bob\r")
)


def newaliases(folder: Path, data: bytes) -> tuple[dict[str, str], set[int]]:
    """Give what newaliases made of a file, and the lines that it refused."""
    file, cf = folder / "aliases", folder / "cf"
    file.write_bytes(data)
    stock = Path("/etc/mail/sendmail.cf").read_text()
    cf.write_text(stock.replace("O AliasFile=/etc/mail/aliases", f"O AliasFile={file}"))
    argv = ["sendmail", "-C", str(cf), "-bi"]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60)
    said = (done.stdout + done.stderr).decode("latin-1")
    assert " aliases, longest " in said, said
    refused = {
        int(line.split(": line ")[1].split(":")[0])
        for line in said.splitlines()
        if ": line " in line and "Warning" not in line
    }
    listed = subprocess.run(
        ["praliases", "-C", str(cf)], capture_output=True, check=True, timeout=60
    ).stdout.decode("latin-1")
    rows = (line.partition(":") for line in listed.splitlines() if line != "@:@")
    return {name: value for name, _, value in rows}, refused


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder of root's: sendmail refuses an alias file where others may write."""
    with tempfile.TemporaryDirectory(dir="/root") as name:
        Path("/root").chmod(0o755)
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("end", [b"", b"noeol: bob", b"noeol: bob\\"], ids=["", "no newline", "\\"])
def test_names_values_and_refusals_are_newaliases_own(folder: Path, end: bytes) -> None:
    data = LINES + end
    made, refused = newaliases(folder, data)
    found = read(data, "/f", {"localhost"})
    # Of an 8-bit name newaliases complains, and keeps it; no address leads there.
    assert {entry.name for entry in found.entries} == made.keys() - {"nonutf?"}
    for entry in found.entries:
        written = made[entry.name].encode("latin-1").decode("utf-8", "replace")
        assert "".join(",".join(entry.targets).split()) == "".join(
            ",".join(part for part in written.split(",") if part.strip()).split()
        )
    # Where lines were joined newaliases gives the last one's number, we the first one's.
    assert {int(said.split(":")[1]) for said in found.mistakes} - {23} == refused - {24}
    assert len(refused) > 7


def test_the_last_of_a_name_counts(folder: Path) -> None:
    made, _ = newaliases(folder, b"dup: x\nDUP: y\n")
    assert made == {"dup": "y"}
    assert [entry.targets for entry in read(b"dup: x\nDUP: y\n").entries] == [("y",)]


@pytest.mark.parametrize("size", [8190, 8191])
def test_the_longest_line(folder: Path, size: int) -> None:
    data = b"long: " + b"a" * (size - 6) + b"\nb: x\n"
    made, _ = newaliases(folder, data)
    found = read(data)
    assert ("long" in made) is ("long" in {entry.name for entry in found.entries})
    assert "b" in made
