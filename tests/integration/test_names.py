"""A highstate is green only while James takes each name in each form in which its mail arrives."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james, pristine

SHOWN = "All mail reaches James"
DEAD_LETTER = Path("/var/lib/sendmail/dead.letter")
HOSTS, OWN = Path("/etc/hosts"), Path("/etc/mail/local-host-names")
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(module_call: Call) -> Call:
    """Give a host on which the formula was applied, with a James who knows all its names."""
    recipe.fresh_host()
    foretold = module_call("state.apply", "sendmail_james", "test=True", pillar=recipe.pillar())
    assert recipe.states(foretold)[SHOWN]["result"] is True
    recipe.apply(module_call)
    return module_call


def shown(result: Any) -> dict[str, Any]:
    """Give what the state says that looks at the names."""
    state: dict[str, Any] = recipe.states(result)[SHOWN]
    return state


def page(call: Call) -> dict[str, Any]:
    """Give the status page."""
    found: dict[str, Any] = call(
        "sendmail_james.status", "verbose=True", pillar=recipe.pillar()
    ).data
    return found


def test_green_is_not_said_while_roots_mail_dies(call: Call, minion: Any, tmp_path: Path) -> None:
    james.remove_user("root", "postmaster")  # postmaster would get what can't be returned
    recipe.send("root", options=("-odi",))
    recipe.all_gone()
    assert DEAD_LETTER.stat().st_size
    first, quietly = recipe.traced(minion, tmp_path, "state.apply", "sendmail_james")
    assert shown(first)["result"] is False
    assert not recipe.SENDMAILS & quietly
    both = f"mail dies at localhost and {recipe.FQDN}, where James says '550 5.1.1 Unknown user"
    for said in (both, "root (the mail of cron and of programs)"):
        assert said in shown(first)["comment"]
    found = page(call)
    assert both in found["wrong"][0]
    assert str(DEAD_LETTER) in found["mail nobody reads"]
    assert "hello" not in str(found)
    probed = call("sendmail_james.probe", pillar=recipe.pillar(verify={"local_user": "alice"}))
    assert (both in str(probed.data["unknown to James"]), probed.returncode) == (True, 1)


def test_what_failed_stays_failed_until_it_passes(call: Call, minion: Any, tmp_path: Path) -> None:
    james.remove_user("root")
    assert SHOWN in recipe.failures(call("state.apply", "sendmail_james", pillar=recipe.pillar()))
    again, proved = recipe.traced(minion, tmp_path, "state.apply", "sendmail_james")
    assert (shown(again)["result"], recipe.changes(again)) == (False, {})
    assert "sendmail" in proved
    james.add_user("root", "postmaster")
    DEAD_LETTER.write_bytes(b"")
    mended, proved = recipe.traced(minion, tmp_path, "state.apply", "sendmail_james")
    assert (shown(mended)["result"], recipe.changes(mended)) == (True, {})
    assert "sendmail" in proved
    assert page(call)["next"] == "nothing to do"


def test_a_james_who_is_down_is_a_warning_where_nothing_changes(
    call: Call, minion: Any, tmp_path: Path
) -> None:
    recipe.usual_james()
    recipe.apply(call)
    james.stop()
    result, programs = recipe.traced(minion, tmp_path, "state.apply", "sendmail_james")
    recipe.usual_james()
    assert recipe.failures(result) == recipe.changes(result) == {}
    assert "nothing listens on port 25" in str(shown(result)["warnings"])
    assert not recipe.SENDMAILS & programs


@pytest.fixture
def more_names(call: Call) -> Iterator[None]:
    """Give the host names of each kind that sendmail takes for its own."""
    before = HOSTS.read_bytes(), OWN.read_bytes()
    with HOSTS.open("a") as hosts:
        hosts.write("127.0.0.1 box.example.test box\n127.0.1.1 name.example.test\n")
        hosts.write("::1 six.example.test six\n192.0.2.78 web.example.test www.example.test\n")
    with OWN.open("a") as own:
        own.write("# a comment\nother.example.test more.example.test # and why\n")
        own.write("www.example.test\nUPPER.example.test\n")
    yield
    HOSTS.write_bytes(before[0])
    OWN.write_bytes(before[1])


def routed(address: str, option: str) -> list[str]:
    """Give the recipients that James hears when a message is sent, by one of the two cf files."""
    argv = [recipe.SENDMAIL, option, "-odi", "-v", "-oi", "-N", "never", "--", address]
    done = subprocess.run(
        argv, input="Subject: x\n\nx\n", capture_output=True, text=True, check=False, timeout=60
    )
    return re.findall(r">>> RCPT To:<(?:[^@>]+)@([^>]+)>", done.stdout)


def domains() -> dict[str, list[str]]:
    """Give what the formula says of this host's names, by a process of its own."""
    program = (
        "import json, sys; sys.path[:0] = ['_utils', 'tests', 'tests/unit']; import run_world;"
        "from james_client.run import domains; plan = run_world.plan();"
        "print(json.dumps([sorted(domains.own_names(plan)), sorted(domains.arriving(plan))]))"
    )
    own, arriving = json.loads(pristine.run("python3", "-c", program))
    return {"own": own, "arriving": arriving}


def test_the_forms_are_those_in_which_real_sendmail_delivers(more_names: None) -> None:
    listed = pristine.run("sh", "-c", "echo '$=w' | sendmail -bt -C /etc/mail/sendmail.cf")
    real = [name.lower() for name in re.findall(r"(?m)^(?:> )?([A-Za-z0-9.-]+)$", listed)]
    found = domains()
    assert sorted(real) == found["own"]
    forms = ["alice", *(f"alice@{name}" for name in real)]
    heard = {to for form in forms for option in ("-Am", "-Ac") for to in routed(form, option)}
    assert sorted(heard) == found["arriving"]
