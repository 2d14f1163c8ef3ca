"""Where a value ends: the last one that is taken, and the first one that is not."""

import pathlib
from typing import Any

import pytest
import yaml
from james_client.wishes import checks as allowed
from james_client.wishes import read
from james_client.wishes.lookup import PLATFORM_FACTS
from james_client.wishes.mistakes import SettingsError, shown
from james_client.wishes.settings import SECTIONS

FORMULA = pathlib.Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
AUTH = {"username": "u", "password": "Tr0ub4dor-unique"}
CHECKS = {
    **{
        f"{name}:{key}": check
        for name, (_, keys) in SECTIONS.items()
        for key, check in keys.items()
    },
    **{f"lookup:{key}": check for key, check in PLATFORM_FACTS.items()},
}


def mistakes(pillar: Any, **more: Any) -> tuple[str, ...]:
    """Give what is wrong with a pillar; nothing where nothing is."""
    try:
        read.load(pillar, DEFAULTS, **more)
    except SettingsError as err:
        return err.mistakes
    return ()


MECHANISMS = (
    "CRAM-MD5 DIGEST-MD5 EXTERNAL GS2-IAKERB GS2-KRB5 GSS-SPNEGO GSSAPI KERBEROS_V4 LOGIN NTLM "
    "OAUTHBEARER OTP PASSDSS-3DES-1 PLAIN SRP XOAUTH2 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-224 "
    "SCRAM-SHA-224-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS SCRAM-SHA-384 SCRAM-SHA-512"
).split()
EDGES = [
    ("daemon:queue_interval", "1s", "0s"),
    ("daemon:queue_interval", "86400s", "86401s"),
    ("daemon:queue_interval", "1440m", "1441m"),
    ("daemon:queue_interval", "24h", "24h1s"),
    ("daemon:queue_interval", "1d", "1d1s"),
    ("daemon:queue_interval", "23h59m60s", "23h59m61s"),
    ("daemon:queue_interval", "000001s", "0000001s"),
    ("daemon:queue_interval", "1d", "1w"),
    ("relay:port", 1, 0),
    ("relay:port", 65535, 65536),
    ("relay:host", "a." * 126 + "b", "a." * 126 + "bc"),
    ("relay:host", "a" * 63, "a" * 64),
    ("relay:mailer", "e" * 20, "e" * 21),
    ("relay:switch_file", f"/etc/{'x' * 188}.switch", f"/etc/{'x' * 189}.switch"),
    ("auth:username", "u" * 64, "u" * 65),
    ("auth:username", f"u@{'d' * 187}", f"u@{'d' * 188}"),
    ("auth:realm", "r" * 252, "r" * 253),
    ("auth:file", f"/etc/{'x' * 186}auth-info", f"/etc/{'x' * 187}auth-info"),
    ("account:timeout", 300, 301),
    ("account:token", "t" * 4096, "t" * 4097),
    ("account:webadmin_password", "&" * 4096, "&" * 4097),
    ("account:webadmin", "http://localhost:1", "http://localhost:0"),
    ("account:webadmin", "http://localhost:65535", "http://localhost:65536"),
    ("account:webadmin", "http://a.1b", "http://a.1"),
    ("account:webadmin", "http://[::1]", "http://[127.0.0.1]"),
    ("verify:local_user", "u" * 64, "u" * 65),
    ("verify:remote_address", f"{'u' * 100}@x", f"{'u' * 101}@x"),
    ("lookup:submit_user", "u" * 100, "u" * 101),
    ("lookup:restart", "r" * 255, "r" * 256),
    ("lookup:cf", "/x" * 20, "/x" * 21),
]


@pytest.mark.parametrize(("key", "last", "beyond"), EDGES)
def test_the_last_value_is_taken_and_the_next_is_not(key: str, last: Any, beyond: Any) -> None:
    assert CHECKS[key](last, key) is not None
    with pytest.raises(SettingsError, match=rf"^{key}: expected "):
        CHECKS[key](beyond, key)


def test_mechanisms_fill_an_answer_of_authinfo_to_the_last_byte() -> None:
    fits = [name for name in MECHANISMS if name != "GS2-KRB5"]
    assert allowed.check_mechanisms(fits, "m") == tuple(fits)
    longer = [name for name in MECHANISMS if name != "XOAUTH2"]
    with pytest.raises(SettingsError, match="at most 252 bytes in all, got 253"):
        allowed.check_mechanisms(longer, "m")


@pytest.mark.parametrize(("size", "said"), [(189, 0), (190, 1)])
def test_a_password_fills_it_too(size: int, said: int) -> None:
    assert len(mistakes({"auth": {**AUTH, "password": "x" * size}})) == said


@pytest.mark.parametrize(("port", "said"), [(1023, 0), (1024, 1)])
def test_where_no_one_says_otherwise_ports_from_1024_are_any_users(port: int, said: int) -> None:
    assert len(mistakes({"relay": {"port": port}, "auth": AUTH})) == said


def test_only_a_secret_in_force_is_asked_for() -> None:
    def resolve(address: str) -> str:
        asked.append(address)
        return "found"

    asked: list[str] = []
    pillar = {"auth": {**AUTH, "username": "sdb://v/user"}}
    assert "auth:username: expected a user name" in mistakes(pillar, resolve=resolve)[0]
    off = {"auth": {**AUTH, "password": "sdb://v/password", "enabled": False}}
    assert mistakes(off, resolve=resolve) == ()
    assert asked == []
    on = {"auth": {**AUTH, "password": "sdb://v/password"}}
    assert mistakes(on, resolve=resolve) == ()
    assert asked == ["sdb://v/password"]


@pytest.mark.parametrize("path", ["/etc/./x", "/etc/../x", "//x", "/etc//x", "/x/", "/", "/."])
def test_a_platforms_path_goes_no_detours(path: str) -> None:
    with pytest.raises(SettingsError, match=r"^lookup:cf: expected an absolute path"):
        CHECKS["lookup:cf"](path, "lookup:cf")


def test_a_text_is_cut_after_80_characters_and_a_number_after_20_digits() -> None:
    assert shown("x" * 80) == repr("x" * 80)
    assert shown("x" * 81) == repr("x" * 80) + "... (81 characters)"
    assert shown(10**20 - 1).startswith("9" * 20)
    assert shown(10**20).startswith("a huge integer")
    assert shown(-(10**20)).startswith("a huge integer")
