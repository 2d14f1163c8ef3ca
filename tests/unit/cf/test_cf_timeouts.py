"""How long mail waits is read from every spelling that sendmail takes, and set over any of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cf_world import CF, DAEMON
from hypothesis import given
from hypothesis import strategies as st
from james_client.cf.text import Cf
from james_client.cf.timeouts import KINDS, edit, named, read, values

HOUR, DAY = 3600, 86400
WISH = replace(DAEMON, give_up_after="10d", warn_after="never")
STOCK = b"O Timeout.queuereturn=5d\n#O Timeout.queuereturn.normal=5d\nO Timeout.queuewarn=4h\n"


def cf_with(*lines: str) -> Cf:
    """Give a cf that has these lines for m4's own."""
    assert STOCK in CF
    return Cf(CF.replace(STOCK, "".join(f"{line}\n" for line in lines).encode()))


def test_what_m4_writes_is_read() -> None:
    found = read(Cf(CF))
    assert found.give_up == dict.fromkeys(KINDS, 5 * DAY)
    assert found.warn == dict.fromkeys(KINDS, 4 * HOUR)


def test_without_a_line_sendmail_waits_five_days_and_warns_nobody() -> None:
    found = read(cf_with())
    assert set(found.give_up.values()) == {5 * DAY}
    assert set(found.warn.values()) == {0}


SPELLINGS = {
    "O Timeout.queuereturn=3d": (3 * DAY, 0),
    "O timeo.QUEUERETURN.* = 3": (3 * DAY, 0),
    "O Timeout.queuereturn=3d # of ours, 9": (3 * DAY, 0),
    "OT3d/6h": (3 * DAY, 6 * HOUR),
    "OT3": (3 * DAY, 0),
    "O QueueTimeout=3d/6": (3 * DAY, 6 * HOUR),
    "O queuet = 1w": (7 * DAY, 0),
    "Orqueuereturn=3d,queuewarn:6h": (3 * DAY, 6 * HOUR),
    "O Timeout=command=1h, queuewarn=90m": (5 * DAY, 90 * 60),
    "O Timeout.queuereturn=now": (0, 0),
    "O Timeout.queuewarn=1d12h": (5 * DAY, 36 * HOUR),
}


@pytest.mark.parametrize("line", SPELLINGS)
def test_every_spelling_is_read_and_the_last_one_counts(line: str) -> None:
    for cf in (cf_with(line), cf_with("O Timeout.queuereturn.normal=9d", "OT9d", line)):
        found = read(cf)
        give_up, warn = SPELLINGS[line]
        assert found.warn == dict.fromkeys(KINDS, warn)
        if len(list(cf.places(b"O"))) == len(list(cf_with(line).places(b"O"))):
            assert found.give_up == dict.fromkeys(KINDS, give_up)


def test_a_later_line_for_one_kind_of_mail_is_for_that_kind() -> None:
    found = read(cf_with("OT3d/6h", "O Timeout.queuereturn.non-urgent=9d", "Orqueuewarn.dsn=0"))
    assert found.give_up == {**dict.fromkeys(KINDS, 3 * DAY), "non-urgent": 9 * DAY}
    assert found.warn == {**dict.fromkeys(KINDS, 6 * HOUR), "dsn": 0}


@pytest.mark.parametrize(
    "line",
    [
        "O Timeout.ident=5s",
        "Or1h",
        "O QueueLA=8",
        "O QueueDirectory=/q",
        "O TimeZoneSpec=",
        "# OT1d",
    ],
)
def test_other_lines_are_none_of_ours(line: str) -> None:
    assert read(cf_with(line)) == read(cf_with())
    assert named(line.encode()) == []


def test_stock_is_set_where_m4_would_have() -> None:
    cf = Cf(CF)
    assert edit(cf, WISH) == {
        "Timeout.queuereturn": {"old": "5d", "new": "10d"},
        "Timeout.queuewarn": {"old": "4h", "new": "0"},
    }
    set_ = STOCK.replace(b"n=5d", b"n=10d", 1).replace(b"=4h", b"=0")
    assert cf.render() == CF.replace(STOCK, set_)
    assert edit(cf, WISH) == {}


def test_what_the_pillar_does_not_say_stays() -> None:
    cf = cf_with("OT3d/6h", "O Timeout.queuewarn.urgent=1h")
    before = cf.render()
    assert edit(cf, DAEMON) == {} and cf.render() == before
    edit(cf, replace(DAEMON, give_up_after="10d"))
    found = read(cf)
    assert set(found.give_up.values()) == {10 * DAY}
    assert found.warn == {**dict.fromkeys(KINDS, 6 * HOUR), "urgent": HOUR}
    assert values(DAEMON) == {}


@given(
    st.lists(
        st.sampled_from(
            [
                *SPELLINGS,
                *(f"O Timeout.queuereturn.{kind}=1d" for kind in KINDS),
                *(f"O Timeout.queuewarn.{kind}=1h" for kind in KINDS),
                "O Timeout.queuewarn",
                "O HelpFile=/x",
            ]
        ),
        max_size=8,
    ),
    st.sampled_from([WISH, replace(WISH, warn_after="90m"), replace(WISH, warn_after=None)]),
)
def test_whatever_the_site_wrote_the_pillar_counts(lines: list[str], wish: object) -> None:
    cf = cf_with(*lines)
    warn = read(cf).warn
    edit(cf, wish)
    found = read(cf)
    assert set(found.give_up.values()) == {10 * DAY}
    wanted = {"never": 0, "90m": 90 * 60}.get(wish.warn_after)
    assert found.warn == (warn if wanted is None else dict.fromkeys(KINDS, wanted))
    assert edit(Cf(cf.render()), wish) == {}


def test_an_old_form_that_would_win_is_changed_in_its_place() -> None:
    cf = cf_with("O Timeout.queuereturn=5d", "OT3d/6h")
    changes = edit(cf, replace(DAEMON, give_up_after="10d"))
    assert b"\nO Timeout.queuereturn=10d\nOT10d/6h\n" in cf.render()
    assert changes["Timeout.queuereturn in an old form"] == {"old": "3d", "new": "10d"}
