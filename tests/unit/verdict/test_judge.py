"""The table is gone through in bounded time, causes before symptoms; what is unseen is not well."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import run_world
from james_client.answers.check import level_of, line
from james_client.answers.status import summary
from james_client.errors import FaultError
from james_client.verdict import judge as room
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence, seen
from james_client.verdict.finding import Figure, Finding, Level, Verdict
from james_client.verdict.judge import judge

PLAN = run_world.plan({}, cf="/none/sendmail.cf", submit_cf="/none/submit.cf")


def row(name: str, level: Level = Level.CRITICAL, **how: Any) -> Cause:
    """Give a row that finds its cause."""
    return Cause(
        name,
        level,
        (),
        lambda _: [Finding(name, level, f"{name} it is", "cure")],
        means="",
        remedy="",
        **how,
    )


def names(*table: Cause, deep: bool = False, seconds: float = 5) -> list[str]:
    """Give the causes that are found."""
    found = judge(Evidence(PLAN, seconds), deep=deep, table=table)
    return [one.cause for one in found.findings]


def test_what_a_cause_explains_is_not_looked_for() -> None:
    assert names(row("a", explains=("b",)), row("b"), row("c")) == ["a", "c"]


def test_a_cause_that_is_only_a_warning_here_explains_nothing_away() -> None:
    mild = replace(row("a", Level.WARNING, explains=("b",)), level=Level.CRITICAL)
    assert names(mild, row("b")) == ["b", "a"]


def test_texts_of_others_do_nothing_to_a_terminal() -> None:
    said = "\x1b[2J\a\u202e caf\u00e9\nOK - all is well" + "x" * 900_000
    evil = Finding("a", Level.CRITICAL, said, "truncate -s 0 '/tmp/\x1b]0;a'")

    def fail(_: Evidence) -> list[Finding]:
        raise FaultError(said)

    table = [Cause("a", Level.CRITICAL, (), lambda _: [evil], "", "")]
    found = judge(Evidence(PLAN), table=[*table, Cause("b", Level.WARNING, (), fail, "", "")])
    (one,), (unseen,) = found.findings, found.unseen
    for text in (one.said, unseen):
        assert text.startswith("?[2J?? caf\u00e9 OK - all is well")
        assert (len(text), text[-1], text.isprintable()) == (400, "\u2026", True)
    assert one.cure == "by hand: a name in it has characters that no terminal shows"


def test_a_cure_is_kept_whole() -> None:
    long = Finding("a", Level.CRITICAL, "it is", "x" * 5000)
    table = [Cause("a", Level.CRITICAL, (), lambda _: [long], "", "")]
    assert judge(Evidence(PLAN), table=table).findings == [long]


def test_figures_that_hang_cost_their_share_and_are_not_well(monkeypatch: Any) -> None:
    end = threading.Event()

    def hang(_: Evidence) -> dict[str, Figure]:
        end.wait()
        return {}

    monkeypatch.setattr(room, "figures", hang)
    found = judge(Evidence(PLAN, 0.1), table=())
    end.set()
    assert found.figures == {}


def test_causes_come_the_worst_first_and_symptoms_last() -> None:
    table = (row("late", symptom=True), row("drift", Level.WARNING), row("down"))
    assert names(*table) == ["down", "drift", "late"]


def test_deep_rows_are_asked_by_status_alone() -> None:
    assert names(row("a", deep=True)) == []
    assert names(row("a", deep=True), deep=True) == ["a"]


def test_a_row_that_hangs_costs_its_share_and_is_not_well() -> None:
    end = threading.Event()

    def hang(_: Evidence) -> Iterator[Finding]:
        end.wait()
        yield from ()

    found = judge(
        Evidence(PLAN, 1.0), table=(Cause("dns", Level.WARNING, (), hang, "", ""), row("down"))
    )
    end.set()
    assert [one.cause for one in found.findings] == ["down"]
    assert found.unseen == ["dns: no answer within 0.8 s"]


def test_an_error_of_a_look_is_told_once_and_is_not_well() -> None:
    def fail(_: Evidence) -> list[Finding]:
        raise FaultError("no such thing")

    def fall(_: Evidence) -> list[Finding]:
        raise KeyError("x")

    table = [Cause(name, Level.WARNING, (), fail, "", "") for name in ("a", "b")]
    found = judge(Evidence(PLAN), table=[*table, Cause("c", Level.WARNING, (), fall, "", "")])
    assert (found.findings, found.unseen) == ([], ["no such thing", "c: KeyError"])
    assert level_of(found) is Level.WARNING
    assert line(found) == "WARNING - not seen: no such thing; not seen: c: KeyError"


def test_each_thing_is_looked_at_once_and_its_error_kept() -> None:
    looks = []

    class Host(Evidence):
        @seen
        def thing(self) -> int:
            """Look."""
            looks.append(1)
            raise FaultError("gone")

    host = Host(PLAN)
    for _ in range(2):
        try:
            _ = host.thing
        except FaultError as err:
            assert str(err) == "gone"
    assert looks == [1]


def test_a_line_has_the_first_cause_and_its_cure_and_counts_the_rest() -> None:
    findings = [Finding(name, Level.CRITICAL, f"{name} |\n it is", "do it") for name in "abc"]
    figures = {"waiting": Figure(3, "", 100, 1000), "oldest": Figure(1800000, "s")}
    verdict = Verdict(findings, figures)
    said = "CRITICAL - a / it is: do it; 2 more: salt-call sendmail_james.status"
    assert line(verdict) == said
    numbers = "waiting=3;100;1000 oldest=1800000s;;"
    assert line(verdict, perfdata=True) == f"{said} | {numbers}"


def test_a_host_that_is_well_tells_its_last_proof_of_life() -> None:
    figures = {"waiting": Figure(0), "last_taken": Figure(75, "s")}
    assert line(Verdict([], figures)) == "OK - nothing waits, James took the last 1 min 15 s ago"
    assert line(Verdict([], {"waiting": Figure(2)})) == "OK - 2 messages on their way"


def test_the_page_is_short_and_says_what_to_type_first() -> None:
    findings = [Finding(f"c{n}", Level.WARNING, "seen", f"cure {n}") for n in range(40)]
    page = summary(Verdict(findings, unseen=["x"] * 40))
    assert page["next"] == "cure 0"
    lines = [one for part in page.values() for one in (part if isinstance(part, list) else [part])]
    assert len(lines) + len(page) < 25
    assert len(summary(Verdict(findings), all_=True)["wrong"]) == 40
    assert summary(Verdict([], unseen=["no log"]))["next"] == "no log"
    assert summary(Verdict([])) == {"verdict": "OK", "wrong": [], "next": "nothing to do"}


def test_time_that_is_up_leaves_nothing_to_wait_for() -> None:
    begun = time.monotonic()
    evidence = Evidence(PLAN, 0.0)
    assert evidence.left == 0.0
    assert room.judge(evidence, table=(row("a"),)) is not None
    assert time.monotonic() - begun < 30
