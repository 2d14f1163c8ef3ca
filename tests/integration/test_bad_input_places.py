"""What is not as it should be is named, and every file stays what it was."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rebuild_world as world
from rebuild_world import CF, MC
from support import pristine


def without_the_mailer() -> None:
    CF.write_text(re.sub(r"(?m)^Mesmtp,.*\n(?:[ \t].*\n)*", "", CF.read_text("latin-1")))


def empty() -> None:
    CF.write_bytes(b"")


def a_directory() -> None:
    CF.unlink()
    CF.mkdir()


def a_symlink() -> None:
    shutil.move(CF, "/etc/mail/elsewhere.cf")
    CF.symlink_to("elsewhere.cf")


def a_hard_link() -> None:
    os.link(CF, "/etc/mail/second.cf")


def a_fifo() -> None:
    CF.unlink()
    os.mkfifo(CF)


def missing() -> None:
    CF.unlink()


def no_such_line_in_the_knobs() -> None:
    Path("/etc/mail/sendmail.conf").write_text("DAEMON_MODE=$(date)\n")


def a_site_line_that_wins() -> None:
    with MC.open("a") as file:
        file.write("LOCAL_CONFIG\nDSesmtp:mx.example.com\n")


def an_mc_that_m4_refuses() -> None:
    with MC.open("a") as file:
        file.write("errprint(`no')m4exit(`1')\n")


BAD = [
    (without_the_mailer, f"{CF}: .*mailer.*esmtp|{CF}: .*esmtp.*mailer"),
    (empty, f"{CF}: .*an empty file"),
    (a_directory, f"{CF}: .*director"),
    (a_symlink, f"{CF}: .*symlink|{CF}: .*symbolic link"),
    (a_hard_link, f"{CF}: .*hard link"),
    (a_fifo, f"{CF}: .*(FIFO|fifo)"),
    (missing, f"{CF}: does not exist"),
    (no_such_line_in_the_knobs, "expected DAEMON_MODE"),
    (a_site_line_that_wins, f"{MC}: line .*DS"),
    (an_mc_that_m4_refuses, f"{MC}: m4 refuses it"),
]


@pytest.fixture
def host(pristine_host: None, minion_call: Any) -> Any:
    """Give a salt-call on a stock host."""
    return minion_call


def refused_untouched(call: Any, **keywords: Any) -> str:
    """See that a run fails and leaves all as it was; give what it said."""
    before = [world.tree(folder, inodes=True) for folder in ("/etc", "/var/backups")]
    daemons = pristine.sendmail_daemons()
    said = world.refused(call, world.STEPS, **keywords)
    after = [world.tree(folder, inodes=True) for folder in ("/etc", "/var/backups")]
    assert [world.differences(*pair) for pair in zip(before, after, strict=True)] == [[], []]
    assert pristine.sendmail_daemons() == daemons
    return said


@pytest.mark.parametrize(("spoil", "words"), BAD, ids=lambda one: getattr(one, "__name__", ""))
def test_what_stands_in_the_way_is_named(host: Any, spoil: Callable[[], None], words: str) -> None:
    spoil()
    said = refused_untouched(host, pillar=world.formula())
    assert re.search(words, said), said


def test_the_same_run_on_a_sound_host_succeeds(host: Any) -> None:
    """The twin of all refusals here: nothing but the damage makes the run fail."""
    assert world.apply(host, world.STEPS, pillar=world.formula())


def test_all_mistakes_of_a_pillar_are_named_at_once(host: Any) -> None:
    pillar = {
        "relai": {},
        "relay": {"port": "smtp", "mailer": "no mailer"},
        "auth": {"password": "two\nlines"},
        "daemon": {"queue_interval": "soon"},
        "verify": {"routes": "maybe"},
    }
    said = refused_untouched(host, pillar={"sendmail_james": pillar})
    for key in (
        *("relay:port", "relay:mailer", "auth:username", "auth:password"),
        *("daemon:queue_interval", "verify:routes"),
    ):
        assert f"sendmail_james:{key}: " in said
    assert "got 'relai': did you mean relay?" in said
    assert "'smtp'" in said
    assert "two" not in said


@pytest.fixture
def no_m4() -> Iterator[None]:
    """Take m4 away for one test."""
    m4 = Path(shutil.which("m4") or "")
    m4.rename(m4.with_name("m4.away"))
    yield
    m4.with_name("m4.away").rename(m4)


def test_a_wanted_mc_without_m4_is_refused(host: Any, no_m4: None) -> None:
    said = refused_untouched(host, pillar=world.formula(mc={"manage": True}))
    assert "mc:manage is true, but m4" in said


def test_without_m4_the_cf_stands_alone(host: Any, no_m4: None) -> None:
    changed = world.apply(host, world.STEPS, pillar=world.formula())
    assert str(CF) in changed["The configuration is proved and live"]
    assert MC.read_bytes() == pristine.COPY.joinpath("etc/mail/sendmail.mc").read_bytes()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("kill -SEGV $$", f"{CF}: sendmail refuses it: died of signal 11"),
        ("sleep 600", "fake-sendmail: did not end within"),
    ],
)
def test_a_sendmail_that_dies_or_hangs_is_named(
    host: Any, tmp_path: Path, body: str, words: str
) -> None:
    fake = tmp_path / "fake-sendmail"  # tells its version, as the real one, and does no more
    fake.write_text(f'#!/bin/sh\n[ "$3" = -d0.1 ] && exec sendmail "$@"\n{body}\n')
    fake.chmod(0o755)
    tmp_path.chmod(0o755)
    said = refused_untouched(host, pillar=world.formula(lookup={"sendmail": str(fake)}))
    assert re.search(words, said), said


SECOND_EDITOR = """
one: {sendmail_james.queue_only: [order: 1]}
two: {sendmail_james.relayed: [order: 2]}
somebody edits: {cmd.run: [name: "printf '# mine\\\\n' >> /etc/mail/sendmail.cf", order: 3]}
three: {sendmail_james.live: [order: 4]}
"""


def test_a_file_edited_meanwhile_is_not_overwritten(host: Any) -> None:
    text, before = CF.read_bytes(), world.tree(but=[str(CF)], inodes=True)
    returned = host("state.template_str", SECOND_EDITOR, pillar=world.formula())
    found = world.results(returned)
    assert "goes live with this run" in found["two"][2]
    assert found["three"][0] is False
    assert f"{CF}: " in found["three"][2]
    assert "changed" in found["three"][2]
    assert CF.read_bytes() == text + b"# mine\n"
    assert world.tree(but=[str(CF)], inodes=True) == before


def test_a_parallel_step_is_refused(host: Any) -> None:
    sls = "one: {sendmail_james.relayed: [parallel: true]}\nthree: {sendmail_james.live: []}\n"
    before = world.tree(inodes=True)
    found = world.results(host("state.template_str", sls, pillar=world.formula()))
    assert found["one"][0] is False
    assert "parallel: True is not possible" in found["one"][2]
    assert world.tree(inodes=True) == before


@pytest.fixture
def not_booted() -> Iterator[None]:
    """Hide that systemd runs, as in a chroot."""
    sign = Path("/run/systemd/system")
    sign.rename(sign.with_name("system.away"))
    yield
    sign.with_name("system.away").rename(sign)


def nothing_is_said_to_be_restarted(host: Any, env: dict[str, str]) -> None:
    daemons = pristine.sendmail_daemons()
    returned = host("state.apply", world.STEPS, pillar=world.formula(), env=env)
    result, changes, comment = world.results(returned)[world.RUNNERS]
    assert (result, changes) == (True, {}), comment
    assert "NOT restarted" in comment
    assert "service sendmail restart" in comment
    assert pristine.sendmail_daemons() == daemons


def test_where_no_service_manager_runs_nothing_is_said_to_be_restarted(
    host: Any, not_booted: None
) -> None:
    nothing_is_said_to_be_restarted(host, {})


def test_a_run_that_went_offline_owes_a_restart(host: Any) -> None:
    nothing_is_said_to_be_restarted(host, {"SYSTEMD_OFFLINE": "1"})
    daemons = pristine.sendmail_daemons()
    assert world.RUNNERS in world.apply(host, world.STEPS)
    assert pristine.sendmail_daemons() != daemons


def test_a_host_without_a_full_name_is_warned_with_the_cure(host: Any) -> None:
    single = ("state.single", "sendmail_james.installed", "here")
    (quiet,) = host(*single, pillar=world.formula()).data.values()
    assert "warnings" not in quiet
    hosts, name = Path("/etc/hosts"), pristine.run("hostname").strip()
    try:
        subprocess.run(["hostname", "lonely"], check=True)
        hosts.write_text("127.0.0.1 localhost\n127.0.1.1 lonely\n")
        (warned,) = host(*single).data.values()
    finally:
        subprocess.run(["hostname", name], check=True)
    assert warned["result"] is True
    assert "sleeps 60 s" in warned["warnings"][0]
    assert "127.0.1.1 lonely.example.org lonely" in warned["warnings"][0]
