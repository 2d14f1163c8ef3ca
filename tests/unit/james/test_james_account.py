"""Whether James takes the login, and what may be made or changed on him."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from fake_servers import fake_server, fake_smtp
from james_client.james import account
from james_client.james.line import JamesError, NothingListensError
from james_client.wishes import read
from test_james_webadmin import fake_webadmin

DEFAULTS = yaml.safe_load(
    Path(__file__).parents[3].joinpath("sendmail_james/defaults.yaml").read_text()
)
PASSWORD = "pa55-word&%"
OFFERS = {"EHLO": "250-fake\r\n250 AUTH LOGIN PLAIN"}
HIDDEN = {"old": "(not shown)", "new": "(not shown)"}


def settings(port: int = 25, **wishes):
    """Give a pillar's settings with a login."""
    login = {"username": "sendmail", "password": PASSWORD, "allow_unprivileged_port": True}
    pillar = {"relay": {"port": port}, "auth": login, "account": {"timeout": 1, **wishes}}
    return read.load(pillar, DEFAULTS)


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ({"AUTH LOGIN": "535 5.7.8 no", "AUTH PLAIN": "535 5.7.8 no"}, "535 5.7.8 no"),
        ({"AUTH LOGIN": "235 in", "AUTH PLAIN": "235 in"}, None),
        # sendmail tries the other mechanism, too
        ({"AUTH LOGIN": "504 5.5.4 unknown", "AUTH PLAIN": "235 in"}, None),
        ({"AUTH LOGIN": "454 4.7.0 later", "AUTH PLAIN": "535 no"}, "535 no"),
    ],
)
def test_a_refusal_is_told_in_his_words(replies, said):
    """Nothing but the login is asked."""
    seen: list[str] = []
    with fake_server(fake_smtp({**OFFERS, **replies}, seen)) as port:
        assert account.refusal(settings(port)) == said
    assert {line.split()[0] for line in seen} <= {"EHLO", "AUTH"}


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ({**OFFERS, "AUTH": "454 4.7.0 later"}, "says nothing of the login: 454 4.7.0 later"),
        ({"EHLO": "250 fake"}, "says nothing of the login: it offers no LOGIN or PLAIN"),
        ({"": "421 4.3.2 busy"}, "421 4.3.2 busy"),
    ],
)
def test_neither_yes_nor_no_is_no_refusal(replies, words):
    """It says nothing about the password."""
    with fake_server(fake_smtp(replies)) as port, pytest.raises(JamesError, match=words) as caught:
        account.refusal(settings(port))
    assert PASSWORD not in str(caught.value)


def test_nobody_there_is_no_refusal_either():
    """He may come in time, where he is waited for."""
    with pytest.raises(NothingListensError):
        account.refusal(settings(1), patient=True)


def test_without_a_login_there_is_nothing_to_refuse():
    """Nobody is asked."""
    assert account.refusal(replace(settings(1), auth=None)) is None


ACCOUNT, DOMAIN, CHANGED = {"account"}, {"domain"}, {"password"}


@pytest.mark.parametrize(
    ("wishes", "exists", "refused", "found"),
    [
        ({}, False, True, set()),
        ({"create": True}, True, True, DOMAIN),
        ({"create": True}, False, True, ACCOUNT | DOMAIN),
        ({"update": True}, True, True, CHANGED),
        ({"update": True}, True, False, set()),
        ({"update": True}, False, True, set()),
        ({"create": True, "update": True}, True, True, CHANGED | DOMAIN),
        ({"create": True, "update": True}, False, True, ACCOUNT | DOMAIN),
    ],
)
def test_only_what_the_pillar_allows_is_made_or_changed(wishes, exists, refused, found):
    """An existing account is updated, an absent one created, each by its own key."""
    answers = {
        "HEAD /users/sendmail": (200 if exists else 404, ""),
        "GET /domains": (200, "[]"),
        "PUT /domains/localhost": (204, ""),
        "PUT /users/sendmail": (204, ""),
    }
    with fake_webadmin(answers) as (url, seen):
        wanted = settings(webadmin=url, **wishes)
        changes = account.missing(wanted, patient=False, refused=refused)
        assert changes.keys() == found
        assert changes.get("password", HIDDEN) == HIDDEN
        account.create(wanted, changes)
    forced = [path for method, path, *_ in seen if method == "PUT" and "force" in path]
    assert forced == ["/users/sendmail?force"] * ("password" in found)
    assert PASSWORD not in str(changes)
