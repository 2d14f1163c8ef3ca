"""James alone is offered the login; a partner gets the site's own for it, or none."""

from __future__ import annotations

import base64
import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james
from support.fake_james import FakeJames, fake_james

CF, MC = recipe.MAIL / "sendmail.cf", recipe.MAIL / "sendmail.mc"
SUBMIT, SUBMIT_MC = recipe.MAIL / "submit.cf", recipe.MAIL / "submit.mc"
CREDENTIALS = recipe.MAIL / "james-auth-info"
PASSWORD = 'é"$&<\\' * 27  # the longest that is taken
PARTNER, STRANGER, FALLBACK = "127.0.0.9", "127.0.0.8", "127.0.0.7"
TABLE = f"partner.test\tesmtp:[{PARTNER}]\nstranger.test\tesmtp:[{STRANGER}]\n"
OWN = base64.b64encode(b"mine\0mine\0theirs").decode()
OWN_ENTRY = f'AuthInfo:{PARTNER}\t"U:mine" "I:mine" "P:theirs"\n'
PARTNERS = """FEATURE(`mailertable')dnl
define(`confAUTH_MECHANISMS', `CRAM-MD5 PLAIN')dnl
"""
WAY_PAST = f"define(`confFALLBACK_SMARTHOST', `[{FALLBACK}]')dnl\n"


@pytest.fixture(scope="module")
def applied(module_call: Callable[..., Any]) -> dict[str, Any]:
    """Apply the formula to a site with partners and a fallback; give the changes."""
    assert len(PASSWORD.encode()) == 189
    recipe.fresh_host()
    james.add_user("sendmail", password=PASSWORD)
    make_map("access", OWN_ENTRY)
    make_map("mailertable", TABLE)
    site(PARTNERS + WAY_PAST, "MAILER_DEFINITIONS\n", MC, CF)
    site(WAY_PAST, "FEATURE(`msp'", SUBMIT_MC, SUBMIT)
    return apply(module_call)


def apply(call: Callable[..., Any]) -> dict[str, Any]:
    """Apply the formula, with a password of our own; give the changes."""
    daemon = {"programs_interval": "1s"}
    return recipe.changes(recipe.apply(call, auth={"password": PASSWORD}, daemon=daemon))


def make_map(name: str, lines: str) -> None:
    """Add lines to a map of the site's, its text and its database."""
    path = recipe.MAIL / name
    text = (path.read_text() if path.exists() else "") + lines
    path.write_text(text)
    subprocess.run(["makemap", "hash", path], input=text, text=True, check=True)


def site(lines: str, before: str, mc: Path, cf: Path) -> None:
    """Put lines of the site's into an mc, and build the cf from it."""
    text = mc.read_text()
    assert before in text
    mc.write_text(text.replace(before, lines + before, 1))
    cf.write_text(subprocess.run(["m4", mc], stdout=subprocess.PIPE, text=True, check=True).stdout)


@pytest.fixture
def others(applied: dict[str, Any]) -> Iterator[dict[str, FakeJames]]:
    """Give the servers that offer AUTH and take all mail, by their addresses."""
    fakes = {host: FakeJames() for host in (PARTNER, STRANGER, FALLBACK)}
    with (
        fake_james(fakes[PARTNER], host=PARTNER),
        fake_james(fakes[STRANGER], host=STRANGER),
        fake_james(fakes[FALLBACK], host=FALLBACK),
    ):
        yield fakes


@pytest.fixture
def no_james(applied: dict[str, Any]) -> Iterator[None]:
    """Take James away for the length of a test."""
    james.stop()
    yield
    start_james()


def start_james() -> None:
    """Have James, with the account that sendmail logs in to."""
    if not james.running():
        recipe.new_james()
        james.add_user("sendmail", password=PASSWORD)


@pytest.fixture
def files_come_back(applied: dict[str, Any]) -> Iterator[None]:
    """Put back what a test does to sendmail.cf and its credentials."""
    before = {path: path.read_bytes() for path in (CF, CREDENTIALS)}
    yield
    for path, data in before.items():
        path.write_bytes(data)


def logins(fake: FakeJames) -> list[str]:
    """Give what a server was told by way of a login."""
    return [line for line in fake.said if line.upper().startswith("AUTH")]


def comes_to(fake: FakeJames, subject: str) -> None:
    """Wait until a server has a message."""
    james.wait_for(
        lambda: any(subject.encode() in message for message in fake.kept), what="the message"
    )


def has_password(fake: FakeJames) -> bool:
    """Say whether a server was told the password for James."""
    return bool(recipe.leaks("\n".join(fake.said), PASSWORD))


def test_a_partner_gets_its_own_login_and_a_stranger_none(others: dict[str, FakeJames]) -> None:
    wanted = {PARTNER: [f"AUTH PLAIN {OWN}"], STRANGER: []}
    for host, domain in ((PARTNER, "partner.test"), (STRANGER, "stranger.test")):
        comes_to(others[host], recipe.send(f"someone@{domain}"))
        assert logins(others[host]) == wanted[host]
        assert not has_password(others[host])
    assert recipe.arrives(recipe.send("alice")) == ["local"]


