"""A cf's classes are read as sendmail reads them: C lines, and the files of F lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from cf_world import CF
from hypothesis import given
from hypothesis import strategies as st
from james_client.cf.classes import ClassFile, class_files, expand, file_words, words
from james_client.cf.text import Cf
from james_client.mta.reading import reading

SENDMAIL = "/usr/sbin/sendmail"
OWN = {"w": "mail", "m": "example.test", "j": "mail.example.test"}
LINES = rb"""
DXmacro.example
D{Long}long.example
DY$X
Cwone.example two.example	three.example # and not.example
C{w}braced.example
Cw  $X ${Long} $Y $m
Cw continued.example
	next.example
Cw escaped\#hash.example
Cw $?x conditional.example $.
CPnot-w.example
"""
FILE = """# comment.example
first.example second.example
  blank.example
third.example # why
# more.example

#
UPPER.example
"""
NAMES = {
    *("localhost", "one.example", "two.example", "three.example", "braced.example"),
    *("macro.example", "long.example", "example.test", "continued.example", "next.example"),
    "escaped#hash.example",
}


def cf(*lines: bytes) -> Cf:
    """Give a cf with more lines before its rulesets."""
    return Cf(CF.replace(b"Sparse=0", b"\n".join([*lines, b"Sparse=0"])))


def test_words_of_c_lines() -> None:
    found = words(cf(LINES), "w", OWN)
    assert set(found) - {"conditional.example"} == NAMES
    assert words(cf(LINES), "P") == ["not-w.example"]
    assert words(cf(LINES), "L") == ["root", "admin"]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"Fw/etc/mail/local-host-names", ClassFile("/etc/mail/local-host-names", "%s")),
        (rb"Fw/etc/mail/x %[^\#]", ClassFile("/etc/mail/x", "%[^#]")),
        (b"Fw -o /etc/mail/x %s", ClassFile("/etc/mail/x", "%s")),
        (b"F{w}-o /etc/mail/x", ClassFile("/etc/mail/x", "%s")),
        (b"Fw|/bin/program", None),
        (b"Fw@LDAP", None),
        (b"Fwkey@hash:/etc/mail/x", None),
        (b"F{other}/etc/mail/x", None),
    ],
)
def test_files_of_f_lines(line: bytes, wanted: ClassFile | None) -> None:
    assert class_files(cf(line), "w") == ([wanted] if wanted else [])


def test_words_of_a_file() -> None:
    every = ["first.example", "second.example", "blank.example", "third.example", "UPPER.example"]
    assert file_words(FILE, "%[^#]") == every
    without = [word for word in every if word != "second.example"]
    assert file_words(FILE, "%s") == without
    assert file_words("a]b^c\n", "%[]a]") == ["a]"]


@pytest.mark.parametrize("pattern", [rb"%[^\#]", b"%s", b""])
def test_sendmail_reads_the_same(tmp_path: Path, pattern: bytes) -> None:
    """The oracle: real sendmail's class w of the stock cf with these lines."""
    names, conf = tmp_path / "names", tmp_path / "x.cf"
    names.write_text(FILE)
    stock = Path("/etc/mail/sendmail.cf").read_bytes()
    lines = LINES + b"Fw%s %s\nFw-o /no/such/file\n" % (str(names).encode(), pattern)
    conf.write_bytes(stock.replace(b"\nCwlocalhost\n", b"\nCwlocalhost\n" + lines, 1))
    read = Cf(conf.read_bytes())
    found = set(words(read, "w", OWN))
    for file in class_files(read, "w"):
        if Path(file.path).exists():
            found |= set(file_words(Path(file.path).read_text(), file.pattern))
    real = set(reading(conf, "w", binary=SENDMAIL).classes["w"])
    assert {name.lower() for name in found} - {"conditional.example"} <= {
        name.lower() for name in real
    }
    extra = {name.lower() for name in real - found if name[0] != "["} - {n.lower() for n in found}
    assert extra <= {"mail", "mail.example.test"}


def test_a_macro_that_has_itself_in_it_has_no_value() -> None:
    assert expand(cf(b"DX$Y", b"DY$X"), "$X", {}) is None
    assert expand(cf(), "a$", {}) is None
    assert expand(cf(), "$w.$m", OWN) == "mail.example.test"


@given(st.text(alphabet="%[]^\\#sa -", max_size=12), st.text(alphabet="a#]^\\ -\n", max_size=40))
def test_any_pattern_and_file_are_read(pattern: str, text: str) -> None:
    for word in file_words(text, pattern):
        assert word == "".join(word.split()) != ""
