"""Every platform has every fact, and an unknown one is told what is missing."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from james_client.wishes.lookup import PLATFORM_FACTS
from james_client.wishes.platform import Platform, PlatformError, select

FORMULA = Path(__file__).parents[3] / "sendmail_james"
PLATFORMS = yaml.safe_load((FORMULA / "platforms.yaml").read_text())
OWN = yaml.safe_load((FORMULA / "defaults.yaml").read_text())["lookup"]


@pytest.mark.parametrize("key", PLATFORMS)
def test_every_platform_names_every_fact(key: str) -> None:
    family, _, init = key.partition("/")
    facts = select(PLATFORMS, {"os_family": family, "init": init, "nodename": "h"}, OWN)
    assert facts.services and facts.packages and facts.knobs
    assert "{" not in facts.mc + facts.submit_mc


def test_freebsd_names_its_mc_files_as_hostname_prints_it() -> None:
    grains = {"os_family": "FreeBSD", "host": "box", "nodename": "box.example.org"}
    facts = select(PLATFORMS, grains, OWN)
    assert facts.mc == "/etc/mail/box.example.org.mc"
    assert facts.submit_mc == "/etc/mail/box.example.org.submit.mc"


def test_unknown_platform_names_what_is_missing() -> None:
    with pytest.raises(PlatformError, match=r"os_family 'Plan9'.*lookup.*packages"):
        select(PLATFORMS, {"os_family": "Plan9"}, {})


def test_lookup_describes_an_unknown_platform() -> None:
    lookup = dict(PLATFORMS["Debian"] | OWN, cf="/opt/sendmail.cf")
    assert select(PLATFORMS, {"os_family": "Plan9"}, lookup).cf == "/opt/sendmail.cf"
    assert set(lookup) == set(PLATFORM_FACTS) == {field.name for field in fields(Platform)}
