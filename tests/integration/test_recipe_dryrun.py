"""test=True foretells the very changes of the real run, on every SLS file, and touches nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import recipe
from support import james, pristine

STEPS = ("daemon", "relay", "loop", "auth")
PLACES = ("/etc", "/var/spool", "/var/backups", "/var/lib/sendmail_james", "/usr/sbin")


def foretold_and_done(call: Callable[..., Any], sls: str, pillar: Any) -> tuple[Any, Any]:
    """Apply an SLS file in test mode, seeing that no file is touched, then really."""
    before = recipe.digest(*PLACES)
    foretold = call("state.apply", sls, "test=True", pillar=pillar)
    assert recipe.digest(*PLACES) == before
    assert recipe.failures(foretold) == {}
    done = call("state.apply", sls, pillar=pillar)
    assert recipe.failures(done) == {}
    return foretold, done


@pytest.mark.parametrize("step", STEPS)
def test_each_step_alone_is_foretold(
    minion_call: Callable[..., Any], pristine_host: None, step: str
) -> None:
    foretold, done = foretold_and_done(minion_call, f"sendmail_james.{step}", recipe.pillar())
    assert recipe.changes(foretold) == recipe.changes(done) != {}
    results = {name: state["result"] for name, state in recipe.states(foretold).items()}
    assert {results[name] for name in recipe.changes(done)} == {None}


def test_the_whole_recipe_and_the_way_back_are_foretold(minion_call: Callable[..., Any]) -> None:
    recipe.fresh_host()
    first = recipe.digest("/etc", "/var/spool/mqueue", "/var/spool/mqueue-client")
    foretold, done = foretold_and_done(minion_call, "sendmail_james", recipe.pillar())
    assert recipe.changes(foretold) == recipe.changes(done)
    assert len(recipe.changes(done)) >= 7
    quiet = minion_call("state.apply", "sendmail_james", "test=True")
    assert recipe.changes(quiet) == {}
    assert {state["result"] for state in recipe.states(quiet).values()} == {True}
    james.stop()
    clean = "sendmail_james.clean"
    foretold, done = foretold_and_done(minion_call, clean, recipe.pillar())
    assert recipe.changes(foretold) == recipe.changes(done) != {}
    assert recipe.differences(first, recipe.digest(*PLACES[:1])) == {}
    again = minion_call("state.apply", clean)
    assert recipe.failures(again) == recipe.changes(again) == {}


def test_a_file_with_other_rights_is_foretold_too(
    minion_call: Callable[..., Any], pristine_host: None
) -> None:
    minion_call("state.apply", "sendmail_james.auth", pillar=recipe.pillar())
    pristine.run("chmod", "0640", "/etc/mail/james-auth-info")
    foretold, done = foretold_and_done(minion_call, "sendmail_james.auth", recipe.pillar())
    assert recipe.changes(foretold) == recipe.changes(done)
    assert "0640" in str(recipe.changes(done))
