"""The formula's own papers agree: version, SLS files, pillar.example, defaults."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest
import yaml
from james_client.wishes import read as wishes
from james_client.wishes.mistakes import SettingsError

TOP = Path(__file__).parents[2]
FORMULA = TOP / "sendmail_james"
SLS = sorted(FORMULA.glob("*.sls"))
SYNCED = FORMULA / "synced.sls"


def defaults() -> dict:
    return yaml.safe_load((FORMULA / "defaults.yaml").read_text())


def example() -> dict:
    return yaml.safe_load((TOP / "pillar.example").read_text())["sendmail_james"]


def test_the_version_is_the_changelogs_newest() -> None:
    changelog = (TOP / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert newest
    assert yaml.safe_load((TOP / "FORMULA").read_text())["version"] == newest[1]


@pytest.mark.parametrize("path", SLS, ids=lambda path: path.stem)
def test_an_sls_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# ")
    assert len(text.splitlines()) <= 40
    assert path == SYNCED or "{%" not in text


def test_every_run_begins_with_the_word_on_the_first_sync() -> None:
    """What does not include it itself includes what does."""
    included = {
        p.stem: yaml.safe_load(p.read_text()).get("include", []) for p in SLS if p != SYNCED
    }

    def says(name: str) -> bool:
        words = [one.removeprefix("sendmail_james.") for one in included[name]]
        return "synced" in words or any(map(says, words))

    assert [name for name in included if not says(name)] == []


def test_that_word_leaves_out_every_other_sls() -> None:
    patterns = re.findall(r"- sls: (\S+)", SYNCED.read_text())
    kept = [
        path.stem
        for path in SLS
        if not any(fnmatch.fnmatch(f"sendmail_james.{path.stem}", one) for one in patterns)
    ]
    assert kept == ["synced"]


def test_the_example_pillar_is_good() -> None:
    settings = wishes.load(example(), defaults())
    assert settings.auth is not None
    assert settings.account is not None


def test_the_example_pillar_shows_every_key_with_its_default() -> None:
    shown, known = example(), defaults()
    own = {"username", "password", "webadmin", "create", "local_user", "remote_address"}
    del known["lookup"]  # facts, shown by name in platforms.yaml
    for section, keys in known.items():
        assert set(keys) <= set(shown[section]), section
        for key in set(keys) - own:
            assert shown[section][key] == keys[key], (section, key)


def test_an_example_with_an_unknown_key_would_not_pass() -> None:
    pillar = example()
    pillar["relay"]["hots"] = "localhost"
    with pytest.raises(SettingsError, match=r"relay.*hots.*host"):
        wishes.load(pillar, defaults())
