"""Aliases as a site has them reach people through a real James, and are taken back exactly."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
import yaml
from james_client.answers.aliases import aliases
from james_client.errors import CallerError
from james_client.james.mappings import GROUP, LIMIT, JamesMapping
from james_client.james.webadmin import WebAdmin
from james_client.run import carry
from james_client.run.plan import Plan, RunError
from james_client.wishes.platform import select
from james_client.wishes.read import load
from recipe import FQDN
from support import james, pristine
from support.squatter import squatter

ALIASES = Path("/etc/aliases")  # where Debian's /etc/mail/aliases leads
DEAD = Path("/var/lib/sendmail/dead.letter")
NOTED = Path("/var/lib/sendmail_james/mappings-made")
FORMULA = Path(__file__).parents[2] / "sendmail_james"
DATA = {
    name: yaml.safe_load((FORMULA / f"{name}.yaml").read_text())
    for name in ("defaults", "platforms")
}
GRAINS = {"os_family": "Debian", "host": "mail"}
CARRIED = "James knows this host's aliases"
SITE = """\
postmaster: root
root: ops@example.org,
\talice
bob: \\bob, archive+bob@example.org
support: Alice <alice>, bob@mail.example.test
nested: support
vacation: "|/usr/bin/vacation bob"
list: :include:/etc/mail/list
archive: /var/mail/archive
ping: pong
pong: ping
gone: nosuch
no value:
"""
LOST = {"vacation", "list", "archive", "ping", "pong", "gone"}
FOREIGN = (
    JamesMapping("sales@localhost", GROUP, "carol@example.org"),
    JamesMapping("support@localhost", GROUP, "alice@localhost"),  # an alias wants it as well
)


@pytest.fixture
def call(module_call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a salt-call."""
    return module_call


@pytest.fixture(autouse=True)
def slate() -> None:
    """Give a host with a site's aliases and no sendmail, and a James who knows no root.

    Of mappings he has those only that his administrator made.
    """
    pristine.remember()
    pristine.restore(listening=False, keep_james=True)
    ALIASES.write_text(SITE)
    if not james.running() or any("@" in user for user in james.users()):
        recipe.new_james()
        james.remove_user("root", "postmaster")
    james.forget_mails()
    administrators()


def administrators() -> None:
    """Make James's mappings those that his administrator made."""
    admin = WebAdmin(james.WEBADMIN)
    for one in admin.known().mappings - set(FOREIGN):
        admin.delete_mapping(one)
    for one in FOREIGN:
        admin.put_mapping(one)


def mappings() -> set[str]:
    """Give James's mappings as he shows them."""
    shown: Any = james.ask("GET", "/mappings")
    return {
        f"{source} {one['type']} {one['mapping']}" for source, some in shown.items() for one in some
    }


def state(call: Callable[..., Any], name: str = "aliases_carried", **keywords: Any) -> Any:
    """Run one state alone, aliases being carried; give its return."""
    pillar = recipe.pillar(account={"aliases": "carry"})
    done = call("state.single", f"sendmail_james.{name}", "x", pillar=pillar, **keywords)
    [ret] = done.data.values()
    return ret


def plan(**account: Any) -> Plan:
    """Give a run's plan, with a pillar that carries aliases."""
    given = recipe.pillar(account={"aliases": "carry", **account})["sendmail_james"]
    wishes = load(given, DATA["defaults"])
    return Plan(wishes, select(DATA["platforms"], GRAINS, wishes.lookup))


def run(**account: Any) -> carry.Look:
    """Do what the state does."""
    found = carry.look(plan(**account))
    assert carry.carry_out(plan(**account), found, holder="a test") == []
    return found


def applied(call: Callable[..., Any], **account: Any) -> Any:
    """Apply the formula; of its failures only that James lacks names may remain."""
    result = call("state.apply", "sendmail_james", pillar=recipe.pillar(account=account))
    assert set(recipe.failures(result)) <= {"All mail reaches James"}, recipe.failures(result)
    return result


