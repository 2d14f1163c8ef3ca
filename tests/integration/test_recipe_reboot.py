"""All of it outlives a reboot; a restart that an interrupted run still owes is made good."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import pristine

HOST = Path(__file__).resolve().parents[1] / "support" / "host"
STATE = Path("/srv/hosts/reboot")
INSIDE = """
import json, sys
from pathlib import Path
sys.path[:0] = ["tests", "tests/integration"]
import recipe
from support import james, pristine
recipe.new_james()
ways = [(a, b) for a in ("alice", "root@localhost", "x@example.org") for b in ("root", "bob")]
subjects = [recipe.send(address, by=by) for address, by in ways]
print(json.dumps({
    "arrived": [recipe.arrives(subject) for subject in subjects],
    "runners": [line.partition(" ")[2] for line in pristine.sendmail_daemons()],
    "left": list(map(str, recipe.queue_files())),
}))
"""


def host(*arguments: str | Path) -> str:
    """Call tests/support/host, by the system's own Python as outside."""
    command = ["/usr/bin/python3", HOST, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def boot() -> None:
    host("boot", "--dir", STATE, "--owner", str(os.getpid()))


def salt_call(*arguments: str) -> dict[str, dict[str, Any]]:
    """Run a masterless salt-call in the other host."""
    said = host(
        "run", STATE, "--", "salt-call", "--local", "-c/srv/minion", "--out=json", *arguments
    )
    return {state["__id__"]: state for state in json.loads(said)["local"].values()}


@pytest.fixture
def other_host() -> Iterator[None]:
    """Give a host in this one, with a minion's configuration, in which no mail is left to go."""
    boot()
    folder = STATE / "shared"
    (folder / "pillar").mkdir()
    (folder / "pillar/top.sls").write_text("base: {'*': [given]}")
    (folder / "pillar/given.sls").write_text(
        "#!json\n" + json.dumps(recipe.pillar(account={"webadmin": None, "create": False}))
    )
    minion = {
        "id": "mail",
        "file_client": "local",
        "file_roots": {"base": ["/srv/sendmail_james"]},
        "pillar_roots": {"base": ["/srv/shared/pillar"]},
        "root_dir": "/srv/minion",
    }
    (folder / "minion").write_text(json.dumps(minion))
    (folder / "inside.py").write_text(INSIDE)
    host("run", STATE, "--", "sh", "-c", "mkdir /srv/minion && cp /srv/shared/minion /srv/minion/")
    yield
    host("stop", "--remove", STATE)


@pytest.mark.smoke
def test_a_reboot_keeps_all_of_it(other_host: None) -> None:
    host("run", STATE, "--", "salt-call", "--local", "-c/srv/minion", "saltutil.sync_all")
    first = salt_call("state.apply", "sendmail_james.auth,sendmail_james.relay,sendmail_james.loop")
    assert {state["result"] for state in first.values()} == {True}
    host("stop", STATE)
    boot()
    seen = json.loads(host("run", STATE, "--", "python", "/srv/shared/inside.py"))
    assert seen["arrived"] == [["local"]] * 4 + [["relay"]] * 2
    assert seen["left"] == []
    assert any("Queue runner@00:00:05" in runner for runner in seen["runners"])
    assert any(" MSP: " in runner for runner in seen["runners"])
    assert not any("accepting" in runner for runner in seen["runners"])
    second = salt_call("state.apply", "sendmail_james")
    assert {name: state["changes"] for name, state in second.items() if state["changes"]} == {}
    assert {state["result"] for state in second.values()} == {True}


def test_a_restart_still_owed_is_made_good(minion_call: Callable[..., Any]) -> None:
    recipe.fresh_host()
    recipe.apply(minion_call)
    old = pristine.sendmail_daemons()
    edited = minion_call("sendmail_james.loop_check", pillar=recipe.pillar(loop={"check": True}))
    assert edited.returncode == 0, edited
    assert "flags of mailer esmtp" in edited.data["/etc/mail/sendmail.cf"], edited
    assert pristine.sendmail_daemons()[0] == old[0]
    status = minion_call("sendmail_james.status").data
    assert any("not restarted" in wrong for wrong in status["wrong"]), status
    result = recipe.apply(minion_call, loop={"check": True})
    assert recipe.changes(result).keys() == {"The queue runners work with the live configuration"}
    assert not set(pristine.sendmail_daemons()) & set(old[:1])
    again = minion_call("state.apply", "sendmail_james")
    assert recipe.failures(again) == recipe.changes(again) == {}


def test_runners_that_died_are_started_again(minion_call: Callable[..., Any]) -> None:
    recipe.fresh_host()
    recipe.apply(minion_call)
    pristine.run("systemctl", "stop", "sendmail.service")
    result = recipe.apply(minion_call)
    assert recipe.changes(result).keys() == {"The queue runners work with the live configuration"}
    assert any("Queue runner" in line for line in pristine.sendmail_daemons())
