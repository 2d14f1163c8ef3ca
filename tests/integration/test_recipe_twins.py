"""Each step is needed: what becomes of mail without it, and what is refused before it goes live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james, pristine

CF, MC = recipe.MAIL / "sendmail.cf", recipe.MAIL / "sendmail.mc"


@pytest.fixture(scope="module")
def shared_host() -> None:
    """Give a host with James, for the tests that bring it to a state of their own."""
    recipe.fresh_host()


@pytest.fixture
def call(shared_host: None, module_call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a host as it was at first, with James running and nothing waiting."""
    pristine.restore(listening=False, keep_james=True)
    recipe.usual_james()
    james.forget_mails()
    return module_call


def maillog() -> str:
    """Give what sendmail has logged."""
    return pristine.run("journalctl", "-o", "cat", "--no-pager", "-t", "sm-mta", "-t", "sendmail")


def test_without_the_loop_step_mail_dies(call: Callable[..., Any]) -> None:
    recipe.apply(call, loop={"check": True})
    subject = recipe.send("alice")
    recipe.all_gone()
    assert "loops back to me" in maillog()
    assert recipe.found(subject) == []
    recipe.new_james(hello_name="other.example.test")
    assert recipe.arrives(recipe.send("alice")) == ["local"]


def test_without_the_relay_step_local_mail_stays_local(call: Callable[..., Any]) -> None:
    recipe.apply(call, "sendmail_james.daemon,sendmail_james.loop,sendmail_james.auth")
    subject = recipe.send("bob")
    recipe.all_gone()
    assert subject in Path("/var/mail/bob").read_text()
    assert recipe.found(subject) == []


def test_without_the_auth_step_james_refuses_remote_mail_and_takes_us_for_strangers(
    call: Callable[..., Any],
) -> None:
    recipe.apply(call, auth=None, account=None)
    subjects = [recipe.send("alice", by=by) for by in ("root", "bob")]
    assert [recipe.arrives(subject) for subject in subjects] == [["unauthenticated"]] * 2
    remote = [recipe.send("x@example.org", by=by) for by in ("root", "bob")]
    for by in ("root", "bob"):
        james.wait_for(lambda by=by: recipe.returned(by), what="the report of failure")
    assert [recipe.found(subject) for subject in remote] == [[], []]


def test_a_mailer_that_does_not_exist_never_goes_live(call: Callable[..., Any]) -> None:
    before, daemons = recipe.digest("/etc", "/var/spool"), pristine.sendmail_daemons()
    for test in ((), ("test=True",)):
        pillar = recipe.pillar(relay={"mailer": "nosuch"})
        result = call("state.apply", "sendmail_james", *test, pillar=pillar)
        assert "nosuch" in recipe.failures(result)["All mail is relayed to James"]
        assert recipe.changes(result).keys() <= {
            "Sendmail runs its queues and listens on no port",
            "The credentials for James are readable by sendmail alone",
            "Sendmail logs in to James",
        }
        assert recipe.digest("/etc", "/var/spool") == before
        assert pristine.sendmail_daemons() == daemons


def test_the_step_by_hand_refuses_a_mailer_that_does_not_exist(call: Callable[..., Any]) -> None:
    recipe.apply(call, "sendmail_james.daemon")
    before = recipe.digest("/etc")
    result = call("sendmail_james.relay", pillar=recipe.pillar(relay={"mailer": "nosuch"}))
    assert result.returncode
    assert "nosuch" in result.stdout + result.stderr
    assert recipe.digest("/etc") == before


def test_a_name_that_stays_local_is_named_unless_the_pillar_means_it(
    call: Callable[..., Any],
) -> None:
    CF.write_text("CLbob\n" + CF.read_text("latin-1"), "latin-1")
    before = recipe.digest("/etc")
    result = call("state.apply", "sendmail_james", pillar=recipe.pillar())
    comment = recipe.failures(result)["The configuration is proved and live"]
    assert "bob: " in comment
    assert "sendmail_james:relay:stay_local" in comment
    assert recipe.digest("/etc") == before
    recipe.apply(call, relay={"stay_local": ["bob"]})
    local, other = recipe.send("bob"), recipe.send("alice")
    assert recipe.arrives(other) == ["local"]
    recipe.all_gone()
    assert local in Path("/var/mail/bob").read_text()
    assert recipe.found(local) == []
