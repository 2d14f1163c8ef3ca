"""Status shows which other tool writes a file of ours."""

from __future__ import annotations

from pathlib import Path

from james_client.answers.status import PARTS
from run_world import plan as planned


def test_the_tool_that_writes_a_file_is_shown(tmp_path: Path) -> None:
    names = ("sendmail.mc", "sendmail.cf", "submit.mc", "submit.cf")
    mc, cf, *submit = (str(tmp_path / name) for name in names)
    Path(mc).write_text("dnl # Ansible managed\nMAILER(`smtp')dnl\n")
    Path(cf).write_text("V10\n")
    lookup = dict(zip(("submit_mc", "submit_cf"), submit, strict=True))
    plan = planned(mc=mc, cf=cf, backups=str(tmp_path / "backups"), **lookup)
    shown = PARTS["files"](plan)
    assert shown[mc].endswith("; it says 'Ansible managed'")
    assert "it says" not in shown[cf]
