"""Integration tests change the host they run on: only a disposable one will do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import james, pristine
from support.loaded_salt import LoadedSalt

REPOSITORY = Path(__file__).resolve().parents[2]
REFUSAL = "needs a disposable host: run `make test`, or tests/support/host with -- python -m pytest"


def pytest_runtest_setup() -> None:
    """Refuse to touch a machine that is no disposable host."""
    if not pristine.in_disposable_host():
        pytest.skip(REFUSAL)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Count a skipped integration test as failed where CI=true: there it must have run."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"CI=true allows no skip: {reason}"
    return report


@pytest.fixture(scope="session")
def pillar_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that the minion's pillar comes from."""
    return tmp_path_factory.mktemp("pillar")


@pytest.fixture(scope="session")
def minion(salt_factories: Any, pillar_folder: Path) -> Any:
    """Give a masterless minion that has the formula's modules, as a sync would leave them.

    Real syncs: test_salt_loader.py, which sees what they bring, test_first_apply.py, test_life.py.
    """
    overrides = {
        "file_client": "local",
        "master_type": "disable",
        "file_roots": {"base": [str(REPOSITORY)]},
        "pillar_roots": {"base": [str(pillar_folder)]},
        "id": "mail.example.test",
        "pillar_cache": False,
    }
    minion = salt_factories.salt_minion_daemon("mail.example.test", overrides=overrides)
    for kind in ("modules", "states", "utils"):
        shutil.copytree(
            REPOSITORY / f"_{kind}",
            Path(minion.config["extension_modules"], kind),
            ignore=shutil.ignore_patterns("__pycache__"),
            copy_function=shutil.copyfile,
        )
    return minion


@pytest.fixture(scope="session")
def loaded_salt(minion: Any) -> Iterator[LoadedSalt]:
    """Give a salt-call that is loaded once for all tests."""
    salt = LoadedSalt(minion.salt_call_cli(timeout=180))
    yield salt
    salt.end()


def masterless(salt: LoadedSalt, pillar_folder: Path) -> Callable[..., Any]:
    """Give `call(function, *arguments, pillar={...}, **keywords)`, a masterless salt-call.

    The pillar stands in a file, as an administrator's would, so no secret is on a command line; it
    stays for later calls. The result has returncode, stdout, stderr and data.
    """
    (pillar_folder / "top.sls").write_text(json.dumps({"base": {"*": ["given"]}}))
    given = pillar_folder / "given.sls"
    given.touch(mode=0o600)
    given.write_text("#!json\n{}\n")

    def call(*arguments: str, pillar: Mapping[str, Any] | None = None, **keywords: Any) -> Any:
        if pillar is not None:
            given.write_text("#!json\n" + json.dumps(pillar) + "\n")
        return salt.run(*arguments, **keywords)

    return call


@pytest.fixture
def minion_call(loaded_salt: LoadedSalt, pillar_folder: Path) -> Callable[..., Any]:
    """Give `call` of `masterless`, for one test."""
    return masterless(loaded_salt, pillar_folder)


@pytest.fixture(scope="module")
def module_call(loaded_salt: LoadedSalt, pillar_folder: Path) -> Callable[..., Any]:
    """Give `call` of `masterless`, for a module whose tests share one applied host."""
    return masterless(loaded_salt, pillar_folder)


@pytest.fixture
def pristine_host() -> None:
    """Put the host back to what it was at first, with stock sendmail running and James stopped."""
    pristine.remember()
    pristine.restore()


@pytest.fixture
def james_server() -> Any:
    """Put the host back, stop sendmail, start a fresh James; give the module that drives it."""
    pristine.remember()
    pristine.restore(listening=False)
    james.start()
    james.add_user("alice", "bob", "mailer-daemon", "postmaster", "root", "sendmail")
    return james
