"""Two who change a host at once: the result is one of the two, and one waits for the other."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
import rebuild_world as world
from james_client.files.lock import locked
from rebuild_world import CF
from support import james

LOCK = Path("/var/run/sendmail_james.lock")
RIVALS = ("one.example.test", "two.example.test")


@pytest.fixture
def host(pristine_host: None, minion_call: Any) -> Any:
    """Give a salt-call on a stock host; its pillar relays elsewhere, so no James is needed."""
    minion_call("test.ping", pillar=pillar(RIVALS[0]))
    return minion_call


def pillar(name: str) -> dict[str, Any]:
    """Give a pillar that relays to a host."""
    return {"sendmail_james": {"relay": {"host": name, "port": 2525}}}


def relayed_to() -> set[str]:
    """Give the hosts that smart host, local relay and mail hub name."""
    return set(re.findall(r"(?m)^D[SRH]esmtp:(.*)$", CF.read_text("latin-1")))


def waiting_for_the_lock() -> list[str]:
    """Give the other processes that have the lock file open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            open_files = [os.readlink(fd) for fd in (process / "fd").iterdir()]  # noqa: PTH115
        except OSError:
            continue
        if process.name != str(os.getpid()) and str(LOCK.resolve()) in open_files:
            found.append(process.name)
    return found


def in_background(
    minion: Any, *arguments: str, **keywords: Any
) -> tuple[threading.Thread, list[Any]]:
    """Start a salt-call; its result is in the list when the thread has ended."""
    call = minion.salt_call_cli(timeout=180).run  # two calls by one such object get in a muddle
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(call(*arguments, **keywords)))
    thread.start()
    return thread, done


def test_who_comes_second_waits_for_the_first(host: Any, minion: Any) -> None:
    before = CF.read_bytes()
    with locked(LOCK, "a test", 10):
        thread, done = in_background(minion, "sendmail_james.relay")
        james.wait_for(waiting_for_the_lock, what="a salt-call that waits for the lock")
        assert thread.is_alive()
        assert CF.read_bytes() == before
    thread.join()
    assert done[0].returncode == 0, done
    assert relayed_to() == {RIVALS[0]}


@pytest.mark.parametrize("second", ["state.apply", "sendmail_james.relay"])
def test_of_two_at_once_one_wins_and_nothing_is_mixed(host: Any, minion: Any, second: str) -> None:
    given = [json.dumps(pillar(name)) for name in RIVALS]
    steps = ("state.apply", "sendmail_james.relay", "concurrent=True")
    other = steps if second == "state.apply" else (second,)
    runs = [
        in_background(minion, *steps, f"pillar={given[1]}"),
        in_background(minion, *other, *([f"pillar={given[0]}"] if other == steps else [])),
    ]
    for thread, _ in runs:
        thread.join()
    assert len(relayed_to()) == 1
    assert relayed_to() <= set(RIVALS)
    lost = [done.stdout + done.stderr for _, (done,) in runs if done.returncode]
    assert len(lost) < len(runs), lost
    for said in lost:
        assert re.search(r"since it was read; somebody else is at work|: still locked after", said)
    # Whoever lost, the next run makes it whole.
    world.apply(host, "sendmail_james.relay", pillar=pillar(RIVALS[1]))
    assert relayed_to() == {RIVALS[1]}
    assert world.apply(host, "sendmail_james.relay") == {}
