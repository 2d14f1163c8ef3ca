"""A cf that is not root's is said first, and nothing that it says is believed or restarted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import run_world
from cf_world import CF, SUBMIT
from james_client.verdict import cf_causes
from james_client.verdict.causes import CAUSES
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level
from james_client.verdict.judge import judge

(ROW,) = cf_causes.CAUSES
NOBODY = 65534


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Give a folder with both cf files, root's."""
    for name, text in (("sendmail.cf", CF), ("submit.cf", SUBMIT)):
        (tmp_path / name).write_bytes(text)
        (tmp_path / name).chmod(0o644)
    return tmp_path


def evidence(host: Path) -> Evidence:
    """Give evidence of these files."""
    plan = run_world.plan({}, cf=f"{host}/sendmail.cf", submit_cf=f"{host}/submit.cf")
    return Evidence(plan)


def found(host: Path) -> list[Finding]:
    """Ask the row."""
    return list(ROW.look(evidence(host)))


def test_a_cf_of_roots_is_believed(host: Path) -> None:
    assert found(host) == []


@pytest.mark.parametrize("name", ["sendmail.cf", "submit.cf"])
@pytest.mark.parametrize("mode", [0o646, 0o664])
def test_a_cf_that_others_may_write_is_not_believed(host: Path, name: str, mode: int) -> None:
    os.chown(host / name, 0, NOBODY)
    (host / name).chmod(mode)
    (one,) = found(host)
    assert (one.level, f"mode 0{mode:o}" in one.said) == (Level.CRITICAL, True)


def test_a_cf_of_anothers_is_neither_to_be_chowned_nor_restarted(host: Path) -> None:
    os.chown(host / "sendmail.cf", NOBODY, 0)
    (one,) = found(host)
    assert f"{host}/sendmail.cf has owner {NOBODY}:0" in one.said
    assert "neither chown it nor restart sendmail" in one.cure
    assert "sendmail_james.backups" in one.cure


@pytest.mark.parametrize("name", ["sendmail.cf", "submit.cf"])
def test_a_link_in_place_of_a_cf_is_not_believed(host: Path, name: str) -> None:
    (host / name).rename(host / "other")
    (host / name).symlink_to(host / "other")
    (one,) = found(host)
    assert f"{name} is a symlink" in one.said


def test_what_such_a_cf_says_is_not_pasted(host: Path, monkeypatch: Any) -> None:
    victim = host / "victim"
    victim.write_text("From x\n")
    drop = f"O DeadLetterDrop={victim}\nO QueueDirectory={host}\nO MinFreeBlocks=999999999999\n"
    (host / "sendmail.cf").write_bytes(CF.replace(b"Sparse=0", drop.encode() + b"Sparse=0"))
    table = [one for one in CAUSES if one.name in ("cf-not-roots", "dead-letter", "spool-full")]

    def causes() -> list[str]:
        return [one.cause for one in judge(evidence(host), table=table).findings]

    assert causes() == ["spool-full"]
    assert [one.cause for one in judge(evidence(host), table=table[2:]).findings] == ["dead-letter"]
    os.chown(host / "sendmail.cf", NOBODY, 0)
    assert causes() == ["cf-not-roots"]


def test_it_is_first_and_explains_all_that_restarts_or_reads_a_cf() -> None:
    assert CAUSES[0] is ROW
    for name in ("old-runner", "no-runner", "dead-letter", "drift", "map-missing", "names-unknown"):
        assert name in ROW.explains
