"""An m4 that crashes or hangs keeps candidates from going live, in plain words and in time.

The real m4 can't be made to do either, so a fake one stands in its place here.
"""

from __future__ import annotations

import grp
import os
import pwd
import tempfile
from pathlib import Path

import pytest
from james_client.mta import m4
from james_client.mta.process import ProcessError
from mta_world import wait_for_end


@pytest.fixture
def for_all(tmp_path: Path) -> None:
    """Let everybody reach the test's folder: m4 and what stands for it run as a stranger."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)


@pytest.fixture
def mc(tmp_path: Path) -> str:
    path = tmp_path / "sendmail.mc"
    path.write_text("dnl\n")
    return str(path)


def fake_m4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    folder = tmp_path / "fake"
    folder.mkdir()
    (folder / "m4").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "m4").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("echo 'm4: end of file in string' >&2; exit 1", "m4 refuses it: m4: end of file in"),
        ("kill -SEGV $$", "m4 refuses it: it ended with status -11"),
        ("exec sleep 600", ".*/m4: did not end within 0"),
    ],
)
@pytest.mark.usefixtures("for_all")
def test_an_m4_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mc: str, script: str, wanted: str
) -> None:
    fake_m4(tmp_path, monkeypatch, script)
    monkeypatch.setattr(m4, "TIMEOUT", 0.2)
    with pytest.raises(ProcessError, match=f"{mc}: {wanted}"):
        m4.build(b"dnl\n", mc)


def test_no_m4_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mc: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProcessError, match="m4 is not installed"):
        m4.build(b"dnl\n", mc)


@pytest.mark.usefixtures("for_all")
def test_an_m4_that_works_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mc: str
) -> None:
    fake_m4(tmp_path, monkeypatch, "echo V10")
    assert m4.build(b"dnl\n", mc) == b"V10\n"


def test_m4_runs_as_nobody_at_all_and_leaves_nothing_behind(tmp_path: Path, mc: str) -> None:
    tmp_path.chmod(0o755)
    script = "syscmd(`id -u; id -G; umask; sleep 300 >/dev/null 2>&1 & echo $!')dnl\n"
    uid, groups, _, child = m4.build(script.encode(), mc).decode().split()
    assert int(uid) not in {entry.pw_uid for entry in pwd.getpwall()}
    assert groups == uid, "no group of anybody's"
    wait_for_end(int(child))


def test_a_temporary_folder_of_roots_own_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mc: str
) -> None:
    own = tmp_path / "0"  # as pam_tmpdir gives each user one, root too
    own.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    assert m4.build(b"V10\n", mc) == b"V10\n"
    with pytest.raises(ProcessError, match=f"m4 refuses it: .*m4:{mc}:2: ERROR: end of file"):
        m4.build(b"V10\n`never closed", mc)


def test_the_group_of_the_mcs_folder_may_read(tmp_path: Path, mc: str) -> None:
    gid = grp.getgrnam("mail").gr_gid
    included = tmp_path / "included.m4"
    included.write_text("yes")
    included.chmod(0o640)
    os.chown(included, 0, gid)
    asked = b"sinclude(`included.m4')"
    with pytest.raises(ProcessError, match=r"included\.m4 is 0640 root:mail, but m4 must not"):
        m4.build(asked, mc)
    os.chown(tmp_path, -1, gid)
    tmp_path.chmod(0o750)
    assert m4.build(asked, mc) == b"yes"
    os.chown(tmp_path, -1, 0)
    tmp_path.chmod(0o755)
    os.chown(mc, -1, gid)
    assert m4.build(asked, mc) == b"yes"
    assert m4.build(b"sinclude(`absent.m4')dnl sinclude(`/etc/shadow')\n", mc) == b""


def test_an_mc_is_compared_with_its_build_but_for_dates(mc: str) -> None:
    data = b"`##### built by me on' esyscmd(`date +%N')V10\n"
    text = f"### {mc} ###\n# `##### built by me on' esyscmd(`date +%N')V10\n# \n".encode()
    built = m4.build(data, mc)
    assert m4.is_build_of(built, data, mc)
    assert m4.is_build_of(built + text, data, mc)
    assert not m4.is_build_of(built + b"DSmine\n", data, mc)
    assert not m4.is_build_of(b"V10\n", b"V9\n", mc)


@pytest.mark.usefixtures("for_all")
def test_an_mc_that_leaves_cf_m4_to_its_makefile_is_built_with_it(mc: str, tmp_path: Path) -> None:
    (tmp_path / "m4").mkdir()
    (tmp_path / "m4/cf.m4").write_text("define(`OSTYPE', `V10\n`#' _CF_DIR_ $1')dnl\n")
    cf_dir = str(tmp_path)
    built = m4.build(b"OSTYPE(`freebsd6')\n", mc, cf_dir)
    assert built == f"V10\n# {cf_dir}/ freebsd6\n".encode()
    assert m4.is_build_of(built, b"OSTYPE(`freebsd6')\n", mc, cf_dir)
    # one that includes it, or has no need of it, is built as it stands
    whole = f"include(`{cf_dir}/m4/cf.m4')OSTYPE(`linux')\n".encode()
    assert m4.build(whole, mc, cf_dir) == m4.build(whole, mc) == b"V10\n# _CF_DIR_ linux\n"
