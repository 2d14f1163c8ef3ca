"""Any value at all is accepted and harmless in its place, or refused with its key path."""

import datetime
import pathlib
import re
import shutil
import string
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from james_client.wishes import checks as allowed
from james_client.wishes import settings
from james_client.wishes.lookup import PLATFORM_FACTS
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.read import load

FORMULA = pathlib.Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
SECRET = "q7Zx9Kv2Lm"

# What a cf, an mc, a shell-read file or an SMTP line could take for something else.
SPICE = st.sampled_from(
    re.findall(r"\S+", r"$j $&{auth_type} ` ' dnl define( # ; & \" \\ $(id) .. / : @ [ ] % , | - é")
    + re.findall(r"\S+", "127.0.0.1 ::1 IPv6: esmtp: 10m root auth-info LOGIN http:// 0 A p ,p y")
    + list("\n\r\0\t \x85\u0430\uff0e\u2028\ud800")
)
HOSTILE = st.one_of(
    st.lists(SPICE, max_size=8).map("".join),
    st.text(max_size=40),
    st.text(string.ascii_letters + string.digits + "._-:/@[]", max_size=20),
    st.integers(2000, 3000).map(lambda size: "x" * size),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=5),
    st.builds(object),
    st.just(datetime.time(1, 2)),
)
ANY = st.recursive(
    HOSTILE | ODD,
    lambda one: (
        st.lists(one, max_size=3) | st.dictionaries(HOSTILE | st.booleans(), one, max_size=3)
    ),
    max_leaves=5,
)

HOST = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9.]+\]|\[IPv6:[0-9a-f:]+\]"
# For every string of a pillar, the characters that its place may hold, said a second time.
PLACES: dict[str, tuple[Callable[[Any, str], Any], str]] = {
    "relay:host": (allowed.check_host, HOST),
    "relay:mailer": (allowed.check_mailer, r"[a-z][a-z0-9_-]*"),
    "daemon:queue_interval": (allowed.interval(86400), r"([0-9]+[wdhms])+"),
    "auth:username": (allowed.check_username, r"[A-Za-z0-9_][A-Za-z0-9._+=@-]*"),
    "auth:realm": (allowed.check_realm, r"[A-Za-z0-9][A-Za-z0-9._@-]*"),
    "auth:options": (allowed.check_options, r"[Aacdfmpy,]+"),
    "auth:file": (allowed.check_credential_file, r"/[a-z0-9._/-]*auth-info"),
    "account:webadmin": (allowed.check_webadmin, r"https?://[A-Za-z0-9.:\[\]/_~-]+"),
    "verify:local_user": (allowed.check_local_part, r"[A-Za-z0-9_][A-Za-z0-9._-]*"),
    "verify:remote_address": (
        allowed.check_remote_address,
        r"[A-Za-z0-9_][A-Za-z0-9._+=-]*@[A-Za-z0-9.:\[\]-]+",
    ),
    "address": (allowed.check_address, r"[A-Za-z0-9_][A-Za-z0-9._+=!%@:\[\]-]*"),
    "backup": (allowed.check_backup, r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    "lookup:cf": (PLATFORM_FACTS["cf"], r"/[A-Za-z0-9_.{}@+/-]+"),
    "lookup:restart": (PLATFORM_FACTS["restart"], r"[A-Za-z0-9 _./:@%+=,&{}~-]*"),
    "lookup:submit_user": (PLATFORM_FACTS["submit_user"], r"[A-Za-z0-9_.+-]+"),
    "lookup:mail_owner": (PLATFORM_FACTS["mail_owner"], r"[A-Za-z0-9_.+-]+"),
}


@pytest.mark.parametrize("place", PLACES)
@given(value=HOSTILE | ODD)
def test_a_value_is_harmless_or_refused(place: str, value: Any) -> None:
    check, harmless = PLACES[place]
    try:
        taken = check(value, place)
    except SettingsError as err:
        assert [line.startswith(f"{place}: expected ") for line in err.mistakes] == [True]
        assert str(err).isprintable() and str(err).isascii()
    else:
        assert re.fullmatch(harmless, taken, re.ASCII)
        assert check(taken, place) == taken


@given(value=HOSTILE | ODD)
def test_a_password_fits_one_line_or_is_refused(value: Any) -> None:
    try:
        line = allowed.check_password(value, "password").reveal().encode()
    except SettingsError as err:
        assert (
            not isinstance(value, str)
            or not value
            or ({"\n", "\0"} & set(value) or re.search("[\ud800-\udfff]", value))
        )
        assert str(err).isprintable()
    else:
        assert line == value.encode()
        assert b"\n" not in line and b"\0" not in line and line


@given(word=st.text(string.ascii_letters, min_size=6), junk=HOSTILE)
def test_a_secret_is_in_no_mistake(word: str, junk: str) -> None:
    hidden = SECRET + word
    for bad in (f"#{hidden}", f"{hidden}\n{junk}", hidden + "x" * 1600, [hidden], {hidden: junk}):
        pillar = {
            "auth": {"username": "u", "password": bad},
            "account": {
                "token": f" {hidden}",
                "webadmin_password": bad,
                "webadmin": f"http://u:{hidden}@localhost",
            },
        }
        for wrong in (pillar, {**pillar, "auth": hidden}, {**pillar, "auth": {hidden: None}}):
            with pytest.raises(SettingsError) as caught:
                load(wrong, DEFAULTS)
            assert SECRET not in str(caught.value)
            assert SECRET not in repr(caught.value)


def test_a_number_too_long_to_print_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"relay:port: expected 1\.\.65535, got a huge integer"):
        load({"relay": {"port": 10**5000}, 10**5000: None}, DEFAULTS)


