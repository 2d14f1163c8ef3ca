"""What moves to James is counted where the host has it, and a table's words are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import run_world
from cf_world import CF
from james_client.run import steps
from james_client.run.moving import look, still_to_move
from james_client.run.plan import Plan

LOCAL = b"O DaemonPortOptions=Addr=127.0.0.1\n"


def plan(folder: Path, lines: str = "") -> Plan:
    """Give a plan whose sendmail.cf has more lines."""
    more = LOCAL + lines.format(folder).encode() + b"\nSparse=0"
    (folder / "sendmail.cf").write_bytes(CF.replace(b"Sparse=0", more))
    return run_world.plan(cf=str(folder / "sendmail.cf"))


def test_a_host_that_serves_nobody_has_nothing_to_move(tmp_path: Path) -> None:
    assert look(plan(tmp_path)) == []


def test_entries_are_counted_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "access").write_text('# a comment\n\nAuthInfo:isp.example "P:s3cret"\nx REJECT\n')
    found = look(plan(tmp_path, "Kaccess hash -T<TMPF> {}/access"))
    assert found == [f"access_db (2 entries in {tmp_path}/access)"]


@pytest.mark.parametrize("text", [None, "", "# nothing yet\n"])
def test_an_empty_table_does_not_move(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "mailertable").write_text(text)
    assert look(plan(tmp_path, "Kmailertable hash -o {}/mailertable.db")) == []


def test_a_table_without_its_text_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "virt.db").write_bytes(b"\0")
    (found,) = look(plan(tmp_path, "Kvirtuser hash {}/virt"))
    assert found == f"virtusertable ({tmp_path}/virt.db, not counted: its text file is not there)"


def test_a_table_that_cannot_be_read_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "generics").symlink_to("/etc/passwd")
    (found,) = look(plan(tmp_path, "Kgenerics hash {}/generics"))
    assert found.startswith("genericstable (not counted: ")


def test_the_hosts_own_names_are_no_domains_that_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda: "box.example.test")
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    names = tmp_path / "names"
    names.write_text("localhost\nbox.example.test\n# others\n")
    assert look(plan(tmp_path, "Fw{}/names")) == []
    names.write_text("localhost\nBOX\nexample.org\n")
    found = look(plan(tmp_path, "Fw{}/names"))
    assert found == [f"local-host-names (1 entry in {names})"]


def test_a_host_that_is_james_s_client_has_moved(tmp_path: Path) -> None:
    (tmp_path / "access").write_text("x REJECT\n")
    lines = "Kaccess hash {}/access"
    assert still_to_move(plan(tmp_path, lines)) == look(plan(tmp_path, lines)) != []
    ours = plan(tmp_path, lines + "\nDHesmtp:localhost")
    assert still_to_move(ours) == []
    assert look(ours)


def test_what_steps_have_edited_in_memory_is_not_what_is_there(tmp_path: Path) -> None:
    ours = plan(tmp_path, "DSsmtp.isp.example")
    assert look(ours) == ["smart host (smtp.isp.example)"]
    steps.relay(ours)
    assert look(ours) == still_to_move(ours) == ["smart host (smtp.isp.example)"]
