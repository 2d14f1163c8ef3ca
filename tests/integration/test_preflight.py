"""Each setting of a real James that keeps a client's mail, one at a time; what preflight prints,
cures it.

A James may have many SMTP servers, so that two of them are enough: the first has a server for each
fault, the second one for each cure.
"""

from __future__ import annotations

import re
import smtplib
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
from preflight_world import (
    CF_FILES,
    FAULTS,
    FIRST_PORT,
    NAME_FAULTS,
    NOT_SEEN,
    PORTS,
    SIZE_STAYS,
    add_account,
    cured,
    documented,
    look,
    new_token,
    servers,
    start,
    stranger,
    usual,
    wants_token,
    wrong,
)
from support import james, pristine


@pytest.fixture(scope="module")
def before() -> dict[str, dict[str, str]]:
    """Give what preflight says of each fault."""
    pristine.remember()
    pristine.restore(listening=False)
    usual(servers())
    found = {name: look(PORTS[name]) for name in FAULTS}
    for name in NAME_FAULTS:
        found[name] = {check.what: f"no, {check.change}" for check in stranger(name)}
    return found


@pytest.fixture(scope="module")
def after(before: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """Give what is wrong once the cures have been applied."""
    made = {name: cured(one, list(before[name].values())) for name, one in servers().items()}
    usual({**made, SIZE_STAYS: servers()["size"]})
    found = {name: wrong(look(PORTS[name])) for name in FAULTS}
    return found | {name: [check.what for check in stranger(name)] for name in NAME_FAULTS}


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_named_and_nothing_else(before: dict[str, dict[str, str]], fault: str) -> None:
    assert wrong(before[fault]) == FAULTS[fault][1]


@pytest.mark.parametrize("fault", NAME_FAULTS)
def test_a_handler_that_asks_dns_is_named(before: dict[str, dict[str, str]], fault: str) -> None:
    assert wrong(before[fault]) == [NAME_FAULTS[fault][1]]


@pytest.mark.parametrize("fault", [*FAULTS, *NAME_FAULTS])
def test_its_cure_cures_it(after: dict[str, list[str]], fault: str) -> None:
    assert after[fault] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_no_cure_weakens_james(before: dict[str, dict[str, str]], fault: str) -> None:
    """TLS that he wants stays wanted; a login is given him rather than trust in an address."""
    told = str(before[fault])
    assert "<requireSSL>false" not in told
    assert "<authorizedAddresses>" not in told


def test_all_is_yes_where_all_is_right(before: dict[str, dict[str, str]]) -> None:
    assert before["none"].keys() == NOT_SEEN
    assert before["starttls"].keys() == NOT_SEEN
    assert "RecipientRewriteTable" in before["none"]["aliases are followed"]


def test_a_limit_of_size_is_cured_at_sendmail_as_well(
    before: dict[str, dict[str, str]], after: dict[str, list[str]]
) -> None:
    """In both files that hand mail to James."""
    (item,) = FAULTS["size"][1]
    option = re.search(r"O MaxMessageSize=\d+", before["size"][item])[0]
    files = {recipe.MAIL / name: (recipe.MAIL / name).read_text() for name in CF_FILES}
    found = []
    for path, text in files.items():
        path.write_text(re.sub(r"(?m)^#?O MaxMessageSize.*", option, text))
        found.append(wrong(look(PORTS[SIZE_STAYS])))
    for path, text in files.items():
        path.write_text(text)
    assert found == [[item], []]


# -- what WebAdmin cures, and what he says of himself -----------------------------------------


def request(cure: str, body: dict[str, str] | None = None) -> None:
    """Make the request that a cure names."""
    verb, path = re.search(r"(PUT|DELETE) (/\S+) at WebAdmin", cure).groups()
    james.ask(verb, path, body)


@pytest.fixture
def right() -> int:
    """Give the port of a server that is right, of a James who has what he needs."""
    if not james.running() or "webadmin" in james.SETTINGS.read_text():
        pristine.remember()
        pristine.restore(listening=False)
        usual(servers())
    james.add_domain(recipe.FQDN)
    james.add_user("sendmail", password=recipe.PASSWORD)
    return PORTS["none"]


def test_a_domain_that_is_missing(right: int) -> None:
    james.remove_domain(recipe.FQDN)
    told = look(right)
    assert wrong(told) == [f"domain {recipe.FQDN} is James's own"]
    request(told[f"domain {recipe.FQDN} is James's own"])
    assert look(right).keys() == NOT_SEEN


@pytest.mark.parametrize("password", [None, "an0ther"])
def test_an_account_that_is_missing_or_has_another_password(
    right: int, password: str | None
) -> None:
    james.remove_user("sendmail")
    if password:
        james.add_user("sendmail", password=password)
    told = look(right)
    logins = [f"log in as sendmail with {name}" for name in ("LOGIN", "PLAIN")]
    assert wrong(told) == logins
    request(told[logins[0]], {"password": recipe.PASSWORD})
    assert look(right).keys() == NOT_SEEN


def test_a_component_that_is_not_well(right: int) -> None:
    """What lies in the error repository is mail that James could not deal with."""
    with smtplib.SMTP("127.0.0.1", right) as talk:
        talk.sendmail("bob@localhost", "root@localhost", "Subject: x\r\n\r\nhello\r\n")
    (key,) = james.wait_for(lambda: james.keys("unauthenticated"), what="the message")
    where = f"/mailRepositories/var%2Fmail%2Funauthenticated/mails/{urllib.parse.quote(key)}"
    james.ask("PATCH", f"{where}?action=reprocess&processor=error")
    james.wait_for(lambda: james.keys("error"), what="the message")
    told = look(right)
    assert wrong(told) == ["James is healthy"]
    assert "EmptyErrorMailRepository is degraded" in told["James is healthy"]
    james.forget_mails()
    assert look(right).keys() == NOT_SEEN


def test_without_webadmin_its_part_is_not_seen(right: int) -> None:
    told = look(right, account=None)
    assert told.keys() == {"WebAdmin lets us in", "James is healthy", *NOT_SEEN}
    assert wrong(told) == []


# -- by Salt, and by sendmail -----------------------------------------------------------------


def test_the_command_says_it_and_fails_where_something_is_wrong(
    right: int, module_call: Callable[..., Any]
) -> None:
    pillar = recipe.pillar(relay={"port": right})
    good = module_call("sendmail_james.preflight", pillar=pillar)
    assert (good.returncode, good.data["wrong"]) == (0, [])
    assert {"James answers", *NOT_SEEN} < good.data["checks"].keys()
    james.remove_domain(recipe.FQDN)
    bad = module_call("sendmail_james.preflight")
    assert (bad.returncode, len(bad.data["wrong"])) == (1, 1)
    assert not recipe.leaks(bad.stdout + bad.stderr, recipe.PASSWORD)


def test_sendmail_logs_in_after_starttls_as_preflight_does(
    right: int, module_call: Callable[..., Any]
) -> None:
    recipe.apply(module_call, relay={"port": PORTS["starttls"]})
    sent = [recipe.send("root", by=by) for by in ("root", "bob")]
    assert [recipe.arrives(subject) for subject in sent] == [["local"], ["local"]]


# -- other Jameses ----------------------------------------------------------------------------


@pytest.fixture
def no_james() -> None:
    """Have no James, and no sendmail in his place."""
    pristine.remember()
    pristine.restore(listening=False)


def test_a_james_who_is_not_there(no_james: None) -> None:
    told = look(FIRST_PORT)
    assert wrong(told) == ["James answers", "WebAdmin lets us in"]
    assert "nothing listens there" in told["James answers"]


def test_a_webadmin_that_wants_a_token(no_james: None, tmp_path: Path) -> None:
    token = new_token(tmp_path)
    start({"none": documented()}, webadmin=wants_token(tmp_path))
    add_account(token)
    told = look(FIRST_PORT)
    assert wrong(told) == ["WebAdmin lets us in"]
    assert "it wants a token (account:token)" in told["WebAdmin lets us in"]
    assert look(FIRST_PORT, account={"token": token}).keys() == NOT_SEEN
    told = look(FIRST_PORT, account={"token": token[:-9] + "forgotten"})
    assert wrong(told) == ["WebAdmin lets us in"]
    assert token[:-9] not in str(told)
