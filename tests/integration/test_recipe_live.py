"""With verify:live the highstate sends the test messages itself, and believes what it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import recipe
from support import pristine

LIVE = {"live": True, "local_user": "alice", "remote_address": "someone@example.org"}
SHOWN = "All mail reaches James"


@pytest.fixture
def call(minion_call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a host as it was at first, with James waiting."""
    recipe.fresh_host()
    return minion_call


def maillog() -> str:
    """Give what sendmail has logged."""
    return pristine.run("journalctl", "--no-pager", "-o", "cat", "--facility=mail")


def test_test_messages_are_sent_after_a_change_and_only_then(call: Callable[..., Any]) -> None:
    result = recipe.apply(call, verify=LIVE)
    assert "test messages of every form arrived" in recipe.states(result)[SHOWN]["comment"]
    assert recipe.queue_files() == []
    assert [name for name, _ in recipe.mails()] == []
    sent = maillog().count(" from=")
    assert sent >= 12
    again = recipe.apply(call, verify=LIVE)
    assert recipe.changes(again) == {}
    assert "test messages" not in recipe.states(again)[SHOWN]["comment"]
    assert maillog().count(" from=") == sent


def test_a_message_that_james_does_not_take_fails_the_run_and_says_which(
    call: Callable[..., Any],
) -> None:
    wanted = LIVE | {"local_user": "nobody-knows"}
    result = call("state.apply", "sendmail_james", pillar=recipe.pillar(verify=wanted))
    comment = recipe.failures(result)[SHOWN]
    assert "nobody-knows" in comment
    assert "550" in comment
    assert not recipe.leaks(result.stdout + result.stderr, recipe.PASSWORD)
    assert recipe.queue_files() == []
