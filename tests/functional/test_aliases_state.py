"""The state of the aliases as Salt sees it, where James is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(params=[False, True], ids=["really", "test mode"])
def testmode(request: pytest.FixtureRequest) -> bool:
    """Give both modes."""
    return bool(request.param)


@pytest.fixture
def state(load: Callable[..., Any], mail: Path, testmode: bool) -> Callable[..., Any]:
    """Give `state(**account)`, which looks at two aliases and returns what the state returns."""
    aliases, cf = mail / "aliases", mail / "sendmail.cf"
    aliases.write_text('root: ops@example.org\nprg: "|/bin/true"\n')
    text = cf.read_text()
    assert "O AliasFile=/etc/mail/aliases" in text
    cf.write_text(text.replace("O AliasFile=/etc/mail/aliases", f"O AliasFile={aliases}"))

    def state(**account: Any) -> Any:
        pillar = {"account": account} if account else {}
        run = load(pillar, test=testmode)
        return run.states["sendmail_james.aliases_carried"](name="x")

    return state


def test_what_is_lost_is_named_without_failing(state: Callable[..., Any]) -> None:
    ret = state()
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["warnings"] == [
        'alias prg: "|/bin/true": James runs no program; have it read a mailbox, or use a mailet',
        "alias root: its mail does not go to ops@example.org any more",
    ]
    assert "account:webadmin" in ret["comment"]


def test_who_is_not_there_is_an_error_where_something_is_wanted(
    state: Callable[..., Any], testmode: bool
) -> None:
    ret = state(webadmin=NOBODY, aliases="carry")
    assert (ret["result"], ret["changes"]) == (None if testmode else False, {})
    assert "nothing listens there" in ret["comment"]
    assert "to be carried: root" in ret["comment"]


def test_and_a_remark_where_nothing_is(state: Callable[..., Any]) -> None:
    ret = state(webadmin=NOBODY)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "nothing listens there" in ret["comment"]
    assert len(ret["warnings"]) == 2


def test_what_is_acknowledged_or_ignored_is_not_named(state: Callable[..., Any]) -> None:
    for account in ({"acknowledged": ["root", "prg"]}, {"aliases": "ignore"}):
        ret = state(**account)
        assert ret["result"] is True
        assert "warnings" not in ret


def test_carrying_needs_a_way_to_james(state: Callable[..., Any]) -> None:
    ret = state(aliases="carry", people={"root": "bob"})
    assert ret["result"] is False
    for wish in ("account:aliases is carry", "account:people names some"):
        assert wish in ret["comment"]
