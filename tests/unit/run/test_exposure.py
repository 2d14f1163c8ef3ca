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
FILE = "/etc/mail/james-auth-info"


@pytest.fixture
def host(tmp_path: Path) -> Plan:
    return plan(state_dir=str(tmp_path))


def change(
    before: bytes | None, mode: int, after: bytes | None, *, secret: bool = True
) -> Candidate:
    """Give what a credential file is to become."""
    return Candidate(Snapshot(FILE, data=before, mode=mode), after, secret=secret)


def lives(host: Plan, one: Candidate) -> str:
    """Have a candidate go live, and give what is remembered then."""
    exposure.note(host, [one])
    exposure.forget(host, [one])
    return exposure.told(host)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o660])
def test_a_file_that_others_could_read_is_remembered(host: Plan, mode: int) -> None:
    assert lives(host, change(OLD, mode, OLD)) == f"{FILE} had mode {mode:04o}"
    assert lives(host, change(OLD, 0o600, OLD)) == f"{FILE} had mode {mode:04o}"
    assert lives(host, change(OLD, 0o600, NEW)) == ""


@pytest.mark.parametrize(
    "one",
    [
        change(OLD, 0o600, OLD),
        change(None, 0, OLD),
        change(OLD, 0o644, NEW),  # it is not live any more
        change(b"something else\n", 0o644, OLD),
        change(OLD, 0o644, None),
        change(OLD, 0o644, OLD, secret=False),
    ],
)
def test_what_was_no_ones_to_read_is_not(host: Plan, one: Candidate) -> None:
    assert lives(host, one) == ""


def test_the_note_shows_no_password(host: Plan) -> None:
    lives(host, change(OLD, 0o644, OLD))
    assert b"b2xk" not in Path(host.platform.state_dir, exposure.EXPOSED).read_bytes()
