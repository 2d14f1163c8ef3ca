"""Where a host's queues are is read from its cf, as sendmail reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cf_world import CF
from james_client.cf.text import Cf
from james_client.verdict.queues import folders


def of(options: str) -> list[str]:
    """Give the folders of a cf with some lines."""
    return folders(Cf(CF.replace(b"Sparse=0", options.encode() + b"\nSparse=0")))


@pytest.mark.parametrize("line", ["O QueueDirectory=/var/spool/q", "OQ/var/spool/q"])
def test_a_queue_has_its_folder(line: str) -> None:
    assert of(line) == ["/var/spool/q"]


def test_several_folders_stand_for_one_queue(tmp_path: Path) -> None:
    for name in ("q1", "q2", "other"):
        (tmp_path / name).mkdir()
    assert of(f"O QueueDirectory={tmp_path}/q*") == [f"{tmp_path}/q1", f"{tmp_path}/q2"]


def test_queue_groups_have_theirs() -> None:
    groups = "O QueueDirectory=/var/spool/q\nQslow, P=/var/spool/slow, I=10m\nQb, Path=below"
    assert of(groups) == ["/var/spool/q", "/var/spool/slow", "/var/spool/q/below"]
