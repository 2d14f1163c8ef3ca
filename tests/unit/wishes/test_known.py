"""A pillar with mistakes still says what it says elsewhere, so that its host can be shown."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import run_world
import yaml
from james_client.wishes.read import load, load_known

DEFAULTS = yaml.safe_load((run_world.FORMULA / "defaults.yaml").read_text())
LOGIN = {"username": "sendmail", "password": "s3cret"}
LOAD = partial(load, defaults=DEFAULTS)


def test_a_good_pillar_is_what_load_says() -> None:
    pillar = {"relay": {"port": 525}, "auth": LOGIN}
    assert load_known(pillar, LOAD) == (LOAD(pillar), ())


def test_a_mistaken_key_has_its_default_and_the_others_stay() -> None:
    relay = {"port": "smtp", "host": "[127.0.0.1]", "stay_local": ["root", "-x"], "hots": "x"}
    found, mistakes = load_known({"relay": relay, "auth": LOGIN}, LOAD)
    assert (found.relay.host, found.relay.port, found.relay.stay_local) == ("[127.0.0.1]", 25, ())
    assert found.auth and found.auth.username == "sendmail"
    assert len(mistakes) == 3
    assert all(line.startswith("sendmail_james:relay") for line in mistakes)


def test_wishes_that_exclude_each_other_are_left_out() -> None:
    found, mistakes = load_known({"account": {"create": True}, "loop": {"check": True}}, LOAD)
    assert mistakes
    assert found.loop.check


@pytest.mark.parametrize(
    "pillar",
    [
        *("x", ["a"], 7, {"auth": {}}, {"auth": {"username": "x"}}, {"auth": "s3cret"}),
        *({"relay": None}, {1: 2}, {"nosuch": {}}, {"lookup": {"cf": 7, "x": 1}}, {"mc": []}),
        {"account": {"webadmin": None, "create": True}, "relay": {"mx_lookup": True, "dns": False}},
    ],
)
def test_no_pillar_is_so_wrong_that_nothing_is_known(pillar: Any) -> None:
    found, mistakes = load_known(pillar, LOAD)
    assert mistakes
    assert found.relay.host == "localhost"
    assert "s3cret" not in str(mistakes)
