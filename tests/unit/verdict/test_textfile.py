"""What Prometheus reads keeps its format and its conventions, and holds no free text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from james_client.verdict.finding import Figure, Finding, Level, Verdict
from james_client.verdict.textfile import FAMILIES, render

BAD = Verdict(
    [
        Finding("james-down", Level.CRITICAL, "s3cret words", "systemctl start james"),
        Finding('odd"\\\n', Level.WARNING, "more words"),
        Finding('odd"\\\n', Level.CRITICAL, "worse words"),
    ],
    {name: Figure(7, "s" if name.endswith("oldest") else "") for name in FAMILIES}
    | {"spool": Figure(1.5, "B"), "runs": Figure(2)},
    ["the log: not there"],
)
SAMPLE = re.compile(r'(\w+)(?:\{(\w+)="((?:[^"\\\n]|\\.)*)"\})? (-?[0-9.]+)')


def samples(text: str) -> Iterator[tuple[str, str, float]]:
    """Give name, label's value and value of each sample; what is none is an error."""
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            yield match[1], match[3] or "", float(match[4])


def shown(verdict: Verdict = BAD, level: Level = Level.CRITICAL) -> str:
    return render(verdict, level, when=1700000000.25, took=0.5)


def test_every_metric_has_its_meaning_and_its_type_once_and_before_its_samples() -> None:
    lines = shown().splitlines()
    names = {name for name, _, _ in samples(shown())}
    assert names
    for name in names:
        first = next(i for i, line in enumerate(lines) if re.match(rf"{name}[{{ ]", line))
        head = [i for i, line in enumerate(lines) if re.match(rf"# (HELP|TYPE) {name} ", line)]
        assert len(head) == 2 and max(head) < first, name


def test_names_follow_the_conventions() -> None:
    for name, _, _ in samples(shown()):
        assert re.fullmatch(r"sendmail_james_[a-z][a-z_]*[a-z]", name)
        assert not name.endswith(("_total", "_count", "_sum", "_bucket")), "these are no gauges"
        for word, unit in {"age": "seconds", "timestamp": "seconds", "duration": "seconds"}.items():
            assert word not in name.split("_") or name.endswith(f"_{unit}")


def test_no_sample_is_there_twice() -> None:
    found = [(name, label) for name, label, _ in samples(shown())]
    assert len(found) == len(set(found))


def test_it_says_level_time_and_causes() -> None:
    found = {(name, label): value for name, label, value in samples(shown())}
    assert found["sendmail_james_check_level", ""] == 2
    assert found["sendmail_james_check_timestamp_seconds", ""] == 1700000000.25
    assert found["sendmail_james_check_duration_seconds", ""] == 0.5
    assert found["sendmail_james_check_unseen", ""] == 1
    assert found["sendmail_james_problem", "james-down"] == 2
    assert found["sendmail_james_problem", r"odd\"\\\n"] == 2
    assert found["sendmail_james_messages_waiting", "programs"] == 7
    assert found["sendmail_james_oldest_message_age_seconds", "sendmail"] == 7


def test_a_number_without_a_place_is_still_there_with_its_unit() -> None:
    found = {name: value for name, _, value in samples(shown())}
    assert found["sendmail_james_spool_bytes"] == 1.5
    assert found["sendmail_james_runs"] == 2


@pytest.mark.parametrize("word", ["s3cret", "worse", "systemctl", "the log"])
def test_no_free_text_goes_into_it(word: str) -> None:
    assert word not in shown()


def test_a_host_that_is_well_has_no_problem() -> None:
    found = {name: value for name, _, value in samples(shown(Verdict([]), Level.OK))}
    assert found["sendmail_james_check_level"] == 0
    assert "sendmail_james_problem" not in found
