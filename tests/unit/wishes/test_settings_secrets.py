"""Passwords and tokens: which are accepted, where they come from, and that none is ever shown."""

import copy
import pathlib
import pickle
from typing import Any

import pytest
import yaml
from james_client.wishes import read, settings
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.secret import Secret

FORMULA = pathlib.Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
PASSWORD = "Tr0ub4dor-unique"


def load(text: str, **more: Any) -> settings.Settings:
    return read.load(yaml.safe_load(text), DEFAULTS, **more)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "James cannot take an empty one"),
        ("a\nb", "a newline is most often a slip, of a YAML block say"),
        ("a\0b", "sendmail reads it as a C string, a NUL would end it"),
        ("a\ud800", "half a character (a lone surrogate) has no UTF-8 form"),
    ],
)
def test_passwords_that_the_file_cannot_carry(password: str, why: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read.load({"auth": {"username": "u", "password": password}}, DEFAULTS)
    assert caught.value.mistakes == (
        f"sendmail_james:auth:password: expected another password: {why}",
    )


@pytest.mark.parametrize("value", [5, True, None, 1.5, ["x"], {"a": 1}, b"x"])
def test_a_password_of_another_type_is_not_shown(value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        read.load({"auth": {"username": "u", "password": value}}, DEFAULTS)
    found = "nothing" if value is None else type(value).__name__
    assert caught.value.mistakes == (
        f"sendmail_james:auth:password: expected a string, got {found}: quote it",
    )


@pytest.mark.parametrize("key", ["s3cret", "pass word", "p&ss", "x" * 41])
def test_a_key_that_may_be_the_password_is_not_shown(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read.load({"auth": {"username": "u", "password": PASSWORD, key: "x"}}, DEFAULTS)
    assert "expected a known key, got one that is not a word: " in caught.value.mistakes[0]
    assert key not in str(caught.value)


def test_the_longest_password_that_ruleset_authinfo_can_answer_with() -> None:
    def auth(size: int) -> settings.Settings:
        return read.load({"auth": {"username": "sendmail", "password": "é" * size}}, DEFAULTS)

    assert auth(94).auth is not None  # 188 bytes of 189
    with pytest.raises(SettingsError, match="at most 189 bytes for sendmail, got 190"):
        auth(95)


def test_sdb_addresses() -> None:
    pillar = "{auth: {username: u, password: 'sdb://vault/james'}, account: {token: 'sdb://v/t'}}"
    secrets = {"sdb://vault/james": PASSWORD, "sdb://v/t": "tok"}
    found = load(pillar, resolve=secrets.__getitem__)
    assert found.auth is not None and found.account is not None
    assert (found.auth.password, found.account.token) == (Secret(PASSWORD), Secret("tok"))
    other = load(pillar.replace("token", "webadmin_password"), resolve=secrets.__getitem__)
    assert other.account is not None and other.account.webadmin_password == Secret("tok")
    kept = load(pillar.replace("sdb://v/t", "t"))
    assert kept.auth is not None and kept.auth.password.reveal() == "sdb://vault/james"


@pytest.mark.parametrize("answer", [None, "sdb://vault/james", ValueError(PASSWORD)])
def test_an_sdb_address_without_a_secret(answer: Any) -> None:
    def resolve(_: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(SettingsError) as caught:
        load("auth: {username: u, password: 'sdb://vault/james'}", resolve=resolve)
    kind = "ValueError" if isinstance(answer, Exception) else "nothing"
    assert caught.value.mistakes == (
        f"sendmail_james:auth:password: expected a secret behind its sdb:// address, got {kind}",
    )
    assert caught.value.__context__ is None


def test_a_secret_shows_nowhere() -> None:
    secret = Secret(PASSWORD)
    shown = [repr(secret), str(secret), f"{secret:>40}", f"{secret} {secret!r}"]
    shown += [
        repr(load(f"auth: {{username: u, password: {PASSWORD}}}")),
        repr(pickle.dumps(secret)),
        repr([secret]),
    ]
    assert all(PASSWORD not in text for text in shown)
    assert secret.reveal() == PASSWORD


@pytest.mark.parametrize("password", [None, PASSWORD])
@pytest.mark.parametrize("token", [None, "tok"])
@pytest.mark.parametrize("key", ["token", "webadmin_password"])
def test_the_settings_name_every_secret_that_they_hold(
    password: str | None, token: str | None, key: str
) -> None:
    auth = {"auth": {"username": "u", "password": password}} if password else {}
    account = {"account": {key: token, "webadmin": "http://127.0.0.1:8000"}} if token else {}
    found = read.load({**auth, **account}, DEFAULTS)
    wanted = [secret for secret in (password, token) if secret]
    assert [secret.reveal() for secret in found.secrets] == wanted


def test_a_secret_survives_copies() -> None:
    secret = Secret(PASSWORD + "\ud800")
    assert pickle.loads(pickle.dumps(secret)) == copy.deepcopy(secret) == secret
    assert hash(copy.copy(secret)) == hash(secret)
    assert secret != Secret("other") and secret != PASSWORD
    with pytest.raises(AttributeError):
        secret.extra = 1  # type: ignore[attr-defined]


def test_an_error_survives_a_process_boundary() -> None:
    error = SettingsError(["a: b", "c: d"])
    assert pickle.loads(pickle.dumps(error)).mistakes == error.mistakes == ("a: b", "c: d")
