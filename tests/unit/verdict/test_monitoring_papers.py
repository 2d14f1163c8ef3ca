"""Dashboard and alerts ask for what the textfile has, and for nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from james_client.verdict.finding import Figure, Finding, Level, Verdict
from james_client.verdict.textfile import FAMILIES, render

TOP = Path(__file__).parents[3]
FOLDER = TOP / "docs/monitoring"
METRIC = re.compile(r"\bsendmail_james_\w+")


def written() -> set[str]:
    """Give the metrics of a textfile of a host with a problem and all its numbers."""
    verdict = Verdict([Finding("x", Level.WARNING, "")], {name: Figure(1) for name in FAMILIES})
    text = render(verdict, Level.WARNING, when=0, took=0)
    return {line.split("{")[0].split()[0] for line in text.splitlines() if line[0] != "#"}


def dashboard() -> list[str]:
    """Give all that the dashboard asks Prometheus."""
    found = json.loads((FOLDER / "dashboard.json").read_text())
    asked = [target["expr"] for panel in found["panels"] for target in panel["targets"]]
    return asked + [one["definition"] for one in found["templating"]["list"] if "definition" in one]


def alerts() -> list[str]:
    """Give all that the alerts ask Prometheus."""
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("asked", [*dashboard(), *alerts()])
def test_every_metric_that_is_asked_for_is_written(asked: str) -> None:
    names = set(METRIC.findall(asked))
    assert names
    assert names <= written()


def test_the_dashboard_shows_every_metric() -> None:
    assert set(METRIC.findall(" ".join(dashboard()))) == written()


def test_the_paper_names_every_metric_and_every_alert() -> None:
    text = (TOP / "docs/monitoring.md").read_text()
    assert written() <= set(METRIC.findall(text))
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in groups[0]["rules"]:
        assert rule["alert"] in text


def test_no_two_panels_lie_over_each_other() -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
