"""m4 is the oracle: with the configuration tree of the sendmail that the host has."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.m4 import Tree
from oracle.post import FakeServer, Post

# As a package's tool writes it for sites to include, wherever they like.
SASL = b"""divert(-1)dnl
# `AUTH', as `include(`sasl.m4')dnl' brings it.
divert(0)dnl
define(`confAUTH_MECHANISMS',dnl
`DIGEST-MD5 NTLM PLAIN')dnl
TRUST_AUTH_MECH(`DIGEST-MD5 NTLM PLAIN')dnl
define(`confAUTH_MECHANISMS',dnl
`EXTERNAL 'defn(`confAUTH_MECHANISMS'))dnl
define(`confAUTH_OPTIONS', `p,y')dnl
"""
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
    (home / "site" / "sasl.m4").write_bytes(SASL)
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


@pytest.fixture(scope="session")
def sendmail() -> str:
    """Give the path of the real sendmail."""
    path = shutil.which("sendmail", path="/usr/sbin:/usr/lib")
    if path is None:
        pytest.skip("needs sendmail: run `make test`")
    return path


@pytest.fixture
def post(sendmail: str, tmp_path: Path) -> Iterator[Post]:
    """Give a post with servers on 127.0.0.1, ::1 (both James) and 127.0.0.2."""
    servers = {host: FakeServer(host) for host in ("127.0.0.1", "::1", "127.0.0.2")}
    for server in servers.values():
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield Post(sendmail, tmp_path, servers)
    for server in servers.values():
        server.shutdown()
        server.server_close()
