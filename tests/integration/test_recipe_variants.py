"""Other wishes than the usual ones work too: no login, another port, no DNS, MX records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import recipe
from support import james, pristine

BOTH = ("root", "bob")


@pytest.fixture(scope="module")
def shared_host() -> None:
    """Give a host with James, for the tests that bring it to a state of their own."""
    recipe.fresh_host()


@pytest.fixture
def call(shared_host: None, module_call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a host on which the usual recipe has been applied, and nothing waits."""
    recipe.usual_james()
    recipe.apply(module_call)
    recipe.forget_mail()
    return module_call


@pytest.fixture
def no_dns() -> Iterator[Callable[[], object]]:
    """Give a call that stops the name server, which is back after the test."""
    yield lambda: pristine.run("systemctl", "stop", "dnsmasq.service")
    pristine.run("systemctl", "start", "dnsmasq.service")


def places(address: str) -> list[list[str]]:
    """Send to an address as root and as a user, and give where it arrives."""
    subjects = [recipe.send(address, by=by) for by in BOTH]
    return [recipe.arrives(subject) for subject in subjects]


def stock(call: Callable[..., Any]) -> None:
    """Take the recipe away again."""
    assert not recipe.failures(call("state.apply", "sendmail_james.clean"))


def lines_that_count(name: str) -> list[str]:
    """Give what counts in a cf, which Debian's tools may have built anew."""
    lines = recipe.MAIL.joinpath(name).read_text("latin-1").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_no_login_at_all_is_a_complete_set_up(call: Callable[..., Any]) -> None:
    james.stop()
    stock(call)
    pristine.run("systemctl", "stop", "sendmail.service")
    recipe.new_james(authorized="127.0.0.1")
    recipe.apply(call, auth=None, account=None)
    assert places("alice") == places("x@example.org") == [["unauthenticated"]] * 2
    assert not list(recipe.MAIL.glob("james-*auth-info"))
    again = call("state.apply", "sendmail_james")
    assert recipe.failures(again) == recipe.changes(again) == {}


def test_an_auth_section_that_is_not_enabled_is_none(call: Callable[..., Any]) -> None:
    pillar = recipe.pillar(auth={"enabled": False}, account=None)
    result = call("state.apply", "sendmail_james", pillar=pillar)
    states = recipe.states(result)
    changes = states["Sendmail logs in to James"]["changes"]
    assert changes["compulsory AUTH"] == "none, was True"
    assert states["James takes mail from sendmail's account"]["comment"] == "no login is configured"


def test_another_port_is_used_by_both_ways(call: Callable[..., Any]) -> None:
    recipe.new_james(smtp_port=2525)
    wanted = {"relay": {"port": 2525}, "auth": {"allow_unprivileged_port": True}}
    recipe.apply(call, **wanted)
    assert recipe.MAIL.joinpath("sendmail.cf").read_text("latin-1").count("A=TCP $h 2525\n")
    assert places("alice") == [["local"]] * 2
    assert places("x@example.org") == [["relay"]] * 2
    recipe.new_james()
    waiting = [recipe.send("alice", by=by) for by in BOTH]
    assert recipe.reasons(2).count("Connection refused") == 2
    assert [recipe.found(subject) for subject in waiting] == [[], []]
    recipe.apply(call)
    assert [recipe.arrives(subject) for subject in waiting] == [["local"]] * 2


def test_without_dns_mail_goes_out_all_the_same(
    call: Callable[..., Any], no_dns: Callable[[], object]
) -> None:
    recipe.apply(call, relay={"dns": False})
    no_dns()
    assert places("x@example.org") == [["relay"]] * 2
    assert places("alice") == [["local"]] * 2


def test_with_dns_wanted_and_dead_remote_mail_waits_until_it_is_back(
    call: Callable[..., Any], no_dns: Callable[[], object]
) -> None:
    no_dns()
    subjects = [recipe.send("x@example.org", by=by) for by in BOTH]
    local = recipe.send("alice", by="bob")
    assert recipe.arrives(local) == ["local"]
    assert "host map: lookup (example.org): deferred" in recipe.reasons(1)
    assert [recipe.found(subject) for subject in subjects] == [[], []]
    pristine.run("systemctl", "start", "dnsmasq.service")
    assert [recipe.arrives(subject) for subject in subjects] == [["relay"]] * 2


