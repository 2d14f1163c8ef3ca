"""Salt's loader takes the formula without a word, and a running minion follows every change."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.loaded_salt import LoadedSalt

REPOSITORY = Path(__file__).resolve().parents[2]
ASKED = {
    "all documentation": ("sys.doc",),
    "all functions": ("sys.list_functions",),
    "all modules": ("sys.list_modules",),
    "all states": ("sys.state_doc",),
    "a debug run": ("-l", "debug", "test.ping"),
}
OURS = re.compile(r"sendmail_|james_")
LEVELS = "PROFILE|TRACE|GARBAGE|DEBUG|INFO|WARNING|ERROR|CRITICAL"
RECORD = re.compile(rf"^[\d:, -]*(?:\[[^\]\n]*\])*?\[({LEVELS}) *\]", re.MULTILINE)
LOUD = {"", "WARNING", "ERROR", "CRITICAL"}


def records(text: str) -> Iterator[tuple[str, str]]:
    """Give level and text of each log record; what stands before the first has no level."""
    starts = list(RECORD.finditer(text))
    bounds = [found.start() for found in starts] + [len(text)]
    yield "", text[: bounds[0]]
    for found, end in zip(starts, bounds[1:], strict=True):
        yield found[1], text[found.start() : end]


def complaints(text: str) -> list[str]:
    """Give the records that tell of an error and have a word of ours."""
    return [
        record
        for level, record in records(text)
        if OURS.search(record) and (level in LOUD or "Traceback" in record)
    ]


@pytest.mark.parametrize("arguments", ASKED.values(), ids=ASKED)
def test_the_loader_says_no_word_of_ours_in_an_error(minion: Any, arguments: tuple[str]) -> None:
    log = Path(minion.config["log_file"])
    log.write_text("")
    usual = minion.salt_call_cli().cmdline("--log-file-level", "debug", *arguments)
    command = [word for word in usual if word != "--log-level=critical"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180)
    assert "DEBUG" in {level for level, _ in records(log.read_text())}
    assert complaints(done.stderr) == complaints(log.read_text()) == []


def test_the_questions_show_the_formula_itself(minion: Any) -> None:
    cli = minion.salt_call_cli(timeout=180)
    assert "sendmail_james.relay" in cli.run("sys.doc").data
    assert "sendmail_james" in cli.run("sys.list_modules").data
    assert "sendmail_james.live" in cli.run("sys.state_doc").data


@pytest.mark.parametrize(
    "arguments",
    [
        ("sendmail_james.routes", "root"),
        ("sendmail_james.relay", "cf=/etc/no-such.cf"),
        ("state.apply", "no.such.sls"),
        ("--no-such-option",),
    ],
    ids=" ".join,
)
def test_a_loaded_salt_call_says_what_the_program_says(
    minion: Any, loaded_salt: LoadedSalt, arguments: tuple[str, ...]
) -> None:
    ended = [salt.run(*arguments) for salt in (minion.salt_call_cli(timeout=180), loaded_salt)]
    program, loaded = [(one.returncode, one.stdout, one.stderr, one.data) for one in ended]
    assert loaded == program
    assert program[1] or program[2]


def test_a_loaded_salt_call_has_the_environment_that_a_test_gives(loaded_salt: LoadedSalt) -> None:
    for value in ("one", "two"):
        assert loaded_salt.run("environ.get", "GIVEN", env={"GIVEN": value}).data == value
    assert loaded_salt.run("environ.get", "GIVEN").data == ""


def test_a_complaint_would_be_found() -> None:
    flat = "[ERROR   ] Failed to import utils sendmail_cf, this is due most likely to a bug\n"
    quiet = "[DEBUG   ] LazyLoaded sendmail_james.settings\n"
    caught = f"{quiet}Traceback (most recent call last):\n  File 'james_client/errors.py'\n"
    assert complaints(flat) == [flat]
    assert complaints(quiet) == []
    assert complaints(caught) == [caught]
    assert complaints("Traceback: james_client\n" + quiet) == ["Traceback: james_client\n"]
    logged = [f"[09:00:00][salt:1][{level:8}][77] sendmail_cf\n" for level in ("DEBUG", "ERROR")]
    assert complaints("".join(logged)) == logged[1:]


@pytest.fixture(scope="module")
def formula(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the formula that a test may change, as it stands on the master."""
    root = tmp_path_factory.mktemp("formula")
    for folder in ("_modules", "_states", "_utils", "sendmail_james"):
        shutil.copytree(
            REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    return root


@pytest.fixture(scope="module")
def run(
    salt_factories: Any, tmp_path_factory: pytest.TempPathFactory, formula: Path
) -> Iterator[Callable[..., Any]]:
    """Give `run(function)`: a function in a running minion, ordered by its master."""
    pillar = tmp_path_factory.mktemp("pillar")
    (pillar / "top.sls").write_text("base: {'*': [given]}\n")
    (pillar / "given.sls").write_text("sendmail_james: {relay: {port: smtp}}\n")
    overrides = {
        "file_roots": {"base": [str(formula)]},
        "pillar_roots": {"base": [str(pillar)]},
        "fileserver_list_cache_time": 0,
    }
    master = salt_factories.salt_master_daemon("loader-master", overrides=overrides)
    with master.started():
        minion = master.salt_minion_daemon("loader-minion")
        with minion.started():

            def run(function: str) -> Any:
                return master.salt_cli(timeout=120).run(function, minion_tgt=minion.id)

            run.synced = Path(minion.config["extension_modules"], "utils")
            yield run


def modules(folder: Path) -> dict[str, bytes]:
    """Give the Python files below a folder by their names from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}


def test_a_sync_brings_the_package_with_its_folders(run: Any, formula: Path) -> None:
    assert run("saltutil.sync_all").returncode == 0
    assert modules(run.synced) == modules(formula / "_utils")
    assert "james_client/wishes/settings.py" in modules(run.synced)


def test_a_running_minion_takes_up_a_changed_submodule(run: Any, formula: Path) -> None:
    run("saltutil.sync_all")
    assert "sendmail_james:relay:port: expected" in str(run("sendmail_james.settings"))
    changed = formula / "_utils/james_client/wishes/mistakes.py"
    before = changed.read_text()
    changed.write_text(f"{before}\n\nSettingsError.__str__ = lambda self: 'a new sentence'\n")
    assert "utils.james_client.wishes.mistakes" in str(run("saltutil.sync_all").data)
    assert "a new sentence" in str(run("sendmail_james.settings"))
    changed.write_text(before)
    run("saltutil.sync_all")
    assert "sendmail_james:relay:port: expected" in str(run("sendmail_james.settings"))


def test_a_sync_clears_away_a_renamed_folder(run: Any, formula: Path) -> None:
    old, new = formula / "_utils/james_client/old_room", formula / "_utils/james_client/new_room"
    old.mkdir()
    (old / "__init__.py").write_text("")
    (old / "chair.py").write_text("LEGS = 4\n")
    (formula / "_utils/flat.py").write_text("")
    run("saltutil.sync_all")
    assert (run.synced / "james_client/old_room/chair.py").exists()
    assert (run.synced / "flat.py").exists()
    old.rename(new)
    (formula / "_utils/flat.py").unlink()
    run("saltutil.sync_all")
    assert modules(run.synced) == modules(formula / "_utils")
    assert not (run.synced / "james_client/old_room").exists()
    assert (run.synced / "james_client/new_room/chair.py").exists()
