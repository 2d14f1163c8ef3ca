"""A mailer's line is read as sendmail reads it, and what is edited there sendmail sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from james_client.cf.mailers import arguments, set_arguments, set_flag
from james_client.cf.text import Cf
from james_client.changes import Changes
from james_client.mta.reading import ListedMailer, reading

from oracle.m4 import Tree

STOCK = b"Mesmtp,\t\tP=[IPC], F=mDFMuXa, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\\r\\n, L=990,\n"
REST = b"S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\\r\\n, L=990,"
LINES = {
    "stock": STOCK + b"\t\tT=DNS/RFC822/SMTP,\n\t\tA=TCP $h\n",
    "flags twice": b"Mesmtp, P=[IPC], F=mDFM, "
    + REST
    + b" F=uXa,\n\tT=DNS/RFC822/SMTP, A=TCP $h\n",
    "flags twice, one in both": b"Mesmtp, P=[IPC], F=mDFMk, F=kuXa0, " + REST + b" A=TCP $h\n",
    "a comment": b"Mesmtp, P=[IPC], F=mDFMuXa  # k0, F=k0\n\t, " + REST + b" A=TCP $h # 2525\n",
    "arguments in front": b"Mesmtp, A=TCP $h 2525, P=[IPC], F=mDFMuXa, " + REST[:-1] + b"\n",
    "arguments twice": b"Mesmtp, A=TCP $h 25, P=[IPC], F=mDFMuXa, " + REST + b" A=TCP $h 26\n",
    "long names": b"Mesmtp, Path=[IPC], Flags=mDFMuXa, " + REST + b" Argv=TCP $h\n",
    "blanks": b"Mesmtp , ,  P= [IPC],F= mDF Mu Xa ,\t" + REST + b"A= TCP  $h\n",
    "quotes": b'Mesmtp, P="[IPC]", F="mDFMuXa", ' + REST + b' A="TCP $h"\n',
    "another case": b"MESMTP, P=[IPC], F=mDFMuXa, " + REST + b" A=TCP $h\n",
}


def seen_by_sendmail(cf: bytes, folder: Path, sendmail: str) -> ListedMailer:
    """Give what real sendmail makes of the mailer."""
    path = folder / "sendmail.cf"
    path.write_bytes(cf)
    listed = reading(path, binary=sendmail).mailers
    return next(mailer for name, mailer in listed.items() if name.lower() == "esmtp")


@pytest.mark.parametrize("wanted", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_flags_and_port_are_what_sendmail_sees_before_and_after(
    line: bytes, wanted: bool, tree: Tree, tmp_path: Path, sendmail: str
) -> None:
    built = tree.build(tree.debian("sendmail"))
    assert STOCK in built
    text = built.replace(LINES["stock"], line)
    cf = Cf(text)
    for port in (None, 587):
        if port is not None:
            changes: Changes = {}
            set_flag(cf, "esmtp", "k", wanted, changes)
            set_flag(cf, "esmtp", "0", wanted, changes)
            set_arguments(cf, "esmtp", arguments(port), changes)
        seen, ours = seen_by_sendmail(cf.render(), tmp_path, sendmail), cf.mailer("esmtp")
        assert ours is not None
        assert sorted(ours.flags) == sorted(seen.flags)
        assert (ours.path, ours.args.split()) == (seen.path, seen.args.split())
        if port is not None:
            assert ("k" in seen.flags, "0" in seen.flags, seen.port) == (wanted, wanted, "587")
            assert set("mDFMuXa") <= set(seen.flags)
