"""A restart doubles no message, and after the way back one sendmail listens.

By default two restarts under a stream of mail; with ``CAMPAIGN=1`` in the environment ten, and the
way back with a James on the port is played five times instead of once.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import recipe
from forked_salt import ForkedSalt
from james_client.mta import processes
from james_client.run import service
from safety_host import STATE, STEPS, failed, write_pillar
from support import james, pristine
from support.fake_james import FakeJames, fake_james

CAMPAIGN = bool(os.environ.get("CAMPAIGN"))
PILLAR = recipe.pillar(account=None)
OWED = STATE / "restart-pending"
SIGNS = processes.Signs("/usr/sbin/sendmail", "root", "smmsp")
CF = Path("/etc/mail/sendmail.cf")
CLEAN = "sendmail_james.clean"


@pytest.fixture(scope="module")
def salt(minion: Any, pillar_folder: Path) -> ForkedSalt:
    """Give a masterless Salt in forks."""
    write_pillar(pillar_folder, PILLAR)
    return ForkedSalt(minion.config_file)


@pytest.fixture(scope="module")
def applied(salt: ForkedSalt) -> ForkedSalt:
    """Apply the steps to a host whose stock sendmail listens."""
    pristine.remember()
    pristine.restore()
    result = salt.call("state.apply", STEPS)
    assert not failed(result), failed(result)
    return salt


@pytest.fixture
def no_james() -> Iterator[None]:
    """Leave no James behind."""
    james.stop()
    yield
    james.stop()


def restart(salt: ForkedSalt) -> dict[str, Any]:
    """Restart sendmail as a highstate does that owes it; give the state's return."""
    OWED.touch()
    (state,) = salt.call("state.single", "sendmail_james.running", "it runs").values()
    assert state["result"] is True, state
    assert state["changes"]
    return state


def in_background(task: Callable[[], Any]) -> Future[Any]:
    """Run a task in a thread."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(task)
    finally:
        pool.shutdown(wait=False)


def stopped() -> bool:
    """Say whether both runners begin no new runs."""
    runners = [one.process for one in processes.look(SIGNS).runners if one.lasting]
    states = [runner.status() for runner in runners if runner.is_running()]
    return len(states) == 2 and set(states) == {psutil.STATUS_STOPPED}


def copies(fake: FakeJames) -> Counter[str]:
    """Count the copies of each message that a fake has."""
    found = (re.search(rb"(?m)^Subject: (.*?)\r?$", mail) for mail in fake.kept)
    return Counter(one[1].decode() for one in found if one)


def taken(fake: FakeJames) -> list[str]:
    """Have the fake take a message from each queue's runner, and not say so yet."""
    sent = [recipe.send("bob", options=("-Am", "-odq")), recipe.send("bob", by="bob")]
    james.wait_for(lambda: len(fake.kept) == len(sent), what="both messages")
    return sent


def test_a_message_that_james_has_just_taken_comes_once(applied: Any, no_james: None) -> None:
    answer = threading.Event()
    with fake_james(FakeJames(answers_when=answer)) as fake:
        sent = taken(fake)
        restarting = in_background(lambda: restart(applied))
        james.wait_for(lambda: restarting.done() or stopped(), what="stopped runners")
        sent += [recipe.send("bob", by=by) for by in ("root", "bob")]  # is possible meanwhile
        answer.set()
        assert restarting.result()["comment"] == "sendmail was restarted"
        recipe.all_gone()
        assert copies(fake) == Counter(sent)


def test_the_platforms_own_restart_sends_it_twice(applied: Any, no_james: None) -> None:
    """The twin: what makes the waiting necessary."""
    answer = threading.Event()
    with fake_james(FakeJames(answers_when=answer)) as fake:
        sent = taken(fake)
        pristine.run("systemctl", "restart", "sendmail.service")
        james.wait_for(lambda: copies(fake) == Counter(sent * 2), what="second copies")
        answer.set()
        recipe.all_gone()


def test_a_stream_of_mail_comes_once_over_restarts(applied: Any, no_james: None) -> None:
    james.start()
    james.add_user(*recipe.PEOPLE)
    james.add_user("sendmail", password=recipe.PASSWORD)
    sent: list[str] = []
    over = threading.Event()

    def stream(by: str) -> None:
        while not over.wait(0.05):
            sent.append(recipe.send("bob", by=by))

    streams = [in_background(lambda by=by: stream(by)) for by in ("root", "bob")]
    try:
        for _ in range(10 if CAMPAIGN else 2):
            restart(applied)
    finally:
        over.set()
    for one in streams:
        one.result()
    recipe.all_gone()
    james.wait_for(lambda: james.counts()["local"] >= len(sent), what="all mail")
    arrived = Counter(s for mail in james.mails("local") for s in mail["headers"]["Subject"])
    assert arrived == Counter(sent)
    print(f"{len(sent)} messages, each came once")


def given_back(result: dict[str, Any]) -> dict[str, Any]:
    """Give the one state of the way back."""
    (state,) = result.values()
    return state


@pytest.mark.smoke
@pytest.mark.parametrize("turn", range(5 if CAMPAIGN else 1))
def test_the_way_back_with_a_james_on_the_port(salt: ForkedSalt, no_james: None, turn: int) -> None:
    pristine.remember()
    pristine.restore()
    assert not failed(salt.call("state.apply", STEPS))
    assert (STATE / service.LISTENED).read_text() == "127.0.0.1 25\n127.0.0.1 587\n"
    james.start()
    runners = [one.process for one in processes.look(SIGNS).runners if one.lasting]
    before = CF.read_bytes()
    state = given_back(
        salt.call("state.single", "sendmail_james.restored", "all is as before", timeout=0)
    )
    assert (state["result"], state["changes"]) == (False, {})
    # Given back too early, submit.cf would hand programs' mail to James without a login.
    assert CF.read_bytes() == before
    told = re.search(
        r"port 25 is held by java \(\d+\).*: (.*), then: (salt-call .*)$", state["comment"]
    )
    assert told, state
    assert all(runner.is_running() for runner in runners)
    assert processes.look(SIGNS).daemons == ()

    again = given_back(
        salt.call("state.single", "sendmail_james.restored", "all is as before", timeout=0)
    )
    assert again["result"] is False and again["comment"] == state["comment"]

    assert told[2] == f"salt-call state.apply {CLEAN}"
    cleaning = in_background(lambda: salt.call("state.apply", CLEAN))
    subprocess.run(told[1].split(), check=True)  # before or while it waits
    assert given_back(cleaning.result())["result"] is True, cleaning.result()
    assert pristine.sendmail_is_stock(), pristine.sendmail_daemons()
    assert sorted(STATE.iterdir()) == []


def test_two_daemons_are_seen_and_said(no_james: None) -> None:
    """The twin: what a start gives while James holds the port, and then a restart."""
    pristine.restore(listening=False)
    james.start()
    pristine.run("systemctl", "start", "sendmail.service")
    james.stop()
    pristine.run("service", "sendmail", "restart")
    seen = processes.look(SIGNS)
    assert len(seen.daemons) == 2
    (said,) = seen.waiting()
    assert said in seen.wrong(programs=False)
    subprocess.run(said.split(": ")[-1].split(), check=True)
    james.wait_for(lambda: not processes.look(SIGNS).waiting(), what="the other's end")
    assert pristine.sendmail_is_stock(), pristine.sendmail_daemons()
