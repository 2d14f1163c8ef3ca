"""A host with a fault of its own is told so: the cause first, and what cures it, which it does."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import recipe
from preflight_world import add_account, new_token, wants_token
from support import james, pristine

Call = Callable[..., Any]
SPOOL = recipe.QUEUES[1]
CREDENTIALS = recipe.MAIL / "james-auth-info"
MC, CF = recipe.MAIL / "sendmail.mc", recipe.MAIL / "sendmail.cf"
TABLE = recipe.MAIL / "mailertable"
RELAY = {"elsewhere": ["meant.example"]}


@pytest.fixture(scope="module")
def call(module_call: Call) -> Call:
    """Give a host on which the formula was applied, with a mailertable that keeps to James."""
    recipe.fresh_host()
    MC.write_text(
        MC.read_text().replace(
            "MAILER_DEFINITIONS", "FEATURE(`mailertable')dnl\nMAILER_DEFINITIONS", 1
        )
    )
    TABLE.write_text("here.example\tesmtp:localhost\nmeant.example\tesmtp:other.example\n")
    shell("makemap hash /etc/mail/mailertable < /etc/mail/mailertable")
    pristine.run("make", "-C", "/etc/mail", "sendmail.cf")
    recipe.apply(module_call, relay=RELAY)
    well(module_call)
    return module_call


def shell(command: str) -> str:
    """Run a command as an administrator types it."""
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def page(call: Call) -> tuple[str, str]:
    """Give the first thing that status finds wrong, and what it says to do."""
    found = call("sendmail_james.status").data
    return found["wrong"][0], found["next"]


def well(call: Call, **keywords: Any) -> None:
    """See that check says OK."""
    found = call("sendmail_james.check", **keywords)
    assert (found.data.partition(" - ")[0], found.returncode) == ("OK", 0), found.data


def critical(call: Call) -> str:
    """Give what check says where it is critical, by its exit code as well."""
    found = call("sendmail_james.check")
    assert found.data.startswith("CRITICAL - ") and found.returncode, found
    return str(found.data)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a small disk on a folder, for the owner of that folder."""
    seen = folder.stat()
    owner = f"mode={seen.st_mode & 0o7777:o},uid={seen.st_uid},gid={seen.st_gid}"
    pristine.run("mount", "-t", "tmpfs", "-o", f"{options},{owner}", "small", str(folder))
    try:
        yield
    finally:
        pristine.run("umount", str(folder))


def test_a_full_spool(call: Call) -> None:
    with small_disk(SPOOL, "size=800k"):
        filler = SPOOL / "core"
        filler.write_bytes(b"x" * 700 * 1024)
        assert f"CRITICAL - {SPOOL}, where {SPOOL} lies, has 100 KiB left" in critical(call)
        wrong, cure = page(call)
        assert wrong.startswith("CRITICAL spool-full: ")
        assert str(filler.parent) in shell(cure)
        filler.unlink()
        well(call)


def test_a_spool_without_inodes(call: Call) -> None:
    with small_disk(SPOOL, "size=8m,nr_inodes=20"):
        for number in range(15):
            (SPOOL / f"core.{number}").touch()
        wrong, cure = page(call)
        assert wrong.startswith("CRITICAL spool-full: ") and "room for 4 more files" in wrong
        assert "16" in shell(cure)
        for path in SPOOL.glob("core.*"):
            path.unlink()
        well(call)


def test_the_disk_of_james(call: Call) -> None:
    with small_disk(Path("/var/lib/james"), "size=900k"):
        wrong, cure = page(call)
        assert wrong.startswith("CRITICAL james-disk-full: /var/lib/james, where James (pid ")
        shell(cure)
    well(call)


