"""On a live host, too, a later pillar leaves what a first apply of it would; mail follows it."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import rebuild_world as world
import recipe
from support import james, pristine

# Debian's tools write these anew at each restart, with the date.
GENERATED = ("Makefile", "databases", "cron.d/sendmail", "aliases.db")
DATED = re.compile(rb"(?m)^##### (?:built by|in|using) .*$")
LIVE = "The configuration is proved and live"
FULL = world.formula(
    relay={"dns": False, "mailer": "relay", "port": 525},
    auth=world.PILLAR["auth"]
    | {"file": "/etc/mail/one-auth-info", "programs_file": "/etc/mail/two-auth-info"},
)
PLAIN = {"sendmail_james": {"daemon": {"programs_interval": "1s"}, "mc": {"manage": False}}}


def etc() -> dict[str, tuple[Any, ...]]:
    """Give mode, owner and content of /etc/mail and of what else the formula edits."""
    found = {}
    for path in sorted(Path("/etc/mail").rglob("*")):
        if path.is_file() and not str(path).endswith((*GENERATED, ".old")):
            seen = path.stat()
            data = DATED.sub(b"", path.read_bytes())
            found[str(path)] = (oct(seen.st_mode), seen.st_uid, seen.st_gid, data)
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [path for path in one.keys() | other.keys() if one.get(path) != other.get(path)]


def test_what_is_left_out_of_a_pillar_leaves_nothing(pristine_host: None, minion_call: Any) -> None:
    stock = etc()
    world.apply(minion_call, world.STEPS, pillar=PLAIN)
    fresh = etc()
    assert differences(stock, fresh), "the comparison sees nothing"
    world.apply(minion_call, "sendmail_james.clean")
    world.apply(minion_call, world.STEPS, pillar=FULL)
    assert all(Path(f"/etc/mail/{one}-auth-info").exists() for one in ("one", "two"))
    assert Path("/etc/mail/james-service.switch").exists()

    told = minion_call("sendmail_james.drift", pillar=PLAIN).data
    foretold = world.results(minion_call("state.apply", world.STEPS, test=True))[LIVE][1]
    changes = world.apply(minion_call, world.STEPS)[LIVE]
    assert set(told) == set(foretold) == set(changes)
    assert foretold == changes
    assert differences(fresh, etc()) == []
    assert minion_call("sendmail_james.drift").data == {}
    assert world.apply(minion_call, world.STEPS) == {}


def test_a_login_taken_away_lets_mail_through_to_a_james_without_one(minion_call: Any) -> None:
    recipe.fresh_host()
    recipe.apply(minion_call)
    for by in ("root", "bob"):
        assert recipe.arrives(recipe.send("alice", by=by)) == ["local"]
    recipe.new_james(announce="never", authorized="127.0.0.1")
    waiting = recipe.send("alice", by="bob")  # James offers no AUTH any more: nothing may leave
    recipe.apply(minion_call, auth=None, account=None)
    assert recipe.arrives(waiting) == ["unauthenticated"]
    for by in ("root", "bob"):
        assert recipe.arrives(recipe.send("alice", by=by)) == ["unauthenticated"]
    secret = base64.b64encode(recipe.PASSWORD.encode())
    held = [path for path in Path("/etc/mail").rglob("*") if path.is_file()]
    assert not [path for path in held if secret in path.read_bytes()]
    assert not list(Path("/etc/mail").glob("james*auth-info"))


@pytest.mark.usefixtures("pristine_host")
def test_a_restart_that_is_owed_and_a_stray_runner_are_drift(minion_call: Any) -> None:
    world.apply(minion_call, world.STEPS, pillar=world.formula())
    assert minion_call("sendmail_james.drift").data == {}
    marker = Path("/var/lib/sendmail_james/restart-pending")
    marker.touch()
    assert minion_call("sendmail_james.drift").data["sendmail"]["processes"]["old"]
    marker.unlink()
    pristine.run("/usr/sbin/sendmail", "-L", "stray", "-q1h", "-OPidFile=/run/stray.pid")
    stray = (
        james.wait_for(Path("/run/stray.pid").exists, what="a stray runner")
        and (Path("/run/stray.pid").read_text().split()[0])
    )
    said = minion_call("sendmail_james.drift").data["sendmail"]["queue runners"]["old"]
    assert f"kill {stray}" in said
    pristine.run("kill", stray)
