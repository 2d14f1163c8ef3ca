"""What restarts and the way back remember survives a kill at any moment."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from james_client.mta import processes
from james_client.mta.processes import Listener, MailDaemon, Processes
from james_client.run import before_us, owed, service
from james_client.run.plan import Plan
from kill_points import killed

OURS = Listener(25, "127.0.0.1", "sendmail-mta", True, 1)
JAMES = Listener(25, "::", "java", False, 2)


class Host:
    """A service manager that is a fake: one service, in files, so that a kill can come anywhere."""

    def __init__(self, root: Path, listeners: tuple[Listener, ...] = (OURS,)) -> None:
        root.mkdir()
        self.root, self.listeners = root, listeners
        self.boots = root / "boots"
        facts = {"state_dir": root / "state", "services": ("sendmail",), "sendmail": "/none"}
        facts |= {"restart": "service sendmail restart", "submit_user": "smmsp", "knobs": ()}
        plan = SimpleNamespace(
            platform=SimpleNamespace(**facts),
            runs_queues_only=lambda: False,
            queue_user=lambda: "root",
            programs_user=lambda: "smmsp",
            ledger=dict,
        )
        self.plan = cast(Plan, plan)
        self.functions: dict[str, Callable[[str], Any]] = {
            "service.enabled": lambda _: self.boots.exists(),
            "service.enable": lambda _: self.boots.touch(),
            "service.disable": lambda _: self.boots.unlink(missing_ok=True),
            "service.restart": self.note,
            "service.stop": self.note,
        }

    def note(self, name: str) -> bool:
        with (self.root / "log").open("a") as log:
            log.write(f"{name}\n")
        return True

    def look(self, _: object) -> Processes:
        return Processes((), self.listeners, ())

    def apply(self) -> None:
        service.remember_listeners(self.plan)
        service.restart(self.plan, self.functions)

    def clean(self, timeout: float = 0) -> before_us.Restarted:
        return before_us.restart(self.plan, self.functions, timeout)

    def remembers(self) -> list[str]:
        return sorted(path.name for path in (self.root / "state").iterdir())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Host]:
    """Give `host(*listeners)`, which makes one; the processes of the last one are seen."""
    numbers = itertools.count()

    def make(*listeners: Listener) -> Host:
        found = Host(tmp_path / str(next(numbers)), listeners or (OURS,))
        monkeypatch.setattr(processes, "look", found.look)
        return found

    return make


def test_a_killed_restart_forgets_nothing_that_the_way_back_needs(host: Any) -> None:
    for number in itertools.count():
        one = host()
        if not killed(one.apply, 1 + number // 2, bool(number % 2)):
            break
        one.apply()
        assert one.boots.exists() and not owed.is_owed(one.plan)
        assert (one.root / "state" / service.LISTENED).read_text() == "127.0.0.1 25\n"
        assert one.clean().wrong == []
        assert not one.boots.exists()
        assert one.remembers() == []
    assert number >= 14


def test_a_killed_way_back_is_finished_by_the_next(host: Any) -> None:
    for number in itertools.count():
        one = host()
        one.apply()
        owed.owe(one.plan)
        if not killed(one.clean, 1 + number // 2, bool(number % 2)):
            break
        if owed.is_owed(one.plan):  # or else it came to its end
            assert one.clean().wrong == []
        assert not one.boots.exists()
        assert one.remembers() == []
    assert number >= 10


def test_a_port_that_another_holds_is_named_with_the_command(host: Any) -> None:
    one = host()
    one.apply()
    one.listeners = (JAMES,)
    owed.owe(one.plan)
    done = one.clean()
    assert done.said == ["sendmail was not restarted"]
    assert done.wrong == [
        "port 25 is held by java (2), and sendmail needs it: stop it, then: salt-call "
        "state.apply sendmail_james.clean"
    ]
    assert owed.is_owed(one.plan) and one.boots.exists()
    assert (one.root / "log").read_text() == "sendmail\n"
    one.listeners = (OURS,)
    assert one.clean() == before_us.Restarted([], [])


def test_a_port_that_is_given_back_in_time_is_waited_for(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = host()
    one.apply()
    looks = itertools.chain([(JAMES,)] * 3, itertools.repeat((OURS,)))
    monkeypatch.setattr(processes, "look", lambda _: Processes((), next(looks), ()))
    monkeypatch.setattr(before_us, "_POLL", 0)
    assert one.clean(timeout=3600) == before_us.Restarted([], [])
    assert (one.root / "log").read_text() == "sendmail\n" * 2


@pytest.mark.parametrize("address", ["127.0.0.2", "192.0.2.1", "::1"])
def test_another_address_is_in_nobodys_way(host: Any, address: str) -> None:
    one = host()
    one.apply()
    one.listeners = (Listener(25, address, "java", False, 2), OURS)
    assert one.clean() == before_us.Restarted([], [])


def test_where_sendmail_did_not_listen_it_need_not(host: Any) -> None:
    one = host(JAMES)
    one.apply()
    done = one.clean(timeout=3600)  # nobody waits for what was not there
    assert done.wrong == []
    assert done.said == ["port 25 is java (2)'s, as before us: stopped"]
    assert one.remembers() == []


def test_a_sendmail_that_does_not_come_back_is_said(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_TIMEOUT", 0)
    one = host()
    one.apply()
    one.listeners = ()
    stray = SimpleNamespace(pid=7, children=lambda recursive: [])
    monkeypatch.setattr(
        processes, "look", lambda _: Processes((), (), (), (MailDaemon(stray, True),))
    )
    owed.owe(one.plan)
    stays, missing = one.clean().wrong
    assert stays.endswith("kill -9 7")
    assert missing.startswith("sendmail does not listen on port 25; ")
    assert owed.is_owed(one.plan)


@pytest.mark.parametrize("address", ["::ffff:127.0.0.1", "::ffff:0.0.0.0", "127.0.0.1"])
def test_a_socket_of_a_jvm_is_in_the_way_too(host: Any, address: str) -> None:
    one = host()
    one.apply()
    assert before_us.held(one.plan, 0) == []
    one.listeners = (Listener(25, address, "java", False, 2),)
    assert "port 25 is held by java (2)" in before_us.held(one.plan, 0)[0]


def test_where_an_earlier_form_noted_nothing_the_usual_port_counts(host: Any) -> None:
    one = host()
    service.restart(one.plan, one.functions)
    one.listeners = (JAMES,)
    assert "port 25 is held by java (2)" in before_us.held(one.plan, 0)[0]
    assert "sendmail was not restarted" in one.clean().said


def test_what_is_noted_is_what_was_before_any_file_of_ours(host: Any) -> None:
    one = host()
    one.apply()
    one.plan.ledger = lambda: {"/etc/mail/sendmail.cf": object()}
    one.listeners = ()
    service.remember_listeners(one.plan)
    assert (one.root / "state" / service.LISTENED).read_text() == "127.0.0.1 25\n"


DROP_IN = "/etc/systemd/system/sendmail.service.d/ours.conf"


@pytest.mark.parametrize("before", [OURS, JAMES], ids=["restarts", "stops"])
@pytest.mark.parametrize(("knob", "read"), [(DROP_IN, True), ("/etc/mail/sendmail.conf", False)])
def test_systemd_reads_a_unit_s_knob_before_the_service_restarts_or_stops(
    host: Any, before: Listener, knob: str, read: bool
) -> None:
    one = host(before)
    one.plan.platform.knobs = (SimpleNamespace(file=knob),)
    one.functions["service.systemctl_reload"] = lambda: one.note("systemctl daemon-reload")
    wanted = ["systemctl daemon-reload"] * read + ["sendmail"]
    one.apply()
    assert (one.root / "log").read_text().splitlines() == wanted
    assert one.clean().wrong == []
    assert (one.root / "log").read_text().splitlines() == wanted * 2
