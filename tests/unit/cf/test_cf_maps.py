"""A cf's maps are read as sendmail reads its K lines."""

from __future__ import annotations

import pytest
from james_client.cf.maps import Map, maps
from james_client.cf.text import Cf


@pytest.mark.parametrize(
    "line, found",
    [
        (
            "Kmailertable hash /etc/mail/mailertable",
            Map("mailertable", "hash", "/etc/mail/mailertable", "/etc/mail/mailertable.db", False),
        ),
        (
            "Kaccess hash -T<TMPF> -o /etc/mail/access.db",
            Map("access", "hash", "/etc/mail/access", "/etc/mail/access.db", True),
        ),
        (
            "K Generics btree -o\n\t/etc/mail/generics",
            Map("generics", "btree", "/etc/mail/generics", "/etc/mail/generics.db", True),
        ),
        ("Kone dbm /a/b", Map("one", "dbm", "/a/b", "/a/b.pag", False)),
        ("Kone cdb /a/b", Map("one", "cdb", "/a/b", "/a/b.cdb", False)),
        ("Kjames text -o -k0 -v1 /a/b", Map("james", "text", "/a/b", "/a/b", True)),
        ("Kjames text -k 0 -v 1 /a/b c", Map("james", "text", "/a/b", "/a/b", False)),
        ("Kmacro macro", None),
        ("Kresolve host -a<OKR> -T<TEMP>", None),
        ("Kdeq dequote", None),
        ("Krun program /bin/true", None),
        ("Kl ldap -k (uid=%0) -v mail -h ldap.example", None),
        ("Kodd hash nowhere", None),
        ("K", None),
    ],
)
def test_a_line_names_its_file(line: str, found: Map | None) -> None:
    cf = Cf(f"V10/Berkeley\n{line}\nSparse=0\nMlocal, P=/bin/true\n".encode())
    assert maps(cf) == ([] if found is None else [found])


def test_of_a_name_the_last_line_counts() -> None:
    lines = b"Ka hash /one\nKb hash /b\nKA hash /two\nKb macro\n"
    cf = Cf(b"V10/Berkeley\n" + lines + b"Sparse=0\nMlocal, P=/bin/true\n")
    assert [one.source for one in maps(cf)] == ["/two"]
