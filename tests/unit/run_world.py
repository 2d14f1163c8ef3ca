"""Plans for the tests of a run: real settings and facts, files where a test wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from james_client.run.plan import Plan
from james_client.wishes import read
from james_client.wishes.platform import select

FORMULA = Path(__file__).parents[2] / "sendmail_james"


def plan(pillar: dict[str, Any] | None = None, **lookup: Any) -> Plan:
    """Give an empty plan for a Debian host, its files those of LOOKUP."""
    defaults = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
    platforms = yaml.safe_load((FORMULA / "platforms.yaml").read_text())
    given = {**(pillar or {}), "lookup": lookup}
    wishes = read.load(
        given,
        defaults,
        resolve=lambda address: address,
        unprivileged_from=1024,
        is_here=lambda host: True,
    )
    return Plan(wishes, select(platforms, {"os_family": "Debian"}, wishes.lookup))
