"""m4 is the oracle: with the configuration tree of the sendmail that the host has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.m4 import Tree

CONFIGURATION = Path("/usr/share/sendmail/cf")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """Give a copy of the m4 tree, Debian's absolute paths turned to the copy."""
    if not (CONFIGURATION.is_dir() and shutil.which("m4")):
        pytest.skip("needs m4 and sendmail-cf: run `make test`")
    home = tmp_path_factory.mktemp("m4")
    shutil.copytree(CONFIGURATION, home / "cf")
    (home / "site").mkdir()
    for name in ("dialup.m4", "provider.m4"):
        (home / "site" / name).touch()
    moved = {
        b"/usr/share/sendmail/cf": bytes(home / "cf"),
        b"/etc/mail/m4": bytes(home / "site"),
    }
    for path in (home / "cf").rglob("*.m?"):
        data = path.read_bytes()
        for old, new in moved.items():
            data = data.replace(old, new)
        path.write_bytes(data)
    yield Tree(home / "cf")
    shutil.rmtree(home)