def test_all_of_the_programs_mail_goes_to_james(others: dict[str, FakeJames]) -> None:
    sent = [recipe.send(to, by="bob") for to in ("alice", "someone@partner.test")]
    assert [recipe.arrives(one) for one in sent] == [["local"], ["relay"]]
    assert sum(fake.calls for fake in others.values()) == 0


def test_as_the_how_to_has_it_a_stranger_gets_ours(
    others: dict[str, FakeJames], files_come_back: None
) -> None:
    """The negative twin: DefaultAuthInfo, and ruleset authinfo out of its way."""
    text = CF.read_text()
    assert "\nSauthinfo\n" in text and "\n#O DefaultAuthInfo=" in text
    text = text.replace("\nSauthinfo\n", "\nSotherinfo\n")
    CF.write_text(text.replace("\n#O DefaultAuthInfo=", f"\nO DefaultAuthInfo={CREDENTIALS}\n#"))
    CREDENTIALS.write_text(f"sendmail\nsendmail\n{PASSWORD}\nlocalhost\n")
    comes_to(others[STRANGER], recipe.send("someone@stranger.test"))
    assert has_password(others[STRANGER])


def test_a_host_of_the_earlier_form_is_put_right(
    others: dict[str, FakeJames], files_come_back: None, module_call: Callable[..., Any]
) -> None:
    before, files = CF.read_text(), (CREDENTIALS, CREDENTIALS.with_name("james-msp-auth-info"))
    text = re.sub(r"Kjamesauth.*\nSauthinfo\n(R.*\n){3}", "SJamesUnusedAuthinfo\n", before)
    old_default = f"\nO DefaultAuthInfo={CREDENTIALS}\n"
    CF.write_text(re.sub(r"\n#O DefaultAuthInfo=.*\n", old_default, text))
    for file in files:
        file.write_text(f"sendmail\nsendmail\n{PASSWORD}\nlocalhost\n")
    comes_to(others[STRANGER], recipe.send("someone@stranger.test"))
    assert has_password(others[STRANGER])
    others[STRANGER].said.clear()
    assert apply(module_call)
    assert CF.read_text() == before
    comes_to(others[STRANGER], recipe.send("someone@stranger.test"))
    assert logins(others[STRANGER]) == []
    assert [recipe.arrives(recipe.send("alice", by=by)) for by in ("root", "bob")] == [
        ["local"]
    ] * 2


def test_the_fallbacks_are_reported_as_taken_away(applied: dict[str, Any]) -> None:
    (edited,) = [change for name, change in applied.items() if "relayed" in name]
    assert edited["FallbackSmartHost"] == f"none, was [{FALLBACK}]"  # in both cf files


def test_nobody_takes_the_mail_when_james_is_away(
    others: dict[str, FakeJames], no_james: None
) -> None:
    forms = ("alice", "someone@example.org")
    sent = [recipe.send(to, by=by) for by in ("root", "bob") for to in forms]
    recipe.reasons(len(sent))
    assert [fake.calls for fake in others.values()] == [0, 0, 0]
    start_james()
    assert [recipe.arrives(one) for one in sent] == [["local"], ["relay"]] * 2


def test_a_fallback_takes_mail_and_password_where_it_is_left(
    others: dict[str, FakeJames], no_james: None, files_come_back: None
) -> None:
    """The negative twin."""
    text, commented = CF.read_text(), "\n#O FallbackSmartHost=fall.back.host.net"
    assert commented in text
    CF.write_text(text.replace(commented, f"\nO FallbackSmartHost=[{FALLBACK}]"))
    comes_to(others[FALLBACK], recipe.send("alice"))
    assert has_password(others[FALLBACK])


@pytest.fixture
def as_before(files_come_back: None, module_call: Callable[..., Any]) -> Iterator[None]:
    """Apply the formula again to the site's own cf and mc, after a test that changes them."""
    before = {path: path.read_bytes() for path in (CF, MC)}
    yield
    for path, data in before.items():
        path.write_bytes(data)
    shutil.chown(CREDENTIALS, "root", "root")
    apply(module_call)


def test_a_sendmail_that_works_as_another_user_can_log_in(
    as_before: None, module_call: Callable[..., Any]
) -> None:
    site("define(`confRUN_AS_USER', `smmta:smmsp')dnl\n", "MAILER_DEFINITIONS\n", MC, CF)
    changed = apply(module_call)
    (written,) = [change for name, change in changed.items() if "readable" in name]
    uid, gid = pwd.getpwnam("smmta").pw_uid, pwd.getpwnam("smmta").pw_gid
    assert written == {"access": f"0600 {uid}:{gid}, was 0600 0:0"}
    assert [recipe.arrives(recipe.send("alice", by=by)) for by in ("root", "bob")] == [
        ["local"]
    ] * 2
    assert not apply(module_call)


def test_a_users_own_sendmail_cannot_log_in_and_the_mail_waits_for_the_runner(
    applied: dict[str, Any],
) -> None:
    command = ("runuser", "-u", "bob", "--", recipe.SENDMAIL, "-v", "-odi", "-oi", "alice")
    text = "Subject: sent at once\n\nhello\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert "Temporary AUTH failure" in done.stdout, done
    assert ">>> AUTH" not in done.stdout
    assert recipe.arrives("sent at once") == ["local"]
