"""An ordinary user can neither read the password nor make sendmail show it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james

FILES = ("james-auth-info", "james-msp-auth-info")
TRIES = {
    "verbose": ("-v", "-oi", "alice"),
    "verbose and debugging": ("-v", "-d0-99.100", "-oi", "alice"),
    "verbose and at once": ("-v", "-odi", "-oi", "alice"),
    "as interactive as asked": ("-v", "-O", "DeliveryMode=interactive", "-oi", "alice"),
    "by the queue's own cf": ("-v", "-Am", "-odi", "-oi", "alice"),
    "with a cf of one's own": ("-v", "-C/tmp/own.cf", "-odi", "-oi", "alice"),
    "running the queue": ("-v", "-Ac", "-q"),
    "running the other queue": ("-v", "-Am", "-q"),
    "with the files as cf": ("-C/etc/mail/james-msp-auth-info", "-bt"),
    "as address list": ("-bt", "-d60.100", "-C/tmp/own.cf"),
    "with a trace of the traffic": ("-X", "/tmp/traffic", "-odi", "-oi", "alice"),
}


@pytest.fixture(scope="module", autouse=True)
def applied(module_call: Callable[..., Any]) -> None:
    """Apply the formula to a host."""
    recipe.fresh_host()
    recipe.apply(module_call)


def as_bob(*command: str, given: str = "") -> str:
    """Run a command as an ordinary user and give all that it shows."""
    done = subprocess.run(
        command,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        errors="replace",
        text=True,
        check=False,
        user="bob",
        group="bob",
        extra_groups=[],
        cwd="/tmp",
        timeout=60,
        env={"PATH": os.environ["PATH"], "LOGNAME": "bob"},
    )
    return done.stdout


@pytest.mark.parametrize("name", FILES)
def test_the_files_belong_to_their_reader_alone(name: str) -> None:
    path = recipe.MAIL / name
    assert path.stat().st_mode & 0o7777 == 0o600
    assert recipe.leaks(path.read_bytes(), recipe.PASSWORD)
    assert "Permission denied" in as_bob("cat", str(path))


@pytest.mark.parametrize("way", TRIES)
def test_sendmail_does_not_show_it(way: str) -> None:
    own = Path("/tmp/own.cf")
    own.write_bytes((recipe.MAIL / "submit.cf").read_bytes().replace(b"=queue", b"=interactive"))
    own.chmod(0o644)
    said = as_bob(recipe.SENDMAIL, *TRIES[way], given="Subject: peek\n\nhello\n")
    assert recipe.leaks(said, recipe.PASSWORD) == []
    assert "AUTH PLAIN " not in said.replace("AUTH PLAIN LOGIN", "").replace("LOGIN PLAIN", "")


def test_neither_is_it_in_any_place_that_a_user_may_read(tmp_path: Path) -> None:
    recipe.arrives(recipe.send("alice", by="bob"))
    folders = ("/etc", "/var/spool", "/var/backups", "/var/lib/sendmail_james", "/run", "/home")
    seen = as_bob("sh", "-c", f"cat $(find {' '.join(folders)} -type f -readable) /proc/*/cmdline")
    assert "sendmail" in seen
    assert recipe.leaks(seen, recipe.PASSWORD) == []


def test_root_sees_the_dialogue_so_the_tries_would_have_shown_something() -> None:
    command = (recipe.SENDMAIL, "-Am", "-v", "-odi", "-oi", "alice")
    done = subprocess.run(
        command, input="Subject: peek\n\nhello\n", capture_output=True, text=True, check=False
    )
    assert recipe.leaks(done.stdout, recipe.PASSWORD)
    assert james.running()
