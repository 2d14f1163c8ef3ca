"""Say a verdict in the form that Prometheus's node_exporter reads from a file.

Names, units and types follow Prometheus's conventions for metrics. No free text goes into it: a
cause is a name of the table of causes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from james_client.verdict.finding import Figure, Level, Verdict

_PREFIX = "sendmail_james"
_UNITS = {"s": "_seconds", "B": "_bytes", "": ""}


@dataclass(frozen=True)
class _Family:
    """One metric: its name without prefix, what it is, and its labels for one figure."""

    name: str
    meaning: str
    labels: tuple[tuple[str, str], ...] = ()


_QUEUE, _PROGRAMS = (("queue", "sendmail"),), (("queue", "programs"),)
_WAITING = "messages_waiting", "Messages that wait in a queue."
_OLDEST = "oldest_message_age_seconds", "Age of the oldest message in a queue, 0 without one."
FAMILIES = {
    "waiting": _Family(*_WAITING, _QUEUE),
    "programs_waiting": _Family(*_WAITING, _PROGRAMS),
    "oldest": _Family(*_OLDEST, _QUEUE),
    "programs_oldest": _Family(*_OLDEST, _PROGRAMS),
}
"""The metric of each number that a check gives; another one is named after the number itself."""


def render(verdict: Verdict, level: Level, *, when: float, took: float) -> str:
    """Return the whole file.

    level
        what the verdict comes to
    when
        seconds since 1970 at which the check ended
    took
        seconds that it took
    """
    lines = [
        *_metric("check_level", "0 is OK, 1 WARNING, 2 CRITICAL.", {"": int(level)}),
        *_metric("check_timestamp_seconds", "When the last check ended.", {"": f"{when:.3f}"}),
        *_metric("check_duration_seconds", "What the last check took.", {"": f"{took:.3f}"}),
        *_metric(
            "check_unseen", "What the last check could not look at.", {"": len(verdict.unseen)}
        ),
        *_problems(verdict),
        *_figures(verdict.figures),
    ]
    return "".join(f"{line}\n" for line in lines)


def _problems(verdict: Verdict) -> Iterator[str]:
    """Give the worst level of each cause that was found."""
    found: dict[str, int] = {}
    for one in verdict.findings:
        labels = _labels((("cause", one.cause),))
        found[labels] = max(int(one.level), found.get(labels, 0))
    yield from _metric("problem", "Causes that were found: 1 is WARNING, 2 CRITICAL.", found)


def _figures(figures: Mapping[str, Figure]) -> Iterator[str]:
    samples: dict[tuple[str, str], dict[str, str]] = {}
    for name, figure in figures.items():
        unit = _UNITS.get(figure.unit, f"_{figure.unit}")
        known = FAMILIES.get(name, _Family(f"{name}{unit}", f"The number {name} of a check."))
        family = samples.setdefault((known.name, known.meaning), {})
        family[_labels(known.labels)] = _number(figure.value)
    for (name, meaning), values in samples.items():
        yield from _metric(name, meaning, values)


def _metric(name: str, meaning: str, samples: Mapping[str, object]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {meaning}"
    yield f"# TYPE {_PREFIX}_{name} gauge"
    for labels, value in samples.items():
        yield f"{_PREFIX}_{name}{labels} {value}"


def _labels(pairs: tuple[tuple[str, str], ...]) -> str:
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in pairs)
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
