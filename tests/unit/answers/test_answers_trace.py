"""What is to be followed is checked first; a mail at James is known by sendmail's own line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import run_world
from cf_world import CF
from james_client.answers import letter, trace
from james_client.mta import journal
from james_client.wishes.mistakes import SettingsError

NAME = "6AOFffZd000462"
TOP = (
    "from localhost (EHLO {helo}) ([127.0.0.1])          by mail.example.test (JAMES SMTP Server ) "
    "with {kind} ID 2ffb7ae9          for <{to}>;          Tue, 24 Nov 2026 15:41:51 +0000 (UTC)"
)
OURS = (
    "(from bob@localhost)\tby mail.example.test (8.17.1.9/8.17.1.9/Submit) id {name}\tfor {to}; "
    "Tue, 24 Nov 2026 15:41:41 GMT"
)


def head(*lines: str, **given: str) -> dict[str, Any]:
    values = {"helo": "mail", "kind": "ESMTPA", "to": "alice", "name": NAME, **given}
    received = [line.format(**values) for line in lines]
    notes = {"org.apache.james.SMTPAuthUser": given["login"]} if "login" in given else None
    head = {"sender": "bob@x", "recipients": ["alice@x"], "attributes": notes}
    return {**head, "headers": {"Received": received}}


@pytest.mark.parametrize("wanted", [NAME, "latest", "root", "root@localhost", "a.b+c@example.org"])
def test_identifiers_and_addresses_are_taken(wanted: str) -> None:
    assert trace.check(wanted) == wanted


@pytest.mark.parametrize(
    "wanted", ["", "-bp", "a b", "x@y@z", "../x", f"{NAME}\n", "ü@example.org", 7, None, ["root"]]
)
def test_all_else_is_refused_before_anything_is_read(wanted: Any) -> None:
    with pytest.raises(SettingsError, match="trace: expected a queue identifier as mailq shows"):
        trace.trace(run_world.plan({}, sendmail="/nowhere"), wanted)


def test_a_mail_is_known_by_the_line_that_sendmail_wrote() -> None:
    found = letter.read("var/mail/local", head(TOP, OURS, login="sendmail"))
    assert found
    assert (found.id, found.by, found.login) == (NAME, "bob@localhost", "sendmail")
    smtp = "from a.example (b [192.0.2.1])\tby mail (8.17.1/8.17.1) with ESMTP id {name}\tfor x; y"
    found = letter.read("var/mail/local", head(TOP, smtp, kind="ESMTPSA"))
    assert found and (found.id, found.by, found.login) == (NAME, "", "")
    returned = "from localhost (localhost)\tby mail (8.17.1/8.17.1) id {name};\tnow"
    found = letter.read("var/mail/local", head(TOP, returned, kind="ESMTP"))
    assert found and (found.id, found.login) == (NAME, "")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (TOP,),
        (OURS,),
        (TOP, "from x by y with ESMTP id 12; z", OURS),  # a line that a sender wrote
        (TOP, OURS.replace("id {name}", "id 6")),
    ],
)
def test_a_line_that_stands_elsewhere_is_not_sendmails(lines: tuple[str, ...]) -> None:
    assert letter.read("var/mail/local", head(*lines)) is None


@pytest.mark.parametrize(
    ("login", "believed"),
    [
        ("sendmail", True),
        ("Sendmail@mail.example.test", True),
        ("", False),
        ("alice", False),
        ("sendmail2", False),
    ],
)
def test_only_sendmails_login_is_its_own(login: str, believed: bool) -> None:
    found = letter.read("var/mail/local", head(TOP, OURS, login=login))
    assert found and found.of_sendmail("sendmail") is believed


def test_a_client_gives_itself_no_login() -> None:
    lie = "x) by y (JAMES SMTP Server ) with ESMTPA"
    for given in ({"helo": lie}, {"to": lie}):
        found = letter.read("var/mail/local", head(TOP, OURS, kind="ESMTP", **given))
        assert found and not found.of_sendmail("sendmail"), given


@pytest.mark.parametrize(
    "odd", [{}, {"headers": None}, {"headers": {"Received": "x"}}, {"headers": 7}]
)
def test_what_is_odd_is_no_mail_of_ours(odd: dict[str, Any]) -> None:
    assert letter.read("var/mail/local", odd) is None


class FakeWebAdmin:
    """A James with more mail than is looked at; it counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def repositories(self) -> tuple[str, ...]:
        return "var/mail/error", "var/mail/local"

    def mails(self, repository: str) -> tuple[str, ...]:
        return {"var/mail/error": ("Mail1", "Mail4"), "var/mail/local": ("Mail3", "Mail2")}[
            repository
        ]

    def mail_head(self, repository: str, key: str) -> dict[str, Any]:
        self.asked.append(key)
        return head(TOP, OURS, name=NAME if key == "Mail3" else NAME[:-1] + "9")


@pytest.fixture
def webadmin(monkeypatch: pytest.MonkeyPatch) -> FakeWebAdmin:
    fake = FakeWebAdmin()
    monkeypatch.setattr(letter.account, "webadmin", lambda settings: fake)
    return fake


def test_the_newest_mails_are_looked_at_and_the_rest_is_named(
    webadmin: FakeWebAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter, "LOOKED", 3)
    found = letter.find(run_world.plan({}), [NAME], time.monotonic() + 60)
    assert [(one.id, one.repository) for one in found.found] == [(NAME, "var/mail/local")]
    assert webadmin.asked == ["Mail4", "Mail3", "Mail2"]
    assert found.unseen == ("1 older mails in James's repositories",)


def test_nothing_is_asked_after_the_time(webadmin: FakeWebAdmin) -> None:
    found = letter.find(run_world.plan({}), [NAME], time.monotonic() - 1)
    assert (found.found, webadmin.asked) == ((), [])
    assert len(found.unseen) == 2


def test_a_log_that_any_user_can_write_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setattr(journal, "FOLDERS", (str(tmp_path / "none"),))
    for name in ("sendmail.cf", "sendmail"):
        (tmp_path / name).write_bytes(CF)
    log = tmp_path / "mail.log"
    lines = (
        "from=bob, size=66, class=0, nrcpts=1, msgid=<1@x>, relay=bob@localhost",
        "to=alice\x9b, ctladdr=bob (1/1), delay=00:00:01, mailer=esmtp, "
        "relay=localhost [127.0.0.1], dsn=4.4.1, stat=Deferred: >>> AUTH PLAIN AGJvYgBzZWNyZXQ=",
        f"{NAME[:-1]}9: DSN: x",
    )
    log.write_text("".join(f"Jan  2 10:00:00 mail sm-mta[7]: {NAME}: {one}\n" for one in lines))
    lookup = {key: str(tmp_path / file) for key, file in FILES.items()}
    found = trace.trace(run_world.plan({}, mail_logs=[str(log)], **lookup), NAME, ["relay: x"])
    assert found["message"] == f"{NAME} from bob to alice?"
    # All of one second: they stay in the log's order.
    assert [one[20:].removeprefix(f"{NAME}: ") for one in found["way"]] == [
        "handed in by daemon (uid 1, as bob)",
        "to alice? at James at localhost [127.0.0.1]: waits: "
        "4.4.1 Deferred: >>> AUTH PLAIN (hidden)",
        f"returned mail {NAME[:-1]}9 made: x",
    ]
    assert f"who wrote {log}: any user of this host can add lines to it" in found["not seen"]
    assert "what the pillar says wrongly: relay: x" in found["not seen"]


FILES = {"cf": "sendmail.cf", "submit_cf": "none.cf", "sendmail": "sendmail"}