@contextmanager
def fake_load(folder: Path) -> Iterator[None]:
    """Have the kernel claim a load that no test can make."""
    fake = folder / "fake_loadavg"
    fake.write_text("999.00 500.00 100.00 3/300 12345\n")
    pristine.run("mount", "--bind", str(fake), "/proc/loadavg")
    try:
        yield
    finally:
        pristine.run("umount", "/proc/loadavg")


def test_a_load_at_which_no_queue_runs(call: Call, tmp_path: Path) -> None:
    with fake_load(tmp_path):
        line = call("sendmail_james.check").data
        assert "WARNING - load average 999, where sendmail starts no queue run" in line
        pristine.run("systemctl", "restart", "sendmail")  # it remembers a load for a while
        recipe.send("alice", by="bob")
        assert "1 messages wait" in critical(call)
        wrong, cure = page(call)
        assert wrong.startswith("CRITICAL load-too-high: ")
        assert "PID" in shell(cure)
    recipe.all_gone()
    well(call)


def test_a_dead_name_server(call: Call) -> None:
    pristine.run("systemctl", "stop", "dnsmasq.service")
    try:
        sent = [recipe.send(f"x@{name}.example.org", by="bob") for name in ("a", "b")]
        recipe.reasons(2)
        assert "2 messages wait for DNS (a.example.org, b.example.org)" in critical(call)
        wrong, cure = page(call)
        assert wrong.startswith("CRITICAL dns-dead: ")
        assert cure.startswith("sendmail_james:relay:dns: false")
        recipe.apply(call, relay={**RELAY, "dns": False})
        assert [recipe.arrives(subject) for subject in sent] == [["relay"]] * 2
        well(call)
    finally:
        pristine.run("systemctl", "start", "dnsmasq.service")
    recipe.apply(call, relay=RELAY)


def test_credentials_that_others_could_read(call: Call) -> None:
    CREDENTIALS.chmod(0o644)
    assert "others can read the password" in critical(call)
    assert page(call)[1] == "salt-call state.apply sendmail_james"
    recipe.apply(call, relay=RELAY, account={"update": True})
    wrong, cure = page(call)
    assert wrong.startswith(f"WARNING password-exposed: {CREDENTIALS} had mode 0644")
    assert cure.endswith("then: salt-call sendmail_james.rotate")
    new = {"password": "another one & 'more'"}
    given = recipe.pillar(relay=RELAY, account={"update": True}, auth=new)
    assert "password" in call("sendmail_james.rotate", pillar=given).data
    well(call)
    james.add_user("sendmail", password=recipe.PASSWORD)
    recipe.apply(call, relay=RELAY)
    assert page(call)[0].startswith("WARNING password-exposed: ")  # it is the old one again
    Path("/var/lib/sendmail_james/password-exposed").unlink()
    well(call)


def test_a_cf_of_the_folders_owner_tells_root_nothing_to_paste(call: Call) -> None:
    mine, theirs = CF.with_name("kept"), CF.with_name("theirs")
    drop = "O DeadLetterDrop=/etc/shadow\nO MinFreeBlocks=999999999999\n"
    theirs.write_text(CF.read_text().replace("O QueueDirectory", f"{drop}O QueueDirectory", 1))
    shutil.chown(theirs, "smmta", "smmsp")
    CF.rename(mine)
    theirs.rename(CF)
    line = critical(call)
    found = call("sendmail_james.status").data
    mine.rename(CF)
    for said in (line, str(found)):
        assert "neither chown it nor restart sendmail" in said
        assert "chown root" not in said
        assert "shadow" not in said and "service sendmail restart" not in said, said
    assert found["wrong"][0].startswith(f"CRITICAL cf-not-roots: {CF} has owner ")
    well(call)


def test_a_missing_map(call: Call) -> None:
    TABLE.with_suffix(".db").unlink()
    assert f"{TABLE}.db, map mailertable of {CF}, does not exist" in critical(call)
    wrong, cure = page(call)
    assert wrong.startswith("CRITICAL map-missing: ")
    shell(cure)
    well(call)


