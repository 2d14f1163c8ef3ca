"""From whom mail comes at James, and when it goes back: with the pillar and without."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james, pristine

DOMAIN = "example.org"
DAY = 86400
PATIENT = {"give_up_after": "10d", "warn_after": "1d"}
#: Who sends, and how: by submit.cf, as programs do, and by sendmail.cf.
WAYS: dict[str, dict[str, Any]] = {
    "bob's program": {"by": "bob"},
    "bob by -Am": {"by": "root", "sender": "bob"},
    "a name server's bob": {"by": "root", "sender": "bob@localhost"},
    "bob at the full name": {"by": "root", "sender": f"bob@{recipe.FQDN}"},
    "bob at a short name": {"by": "root", "sender": f"bob@{recipe.FQDN.partition('.')[0]}"},
    "cron": {"by": "root", "options": ("-oi",)},
    "root by -Am": {"by": "root"},
    "nobody": {"by": "root", "sender": ""},
    "nobody's program": {"by": "root", "sender": "", "options": ("-oi",)},
    "another host's": {"by": "root", "sender": "bob@other.example"},
}


@pytest.fixture(scope="module")
def applied(module_call: Callable[..., Any]) -> Callable[..., Any]:
    """Apply the formula to a host, and give the call that does."""
    recipe.fresh_host()
    recipe.apply(module_call)
    return module_call


@pytest.fixture
def call(applied: Callable[..., Any]) -> Callable[..., Any]:
    """Give a host that works and holds no mail."""
    recipe.usual_james()
    recipe.forget_mail()
    return applied


def senders() -> dict[str, tuple[str, str, str]]:
    """Send by every way; give the envelope's sender, the author and the recipient at James."""
    subjects = {way: recipe.send("alice", **how) for way, how in WAYS.items()}
    return {way: _sender(subject) for way, subject in subjects.items()}


def _sender(subject: str) -> tuple[str, str, str]:
    recipe.arrives(subject)
    ((_, mail),) = [
        one for one in recipe.mails() if subject in one[1]["headers"].get("Subject", ())
    ]
    (author,) = mail["headers"].get("From", ["none"])
    (recipient,) = mail["recipients"]
    return mail["sender"] or "<>", re.sub(r".*<|>.*", "", author), recipient


def test_senders_carry_the_domain_but_for_the_exceptions(call: Callable[..., Any]) -> None:
    plain = senders()
    for way, name in (("bob's program", "bob"), ("bob by -Am", "bob"), ("cron", "root")):
        assert plain[way][:2] == (f"{name}@{recipe.FQDN}",) * 2
    wanted = {"masquerade": DOMAIN, "masquerade_except": ["root", "@other.example"]}
    first = recipe.apply(call, relay=wanted)
    assert f"names of this host are at {DOMAIN}" in str(recipe.states(first))
    assert recipe.changes(recipe.apply(call, relay=wanted)) == {}
    found = senders()
    ours = {way for way in WAYS if "bob" in way}
    for way in ours:
        assert found[way] == (*(f"bob@{DOMAIN}",) * 2, plain[way][2]), way
    for way in WAYS.keys() - ours:
        assert found[way] == plain[way], way
    assert found["nobody"][0] == found["nobody's program"][0] == "<>"


def age(message: Path, days: float) -> None:
    """Let a message have been submitted so many days ago."""
    text = message.read_text("latin-1")
    older, count = re.subn(r"(?m)^T\d+$", f"T{int(time.time() - days * DAY)}", text)
    assert count == 1
    message.write_text(older, "latin-1")


def run_queues() -> dict[Path, str]:
    """Try each queue once; give what the control files that are left say."""
    for cf in ("-Ac", "-Am"):
        pristine.run(recipe.SENDMAIL, cf, "-qf")
    return {path: path.read_text("latin-1") for path in recipe.queue_files()}


def reported(subject: str) -> dict[Path, str]:
    """Try the queues, see two reports with that subject; give what the control files say."""
    left = run_queues()
    head = re.compile(rf"(?m)^H\S*Subject: {subject}")
    assert len([text for text in left.values() if head.search(text)]) == 2, left
    return left


def two_messages() -> list[Path]:
    """Give a message of bob's in each queue, by its control file; nobody else has it open."""
    recipe.send("alice", by="bob")
    recipe.send("alice", by="root", sender="bob", options=("-Am", "-odq"))
    files = recipe.queue_files()
    assert len(files) == 2
    return files


def test_old_mail_waits_as_long_as_the_pillar_says(call: Callable[..., Any]) -> None:
    james.stop()
    pristine.run("systemctl", "stop", "sendmail.service")
    waiting = two_messages()
    for message in waiting:
        age(message, 6.01)
    left = reported("Returned mail")
    assert not left.keys() & set(waiting), "without the wish: five days"
    recipe.new_james()
    recipe.apply(call, daemon=PATIENT)
    james.wait_for(lambda: len(recipe.returned("bob")) == 2, what="both reports at James")
    recipe.forget_mail()

    james.stop()
    pristine.run("systemctl", "stop", "sendmail.service")
    waiting = two_messages()
    for message in waiting:
        age(message, 6.01)
    left = reported("Warning: could not send message for past 1 day")
    assert set(waiting) < left.keys()
    page = call("sendmail_james.status", "verbose=True").data
    for queue in ("queue", "programs' queue"):
        assert page["waiting"][queue]["oldest"] == "waits 6 d, returned to its sender in 3 d 23 h"
    assert run_queues().keys() == left.keys(), "one warning only"
    for message in waiting:
        age(message, 10.01)
    assert not reported("Returned mail").keys() & set(waiting)
    recipe.new_james()
    pristine.run("systemctl", "start", "sendmail.service")
