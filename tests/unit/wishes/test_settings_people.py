"""What the pillar may say of aliases and people."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.read import load
from james_client.wishes.settings import Account

FORMULA = pathlib.Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
URL = "http://127.0.0.1:8000"


def account(**keys: Any) -> Account:
    """Give the section as it is read."""
    found = load({"account": {"webadmin": URL, **keys}}, DEFAULTS).account
    assert found is not None
    return found


def refused(**keys: Any) -> str:
    """Give what is said of a section with mistakes."""
    with pytest.raises(SettingsError) as caught:
        account(**keys)
    return str(caught.value)


def test_nothing_is_made_unless_it_is_wished() -> None:
    found = account()
    assert (found.aliases, found.acknowledged, found.people) == ("report", (), {})


def test_people_have_one_address_or_several_and_names_in_lower_case() -> None:
    people = {"Root": "ops@Example.org", "MAILER-DAEMON": ["alice", "x+y@example.org"]}
    assert account(people=people).people == {
        "root": ("ops@Example.org",),
        "mailer-daemon": ("alice", "x+y@example.org"),
    }


def test_acknowledged_names_are_compared_in_lower_case_whatever_they_are() -> None:
    names = ["Vacation", '"two words"', "owner-list", "a/b"]
    assert account(acknowledged=names).acknowledged == tuple(name.lower() for name in names)


@pytest.mark.parametrize(
    "name", ["", "a b", "a@b", "../x", "a/b", "a%2fb", "-x", "a+b", "é", "x" * 65, 1, None, True]
)
def test_a_name_that_is_none_is_refused_without_being_shown(name: Any) -> None:
    said = refused(people={name: "ops@example.org"})
    assert (
        said == "sendmail_james:account:people: expected each name once, of letters, digits and ._-"
    )


def test_a_name_twice_in_other_letters_is_refused() -> None:
    assert "each name once" in refused(people={"root": "a", "Root": "b"})


@pytest.mark.parametrize(
    "person",
    ["", "a b", "a@", "@b", "a@b@c", "a@-b", "a/b@c", "a%b@c", "a@[192.0.2.1]", 1, None, {}, []],
)
def test_an_address_that_is_none_is_refused_by_its_name(person: Any) -> None:
    assert refused(people={"root": person}).startswith("sendmail_james:account:people:root")
    assert refused(people={"root": ["bob", person]}).startswith(
        "sendmail_james:account:people:root:1"
    )


def test_all_mistakes_are_said_and_not_thousands() -> None:
    many = refused(people={f"n{number}": "a b" for number in range(1000)})
    assert len(many.splitlines()) == 20


@pytest.mark.parametrize("keys", [{"aliases": "carry"}, {"people": {"root": "bob"}}])
def test_what_is_to_be_made_needs_a_way_to_james(keys: dict[str, Any]) -> None:
    said = refused(webadmin=None, **keys)
    assert said.startswith("sendmail_james:account:webadmin: expected an address, since account:")
    account(**keys)
    account(webadmin=None, aliases="report")
