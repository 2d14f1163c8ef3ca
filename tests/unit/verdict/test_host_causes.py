"""No user of the host makes it look worse than it is: by his messages, or on James's port."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import run_world
from james_client.mta import space
from james_client.mta.processes import Listener
from james_client.mta.queue import Aged, Glimpse, Held
from james_client.verdict import host_causes
from james_client.verdict.finding import Finding, Level

TINY = space.Space("/small", 1, 4096, 100, None)


def found(name: str, seen: Any) -> list[Finding]:
    """Ask one row."""
    table = (*host_causes.CAUSES, *host_causes.JAMES)
    (row,) = [one for one in table if one.name == name]
    return list(row.look(seen))


# -- DNS ----------------------------------------------------------------------------------------


def names(*reasons: str, tries: int = 1) -> list[Finding]:
    """Ask what is said of a queue whose messages wait for these reasons."""
    held = tuple(Held(f"6A{n}", Aged(1, "normal", True), w, tries) for n, w in enumerate(reasons))
    queue = SimpleNamespace(glimpse=Glimpse(len(held), held, True))
    return found("dns-dead", SimpleNamespace(queues=[queue]))


def waits(domain: str) -> str:
    """Give the reason of a message that waits for a domain."""
    return f"host map: lookup ({domain}): deferred"


def test_a_name_server_is_dead_where_nearly_all_waits_for_it() -> None:
    (one,) = names(
        waits("a.example"), "Deferred: Name server: b.example.: host name lookup failure"
    )
    assert (one.level, "(a.example, b.example)" in one.said) == (Level.CRITICAL, True)


def test_a_few_domains_that_anybody_may_own_are_a_warning() -> None:
    (one,) = names(waits("a.example"), waits("b.example"), *["Deferred: so"] * 3)
    assert one.level is Level.WARNING
    (one,) = names(*[waits("a.example")] * 9)
    assert one.level is Level.WARNING


# -- James's disk -------------------------------------------------------------------------------


@pytest.fixture
def java(tmp_path: Any) -> Iterator[Any]:
    """Start programs that call themselves what they like."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, cwd: str = "/tmp", name: str = "") -> int:
        argv = [sys.executable, "-c", "input()", *words]
        process = subprocess.Popen(
            argv, cwd=cwd, stdin=subprocess.PIPE, user=65534 if name else None
        )
        started.append(process)
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def disk(*held: tuple[str, int]) -> list[Finding]:
    """Ask what is said where processes hold these addresses with James's port."""
    listeners = tuple(Listener(25, address, "java", False, pid) for address, pid in held)
    plan = run_world.plan({})
    seen = SimpleNamespace(plan=plan, processes=SimpleNamespace(listeners=listeners))
    return found("james-disk-full", seen)


def test_a_full_disk_of_james_is_told(java: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_causes.space, "space", lambda folder: TINY)
    pid = java()
    (one,) = disk(("127.0.0.1", pid))
    assert f"James (pid {pid}) works in /tmp" in one.said
    assert len(disk(("::", pid))) == 1


def test_who_listens_beside_james_is_not_james(java: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_causes.space, "space", lambda folder: TINY)
    assert disk(("127.0.0.2", java())) == []
    assert disk(("127.0.0.1", java()), ("0.0.0.0", java(name="nobody"))) == []


def test_only_a_java_says_where_it_works(java: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(host_causes.space, "space", lambda folder: asked.append(folder) or TINY)
    disk(("127.0.0.1", java("-Dworking.directory=/var")))
    assert asked == ["/tmp"]


def test_no_file_system_of_the_kernels_is_full(java: Any) -> None:
    assert disk(("127.0.0.1", java(cwd="/proc"))) == []
