"""How long the oldest message waits, and when sendmail gives it up, is said in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cf_world import CF, DAEMON
from james_client.cf import timeouts
from james_client.cf.text import Cf
from james_client.mta.queue import Aged
from james_client.verdict.waiting import patience
from james_client.verdict.words import duration

DAY, HOUR = 86400, 3600
NOW = 1_800_000_000.0


def aged(seconds: int, kind: str = "normal", returnable: bool = True) -> Aged:
    """Give a message of that age."""
    return Aged(int(NOW) - seconds, kind, returnable)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3725, "1 h 2 min"),
        (3 * DAY + 2 * HOUR + 59, "3 d 2 h"),
        (5 * DAY, "5 d"),
        (-3, "0 s"),
    ],
)
def test_a_duration_has_two_units(seconds: int, said: str) -> None:
    assert duration(seconds) == said


def test_the_oldest_is_shown_with_what_is_left_of_the_cfs_time() -> None:
    ages = [aged(3 * DAY + 2 * HOUR), aged(HOUR)]
    wanted = "waits 3 d 2 h, returned to its sender in 1 d 22 h"
    assert patience(ages, Cf(CF), NOW) == wanted
    cf = Cf(CF)
    timeouts.edit(cf, replace(DAEMON, give_up_after="10d"))
    assert patience(ages, cf, NOW) == "waits 3 d 2 h, returned to its sender in 6 d 22 h"


def test_without_messages_nothing_is_said() -> None:
    assert patience([], Cf(CF), NOW) == ""


def test_a_report_of_failure_has_no_sender_to_go_back_to() -> None:
    assert patience([aged(DAY, "dsn", False)], Cf(CF), NOW) == "waits 1 d, given up in 4 d"


def test_past_its_time_the_next_failure_is_the_last() -> None:
    said = "waits 6 d, returned to its sender after the next try that fails"
    assert patience([aged(6 * DAY)], Cf(CF), NOW) == said


def test_one_that_goes_before_the_oldest_is_named_too() -> None:
    cf = Cf(
        CF.replace(b"O Timeout.queuewarn", b"O Timeout.queuereturn.urgent=1d\nO Timeout.queuewarn")
    )
    ages = [aged(2 * DAY), aged(20 * HOUR, "urgent")]
    assert patience(ages, cf, NOW) == (
        "waits 2 d, returned to its sender in 3 d; another one returned to its sender in 4 h"
    )