SECTION_NAMES = [*settings.SECTIONS, "lookup", "bogus"]
KEYS = sorted({key for _, checks in settings.SECTIONS.values() for key in checks})


@given(
    pillar=st.dictionaries(
        st.sampled_from(SECTION_NAMES) | HOSTILE,
        ANY | st.dictionaries(st.sampled_from(KEYS) | HOSTILE, ANY, max_size=4),
        max_size=4,
    )
    | ANY
)
def test_a_pillar_gives_settings_or_mistakes(pillar: Any) -> None:
    try:
        found = load(pillar, DEFAULTS)
    except SettingsError as err:
        assert err.mistakes
        for line in err.mistakes:
            assert re.match(r"sendmail_james(:[a-z_0-9]+)*(:[^ ]+)?: expected ", line), line
        with pytest.raises(SettingsError) as again:
            load(pillar, DEFAULTS)
        assert again.value.mistakes == err.mistakes
    else:
        assert isinstance(found, settings.Settings)


def m4(text: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("m4")
    assert program, "m4 is needed for this test"
    return subprocess.run([program], input=text, capture_output=True, text=True, timeout=10)


def test_no_word_that_m4_would_expand_is_accepted() -> None:
    """m4 reads a value of an mc twice: as it stands, and where its macro is used."""
    builtins = re.findall(r"(?m)^([a-z][a-z0-9]*):", m4("dumpdef").stderr)
    assert {"dnl", "divert", "index", "len"} <= set(builtins)
    for word in builtins:
        for name, check, read in (
            (f"{word}.example.org", allowed.check_host, "esmtp:{}"),
            (f"x-{word}.example.org", allowed.check_host, "esmtp:{}"),
            (word, allowed.check_mailer, "{}:localhost"),
            (f"/etc/{word}/auth-info", allowed.check_credential_file, "{}"),
        ):
            value = read.format(name)
            same = m4(f"define(`X', `{value}')dnl\nX\n").stdout == f"{value}\n"
            try:
                check(name, "place")
            except SettingsError:
                assert not same, f"{name} would have done no harm"
            else:
                assert same, f"m4 reads {name} as something else"


@pytest.mark.parametrize("word", ["lower", "strcasecmp"])
def test_no_word_that_cf_m4_defines_is_accepted(word: str) -> None:
    with pytest.raises(SettingsError, match=f"no word that m4 expands \\({word}\\)"):
        allowed.check_host(f"{word}.example.org", "host")
