"""A check starts nothing, ends in time whatever hangs, and raises no false alarm."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james, pristine
from verdict_world import Host

SECONDS, MANY = (120, 100_000) if os.environ.get("CAMPAIGN") else (15, 20_000)
QUEUE = Path("/var/spool/mqueue-client")


@pytest.fixture(scope="module")
def host(minion: Any, pillar_folder: Path, module_call: Callable[..., Any]) -> Host:
    """Give a host on which the formula was applied."""
    recipe.fresh_host()
    recipe.apply(module_call)
    applied = Host(minion, pillar_folder)
    applied.given()
    return applied


def test_a_check_starts_no_process_and_changes_nothing(
    host: Host, minion: Any, tmp_path: Path
) -> None:
    before = recipe.digest("/etc", "/var/lib/sendmail_james", "/var/backups", "/var/spool")
    result, started = recipe.traced(minion, tmp_path, "sendmail_james.check", "perfdata=True")
    assert result.data.startswith("OK - "), result
    assert "programs_oldest=0s;1800;14400" in result.data
    assert not recipe.SENDMAILS & started
    pinged, usual = recipe.traced(minion, tmp_path, "test.ping")
    assert (pinged.data, started - usual) == (True, set())
    after = recipe.digest("/etc", "/var/lib/sendmail_james", "/var/backups", "/var/spool")
    assert recipe.differences(before, after) == {}


def test_a_host_under_a_stream_of_mail_is_never_anything_but_well(host: Host) -> None:
    over, sent = threading.Event(), []

    def send() -> None:
        while not over.is_set():
            sent.append(recipe.send("alice", by=("root", "bob")[len(sent) % 2]))
            over.wait(0.2)

    sender = threading.Thread(target=send)
    sender.start()
    end = time.monotonic() + SECONDS
    lines = []
    try:
        while time.monotonic() < end:
            lines.append(host.check())
    finally:
        over.set()
        sender.join()
    print(f"{len(lines)} checks, {len(sent)} messages")
    assert len(lines) > 3 and len(sent) > 10
    assert [line for line in lines if not line.startswith("OK - ")] == []
    recipe.all_gone()
    assert "James took the last" in host.check()


def test_a_james_who_hangs_is_told_in_time(host: Host) -> None:
    james.stop()
    with socket.create_server(("127.0.0.1", 25)):
        begun = time.monotonic()
        line = host.check()
        took = time.monotonic() - begun
    pristine.run("systemctl", "start", "james")
    assert line.startswith("CRITICAL - ") and "no answer within" in line, line
    assert took < 60, "not for as long as James's own timeouts add up to"
    recipe.new_james()
    pristine.run("systemctl", "kill", "-s", "STOP", "james")
    try:
        line = host.check()
    finally:
        pristine.run("systemctl", "kill", "-s", "CONT", "james")
    assert line.startswith("WARNING - ") and "though James listens" in line, line
    assert "restart james" not in line
    host.well()


def test_a_very_long_queue_is_counted_as_far_as_time_allows(host: Host) -> None:
    pristine.run("service", "sendmail", "stop")
    try:
        for number in range(MANY):
            QUEUE.joinpath(f"qf6AAAAAAA{number:06}").write_bytes(b"V8\nT1800000000\nN0\n.\n")
        line = host.check()
        assert line.startswith("CRITICAL - no queue runner lives")
        host.given(watch={"count_warning": 10, "count_critical": 20})
        found = host.salt.call("sendmail_james.check", perfdata=True)
        counted = int(found.partition("programs_waiting=")[2].partition(";")[0])
        assert counted == MANY or "at least" in found or "not seen" in found, found
        assert counted > 1000
    finally:
        for path in QUEUE.glob("qf6AAAAAAA*"):
            path.unlink()
        pristine.run("service", "sendmail", "start")
        host.given()
    host.well()


def test_what_cannot_be_checked_is_unknown(host: Host) -> None:
    host.given(lookup={"sendmail": "/nonexistent/sendmail"})
    assert host.check().startswith("UNKNOWN - /nonexistent/sendmail: does not exist")
    host.given()
