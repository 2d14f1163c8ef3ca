"""The first apply on a host where sendmail has port 25 and James waits for it, told as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import recipe
from forked_salt import ForkedSalt
from safety_host import write_pillar
from support import james, pristine

REPOSITORY = Path(__file__).resolve().parents[2]
ALL = "sendmail_james"
EACH = [
    f"{ALL}.{path.stem}"
    for path in sorted(REPOSITORY.glob("sendmail_james/*.sls"))
    if path.stem not in ("init", "synced")
]
NOT_RUN = "One or more requisite failed"
MISTAKE = {"sendmail_james": {"relay": {"port": "smtp"}}}
ABSENT = {
    "sendmail_james": {
        "package": {"install": False},
        "lookup": {"sendmail": "/usr/sbin/no-sendmail", "cf": "/etc/mail/no.cf"},
    }
}
ACCOUNT = "James takes mail from sendmail's account"
LIVE = "The configuration is proved and live"
UNIT = Path("/etc/systemd/system/james.service")
DROP_IN = UNIT.with_suffix(".service.d")
QUICK = UNIT.with_name("quick.service")
HELD = re.compile(r"sendmail \(pid \d+\) holds port 25")
LIMIT = 6000  # bytes


@pytest.fixture(scope="module")
def salt(minion: Any) -> ForkedSalt:
    """Give a masterless Salt in forks on a stock host."""
    pristine.remember()
    return ForkedSalt(minion.config_file)


def by_id(result: Any) -> dict[str, dict[str, Any]]:
    """Give the states of a run by their IDs."""
    assert isinstance(result, dict), result
    return {one["__id__"]: one for one in result.values()}


def failed_themselves(result: Any) -> dict[str, str]:
    """Give the comments of the states that were run and failed."""
    return {
        name: one["comment"]
        for name, one in by_id(result).items()
        if one["result"] is False and not one["comment"].startswith(NOT_RUN)
    }


def drop_in() -> str:
    """Give the drop-in for James's unit that README shows."""
    readme = REPOSITORY.joinpath("README.md").read_text()
    return re.search(r"```ini\n(.*?)```", readme, re.DOTALL)[1].replace("\n   ", "\n")


@pytest.fixture
def unsynced(tmp_path: Path) -> ForkedSalt:
    """Give a Salt that has the formula and none of its modules."""
    (tmp_path / "pillar").mkdir()
    (tmp_path / "states").mkdir()
    (tmp_path / "states/top.sls").write_text("base: {'*': [sendmail_james]}\n")
    write_pillar(tmp_path / "pillar", MISTAKE)
    wanted = {
        "id": "unsynced",
        "root_dir": str(tmp_path),
        "file_client": "local",
        "file_roots": {"base": [str(tmp_path / "states"), str(REPOSITORY)]},
        "pillar_roots": {"base": [str(tmp_path / "pillar")]},
    }
    (tmp_path / "minion").write_text(json.dumps(wanted))
    return ForkedSalt(tmp_path / "minion")


def test_before_the_first_sync_one_state_says_how_to_sync(unsynced: ForkedSalt) -> None:
    for sls, test in ((ALL, True), (ALL, False), ("sendmail_james.clean", False)):
        (said,) = by_id(unsynced.call("state.apply", sls, test=test)).values()
        assert said["result"] is False, (sls, test, said)
        assert "salt-call saltutil.sync_all" in said["__id__"], said
    # A highstate syncs by itself: now the formula's own check is heard.
    for function in (("state.highstate",), ("state.apply", ALL)):
        (said,) = failed_themselves(unsynced.call(*function)).values()
        assert said == "sendmail_james:relay:port: expected 1..65535, got 'smtp'"


@pytest.mark.parametrize(("sls", "test"), [(ALL, True), *((sls, False) for sls in (ALL, *EACH))])
def test_one_mistake_fails_one_state_and_the_others_are_not_run(
    salt: ForkedSalt, pillar_folder: Path, sls: str, test: bool
) -> None:
    write_pillar(pillar_folder, MISTAKE)
    result = salt.call("state.apply", sls, test=test)
    assert list(failed_themselves(result).values()) == [
        "sendmail_james:relay:port: expected 1..65535, got 'smtp'"
    ]
    assert {one["result"] for one in by_id(result).values()} == {False}


@pytest.mark.parametrize("sls", [ALL, *(sls for sls in EACH if not sls.endswith(".clean"))])
def test_a_missing_sendmail_fails_one_state(
    salt: ForkedSalt, pillar_folder: Path, sls: str
) -> None:
    write_pillar(pillar_folder, ABSENT)
    result = salt.call("state.apply", sls)
    (said,) = failed_themselves(result).values()
    assert said.startswith("/usr/sbin/no-sendmail: does not exist; expected sendmail to be"), said


