"""That others could read the password is remembered until another one is live."""

from __future__ import annotations

from pathlib import Path

import pytest
from james_client.files.candidate import Candidate
from james_client.files.snapshot import Snapshot
from james_client.run import exposure
from james_client.run.plan import Plan
from run_world import plan

OLD, NEW = (
    f'user\t"U:mail"\nrealm\t"R:here"\npassword\t"P={one}"\n'.encode() for one in ("b2xk", "bmV3")
)
AUTH = {"username": "mail", "password": "old"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give the credential file of sendmail's queue."""
    return tmp_path / "auth-info"


def host(file: Path) -> Plan:
    """Give a host as a new run finds it, whose credential files are all that file."""
    made = plan({"auth": AUTH}, state_dir=str(file.parent / "state"))
    made.found = lambda _: file.read_bytes() if file.exists() else None
    return made


def lives(file: Path, before: bytes | None, mode: int, after: bytes | None) -> str:
    """Have a candidate go live, and give what is remembered then."""
    one = Candidate(Snapshot(str(file), data=before, mode=mode), after, secret=True)
    exposure.note(host(file), [one])
    file.unlink(missing_ok=True)
    if after is not None:
        file.write_bytes(after)
    return exposure.told(host(file))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o660])
def test_a_file_that_others_could_read_is_remembered(file: Path, mode: int) -> None:
    assert lives(file, OLD, mode, OLD) == f"{file} had mode {mode:04o}"
    assert lives(file, OLD, 0o600, OLD) == f"{file} had mode {mode:04o}"
    assert lives(file, OLD, 0o600, NEW) == ""


@pytest.mark.parametrize(
    "before, mode, after",
    [
        (OLD, 0o600, OLD),
        (None, 0, OLD),
        (OLD, 0o644, NEW),  # it is not live any more
        (b"something else\n", 0o644, OLD),
        (OLD, 0o644, None),
    ],
)
def test_what_was_no_ones_to_read_is_not(
    file: Path, before: bytes | None, mode: int, after: bytes | None
) -> None:
    assert lives(file, before, mode, after) == ""


def test_the_login_that_comes_back_after_a_clean_is_still_known_and_another_is_not(
    file: Path,
) -> None:
    assert lives(file, OLD, 0o644, OLD)
    assert lives(file, None, 0, NEW) == ""
    assert lives(file, None, 0, OLD)


def test_the_note_shows_no_password_and_nobody_else_reads_it(file: Path) -> None:
    lives(file, OLD, 0o644, OLD)
    noted = file.parent / "state" / exposure.EXPOSED
    assert b"b2xk" not in noted.read_bytes()
    assert noted.stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_secret_is_not_looked_at(file: Path) -> None:
    one = Candidate(Snapshot(str(file), data=OLD, mode=0o644), OLD)
    exposure.note(host(file), [one])
    assert not (file.parent / "state" / exposure.EXPOSED).exists()