def arrived(subject: str) -> dict[str, list[str]]:
    """Wait until a message has been shared out; give its recipients by repository."""

    def look() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, mail in recipe.mails():
            if subject in mail["headers"].get("Subject", ()):
                found.setdefault(name, []).extend(mail["recipients"])
        return {name: sorted(who) for name, who in found.items()}

    return james.wait_for(
        lambda: found if {"local", "relay"} <= (found := look()).keys() else None,
        60,
        f"{subject!r} in a mailbox and on its way out, not {look()}",
    )


def test_mail_to_root_dies_until_one_highstate_carries_the_aliases(
    call: Callable[..., Any],
) -> None:
    before = mappings()
    reported = recipe.states(applied(call))[CARRIED]
    assert (reported["result"], reported["changes"]) == (True, {})
    lost = "alias root: James has no group to ops@example.org for root@localhost"
    assert lost in reported["warnings"]
    assert mappings() == before
    dies = recipe.send("root", options=("-i",))
    james.wait_for(lambda: DEAD.exists() and dies in DEAD.read_text(), what="dead.letter")
    assert recipe.found(dies) == []

    changes = recipe.states(applied(call, aliases="carry"))[CARRIED]["changes"]
    names = ("postmaster", "root", "bob", "support", "nested")
    assert {one.partition("@")[0] for one in changes} == set(names)
    person = {"relay": ["ops@example.org"]}
    sent = {
        recipe.send("root", by="bob", options=()): FQDN,
        recipe.send("root", options=("-FCronDaemon", "-odi", "-t", "-f", "root")): FQDN,
        recipe.send("postmaster", options=("-i",)): FQDN,
        recipe.send("root"): "localhost",
    }
    kept = recipe.send("bob", options=("-i",))
    for subject, domain in sent.items():
        assert arrived(subject) == {**person, "local": [f"alice@{domain}"]}
    assert arrived(kept) == {"relay": ["archive+bob@example.org"], "local": [f"bob@{FQDN}"]}
    assert recipe.changes(applied(call, aliases="carry")) == {}

    clean = call("state.apply", "sendmail_james.clean", pillar=recipe.pillar())
    assert recipe.failures(clean) == {}
    [back] = recipe.changes(clean).values()
    assert back["James"].keys() == changes.keys()
    assert mappings() == before
    assert not NOTED.exists()


def test_a_dry_run_says_what_the_run_does_and_the_next_has_nothing_to_do(
    call: Callable[..., Any],
) -> None:
    before = mappings()
    said = state(call, test=True)
    assert said["result"] is None
    assert mappings() == before
    assert not NOTED.exists()
    done = state(call)
    assert done["result"] is True
    assert done["changes"] == said["changes"]
    assert NOTED.stat().st_mode & 0o777 == 0o600
    assert mappings() > before
    named = {line.split(":")[0].removeprefix("alias ") for line in done["warnings"]}
    assert named == LOST | {"/etc/mail/aliases"}
    assert run().changes == {}
    assert run(acknowledged=sorted(LOST)).in_words() == [
        "/etc/mail/aliases:13: 'no.value' has no value; newaliases refuses it too"
    ]


def test_what_leaves_the_file_or_the_pillar_leaves_james() -> None:
    before = mappings()
    run(people={"root": ["bob"], "Night": ["alice", "x@example.org"]})
    found = mappings()
    assert {
        "root@localhost Group bob@localhost",
        f"night@{FQDN} Group x@example.org",
    } <= found
    assert "root@localhost Group ops@example.org" not in found
    # As long as the old ones are there James sees a loop in this.
    ALIASES.write_text("root: postmaster\npostmaster: bob\n")
    run()
    assert mappings() - before == {
        f"{name}@{domain} Group {end}@{domain}"
        for name, end in (("root", "postmaster"), ("postmaster", "bob"))
        for domain in ("localhost", FQDN)
    }
    run(aliases="report")
    assert mappings() == before


def theirs(path: Path) -> None:
    """Give a file, or a symlink itself, to nobody."""
    os.chown(path, 65534, 0, follow_symlinks=False)


