"""Who is told of a check is wished for in whole, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.read import load

FORMULA = Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
PROM = "/var/lib/prometheus/node-exporter/sendmail_james.prom"
BAD_PATHS = ("a.prom", "/a.txt", "/x/../a.prom", "/x//a.prom", "/x/.prom", f"/{'x' * 250}.prom")


@pytest.mark.parametrize(
    "wish",
    [{}, {"every": "1m", "textfile": PROM}, {"every": "1m", "event": "change"}, {"textfile": PROM}],
)
def test_a_whole_wish_is_taken(wish: dict[str, Any]) -> None:
    watch = load({"watch": wish}, DEFAULTS).watch
    assert {key: getattr(watch, key) for key in wish} == wish


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"every": "1m"}, "watch:every: expected null, since nobody would be told"),
        ({"every": 60}, "watch:every: expected an interval"),
        ({"event": "sometimes"}, "watch:event: expected one of never, change, always"),
        *(
            ({"textfile": path}, "watch:textfile: expected an absolute path that ends in .prom")
            for path in (
                "a.prom",
                "/a.txt",
                "/x/../a.prom",
                "/x//a.prom",
                "/x/.prom",
                f"/{'x' * 250}.prom",
            )
        ),
    ],
)
def test_anything_else_is_refused(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"watch": wish}, DEFAULTS)
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"sendmail_james:{said}")
