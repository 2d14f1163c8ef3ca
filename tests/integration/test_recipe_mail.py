"""The whole recipe: every form of address reaches James authenticated, from root and from users."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
from forked_salt import ForkedSalt
from support import james, pristine

pytestmark = pytest.mark.smoke
FORMS = {
    "alice": "local",
    "alice@localhost": "local",
    f"alice@{recipe.FQDN}": "local",
    "root": "local",
    "someone@example.org": "relay",
}
SENDERS = ("root", "bob")
LIMITS = {"highstate": 3500, "json": 5000}  # bytes, with nothing to change


@pytest.fixture(scope="module")
def first(module_call: Callable[..., Any]) -> Any:
    """Apply the formula to a host, and give what that returned."""
    recipe.fresh_host()
    return recipe.apply(module_call)


@pytest.fixture(scope="module")
def subjects(first: Any) -> dict[tuple[str, str], str]:
    """Send every form in every way at once, and give the subjects."""
    ways = [(form, by) for form in FORMS for by in SENDERS]
    return {way: recipe.send(way[0], by=way[1]) for way in ways}


@pytest.mark.parametrize("by", SENDERS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_arrives_once_and_authenticated(
    subjects: dict[tuple[str, str], str], form: str, by: str
) -> None:
    assert recipe.arrives(subjects[form, by]) == [FORMS[form]]


@pytest.mark.parametrize("by", SENDERS)
def test_the_null_sender_arrives_and_stays_null(first: Any, by: str) -> None:
    subject = recipe.send("alice", by=by, sender="")
    assert recipe.arrives(subject) == ["local"]
    (mail,) = [m for _, m in recipe.mails("local") if subject in m["headers"]["Subject"]]
    assert mail["sender"] is None


@pytest.mark.parametrize("by", SENDERS)
@pytest.mark.parametrize("options", [("-t",), ("-FCronDaemon", "-B8BITMIME")], ids=["PHP", "cron"])
def test_what_programs_send_arrives(first: Any, by: str, options: tuple[str, ...]) -> None:
    assert recipe.arrives(recipe.send("alice", by=by, options=options)) == ["local"]


@pytest.mark.parametrize("by", SENDERS)
def test_mail_for_nobody_returns_through_james_from_the_null_sender(first: Any, by: str) -> None:
    recipe.send(f"nosuch-{by}", by=by)
    (report,) = james.wait_for(lambda: recipe.returned(by), what="the report of failure")
    assert report["sender"] is None
    assert report["state"] == "local-delivery"


def test_nothing_came_without_a_login(subjects: dict[tuple[str, str], str]) -> None:
    for subject in subjects.values():
        recipe.arrives(subject)
    assert james.counts() | {"unauthenticated": 0, "error": 0, "address-error": 0} == james.counts()
    assert recipe.queue_files() == []


def test_james_has_the_ports_and_both_queues_have_runners(first: Any) -> None:
    with socket.create_server(("127.0.0.1", 587)):
        pass
    listening = pristine.run("ss", "-Hltnp", "sport = :25 or sport = :587 or sport = :465")
    assert set(re.findall(r'\("([^"]+)"', listening)) == {"java"}
    runners = [line.partition(" ")[2] for line in pristine.sendmail_daemons()]
    assert all("ueue" in runner and "accepting" not in runner for runner in runners), runners
    assert any(" MTA: Queue runner@00:00:05" in runner for runner in runners), runners
    assert any(" MSP: " in runner for runner in runners), runners


def test_the_second_highstate_changes_nothing_and_starts_no_process_of_sendmails(
    first: Any, minion: Any, module_call: Callable[..., Any], tmp_path: Path
) -> None:
    runners = pristine.sendmail_daemons()
    before = recipe.digest("/etc", "/var/spool/mqueue", "/var/spool/mqueue-client")
    result, programs = recipe.traced(minion, tmp_path, "state.apply", "sendmail_james")
    assert recipe.failures(result) == recipe.changes(result) == {}
    assert programs
    assert not recipe.SENDMAILS & programs
    assert pristine.sendmail_daemons() == runners
    assert recipe.digest("/etc", "/var/spool/mqueue", "/var/spool/mqueue-client") == before
    salt, shown = ForkedSalt(minion.config_file), {"local": result.data}
    sizes = {
        # As Salt prints a state run, unless it is told otherwise, and as it returns it.
        "highstate": len(salt.call("out.string_format", shown, "highstate")),
        "json": len(json.dumps(result.data)),
    }
    assert {name for name, size in sizes.items() if size >= LIMITS[name]} == set(), sizes


def test_a_highstate_that_changes_something_is_seen_to_start_them(
    first: Any, minion: Any, module_call: Callable[..., Any], tmp_path: Path
) -> None:
    recipe.apply(module_call, "sendmail_james.clean")
    result, programs = recipe.traced(minion, tmp_path, "state.apply", "sendmail_james")
    assert recipe.changes(result)
    assert {"sendmail", "m4"} <= programs
