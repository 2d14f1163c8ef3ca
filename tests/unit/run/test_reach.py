"""What James's answers about names mean, in words."""

from __future__ import annotations

import pytest
import run_world
from james_client.james.line import JamesError
from james_client.james.recipients import Recipients
from james_client.mta import processes
from james_client.mta.processes import Listener, Processes
from james_client.run import reach as room
from james_client.run.reach import LIMIT, reach, required_in_words

NO = "550 5.1.1 Unknown user"


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a host with two names in two forms, where sendmail does not listen."""
    monkeypatch.setattr(room, "required", lambda _: {"root": "cron", "bob": "a user"})
    monkeypatch.setattr(room, "arriving", lambda _: ("localhost", "a.test"))
    monkeypatch.setattr(processes, "look", lambda *_, **__: Processes((), (), ()))


def answers(monkeypatch: pytest.MonkeyPatch, found: Recipients) -> list[list[str]]:
    """Have James answer with FOUND; give what he is asked about."""
    asked: list[list[str]] = []

    def recipients(settings: object, addresses: list[str], *, patient: bool) -> Recipients:
        asked.append(addresses)
        return found

    monkeypatch.setattr(room, "recipients", recipients)
    return asked


def test_each_name_is_asked_for_in_each_form(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, Recipients(taken=4))
    found = reach(run_world.plan())
    assert asked == [["root@localhost", "root@a.test", "bob@localhost", "bob@a.test"]]
    assert (found.asked, found.wrong, found.notes) == (4, [], ())


def test_a_name_is_said_once_with_its_forms_and_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, Recipients(unknown={"root@localhost": NO, "root@a.test": "other"}))
    first, cure = reach(run_world.plan()).wrong
    assert first == f"mail dies at localhost and a.test, where James says '{NO}': root (cron)"
    assert "account:people" in cure
    assert "account:aliases: carry" in cure


def test_a_foreign_domain_is_wrong_with_the_call_that_cures_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(monkeypatch, Recipients(foreign={"a.test": "530 no"}))
    (said, _) = reach(run_world.plan()).wrong
    assert "every name at a.test" in said
    assert "'530 no'" in said
    assert "PUT /domains/a.test" in said


def test_what_is_not_proved_is_said_and_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Recipients(blind={"a.test": "250 ok"}, later={"bob@localhost": "451 busy"})
    answers(monkeypatch, found)
    seen = reach(run_world.plan())
    assert seen.wrong == []
    assert "any name at a.test" in seen.notes[0]
    assert "'451 busy' to bob@localhost" in seen.notes[1]


@pytest.mark.parametrize(
    ("found", "deferred"),
    [
        (Recipients(later={"bob@localhost": "451 busy", "root@localhost": "451 no"}), "451 busy"),
        (Recipients(later={"bob@localhost": "451 busy"}, taken=1), ""),
        (Recipients(later={"bob@localhost": "451 busy"}, unknown={"root@a.test": NO}), ""),
        (Recipients(taken=2), ""),
    ],
)
def test_a_james_who_puts_off_all_is_told_from_one_who_puts_off_some(
    monkeypatch: pytest.MonkeyPatch, found: Recipients, deferred: str
) -> None:
    answers(monkeypatch, found)
    assert reach(run_world.plan()).deferred == deferred


def test_a_host_with_very_many_users_is_asked_about_for_a_while_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "required", lambda _: dict.fromkeys(map(str, range(50000)), ""))
    asked = answers(monkeypatch, Recipients())
    found = reach(run_world.plan())
    assert len(asked[0]) == found.asked == LIMIT
    assert found.notes == (f"{100000 - LIMIT} of 100000 addresses were not asked about",)
    assert required_in_words(run_world.plan()).endswith("28, 29, and 49970 more")
    answers(monkeypatch, Recipients(unknown=dict.fromkeys(asked[0], NO)))
    said, _ = reach(run_world.plan()).wrong
    assert said.endswith(f": {', '.join(map(str, range(30)))}, and {LIMIT // 2 - 30} more")


def test_where_not_all_are_asked_about_it_is_the_rarest_forms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = answers(monkeypatch, Recipients())
    domains = tuple(f"d{number}.test" for number in range(3000))
    monkeypatch.setattr(room, "arriving", lambda _: domains)
    reach(run_world.plan())
    assert asked[0][:6] == [
        *("root@d0.test", "root@d1.test", "bob@d0.test", "bob@d1.test"),
        *("root@d2.test", "bob@d2.test"),
    ]


def test_sendmail_is_not_taken_for_james(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, Recipients())
    listener = Listener(25, "127.0.0.1", "sendmail", True, 77)
    monkeypatch.setattr(processes, "look", lambda *_, **__: Processes((), (listener,), ()))
    with pytest.raises(JamesError, match=r"sendmail \(pid 77\) holds port 25"):
        reach(run_world.plan())
    reach(run_world.plan({"relay": {"host": "james.example.net"}}))
    said = required_in_words(run_world.plan())
    assert said.endswith("each as NAME@localhost, NAME@a.test: root, bob")


def test_an_address_that_is_coming_does_not_die(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"root@localhost": NO, "root@A.test": NO, "bob@a.test": NO}
    answers(monkeypatch, Recipients(unknown=dict(refused)))
    assert len(reach(run_world.plan()).dying) == 2  # root in two forms, bob in one
    answers(monkeypatch, Recipients(unknown=dict(refused)))
    found = reach(run_world.plan(), coming={"root@localhost", "root@a.test"})
    assert found.dying == (f"mail dies at a.test, where James says '{NO}': bob (a user)",)