def enabled_james(**files: str) -> None:
    """Have a James that starts at boot, with drop-ins, and is refused his port for now."""
    UNIT.write_text(f"{UNIT.read_text()}\n[Install]\nWantedBy=multi-user.target\n")
    DROP_IN.mkdir()
    for name, text in files.items():
        (DROP_IN / f"{name}.conf").write_text(text)
    pristine.run("systemctl", "daemon-reload")
    pristine.run("systemctl", "enable", "james.service")
    pristine.run("systemctl", "start", "--no-block", "james.service")
    james.wait_for(lambda: "Address already in use" in james.journal(), what="a refused James")


def properties(unit: str, *names: str) -> dict[str, str]:
    """Give properties of a unit."""
    said = pristine.run("systemctl", "show", unit, "-p", ",".join(names))
    return dict(line.split("=", 1) for line in said.splitlines())


@pytest.fixture
def stock(salt: ForkedSalt, pillar_folder: Path) -> None:
    """Give a host as it was at first, with a journal in which no James was refused yet."""
    pristine.restore()
    pristine.run("journalctl", "--rotate")
    pristine.run("journalctl", "--vacuum-time=1s")
    write_pillar(pillar_folder, recipe.pillar())


def told(result: Any) -> dict[str, str]:
    """Give the comment of each state."""
    return {name: one["comment"] for name, one in by_id(result).items()}


def printed(salt: ForkedSalt, result: Any) -> str:
    """Give a run's return as Salt prints it."""
    return salt.call("out.string_format", {"local": result}, "highstate")


def test_a_waiting_james_comes_up_by_himself_and_each_change_is_told_once(
    salt: ForkedSalt, stock: None
) -> None:
    enabled_james(wait=drop_in())
    foretold = salt.call("state.apply", ALL, test=True)
    wishes = {name: one for name, one in by_id(foretold).items() if one["result"] is None}
    assert LIVE in wishes and ACCOUNT in wishes
    assert [name for name, one in wishes.items() if "would" not in one["comment"]] == []
    assert HELD.search(told(foretold)[ACCOUNT]), told(foretold)
    assert HELD.search(str(salt.call("sendmail_james.account")))
    page = salt.call("sendmail_james.status")
    assert re.search(r"sendmail \(pid \d+\) listens on port 25, James's", page["wrong"][0]), page

    done = salt.call("state.apply", ALL)
    assert by_id(done)[ACCOUNT]["result"] is True, told(done)
    assert james.running()
    for each in (foretold, done):
        changes = json.dumps({name: one["changes"] for name, one in by_id(each).items()})
        for once in ("mail hub", "DeliveryMode", "authinfo rules in /etc/mail/submit.cf"):
            assert changes.count(f'"{once}"') == 1
        assert "diff" not in changes
    assert "/etc/mail/submit.cf" in by_id(done)[LIVE]["changes"]
    again = salt.call("state.apply", ALL)
    assert [name for name, one in by_id(again).items() if one["changes"]] == []
    sizes = {
        name: len(printed(salt, one))
        for name, one in (("test", foretold), ("first", done), ("second", again))
    }
    print(sizes)
    assert sizes["first"] < LIMIT, sizes
    assert sizes["second"] < sizes["first"], sizes


def test_a_james_that_systemd_gave_up_is_named_with_the_command(
    salt: ForkedSalt, stock: None, pillar_folder: Path
) -> None:
    """The twin: without README's drop-in nobody starts him again."""
    write_pillar(pillar_folder, recipe.pillar(account={"timeout": 1}))
    enabled_james()
    james.wait_for(
        lambda: properties("james.service", "ActiveState")["ActiveState"] == "failed",
        what="a failed James",
    )
    said = failed_themselves(salt.call("state.apply", ALL))
    assert list(said) == [ACCOUNT]
    assert "nothing listens on port 25" in said[ACCOUNT]
    assert "systemctl restart james" in said[ACCOUNT]
    pristine.run("systemctl", "restart", "james.service")
    write_pillar(pillar_folder, recipe.pillar())
    james.wait_for(james.healthy, what="James")
    assert by_id(salt.call("state.apply", ALL))[ACCOUNT]["result"] is True


def test_systemd_itself_gives_up_who_restarts_always_but_for_the_start_limit() -> None:
    """The drop-in's two lines, each needed, on a unit that fails more quickly than James."""
    service = "[Service]\nExecStart=/bin/false\nRestart=always\n"
    QUICK.write_text(service)
    pristine.run("systemctl", "daemon-reload")
    pristine.run("systemctl", "start", "--no-block", QUICK.name)

    def given_up() -> bool:
        return properties(QUICK.name, "ActiveState")["ActiveState"] == "failed"

    james.wait_for(given_up, what="systemd to give up")
    assert properties(QUICK.name, "NRestarts")["NRestarts"] == "5"
    QUICK.write_text("[Unit]\nStartLimitIntervalSec=0\n" + service)
    pristine.run("systemctl", "daemon-reload")
    pristine.run("systemctl", "restart", "--no-block", QUICK.name)
    james.wait_for(
        lambda: int(properties(QUICK.name, "NRestarts")["NRestarts"]) > 7, what="more tries"
    )
    assert not given_up()
    pristine.run("systemctl", "stop", QUICK.name)
