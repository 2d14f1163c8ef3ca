"""Nothing is lost: what James does not take now waits, says why, and goes out once it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import recipe
from support import james, pristine

WAYS = (("alice", "root"), ("alice", "bob"), ("x@example.org", "root"), ("x@example.org", "bob"))
PLACES = ["local", "local", "relay", "relay"]
OTHER = "another-Password-7"


@pytest.fixture(scope="module")
def applied(module_call: Callable[..., Any]) -> Callable[..., Any]:
    """Apply the formula to a host, and give the call that does."""
    recipe.fresh_host()
    recipe.apply(module_call)
    return module_call


@pytest.fixture
def call(applied: Callable[..., Any]) -> Callable[..., Any]:
    """Give a host that works, whatever the test before left."""
    recipe.usual_james()
    recipe.apply(applied)
    recipe.forget_mail()
    return applied


def send_all() -> list[str]:
    """Send local and remote mail, as root and as a user."""
    return [recipe.send(address, by=by) for address, by in WAYS]


def assert_delivered_once(subjects: list[str]) -> None:
    """See every message arrive, and none twice once the queues are empty."""
    for subject in subjects:
        recipe.arrives(subject)
    recipe.all_gone()
    assert [recipe.found(subject) for subject in subjects] == [[place] for place in PLACES]


def test_mail_waits_while_james_is_down_and_arrives_once_when_it_is_back(
    call: Callable[..., Any],
) -> None:
    james.stop()
    subjects = send_all()
    said = recipe.reasons(len(subjects))
    assert said.count("Deferred: Connection refused by localhost") == 2, said
    assert said.count("Deferred: Connection refused by [127.0.0.1]") == 2, said
    recipe.new_james()
    assert_delivered_once(subjects)


def test_a_wrong_password_keeps_all_mail_until_the_pillar_has_the_right_one(
    call: Callable[..., Any],
) -> None:
    james.add_user("sendmail", password=OTHER)
    subjects = send_all()
    said = recipe.reasons(len(subjects))
    assert said.count("James has not authenticated") == len(subjects), said
    assert james.counts() == dict.fromkeys(james.REPOSITORIES, 0)
    seen = said + pristine.run("journalctl", "-o", "cat", "--no-pager") + recipe.queue_text()
    assert not recipe.leaks(seen, recipe.PASSWORD)
    result = call("state.apply", "sendmail_james", pillar=recipe.pillar(auth={"password": OTHER}))
    assert not recipe.failures(result)
    assert_delivered_once(subjects)


def test_the_highstate_says_that_the_password_is_wrong_without_showing_it(
    call: Callable[..., Any],
) -> None:
    result = call("state.apply", "sendmail_james", pillar=recipe.pillar(auth={"password": OTHER}))
    comment = recipe.failures(result)["The configuration is proved and live"]
    assert "535" in comment
    assert "password" in comment, comment
    assert not recipe.leaks(result.stdout + result.stderr, OTHER)


def test_the_search_for_a_password_finds_one() -> None:
    planted = "x" + recipe.encoded(OTHER)[-1].decode() + "y"
    assert recipe.leaks(planted, OTHER)
    assert recipe.leaks(f"the password is {OTHER}", OTHER)


def test_mail_waits_for_a_james_that_offers_no_login(call: Callable[..., Any]) -> None:
    recipe.new_james(announce="never")
    subjects = send_all()
    said = recipe.reasons(len(subjects))
    assert said.count("James has not authenticated") == len(subjects), said
    assert james.counts() == dict.fromkeys(james.REPOSITORIES, 0)
    recipe.new_james()
    assert_delivered_once(subjects)


def test_where_a_login_is_not_required_a_wrong_password_loses_remote_mail(
    call: Callable[..., Any],
) -> None:
    recipe.apply(call, auth={"required": False})
    james.add_user("sendmail", password=OTHER)
    recipe.send("x@example.org")
    james.wait_for(lambda: recipe.returned("root"), what="the report of failure")
    local = recipe.send("alice")
    assert recipe.arrives(local) == ["unauthenticated"]
