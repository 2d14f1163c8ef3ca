"""The forms in which local mail arrives, from a cf, /etc/hosts and the host's name."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import run_world
from cf_world import CF, SUBMIT
from james_client.mta.process import ProcessError
from james_client.run import domains
from james_client.run.domains import (
    arriving,
    full_name,
    host_domains,
    local_domains,
    own_names,
    unread,
)
from james_client.run.plan import Plan


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a host called box.example.test with one address, whose files are in a folder."""
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    monkeypatch.setattr(socket, "getfqdn", lambda: "box.example.test")
    address = SimpleNamespace(family=socket.AF_INET, address="127.0.0.1")
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"lo": [address]})
    monkeypatch.setattr(domains, "HOSTS", tmp_path / "hosts")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n127.0.1.1 box.example.test box # me\n")
    return tmp_path


def plan(
    host: Path, more: bytes = b"", *, submit: bytes = SUBMIT, relay: str = "localhost"
) -> Plan:
    """Give a plan whose sendmail.cf has more lines; no submit.cf where it is empty."""
    (host / "sendmail.cf").write_bytes(CF.replace(b"Sparse=0", more + b"\nSparse=0"))
    if submit:
        (host / "submit.cf").write_bytes(submit)
    where = {"cf": str(host / "sendmail.cf"), "submit_cf": str(host / "submit.cf")}
    return run_world.plan({"relay": {"host": relay}}, **where)


def test_the_usual_host_has_two_forms(host: Path) -> None:
    assert arriving(plan(host)) == ("localhost", "box.example.test")
    assert local_domains(plan(host)) == ("localhost", "box.example.test")


def test_class_w_counts_as_etc_hosts_spells_it(host: Path) -> None:
    with (host / "hosts").open("a") as hosts:
        hosts.write("192.0.2.1 www.example.test web\n")
    (host / "names").write_text("Web\nother.example.test\n[192.0.2.1]\n")
    found = arriving(plan(host, f"Fw{host}/names".encode()))
    assert found == (
        *("localhost", "box.example.test"),
        *("www.example.test", "other.example.test"),
    )


def test_the_hub_rule_hands_over_at_the_relays_name(host: Path) -> None:
    far = plan(host, relay="James.example.net")
    assert arriving(far) == ("james.example.net", "box.example.test")
    bracketed = plan(host, relay="[127.0.0.1]")
    assert arriving(bracketed) == ("[127.0.0.1]", "box.example.test")
    assert local_domains(bracketed) == ("box.example.test",)


def test_without_a_submission_program_class_w_goes_by_the_hub_rule(host: Path) -> None:
    alone = plan(host, b"Cwother.example.test", submit=b"")
    assert arriving(alone) == ("localhost", "box.example.test")


def test_the_full_name_is_what_the_cf_says(host: Path) -> None:
    submit = SUBMIT.replace(b"Sparse=0", b"Djmx.$m\nSparse=0")
    assert full_name(plan(host, submit=submit)) == "mx.example.test"
    assert arriving(plan(host, submit=submit))[1] == "mx.example.test"
    conditional = SUBMIT.replace(b"Sparse=0", b"Dj$?m$w.$m$|$w$.\nSparse=0")
    assert full_name(plan(host, submit=conditional)) == "box.example.test"


def test_a_host_without_sendmail_has_its_name(host: Path) -> None:
    none = run_world.plan(cf=str(host / "none.cf"), submit_cf=str(host / "none2.cf"))
    assert arriving(none) == ("localhost", "box.example.test")
    assert own_names(none) == ("box", "box.example.test", "localhost")
    (host / "hosts").unlink()
    assert own_names(none) == ("box", "box.example.test")


@pytest.mark.parametrize(("uid", "mode"), [(65534, 0o644), (0, 0o666), (0, 0o640)])
def test_a_list_of_names_that_is_not_roots_word_is_not_read_and_named(
    host: Path, uid: int, mode: int
) -> None:
    """Who owns the folder may rename there what others wrote, and what others may not read."""
    path = host / "names"
    path.write_text("secret-or-somebody-elses.example\n")
    ours = plan(host, f"Fw{path}".encode())
    assert "secret-or-somebody-elses.example" in own_names(ours)
    assert unread(ours) == []
    os.chown(path, uid, 0)
    path.chmod(mode)
    ours = plan(host, f"Fw{path}".encode())
    assert "secret-or-somebody-elses.example" not in own_names(ours)
    assert str(path) in unread(ours)[0]


def test_a_cf_that_is_not_roots_names_no_domain(host: Path) -> None:
    theirs = plan(host, submit=SUBMIT.replace(b"Sparse=0", b"Djgmail.com\nSparse=0"))
    assert "gmail.com" in host_domains(theirs)
    os.chown(host / "submit.cf", 65534, 65534)
    theirs = plan(host, submit=b"")
    with pytest.raises(ProcessError, match="belongs to uid 65534"):
        host_domains(theirs)


def test_macros_that_grow_without_end_have_no_value(host: Path) -> None:
    more = b"".join(b"D{m%d}%b\n" % (i, b"${m%d}" % (i + 1) * 40) for i in range(6))
    assert full_name(
        plan(host, submit=SUBMIT.replace(b"Sparse=0", more + b"D{m6}x\nDj${m0}\nSparse=0"))
    )
