"""No MTA is replaced unasked, and no package comes where it is not wanted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rebuild_world as world
from support import pristine

APT = ("apt-get", "--no-download", "--yes", "--quiet")
SENDMAIL = ("sendmail", "sendmail-base", "sendmail-bin", "sendmail-cf", "libsasl2-modules")
INSTALLED = "Sendmail is installed and no other MTA is"


def apt(*words: str) -> None:
    """Install or remove packages, from what is in apt's own cache."""
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run([*APT, *words], env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def is_installed(package: str) -> bool:
    """Say whether dpkg has a package as installed."""
    asked = ("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", package)
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.startswith("ii")


@pytest.fixture
def host(pristine_host: None, minion_call: Any) -> Iterator[Any]:
    """Give a salt-call; at the end sendmail is the host's MTA again."""
    yield minion_call
    if not is_installed("sendmail"):
        apt("install", *SENDMAIL)


def everything() -> list[Any]:
    """Give all files and packages that a refused run must not touch."""
    return [world.tree(inodes=True), pristine.run("dpkg-query", "--show")]


# A stand-in, since a whole other MTA needs packages that this host has not: dpkg and apt take it
# for one, and so it conflicts with sendmail as the real one does.
FAKE = """Package: nullmailer
Version: 1:0fake
Architecture: all
Maintainer: root <root@mail.example.test>
Provides: mail-transport-agent
Conflicts: mail-transport-agent
Replaces: mail-transport-agent
Description: fake of another MTA
"""


@pytest.fixture
def fake_mta(tmp_path: Path) -> Path:
    """Build the package of a fake MTA."""
    program = tmp_path / "fake/usr/sbin/sendmail"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "fake/DEBIAN").mkdir()
    (tmp_path / "fake/DEBIAN/control").write_text(FAKE)
    pristine.run("dpkg-deb", "--build", str(tmp_path / "fake"), str(tmp_path / "fake.deb"))
    return tmp_path / "fake.deb"


def test_another_mta_stays_unless_the_pillar_lets_it_go(host: Any, fake_mta: Path) -> None:
    apt("remove", "sendmail-bin")
    pristine.run("dpkg", "--install", str(fake_mta))
    assert not is_installed("sendmail")
    before = everything()
    said = world.refused(host, world.STEPS, pillar=world.formula())
    assert "another MTA is installed: nullmailer" in said
    assert "sendmail_james:package:replace_mta: true" in said
    assert everything() == before

    replace = world.formula(package={"replace_mta": True})
    test = world.results(host("state.apply", world.STEPS, pillar=replace, test=True))
    assert test[INSTALLED][0] is None
    assert everything() == before
    changed = world.apply(host, world.STEPS)
    assert "sendmail" in changed[INSTALLED]
    assert is_installed("sendmail") and not is_installed("nullmailer")
    assert world.apply(host, world.STEPS) == {}


def test_a_missing_sendmail_is_installed_where_the_pillar_lets_it(host: Any) -> None:
    apt("purge", *SENDMAIL)
    assert not Path("/usr/sbin/sendmail").exists()
    before = everything()

    said = world.refused(host, world.STEPS, pillar=world.formula(package={"install": False}))
    assert "/usr/sbin/sendmail: does not exist" in said
    assert "sendmail_james:package:install: true" in said
    said = world.refused(host, world.STEPS, pillar=world.formula(relai={}))
    assert "did you mean relay?" in said
    assert everything() == before, "a refused run changed something"

    test = world.results(host("state.apply", world.STEPS, pillar=world.formula(), test=True))
    assert {result for result, _, _ in test.values()} <= {None, True}
    assert test[INSTALLED][0] is None
    assert everything() == before, "a test changed something"

    changed = world.apply(host, world.STEPS)
    assert set(test[INSTALLED][1]) <= set(changed[INSTALLED])
    assert "/etc/mail/sendmail.cf" in changed["The configuration is proved and live"]
    assert not pristine.sendmail_is_stock()
    assert len(pristine.sendmail_daemons()) == 2
    assert world.apply(host, world.STEPS) == {}
