"""James alone is offered the login; a partner gets the site's own for it, or none."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import recipe
from support import james, pristine
from support.fake_james import FakeJames, fake_james

CF, MC = recipe.MAIL / "sendmail.cf", recipe.MAIL / "sendmail.mc"
SUBMIT, SUBMIT_MC = recipe.MAIL / "submit.cf", recipe.MAIL / "submit.mc"
ELSEWHERE = "127.0.0.9"
PARTNER = "someone@partner.test"
OWN = base64.b64encode(b"mine\0mine\0theirs").decode()
OWN_ENTRY = f'AuthInfo:{ELSEWHERE}\t"U:mine" "I:mine" "P:theirs"\n'
MECHANISMS = "define(`confAUTH_MECHANISMS', `CRAM-MD5 PLAIN')dnl"
# What the site says of its partner: a map, that map's lines, and lines of the mc.
SITES: dict[str, tuple[str, str, str]] = {
    "no login": ("", "", ""),
    "a login in the access map": ("access", OWN_ENTRY, MECHANISMS),
    "a login in a map of its own": (
        "authinfo",
        OWN_ENTRY,
        f"{MECHANISMS}\nFEATURE(`authinfo')dnl",
    ),
}
MAILERS = "MAILER_DEFINITIONS\n"


@pytest.fixture(scope="module")
def shared_host() -> None:
    """Give a host with James, for the tests that bring it to a state of their own."""
    recipe.fresh_host()


@pytest.fixture
def call(shared_host: None, module_call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a host as it was at first, with James running and nothing waiting."""
    pristine.restore(listening=False, keep_james=True)
    recipe.usual_james()
    james.forget_mails()
    return module_call


@pytest.fixture
def other() -> Iterator[FakeJames]:
    """Give a server at another address, which offers AUTH and takes all mail."""
    with fake_james(FakeJames(), host=ELSEWHERE) as fake:
        yield fake


def make_map(name: str, lines: str) -> None:
    """Write a map of the site's, as text and as database."""
    path = recipe.MAIL / name
    text = (path.read_text() if path.exists() else "") + lines
    path.write_text(text)
    subprocess.run(["makemap", "hash", path], input=text, text=True, check=True)


def site(lines: str, mc: Any = MC, cf: Any = CF) -> None:
    """Put lines of the site's into an mc, before its mailers, and build the cf from it."""
    before = "FEATURE(`msp'" if mc == SUBMIT_MC else MAILERS
    text = mc.read_text()
    assert before in text
    mc.write_text(text.replace(before, f"{lines}\n{before}", 1))
    cf.write_text(subprocess.run(["m4", mc], stdout=subprocess.PIPE, text=True, check=True).stdout)


def site_with_partner(name: str) -> None:
    """Make a site whose mailertable sends a partner's mail to the other address."""
    table, entries, lines = SITES[name]
    if table:
        make_map(table, entries)
    make_map("mailertable", f"partner.test\tesmtp:[{ELSEWHERE}]\n")
    site(f"FEATURE(`mailertable')dnl\n{lines}")


def logins(fake: FakeJames) -> list[str]:
    """Give what a server was told by way of a login."""
    return [line for line in fake.said if line.upper().startswith("AUTH")]


def came_to(fake: FakeJames, subject: str) -> bool:
    """Say whether a server has a message."""
    return any(subject.encode() in message for message in fake.kept)


@pytest.mark.parametrize("name", SITES)
def test_a_partner_gets_its_own_login_or_none(
    call: Callable[..., Any], other: FakeJames, name: str
) -> None:
    site_with_partner(name)
    recipe.apply(call)
    subject = recipe.send(PARTNER)
    james.wait_for(lambda: came_to(other, subject), what="the partner's mail")
    assert logins(other) == ([] if name == "no login" else [f"AUTH PLAIN {OWN}"])
    assert recipe.leaks("\n".join(other.said), recipe.PASSWORD) == []
    calls = other.calls
    ours = [recipe.send("alice"), recipe.send("alice", by="bob")]
    assert [recipe.arrives(one) for one in ours] == [["local"]] * 2
    assert recipe.arrives(recipe.send(PARTNER, by="bob")) == ["relay"]
    assert other.calls == calls, "all of the programs' mail goes to James"