def test_a_map_of_another_kind_stops_all_mail(call: Call) -> None:
    shell(f"makemap btree {TABLE} < {TABLE}")
    assert f"{TABLE}.db, map mailertable of {CF}, is a btree, expected a hash" in critical(call)
    wrong, cure = page(call)
    assert wrong.startswith("CRITICAL map-missing: ")
    shell(cure)
    well(call)


def test_a_table_that_goes_around_james(call: Call) -> None:
    before = TABLE.read_text()
    TABLE.write_text(before + ".away.example\tesmtp:[192.0.2.1]\nno.example\terror:nouser no\n")
    shell(f"makemap hash {TABLE} < {TABLE}")
    wrong, cure = page(call)
    assert wrong.startswith(
        f"WARNING around-james: {TABLE}.db sends mail elsewhere than to James: "
        ".away.example to esmtp:[192.0.2.1]: "
    )
    shell(cure)
    assert TABLE.read_text() == before + "no.example\terror:nouser no\n"
    assert call("sendmail_james.status").data["verdict"] == "OK"


def test_an_mc_that_builds_nothing(call: Call) -> None:
    before = MC.read_text()
    MC.write_text(before + "include(`/nowhere/at/all.m4')dnl\n")
    wrong = call("sendmail_james.status").data["wrong"]
    assert any("mc-broken" in one and "/nowhere/at/all.m4" in one for one in wrong), wrong
    MC.write_text(before)
    assert call("sendmail_james.status").data["verdict"] == "OK"


def test_a_component_of_james_that_is_not_well(call: Call) -> None:
    recipe.send("alice")
    (key,) = james.wait_for(lambda: james.keys("local"), what="the message")
    where = f"/mailRepositories/var%2Fmail%2Flocal/mails/{key}"
    james.ask("PATCH", f"{where}?action=reprocess&processor=error")
    james.wait_for(lambda: james.keys("error"), what="the message")
    wrong, cure = page(call)
    assert wrong.startswith("WARNING james-ill: James calls his EmptyErrorMailRepository degraded")
    assert "EmptyErrorMailRepository" in shell(cure)
    james.forget_mails()
    well(call)


def test_a_webadmin_that_wants_a_token(call: Call, tmp_path: Path) -> None:
    token = new_token(tmp_path)
    james.start(webadmin=wants_token(tmp_path))
    add_account(token)
    given = {"relay": RELAY, "verify": {"names": False}}
    line = call("sendmail_james.check", pillar=recipe.pillar(**given)).data
    assert line.startswith("WARNING - ") and "it wants a token (account:token)" in line, line
    wrong, cure = page(call)
    assert wrong.startswith("WARNING webadmin-denies: ")
    assert cure == "sendmail_james:account:token: one that James takes"
    well(call, pillar=recipe.pillar(account={"token": token}, **given))
    recipe.new_james()
    well(call, pillar=recipe.pillar(relay=RELAY))


def test_a_restart_that_fails(call: Call) -> None:
    gate = Path("/run/systemd/system/sendmail.service.d/gate.conf")
    gate.parent.mkdir(parents=True, exist_ok=True)
    said = "cannot open the gate"
    gate.write_text(f"[Service]\nExecStartPre=/bin/sh -c 'echo {said} >&2; exit 1'\n")
    pristine.run("systemctl", "daemon-reload")
    given = recipe.pillar(relay=RELAY, daemon={"queue_interval": "6s"})
    failed = recipe.failures(call("state.apply", "sendmail_james", pillar=given))
    assert said in str(failed)
    assert said in critical(call)
    wrong, cure = page(call)
    assert wrong.startswith(f"CRITICAL restart-fails: the last restart failed: {said}")
    gate.unlink()
    pristine.run("systemctl", "daemon-reload")
    assert cure == "mend that, then: salt-call state.apply sendmail_james"
    recipe.apply(call, relay=RELAY)
    well(call)
