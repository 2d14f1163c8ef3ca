"""sendmail itself reads the edited cf: it accepts it, and AUTH is compulsory for James alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oracle.m4 import AUTH, RELAY, Tree, Wishes, apply
from oracle.post import PORT, Post
from oracle.variants import EQUAL_IN_EFFECT, MAILERS, variants

# A site's own rules for the same question: one refusal, and an early yes for all other mail.
OWN_RULES = b"""LOCAL_TLS_RCPT
Rcarol$*\t$#error $@ 4.7.0 $: "454 the site says no"
R$*\t$@ OK
"""


@pytest.fixture
def edited(tree: Tree, tmp_path: Path) -> Callable[[Wishes], bytes]:
    """Give Debian's cf with a mailertable that sends one domain elsewhere, edited."""
    table = tmp_path / "mailertable"
    entry = "other.test\tesmtp:[127.0.0.2]\n"
    subprocess.run(["makemap", "hash", table], input=entry.encode(), check=True, timeout=60)
    feature = f"FEATURE(`mailertable', `hash {table}')dnl\n".encode()
    mc = tree.debian("sendmail").replace(MAILERS, feature + MAILERS) + OWN_RULES
    stock = tree.build(mc)
    return lambda wishes: apply(stock, mc, wishes)[0]


@pytest.mark.parametrize("mx_lookup", [False, True], ids=["no MX", "MX"])
@pytest.mark.parametrize("host", ["localhost", "[127.0.0.1]", "[IPv6:::1]"])
def test_mail_for_james_waits_where_it_offers_no_auth_and_other_mail_goes_out(
    host: str, mx_lookup: bool, post: Post, edited: Callable[[Wishes], bytes]
) -> None:
    relay = replace(RELAY, host=host, port=PORT, mx_lookup=mx_lookup)
    required = edited(Wishes(relay=relay, auth=replace(AUTH, file="/nonexistent")))
    for to in ("bob", "bob@localhost", "someone@example.com"):
        took, queue = post.send(required, to)
        assert took == set(), to
        assert "James has not authenticated us" in queue, to
    took, queue = post.send(required, "someone@other.test")
    assert took == {"127.0.0.2"}
    assert "James" not in queue
    took, queue = post.send(required, "carol@other.test")
    assert took == set()
    assert "the site says no" in queue

    # without the rules the same mail leaves unauthenticated
    optional = edited(Wishes(relay=relay, auth=replace(AUTH, required=False)))
    took, _ = post.send(optional, "bob")
    assert took == {"::1" if "IPv6" in host else "127.0.0.1"} or took == {"127.0.0.1"}


@pytest.mark.parametrize(
    "name",
    [
        "Debian's sendmail.mc",
        "Debian's submit.mc",
        "stickyhost",
        "luser relay",
        "luser relay, detail preserved",
        "all three relays",
        "own tls_rcpt, behind",
        "own flags, k first",
        "nullclient",
        "submission to port 587",
    ],
)
def test_sendmail_accepts_the_edited_cf(
    name: str, tree: Tree, sendmail: str, tmp_path: Path
) -> None:
    mc = variants(tree)[name]
    path = tmp_path / "test.cf"
    path.write_bytes(apply(tree.build(mc), mc, Wishes())[0])
    done = subprocess.run(
        [sendmail, "-C", str(path), "-bC"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done


def _asked(sendmail: str, path: Path, questions: str) -> str:
    done = subprocess.run(
        [sendmail, "-C", str(path), "-bt"],
        input=questions,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_two_flags_in_another_order_are_the_same_to_sendmail(
    tree: Tree, sendmail: str, tmp_path: Path
) -> None:
    (text,) = EQUAL_IN_EFFECT.values()
    mc = tree.debian("sendmail").replace(MAILERS, text.encode() + b"\n" + MAILERS)
    ours, source = apply(tree.build(mc), mc, Wishes())
    answers = []
    for name, cf in (("ours.cf", ours), ("m4.cf", tree.build(source))):
        path = tmp_path / name
        path.write_bytes(cf)
        answers.append(_asked(sendmail, path, "=M\n5 bob\n3,0 bob@example.invalid\n"))
    assert ours != tree.build(source)
    assert answers[0] == answers[1]
    assert "esmtp" in answers[0]
