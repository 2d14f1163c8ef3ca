"""What a mailertable is not is not shown, and no entry breaks out of the command that cures it."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
import run_world
from cf_world import CF
from james_client.verdict import map_causes
from james_client.verdict.finding import Finding


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Give the source of a mailertable, which has a database."""
    (tmp_path / "mailertable.db").touch()
    return tmp_path / "mailertable"


def found(
    table: Path, pairs: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> list[Finding]:
    """Ask the row for a table of these entries."""
    monkeypatch.setattr(map_causes, "entries", lambda kind, source: pairs)
    line = f"Kmailertable btree -o {table}\n".encode()
    cf = table.with_name("sendmail.cf")
    cf.write_bytes(CF.replace(b"Cwlocalhost\n", b"Cwlocalhost\n" + line))
    plan = run_world.plan({}, cf=str(cf), submit_cf=f"{table}.none")
    (row,) = [one for one in map_causes.CAUSES if one.name == "around-james"]
    return list(row.look(SimpleNamespace(plan=plan)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("AuthInfo:partner.example", '"U:bob" "P=s3cret"'),
        ("partner.example", '"U:bob" "P=s3cret"'),
        ("partner.example", "P=s3cret"),
        ("partner.example", "crypt:s3cret"),
        ("partner.example", "s3cret"),
        ("s3cret/e;id", "esmtp:other.example"),
    ],
)
def test_the_passwords_of_another_map_are_not_shown(
    table: Path, key: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = found(table, [(key, value)], monkeypatch)
    assert one.said == f"{table}.db holds what is none of a mailertable (1 entries)"
    assert "s3cret" not in str(one)
    assert one.cure == f"makemap btree {table} < {table}"


def test_entries_around_james_are_taken_out_a_few_at_a_time(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [(f"d{number}.example", "esmtp:[192.0.2.1]") for number in range(900)]
    (one,) = found(table, pairs, monkeypatch)
    assert one.said.endswith("d2.example to esmtp:[192.0.2.1] and 897 more")
    words = shlex.split(one.cure, comments=True)
    assert words[:3] == ["sed", "-i", "-E"]
    either = r"d0\.example|d1\.example|d2\.example|d3\.example|d4\.example"
    assert words[3] == rf"/^({either})[[:space:]]/Id"
    assert words[4:] == [str(table), "&&", "makemap", "btree", str(table), "<", str(table)]


def test_what_goes_to_james_is_not_told(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(table, [("a.example", "esmtp:localhost")], monkeypatch) == []