def test_mx_records_are_asked_for_where_the_pillar_wants_it(
    call: Callable[..., Any], no_dns: Callable[[], object]
) -> None:
    wanted = recipe.pillar(relay={"mx_lookup": True})
    refused = recipe.failures(call("state.apply", "sendmail_james", pillar=wanted))
    assert "sendmail_james:auth:allow_cleartext" in next(iter(refused.values()))
    recipe.apply(call, relay={"mx_lookup": True}, auth={"allow_cleartext": True})
    assert places("alice") == [["local"]] * 2
    no_dns()
    waiting = recipe.send("alice")
    assert "lookup" in recipe.reasons(1)
    recipe.apply(call)
    assert recipe.arrives(waiting) == ["local"]


def test_programs_mail_may_be_left_without_a_login(call: Callable[..., Any]) -> None:
    """That takes the login of an earlier pillar away."""
    stock(call)
    stock_cf = lines_that_count("submit.cf")
    recipe.apply(call)
    assert lines_that_count("submit.cf") != stock_cf
    recipe.apply(call, auth={"programs": "none"})
    assert lines_that_count("submit.cf") == stock_cf
    assert not recipe.MAIL.joinpath("james-msp-auth-info").exists()
    assert places("alice") == [["local"], ["unauthenticated"]]


SITE = {
    "sendmail.mc": (
        "MAILER_DEFINITIONS\n",
        "define(`confLOCAL_MAILER', `cyrusv2')dnl\nMAILER_DEFINITIONS\n",
        "MAILER(`cyrusv2')dnl\ninclude(`/etc/mail/sasl/sasl.m4')dnl\n"
        "define(`LOCAL_RELAY', `old.example.org')dnl\n",
    ),
    "submit.mc": (
        "FEATURE(`msp'",
        "define(`SMART_HOST', `old.example.org')dnl\nFEATURE(`msp'",
        "include(`/etc/mail/sasl/sasl.m4')dnl\ndefine(`SMART_HOST', `old.example.org')dnl",
    ),
}
CFS = ("sendmail.cf", "submit.cf")


@pytest.fixture
def site(shared_host: None, module_call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Give a host that had cyrusv2 for local mail, a smart host, and defines behind MAILER."""
    recipe.usual_james()
    stock(module_call)
    before = {name: (recipe.MAIL / name).read_bytes() for name in (*SITE, *CFS)}
    for name, (anchor, instead, behind) in SITE.items():
        text = (recipe.MAIL / name).read_text("latin-1")
        assert anchor in text
        (recipe.MAIL / name).write_text(text.replace(anchor, instead) + behind, "latin-1")
    pristine.run("make", "-C", str(recipe.MAIL))
    yield module_call
    stock(module_call)
    for name, data in before.items():
        (recipe.MAIL / name).write_bytes(data)


def test_a_site_with_its_own_local_mailer_smart_host_and_late_defines(
    site: Callable[..., Any],
) -> None:
    theirs = {name: (recipe.MAIL / name).read_bytes() for name in (*SITE, *CFS)}
    assert b"DSold.example.org\n" in theirs["submit.cf"]
    assert b"$#cyrusv2 $: $1" in theirs["sendmail.cf"]
    recipe.apply(site)
    assert places("alice") == places("alice@localhost") == [["local"]] * 2
    assert places("x@example.org") == [["relay"]] * 2
    edited = {name: lines_that_count(name) for name in CFS}
    pristine.run("touch", *(str(recipe.MAIL / name) for name in SITE))
    pristine.run("systemctl", "restart", "sendmail.service")
    assert {name: lines_that_count(name) for name in CFS} == edited
    again = site("state.apply", "sendmail_james", pillar=recipe.pillar())
    assert recipe.failures(again) == recipe.changes(again) == {}
    assert places("x@example.org") == [["relay"]] * 2
    stock(site)
    assert {name: (recipe.MAIL / name).read_bytes() for name in theirs} == theirs
