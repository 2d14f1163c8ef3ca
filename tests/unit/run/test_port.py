"""Who holds James's port is said first, wherever James cannot be asked."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from james_client.james.line import JamesError, NothingListensError, PeerError
from james_client.mta import processes
from james_client.run import port

LISTENERS = {"sendmail": True, "java": False, "master": False}


@pytest.fixture
def held() -> Iterator[int]:
    """Give a port that this process holds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def free() -> int:
    """Give a port that nobody holds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def plan(number: int, *, loopback: bool = True, queues_only: bool = False) -> Any:
    return SimpleNamespace(
        settings=SimpleNamespace(
            relay=SimpleNamespace(
                loopback=loopback, port=number, host="localhost" if loopback else "james.invalid"
            )
        ),
        platform=SimpleNamespace(
            sendmail="/usr/sbin/sendmail", submit_user="smmsp", restart="service sendmail restart"
        ),
        queue_user=lambda: "root",
        programs_user=lambda: "smmsp",
        runs_queues_only=lambda: queues_only,
    )


def hold(monkeypatch: pytest.MonkeyPatch, program: str, address: str = "127.0.0.1") -> None:
    """Have a fake look find PROGRAM on every port that is asked for."""

    def look(_: Any, ports: tuple[int, ...]) -> Any:
        found = [processes.Listener(p, address, program, LISTENERS[program], 77) for p in ports]
        return processes.Processes((), tuple(found), ())

    monkeypatch.setattr(processes, "look", look)


@pytest.mark.parametrize(
    ("queues_only", "cure"),
    [(False, "salt-call state.apply sendmail_james"), (True, "service sendmail restart")],
)
def test_a_sendmail_on_the_port_is_named_before_anybody_is_asked(
    monkeypatch: pytest.MonkeyPatch, queues_only: bool, cure: str
) -> None:
    hold(monkeypatch, "sendmail")
    asked = []
    named = pytest.raises(JamesError, match=rf"^sendmail \(pid 77\) holds port 25: .*{cure}$")
    with named, port.asking(plan(25, queues_only=queues_only)):
        asked.append("James")
    assert asked == []


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "::1", "::ffff:127.0.0.1"])
def test_a_sendmail_that_hears_what_is_said_to_james_is_in_the_way(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    hold(monkeypatch, "sendmail", address)
    with pytest.raises(JamesError, match="holds port 25"):
        port.refuse_sendmail(plan(25))


@pytest.mark.parametrize("address", ["192.0.2.1", "fe80::1%eth0"])
def test_a_sendmail_beside_james_on_another_address_is_not(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    hold(monkeypatch, "sendmail", address)
    port.refuse_sendmail(plan(25))


def test_a_sendmail_on_this_host_is_none_of_a_james_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold(monkeypatch, "sendmail")
    port.refuse_sendmail(plan(25, loopback=False))


def test_another_program_is_named_where_james_does_not_answer(held: int) -> None:
    at = plan(held)
    port.refuse_sendmail(at)
    with pytest.raises(JamesError, match="it speaks in tongues") as caught, port.asking(at):
        raise JamesError("it speaks in tongues")
    me = Path("/proc/self/exe").readlink().name
    assert str(caught.value).startswith(f"{me} (pid {os.getpid()}) holds port {held}; expected J")


def test_a_james_is_not_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    hold(monkeypatch, "java")
    with pytest.raises(JamesError, match=r"^no$"), port.asking(plan(25)):
        raise JamesError("no")


@pytest.mark.parametrize(
    ("error", "more"), [(NothingListensError, ""), (PeerError, r"\. user bob is on port 8000")]
)
def test_a_james_who_is_down_is_said_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, error: type[JamesError], more: str
) -> None:
    unit = tmp_path / "james.service"
    monkeypatch.setattr(port, "_UNITS", (unit,))
    for start in ("start him", "systemctl restart james"):
        said = pytest.raises(
            JamesError, match=f"^nothing listens on port {free}: .*: {start}{more}$"
        )
        with said, port.asking(plan(free)):
            raise error("user bob is on port 8000")
        unit.touch()


def test_a_james_elsewhere_says_his_own_error(free: int) -> None:
    with pytest.raises(JamesError, match=r"^down$"), port.asking(plan(free, loopback=False)):
        raise NothingListensError("down")


@pytest.mark.parametrize(
    ("program", "unit", "age", "is_"),
    [
        ("java", "james.service", 5, True),
        ("java", "other.service", 5, False),
        ("python3", "james.service", 5, False),
        ("java", "james.service", 70, False),
    ],
)
def test_a_james_who_was_started_just_now_is_starting(
    monkeypatch: pytest.MonkeyPatch, free: int, program: str, unit: str, age: int, is_: bool
) -> None:
    info = {"name": program, "create_time": time.time() - age}
    monkeypatch.setattr(psutil, "process_iter", lambda _: [SimpleNamespace(pid=88, info=info)])
    monkeypatch.setattr(processes, "look", lambda *_, **__: processes.Processes((), (), ()))
    monkeypatch.setattr(processes, "unit_of", lambda _: unit)
    said = port.starting(plan(free))
    assert said.startswith("he is starting (pid 88, for ") == is_ and bool(said) == is_
    assert port.starting(plan(free, loopback=False)) == ""


def test_a_young_james_of_no_unit_is_known_by_his_port(
    monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    info = {"name": "java", "create_time": time.time()}
    monkeypatch.setattr(psutil, "process_iter", lambda _: [SimpleNamespace(pid=77, info=info)])
    monkeypatch.setattr(processes, "look", lambda *_, **__: processes.Processes((), (), ()))
    monkeypatch.setattr(processes, "unit_of", lambda _: None)
    assert port.starting(plan(free)) == ""
    hold(monkeypatch, "java")
    assert "pid 77" in port.starting(plan(free))
