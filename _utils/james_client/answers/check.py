"""Say in one line, for a person and a monitor alike, whether a host is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from james_client.run.load import require_sendmail
from james_client.run.plan import Plan
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Figure, Level, Verdict
from james_client.verdict.judge import judge
from james_client.verdict.words import duration, shown

UNKNOWN = 3
"""What a monitoring plugin's exit code is where it can't tell (Nagios plugin guidelines)."""


def check(plan: Plan, mistakes: Sequence[str] = ()) -> Verdict:
    """Look at a host as often as a monitor likes: nothing is started, nothing changed.

    mistakes
        of the pillar, whose keys the plan has at their defaults

    Raises RunError where there is no sendmail.
    """
    require_sendmail(plan)
    return judge(Evidence(plan, plan.settings.watch.timeout, mistakes))


def line(verdict: Verdict, *, perfdata: bool = False) -> str:
    """Return a verdict in one line: its level, the first cause, and the cure.

    perfdata
        with the numbers behind it
    """
    said = [f"{one.said}: {one.cure}" if one.cure else one.said for one in verdict.findings[:1]]
    more = len(verdict.findings) - 1
    said += [f"{more} more: salt-call sendmail_james.status"] * (more > 0)
    said += [f"not seen: {one}" for one in verdict.unseen]
    text = f"{level_of(verdict).name} - {'; '.join(said) or _well(verdict)}"
    return f"{_one_line(text)} | {numbers(verdict.figures)}" if perfdata else _one_line(text)


def unknown(why: Exception) -> str:
    """Return in one line why there is no verdict."""
    return _one_line(f"UNKNOWN - {shown(str(why))}")


def _one_line(text: str) -> str:
    # what stands behind a bar is numbers to a monitor
    return " ".join(text.replace("|", "/").split())


def level_of(verdict: Verdict) -> Level:
    """Return how bad it is; what could not be seen wants a look."""
    return max(verdict.level, Level.WARNING if verdict.unseen else Level.OK)


def _well(verdict: Verdict) -> str:
    figures = verdict.figures
    waiting = sum(int(one.value) for name, one in figures.items() if name.endswith("waiting"))
    said = f"{waiting} messages on their way" if waiting else "nothing waits"
    if last := figures.get("last_taken"):
        said += f", James took the last {duration(last.value)} ago"
    return said


def numbers(figures: Mapping[str, Figure]) -> str:
    """Return the numbers in the form that Nagios and Icinga read: ``name=value;warn;crit``."""
    return " ".join(
        f"{name}={_number(one.value)}{one.unit};{_number(one.warning)};{_number(one.critical)}"
        for name, one in figures.items()
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if value < 1e6 else f"{value:.0f}"
