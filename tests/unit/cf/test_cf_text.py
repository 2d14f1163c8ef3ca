"""The cf as text: unedited it comes back byte for byte, and no other file is taken for one."""

import pytest
from james_client.cf.text import Cf, CfError

SMALL = b"""V10/Berkeley
DS
O AuthOptions=A
Sparse=0
R$*\t\t$@ $1
Mesmtp,\tP=[IPC], F=mDFMuXa, S=11,
\tA=TCP $h
"""


@pytest.mark.parametrize(
    "data",
    [
        SMALL,
        SMALL.replace(b"\n", b"\r\n"),
        SMALL.rstrip(b"\n"),
        SMALL.replace(b"DS", b"# caf\xe9 \xff\nDS"),
    ],
    ids=["as m4 writes it", "CRLF", "no final newline", "not UTF-8"],
)
def test_what_is_not_edited_renders_as_it_was_read(data: bytes) -> None:
    cf = Cf(data)
    assert cf.render() == data
    mailer = cf.mailer("esmtp")
    assert mailer is not None
    assert (mailer.path, mailer.flags, mailer.args) == ("[IPC]", "mDFMuXa", "TCP $h")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "ELF"),
        (b"<!DOCTYPE html>\n<html></html>\n", "<!DOCTYPE html>"),
        (b"V10/Berkeley\nDSx\n", "expected ruleset 0"),
        (b"V10/Berkeley\nSparse=0\n", "expected mailers"),
        (b"x" * 1_000_000, "expected a V line"),
    ],
    ids=["empty", "ELF", "HTML", "no ruleset", "no mailer", "one long line"],
)
def test_other_files_are_refused(data: bytes, found: str) -> None:
    with pytest.raises(CfError, match=found):
        Cf(data)