def test_aliases_that_others_may_write_are_not_taken_for_gone() -> None:
    run()
    before = mappings()
    for spoil in (
        lambda: ALIASES.chmod(0o664),
        lambda: theirs(ALIASES),
        lambda: (ALIASES.rename("/etc/other"), ALIASES.symlink_to("other"), theirs(ALIASES)),
        lambda: (ALIASES.unlink(), os.mkfifo(ALIASES)),
        lambda: ALIASES.unlink(),
    ):
        spoil()
        with pytest.raises(RunError, match=r"/etc/(mail/)?aliases: "):
            run()
        ALIASES.unlink(missing_ok=True)
        ALIASES.write_text(SITE)
    assert mappings() == before
    run()


def test_james_down_is_an_error_and_at_the_way_back_a_rest_to_finish(
    call: Callable[..., Any],
) -> None:
    run()
    james.stop()
    with pytest.raises(RunError, match="nothing listens"):
        run()
    before = NOTED.read_bytes()
    with squatter("127.0.0.1", 8000, "webadmin") as user:
        with pytest.raises(RunError, match=r"user bob .* listens there.*nothing was sent"):
            run()
        assert user.heard() == b""
    assert NOTED.read_bytes() == before
    back = state(call, "restored")
    assert back["result"] is False
    assert "root@localhost (group to ops@example.org)" in back["comment"]
    assert "salt-call state.apply sendmail_james.clean" in back["comment"]
    recipe.new_james()
    james.remove_user("root", "postmaster")
    run()  # he keeps nothing over a restart
    assert state(call, "restored")["result"] is True
    assert mappings() == set()
    assert not NOTED.exists()


def test_the_command_says_of_each_name_what_is(call: Callable[..., Any]) -> None:
    found = call("sendmail_james.aliases", pillar=recipe.pillar()).data
    assert set(found["names"]) == LOST | {"root", "postmaster", "bob", "support", "nested"}
    support = found["names"]["support"]
    assert support["is"] == "/etc/mail/aliases:5: Alice <alice>, bob@mail.example.test"
    assert support["James has"] == ["support@localhost: group to alice@localhost"]
    assert f"support@localhost: group to bob@{FQDN}" in support["carried"]
    assert "James runs no program" in found["names"]["vacation"]["lost"][0]
    assert "no.value" in found["wrong"][0]
    with pytest.raises(CallerError, match="account:aliases: expected carry"):
        aliases(plan(aliases="report"), make=True, test=True)
    dry = aliases(plan(), make=True, test=True)["changes"]
    assert dry
    assert aliases(plan(), make=True, test=False)["changes"] == dry
    assert aliases(plan(), make=True, test=False)["changes"] == {}


def test_james_follows_as_many_mappings_as_is_thought() -> None:
    admin = WebAdmin(james.WEBADMIN)
    for number in range(LIMIT + 1):
        end = f"n{number - 1}@localhost" if number else "end@example.org"
        admin.put_mapping(JamesMapping(f"n{number}@localhost", GROUP, end))
    for number in (LIMIT - 1, LIMIT):
        with smtplib.SMTP("127.0.0.1", 25, FQDN) as talk:
            talk.login("alice", "s3cret")
            talk.sendmail("alice@localhost", f"n{number}@localhost", "Subject: chain\n\nx\n")
    james.wait_for(lambda: sum(james.counts().values()) >= 2, what="both messages")
    counts = james.counts()
    assert (counts["relay"], counts["error"]) == (1, 1), counts


def test_users_with_a_domain_of_their_own() -> None:
    james.start(virtual_hosting=True)
    james.add_user("alice@localhost", f"bob@{FQDN}")
    administrators()
    run()
    assert {
        f"bob@{FQDN} Forward bob@{FQDN}",
        f"bob@localhost Group bob@{FQDN}",
        f"root@{FQDN} Group alice@localhost",
        "root@localhost Group alice@localhost",
    } <= mappings()
    assert run().changes == {}
