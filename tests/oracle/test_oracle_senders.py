"""sendmail itself says what becomes of a sender, and which timeouts an edited cf gives it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from james_client.cf.text import Cf
from james_client.cf.timeouts import edit
from james_client.mta.process import ProcessError
from james_client.mta.reading import reading, senders
from james_client.run.plan import RunError
from james_client.run.proof import prove_senders
from james_client.wishes.settings import Relay

from oracle.m4 import DAEMON, RELAY, Tree, Wishes, apply
from oracle.variants import MAILERS, MSP

#: A sender of programs', root's, a name server's, another host's, and none.
SENDERS = ("bob", "bob@localhost", "root", "root@localhost", "bob@x.example", "<>")
MASQUERADED = replace(RELAY, masquerade="example.org", masquerade_except=("root", "@x.example"))
OWN = b"MASQUERADE_AS(`site.example')dnl\nEXPOSED_USER(`root')dnl\n"
FILES = {"sendmail": (MAILERS, "esmtp"), "submit": (MSP, "relay")}


def rewritten(
    tree: Tree, folder: Path, sendmail: str, name: str, wishes: Wishes, before: bytes = b""
) -> dict[str, tuple[str, str]]:
    """Give what the mailer that counts makes of each sender, in the cf of an mc."""
    place, mailer = FILES[name]
    mc = tree.debian(name).replace(place, before + place)
    path = folder / "test.cf"
    path.write_bytes(apply(tree.build(mc), mc, wishes)[0])
    return dict(zip(SENDERS, senders(path, mailer, SENDERS, binary=sendmail), strict=True))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "before",
    [b"", OWN, OWN + b"FEATURE(`limited_masquerade')dnl\n", b"FEATURE(`always_add_domain')dnl\n"],
    ids=["stock", "the site's own", "limited", "always_add_domain"],
)
def test_envelope_and_header_carry_the_domain_but_for_the_exceptions(
    name: str, before: bytes, tree: Tree, tmp_path: Path, sendmail: str
) -> None:
    plain = rewritten(tree, tmp_path, sendmail, name, Wishes())
    host = plain["bob"][0].partition("@")[2]
    assert plain == {one: (full, full) for one, full in plain.items() for full in [plain[one][0]]}
    assert plain["bob@localhost"] == plain["bob"] != plain["bob@x.example"]
    found = rewritten(tree, tmp_path, sendmail, name, Wishes(relay=MASQUERADED), before)
    assert found == {
        "bob": ("bob@example.org",) * 2,
        "bob@localhost": ("bob@example.org",) * 2,
        "root": (f"root@{host}",) * 2,
        "root@localhost": (f"root@{host}",) * 2,
        "bob@x.example": ("bob@x.example",) * 2,
        "<>": ("<>",) * 2,
    }


@pytest.mark.parametrize("name", FILES)
def test_without_a_wish_the_sites_own_domain_stays(
    name: str, tree: Tree, tmp_path: Path, sendmail: str
) -> None:
    found = rewritten(tree, tmp_path, sendmail, name, Wishes(), OWN)
    assert found["bob"][1] == "bob@site.example" != found["bob"][0]


def asked(tree: Tree, folder: Path, sendmail: str, relay: Relay, lines: bytes = b"") -> str:
    """Give what the proof says of an edited cf, from an mc with these lines."""
    mc = tree.debian("sendmail").replace(MAILERS, lines + MAILERS)
    path = folder / "test.cf"
    path.write_bytes(apply(tree.build(mc), mc, Wishes(relay=relay))[0])
    plan: Any = SimpleNamespace(
        settings=SimpleNamespace(relay=MASQUERADED), platform=SimpleNamespace(sendmail=sendmail)
    )
    seen = reading(path, "wEN", binary=sendmail)
    return prove_senders(str(path), plan, "/etc/mail/sendmail.cf", seen)


def test_the_proof_counts_the_names_of_this_host(tree: Tree, tmp_path: Path, sendmail: str) -> None:
    lines = b"LOCAL_DOMAIN(`a.example b.x.example')dnl\n"
    said = asked(tree, tmp_path, sendmail, MASQUERADED, lines)
    names = int(re.findall(r"senders at (\d+) names of this host are at example.org", said)[0])
    assert names >= 3
    fewer = asked(tree, tmp_path, sendmail, MASQUERADED)
    assert f"senders at {names - 1} names" in fewer, "b.x.example is excepted"


@pytest.mark.parametrize("way", ["not masqueraded", "genericstable"])
def test_the_proof_refuses_a_sender_of_another_name(
    way: str, tree: Tree, tmp_path: Path, sendmail: str
) -> None:
    relay, lines = MASQUERADED, b""
    if way == "genericstable":
        table, entry = tmp_path / "generics", b"no-such-user\tbob@other.example\n"
        subprocess.run(["makemap", "hash", table], input=entry, check=True, timeout=60)
        lines = f"FEATURE(`genericstable', `hash {table}')dnl\n".encode()
    else:
        relay = RELAY
    with pytest.raises(RunError, match=r"sender no-such-user would leave as .* at example.org:"):
        asked(tree, tmp_path, sendmail, relay, lines)


def test_a_mailer_that_is_not_there_says_nothing(tree: Tree, tmp_path: Path, sendmail: str) -> None:
    path = tmp_path / "test.cf"
    path.write_bytes(tree.build(tree.debian("sendmail")))
    with pytest.raises(ProcessError, match="does not say what mailer nosuch makes of a sender"):
        senders(path, "nosuch", ["bob"], binary=sendmail)


def test_bare_recipients_of_programs_keep_the_hosts_name(tree: Tree) -> None:
    mc = tree.debian("submit")
    cf, source = apply(tree.build(mc), mc, Wishes(relay=MASQUERADED))
    last = [rule for rule in cf.splitlines() if b"$#relay $@ ${MTAHost}" in rule][-1]
    assert last.endswith(b"$: $1 < @ $j >")
    assert last in tree.build(source).splitlines()


LINES = [
    b"OT3d/6h",
    b"O QueueTimeout=2d/5h",
    b"O timeo.queuereturn.* = 7d",
    b"Orqueuewarn=2h,queuereturn.dsn:1d",
    b"O Timeout=command=1h, queuewarn=90m",
    b"O Timeout.queuereturn.urgent=1d # 9",
    b"O Timeout.QueueWarn.non-urgent=0",
]


@pytest.mark.parametrize("at", [b"#   Options   #\n", b"Sparse=0"], ids=["before m4's", "behind"])
def test_the_pillars_timeouts_are_the_last_that_sendmail_reads(
    at: bytes, tree: Tree, tmp_path: Path, sendmail: str
) -> None:
    stock = tree.build(tree.debian("sendmail"))
    text = b"\n".join([*LINES, b""])
    assert stock.count(at) >= 1
    old = stock.replace(at, at + text if at[:1] == b"#" else text + at, 1)
    cf = Cf(old)
    edit(cf, replace(DAEMON, give_up_after="10d", warn_after="never"))
    path = tmp_path / "test.cf"

    def counted() -> dict[str, str]:
        done = subprocess.run(
            [sendmail, "-C", str(path), "-d37.2", "-bt"],
            input="",
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found: dict[str, str] = {}
        for name, value in re.findall(r"settimeout\((queue\S+) = (\S+)\)", done.stdout):
            whole, _, kind = name.lower().partition(".")
            kinds = ("normal", "urgent", "non-urgent", "dsn") if kind in ("", "*") else (kind,)
            found |= {f"{whole}.{one}": value for one in kinds}
        return found

    path.write_bytes(cf.render())
    after = counted()
    assert {after[key] for key in after if key.startswith("queuereturn")} == {"10d"}
    assert {after[key] for key in after if key.startswith("queuewarn")} == {"0"}
    path.write_bytes(old)
    assert counted() != after
