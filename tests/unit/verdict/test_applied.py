"""A login that is live is told to the James whom the live cf names, and to no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import run_world
from cf_world import CF, SUBMIT
from james_client.cf import relay as cf_relay
from james_client.cf.text import Cf
from james_client.james.dialogue import Login
from james_client.james.pulse import Pulse
from james_client.run.plan import Plan
from james_client.verdict import evidence as room
from james_client.verdict.applied import elsewhere
from james_client.verdict.evidence import Evidence, NotSeenError
from james_client.wishes.secret import Secret

LOGIN = Login("sendmail", Secret("older"))


def plan(folder: Path, **relay: Any) -> Plan:
    """Give a plan that was applied for localhost, with the pillar as it is now."""
    lookup = {"cf": f"{folder}/sendmail.cf", "submit_cf": f"{folder}/submit.cf"}
    was = run_world.plan({}, **lookup).settings.relay
    for name, text in (("sendmail.cf", CF), ("submit.cf", SUBMIT)):
        cf = Cf(text)
        cf_relay.edit(cf, was)
        (folder / name).write_bytes(cf.render())
    return run_world.plan({"relay": relay}, **lookup)


def asked(plan: Plan, monkeypatch: pytest.MonkeyPatch, login: Login | None = LOGIN) -> list[str]:
    """Give what hosts are told a login, or asked without."""
    to: list[str] = []
    monkeypatch.setattr(room, "pulse", lambda server, login: to.append(server.host) or Pulse(()))
    monkeypatch.setattr(Evidence, "logins", {"/etc/x": login} if login else {})
    _ = Evidence(plan).pulses
    return to


def test_the_james_of_the_cf_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert elsewhere(plan(tmp_path)) == ""
    assert asked(plan(tmp_path), monkeypatch) == ["localhost"]


@pytest.mark.parametrize("relay", [{"host": "new.example"}, {"port": 1025}])
def test_another_is_not_told_the_old_login(
    tmp_path: Path, relay: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotSeenError, match=r"James is not asked: .* is not the pillar's yet"):
        asked(plan(tmp_path, **relay), monkeypatch)


def test_without_a_login_there_is_nothing_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(plan(tmp_path, port=1025), monkeypatch, None) == ["localhost"]


def test_a_submission_program_that_goes_elsewhere_is_seen(tmp_path: Path) -> None:
    found = plan(tmp_path)
    cf = tmp_path / "submit.cf"
    cf.write_bytes(cf.read_bytes().replace(b"TCP $h", b"TCP $h 2525"))
    assert elsewhere(found) == f"the arguments of mailer relay of {cf} is not the pillar's yet"
