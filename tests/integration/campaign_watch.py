"""A real Prometheus sees James stop, a check grow old, and both end: with the alerts as they are.

Run by `make campaign-watch`, which brings Prometheus's packages to /srv/shared.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james

PAPERS = Path(__file__).resolve().parents[2] / "docs/monitoring"
BIN = Path("/srv/shared/usr/bin")
FOLDER = Path("/var/lib/prometheus/node-exporter")
TEXTFILE = FOLDER / "sendmail_james.prom"
URL = "http://127.0.0.1:9090/api/v1"


def promtool(*arguments: str, text: bytes | None = None) -> str:
    """Run promtool and give what it says; where it finds a fault, CalledProcessError."""
    done = subprocess.run(
        [BIN / "promtool", *arguments], input=text, capture_output=True, check=False, cwd=PAPERS
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def watch(module_call: Callable[..., Any]) -> Callable[[], str]:
    """Give a host that is James's client; what is called checks it and writes the textfile."""
    recipe.fresh_host()
    FOLDER.mkdir(parents=True)
    recipe.apply(module_call, watch={"textfile": str(TEXTFILE)})

    def watch() -> str:
        done = module_call("sendmail_james.watch")
        assert isinstance(done.data, dict), done
        return str(done.data["check"])

    return watch


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start node_exporter and Prometheus with the papers' own configuration."""
    data = tmp_path_factory.mktemp("prometheus")
    commands = [
        [BIN / "prometheus-node-exporter", f"--collector.textfile.directory={FOLDER}"],
        [
            BIN / "prometheus",
            f"--config.file={PAPERS / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}",
            "--web.listen-address=127.0.0.1:9090",
        ],
    ]
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    yield
    for process in running:
        process.terminate()
        process.wait()


def ask(path: str, **query: str) -> Any:
    """Ask Prometheus's API; nothing while he starts."""
    url = f"{URL}/{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except OSError:
        return {}


def firing() -> set[str]:
    """Give the names of the alerts that fire."""
    alerts = ask("alerts").get("alerts", [])
    return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


def until(wanted: set[str], between: Callable[[], Any]) -> None:
    """Go on until exactly these alerts fire."""
    deadline = time.monotonic() + 420
    while firing() != wanted:
        assert time.monotonic() < deadline, ask("alerts")
        between()
        time.sleep(5)
    print(f"{wanted or 'no alert'} at {time.monotonic():.0f} s", flush=True)


def known(expression: str) -> list[Any]:
    """Give what Prometheus answers to an expression."""
    return list(ask("query", query=expression).get("result", []))


def test_promtool_finds_nothing_to_mend(watch: Callable[[], str]) -> None:
    promtool("check", "rules", "alerts.yml")
    promtool("check", "config", "prometheus.yml")
    promtool("test", "rules", "alerts_test.yml")
    assert watch().startswith("OK")
    assert promtool("check", "metrics", text=TEXTFILE.read_bytes()) == ""


def test_every_panel_of_the_dashboard_shows_something(
    watch: Callable[[], str], prometheus: None
) -> None:
    james.stop()
    assert watch().startswith("CRITICAL")
    dashboard = json.loads((PAPERS / "dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    james.wait_for(lambda: known("sendmail_james_problem"), 60, "the first scrape of the textfile")
    empty = [one for one in asked if not known(one.replace("$instance", ".*"))]
    assert empty == []


def test_a_stopped_james_fires_and_the_alert_ends_with_him(
    watch: Callable[[], str], prometheus: None
) -> None:
    james.stop()
    until({"SendmailJamesCritical"}, watch)
    recipe.usual_james()
    until(set(), watch)


def test_a_check_that_nobody_makes_any_more_fires(
    watch: Callable[[], str], prometheus: None
) -> None:
    assert watch().startswith("OK")
    until({"SendmailJamesCheckStale"}, lambda: None)
    until(set(), watch)
