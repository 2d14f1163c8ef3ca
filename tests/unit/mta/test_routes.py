"""Sendmail is real here: what it says of maps, aliases and queues reaches the user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from james_client.mta import routes as mta_routes
from james_client.mta.process import ProcessError, run

SENDMAIL = "/usr/sbin/sendmail"
STOCK = Path("/etc/mail/sendmail.cf").read_text("latin-1")
SUBMIT = Path("/etc/mail/submit.cf").read_text("latin-1")
FORMS = ["bob", "root", "bob+tag", "x@example.org"]
routes = partial(mta_routes.routes, binary=SENDMAIL)


def written(folder: Path, text: str) -> Path:
    """Write a cf that is root's."""
    path = folder / "sendmail.cf"
    path.write_text(text, "latin-1")
    path.chmod(0o644)
    return path


def with_map(text: str, kind: str, header: str = "Sparse=0") -> str:
    """Have a ruleset look something up in a map."""
    rule = f"Kaway {kind}\n{header}\nR$*\t\t\t$: $(away nosuch $: $1 $)\n"
    assert f"\n{header}\n" in text
    return text.replace(f"\n{header}\n", f"\n{rule}", 1)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("hash {}/away", r"missing map file {}/away\.db: No such file or directory"),
        ("text {}/away", r"unsafe map file {}/away"),
        ("socket local:{}/away", "away"),
    ],
)
def test_a_map_that_is_not_there_is_told_for_each_address(
    tmp_path: Path, kind: str, words: str
) -> None:
    """Sendmail says it once and puts all mail off, so each address has its words."""
    cf = written(tmp_path, with_map(STOCK, kind.format(tmp_path)))
    found = routes(cf, ["bob", "root"])
    assert [route.address for route in found] == ["bob", "root"]
    for route in found:
        assert re.search(words.format(tmp_path), route.error or ""), route
        assert "queueing message" not in (route.error or "")


def test_a_map_of_ruleset_5_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Of the second address sendmail says no more; that it stays here its route tells."""
    cf = written(tmp_path, with_map(STOCK, f"hash {tmp_path}/away", "Slocaladdr=5"))
    bob, root = routes(cf, ["bob", "root"])
    assert f"missing map file {tmp_path}/away.db" in (bob.error or "")
    assert root.mailer == "local"


def test_an_optional_map_that_is_not_there_is_nothing_wrong(tmp_path: Path) -> None:
    """The negative twin: the site says that it may be away."""
    cf = written(tmp_path, with_map(STOCK, f"hash -o {tmp_path}/away"))
    assert [route.error for route in routes(cf, FORMS)] == [None] * len(FORMS)


def test_a_map_that_programs_cannot_read_is_told(tmp_path: Path) -> None:
    """With submit.cf sendmail is nobody but the submission program's user."""
    # sendmail trusts nothing below a folder that all may write to, as /tmp is
    with TemporaryDirectory(dir="/var/lib") as folder:
        Path(folder).chmod(0o755)
        secret = Path(folder, "away")
        secret.write_text("nosuch\tx\n")
        cf = written(tmp_path, with_map(SUBMIT, f"text {secret}"))
        secret.chmod(0o600)
        (refused,) = routes(cf, ["bob@mail.example.test"])
        secret.chmod(0o644)
        (read,) = routes(cf, ["bob@mail.example.test"])
    assert refused.error == f'text map "away": unsafe map file {secret}'
    assert read.error is None


@pytest.mark.parametrize("optional", ["", "-o "])
def test_a_second_alias_database(tmp_path: Path, optional: str) -> None:
    """Sendmail delivers in spite of it and complains at each turn."""
    files = f"O AliasFile=/etc/mail/aliases, hash:{optional}{tmp_path}/more"
    cf = written(tmp_path, STOCK.replace("O AliasFile=/etc/mail/aliases", files))
    errors = [route.error for route in routes(cf, FORMS) if route.error]
    if optional:
        assert errors == []
    else:
        assert errors
        assert all(f"missing map file {tmp_path}/more.db" in error for error in errors)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a queue directory with too few blocks for the cf's MinFreeBlocks."""
    folder = tmp_path / "queue"
    folder.mkdir(mode=0o700)
    done = run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(folder)])
    assert done.status == 0, done.err
    yield folder
    run(["umount", str(folder)])


def test_a_queue_directory_without_space(tmp_path: Path, small: Path) -> None:
    """It is no address's fault, so none is blamed."""
    text = STOCK.replace("O QueueDirectory=/var/spool/mqueue", f"O QueueDirectory={small}")
    with pytest.raises(ProcessError, match=r"sendmail\.cf: .*Insufficient disk space"):
        routes(written(tmp_path, text), FORMS)
    enough = text.replace("O MinFreeBlocks=100", "O MinFreeBlocks=10")
    assert text != enough
    assert [one.error for one in routes(written(tmp_path, enough), FORMS)] == [None] * len(FORMS)


def test_a_queue_directory_that_is_not_there(tmp_path: Path) -> None:
    """Sendmail's own words name it."""
    text = STOCK.replace("O QueueDirectory=/var/spool/mqueue", "O QueueDirectory=/no/such")
    with pytest.raises(ProcessError, match=r"can ?not chdir\(/no/such/?\)"):
        routes(written(tmp_path, text), FORMS)
