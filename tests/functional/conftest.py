"""Functional tests call states and module through Salt's own loaders, on copies of stock files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import salt.config
import salt.loader

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = {
    "cf": "sendmail.cf",
    "mc": "sendmail.mc",
    "submit_cf": "submit.cf",
    "submit_mc": "submit.mc",
}


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give a masterless minion's options, which find the formula in the repository."""
    root = tmp_path_factory.mktemp("minion")
    conf = root / "minion"
    wanted = {
        "id": "functional",
        "root_dir": str(root),
        "file_client": "local",
        "file_roots": {"base": [str(REPOSITORY)]},
        "module_dirs": [str(REPOSITORY)],
        "saltenv": "base",
    }
    conf.write_text(json.dumps(wanted))
    options: dict[str, Any] = salt.config.minion_config(str(conf))
    return options | {"grains": salt.loader.grains(dict(options))}


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """Give a folder with copies of the stock configuration."""
    folder = tmp_path / "mail"
    folder.mkdir()
    os.chown(folder, -1, Path("/etc/mail").stat().st_gid)  # who may read what the mc includes
    for name in (*COPIED.values(), "sendmail.conf"):
        shutil.copy2(f"/etc/mail/{name}", folder)
    return folder


@pytest.fixture
def load(options: dict[str, Any], mail: Path) -> Callable[..., SimpleNamespace]:
    """Give `load(pillar, test=False)`, which gives fresh loaders: `states` and `modules`.

    Together they are one run. The pillar's files are the copies, whatever else it says.
    """

    def load(pillar: Mapping[str, Any] | None = None, *, test: bool = False) -> SimpleNamespace:
        knobs = [{"file": str(mail / "sendmail.conf"), "assign": {"DAEMON_MODE": "None"}}]
        lookup = {key: str(mail / name) for key, name in COPIED.items()} | {"knobs": knobs}
        given = {"lookup": lookup, **(pillar or {})}
        opts = options | {"test": test, "pillar": {"sendmail_james": given}}
        context: dict[str, Any] = {}
        utils = salt.loader.utils(opts)
        modules = salt.loader.minion_mods(
            opts, utils=utils, context=context, loaded_base_name="functional"
        )
        states = salt.loader.states(
            opts, modules, utils, None, context=context, loaded_base_name="functional"
        )
        return SimpleNamespace(states=states, modules=modules)

    return load
