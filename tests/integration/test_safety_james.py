"""James late, lying or away: mail waits, and goes out once when he is well again.

By default 100 messages are sent while James is down; with ``CAMPAIGN=1`` in the environment 1,000.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import recipe
from forked_salt import ForkedSalt
from safety_host import failed, write_pillar
from support import james, pristine
from support.fake_james import FakeJames, fake_james

MESSAGES = 1000 if os.environ.get("CAMPAIGN") else 100
REASON = re.compile(r"^\s+\(.+\)$", re.MULTILINE)  # why a message waits, as mailq says it
PILLAR = recipe.pillar(account={"timeout": 1})


@pytest.fixture(scope="module")
def salt(minion: Any, pillar_folder: Path) -> ForkedSalt:
    """Give a masterless Salt in forks."""
    write_pillar(pillar_folder, PILLAR)
    return ForkedSalt(minion.config_file)


@pytest.fixture(scope="module")
def first(salt: ForkedSalt, pillar_folder: Path) -> Any:
    """Apply the whole formula once, with no James at all."""
    pristine.remember()
    pristine.restore()
    write_pillar(pillar_folder, PILLAR)
    return salt.call("state.apply", "sendmail_james")


@pytest.fixture(autouse=True)
def no_runners(first: Any) -> Iterator[None]:
    """Stop the runners: each test runs the queues when it is time."""
    pristine.run("systemctl", "stop", "sendmail.service")
    subprocess.run(["pkill", "-f", pristine.DAEMONS], check=False)
    yield
    for queue in recipe.QUEUES:
        for piece in queue.glob("[a-zA-Z]f*"):
            piece.unlink()
    james.stop()


def real_james() -> None:
    """Start a real James that knows all."""
    james.start()
    james.add_user(*recipe.PEOPLE)
    james.add_user("sendmail", password=recipe.PASSWORD)


def run_queues() -> None:
    """Try all that waits, once."""
    for queue in ("-Ac", "-Am"):
        subprocess.run(["sendmail", queue, "-q"], check=False, capture_output=True, timeout=300)


def reasons() -> int:
    """Count the messages that wait for a reason."""
    return len(REASON.findall(recipe.queued()))


def drain() -> None:
    """Run the queues until all is gone; a runner of an earlier try may still hold a message."""

    def gone() -> bool:
        run_queues()
        return not recipe.queue_files()

    james.wait_for(gone, what="empty queues")


def test_with_no_james_all_is_applied_and_the_result_says_so(first: dict[str, Any]) -> None:
    wrong = failed(first)
    said = wrong.pop("James takes mail from sendmail's account")
    assert "nothing listens on port 25: James is down" in said
    for left in ("James knows this host's aliases", "All mail reaches James"):
        assert wrong.pop(left).startswith("One or more requisite failed")
    assert wrong == {}
    live = {state["__id__"]: state for state in first.values()}[
        "The configuration is proved and live"
    ]
    assert live["result"] is True
    assert "all address forms to James" in live["comment"]


FAULTS = {
    "4xx to AUTH": FakeJames(answers={"AUTH": "454 4.7.0 later"}),
    "5xx to AUTH": FakeJames(answers={"AUTH": "535 5.7.8 no"}),
    "no AUTH offered": FakeJames(answers={"EHLO": "250 fake"}),
    "4xx to MAIL": FakeJames(answers={"MAIL": "451 4.3.0 later"}),
    "busy": FakeJames(greeting="421 4.3.2 too busy"),
    "garbage for a greeting": FakeJames(greeting="\x00\xff<html>HTTP/1.1 200 OK"),
    "garbage for an answer": FakeJames(answers={"EHLO": "\xff\xfe {{}}", "HELO": "\x01"}),
    "broken off in the message": FakeJames(hang_up="data"),
    "broken off at the final dot, mail not kept": FakeJames(hang_up="dot"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_mail_waits_and_goes_out_once(fault: str) -> None:
    sent = [recipe.send("bob", by=by) for by in ("root", "bob")]
    with fake_james(FAULTS[fault]) as fake:
        run_queues()
        james.wait_for(lambda: fake.calls >= len(sent), what="calls")
        if "garbage" not in fault:  # that keeps sendmail listening until the line is cut
            james.wait_for(lambda: reasons() == len(sent), what="reasons")
    assert fake.said or "greeting" in fault or fault == "busy"
    assert fake.kept == []
    assert len(recipe.queue_files()) >= len(sent)
    james.wait_for(lambda: reasons() == len(sent), what="reasons")
    real_james()
    drain()
    for subject in sent:
        assert recipe.arrives(subject) == ["local"]


def test_a_late_greeting_is_waited_for() -> None:
    sent = [recipe.send("bob", by=by) for by in ("root", "bob")]
    with fake_james(FakeJames(late=3)) as fake:
        drain()
    assert sorted(s for s in sent for mail in fake.kept if s.encode() in mail) == sorted(sent)


def test_an_answer_lost_after_the_final_dot_may_double_a_message() -> None:
    """SMTP's own limit (RFC 1047): James has it, sendmail can't know, and sends it again."""
    subject = recipe.send("bob", by="bob")
    with fake_james(FakeJames(hang_up="lost answer")) as fake:
        run_queues()
        james.wait_for(lambda: fake.kept, what="the message")
    assert sum(subject.encode() in mail for mail in fake.kept) == 1
    assert recipe.queue_files()
    real_james()
    drain()
    assert recipe.arrives(subject) == ["local"]  # the second copy


def test_all_mail_of_an_outage_arrives_exactly_once() -> None:
    sent = [recipe.send("bob", by=("root", "bob")[n % 2]) for n in range(MESSAGES)]
    run_queues()  # in vain
    assert len({path.name[2:] for path in recipe.queue_files()}) == MESSAGES
    real_james()
    drain()

    def arrived() -> Counter[str]:
        local = james.mails("local")
        return Counter(subject for mail in local for subject in mail["headers"]["Subject"])

    james.wait_for(lambda: james.counts()["local"] >= MESSAGES, 300, "all messages")
    assert arrived() == Counter(sent)
    others = {name: count for name, count in james.counts().items() if name != "local"}
    assert not any(others.values())
    print(f"{MESSAGES} messages sent while James was down, each arrived once")
