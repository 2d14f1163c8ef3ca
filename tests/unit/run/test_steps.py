"""The steps' one table is what SLS files, states and commands follow."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from james_client.files.walk import MissingDirectory
from james_client.run.plan import Plan, RunError
from james_client.run.steps import STEPS, Step, credentials, daemon, take
from james_client.wishes.settings import SECTIONS
from run_world import plan as planned

TOP = Path(__file__).parents[3]
WORDS = list(dict.fromkeys(step.word for step in STEPS))


def functions(door: str) -> set[str]:
    """Give the public functions of `_states` or `_modules`."""
    tree = ast.parse((TOP / door / "sendmail_james.py").read_text())
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"}


def states_of(word: str) -> list[str]:
    """Give the states of an SLS file in its order."""
    text = yaml.safe_load((TOP / f"sendmail_james/{word}.sls").read_text())
    calls = [name for one in text.values() if isinstance(one, dict) for name in one]
    return [name.removeprefix("sendmail_james.") for name in calls]


def test_the_whole_recipe_takes_the_steps_in_their_order() -> None:
    listed = yaml.safe_load((TOP / "sendmail_james/init.sls").read_text())["include"]
    words = [name.removeprefix("sendmail_james.") for name in listed]
    assert [word for word in words if word in WORDS] == WORDS
    assert words.index("live") > max(map(words.index, WORDS))


@pytest.mark.parametrize("word", WORDS)
def test_an_sls_takes_its_steps_and_no_others(word: str) -> None:
    assert states_of(word) == [step.state for step in STEPS if step.word == word]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.state)
def test_a_step_has_a_section_a_state_and_its_command(step: Step) -> None:
    assert step.word in SECTIONS
    assert step.state in functions("_states")
    assert step.command is None or step.command in functions("_modules")


def test_no_state_edits_beside_the_table() -> None:
    others = {"installed", "live", "running", "restored", "account_present", "delivers"}
    others |= {"aliases_carried", "watched"}
    assert functions("_states") - others == {step.state for step in STEPS}


def test_a_folder_that_is_not_there_is_named_with_the_command_that_makes_it() -> None:
    def nowhere(path: str) -> Any:
        raise MissingDirectory("/etc/james: 'james' does not exist, wanted a directory")

    auth = SimpleNamespace(file="/etc/james/auth-info", programs="none")
    at = SimpleNamespace(
        settings=SimpleNamespace(auth=auth), before=nowhere, queue_user=lambda: "root"
    )
    with pytest.raises(RunError, match=r"'james' does not exist.*: install -d -m 0755 /etc/james$"):
        credentials(cast(Plan, at))


def test_a_step_is_remembered_and_comes_before_live() -> None:
    step = Step("relay", "relayed", "relay", lambda _: {"a": {}}, "", lambda _: "")
    plan = Plan(cast(Any, None), cast(Any, None))
    assert take(step, plan) == {"a": {}}
    assert plan.taken == {"relayed"}
    plan.placed = {}
    with pytest.raises(RunError, match="live ran already"):
        take(step, plan)


@pytest.mark.parametrize(("later", "refused"), [("YES", True), ("NO", False), (None, False)])
def test_a_file_that_wins_over_a_knob_is_named_and_nothing_is_edited(
    tmp_path: Path, later: str | None, *, refused: bool
) -> None:
    """FreeBSD reads rc.conf.d/sendmail after rc.conf."""
    conf, wins = tmp_path / "rc.conf", tmp_path / "rc.conf.d"
    conf.write_text('sendmail_enable="YES"\n')
    if later:
        wins.mkdir()
        (wins / "sendmail").write_text(f'sendmail_enable="{later}"\n')
    knob = {"file": str(conf), "assign": {"sendmail_enable": "NO"}, "read_after": [str(wins)]}
    plan = planned(knobs=[knob], backups=str(tmp_path / "backups"))
    if refused:
        with pytest.raises(RunError, match=f"{wins}/sendmail: sendmail_enable='YES' is read after"):
            daemon(plan)
        assert plan.candidates() == []
    else:
        assert set(daemon(plan)) == {str(conf)}
    assert plan.runs_queues_only() is not refused
