"""A restart of the service is known by the shell that runs it, in the service's own unit."""

from __future__ import annotations

import time
from types import SimpleNamespace

import psutil
import pytest
import run_world
from james_client.mta import processes
from james_client.run import service


@pytest.mark.parametrize(
    ("exe", "unit", "age", "restarts"),
    [
        ("/usr/bin/dash", "sendmail.service", 1, True),
        ("/usr/bin/dash", "cron.service", 1, False),
        ("/usr/bin/dash", "sendmail.service", 60, False),
        ("/usr/libexec/sendmail/sendmail", "sendmail.service", 1, False),
        ("", "sendmail.service", 1, False),
    ],
)
def test_a_shell_of_the_unit_restarts_it(
    monkeypatch: pytest.MonkeyPatch, exe: str, unit: str, age: int, restarts: bool
) -> None:
    info = {"exe": exe, "create_time": time.time() - age}
    monkeypatch.setattr(psutil, "process_iter", lambda _: [SimpleNamespace(pid=8, info=info)])
    monkeypatch.setattr(processes, "unit_of", lambda _: unit)
    assert service.restarts(run_world.plan()) == restarts
