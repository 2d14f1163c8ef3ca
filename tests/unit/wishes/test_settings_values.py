"""Every key and every platform fact against every hostile value: refused by its name, or harmless.

Harmless is shown by what is written: both cf files with all steps, the credential file, the knobs,
and what m4 makes of the value.
"""

import base64
import dataclasses
import datetime
import math
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from cf_world import CF, SUBMIT, Wishes, every_step
from james_client.cf.text import Cf
from james_client.mta.knobs import turn
from james_client.run.steps import credential_map
from james_client.wishes import settings
from james_client.wishes.lookup import PLATFORM_FACTS
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.platform import select
from james_client.wishes.read import load

FORMULA = pathlib.Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
PLATFORMS = yaml.safe_load((FORMULA / "platforms.yaml").read_text())
GRAINS = {"os_family": "Debian", "host": "mail"}
PASSWORD = "Tr0ub4dor-unique"
INTERVALS = {"queue_interval": "10m", "programs_interval": "5s"}


class Word(str):
    """A string that lies about itself."""

    def __str__(self) -> str:
        return "\n$(id)"


WORDS = [
    *("", " ", "\n", "\r\n", "\0", "\t", "a\nb", "a\rb", "a\0b", "a b", " a", "a ", "a\u2028b"),
    *("\nDSesmtp:evil.example", "x\nR$*\t$@ y", "x\r\nRCPT TO:<y>", "x\n\nO QueueDirectory=/"),
    *("$j", "$&{auth_type}", "$(id)", "${IFS}", "$#error $: x", "%m", "%(x)s", "%0a", "%s%n"),
    *("`id`", "`", "'", "')dnl", "`')define(`x', `y')", "define(`x',`y')", "dnl", "a-dnl-b"),
    *("changequote", "undivert(/etc/passwd)", "syscmd(id)", "esyscmd(`id')", "include(/etc/x)"),
    *("| id", "|/bin/sh", "; id", "a;id", "&& id", "& id &", "> /etc/passwd", "< x", "a>b", "!x"),
    *('"', '" x="y', "\\", "\\n", "a\\", "*", "?", "[a-z]*", "~root", "{a,b}", "#x", "a#b", "(x)"),
    *("-bd", "--help", "-o", "/", "//", "..", "../x", "/etc/passwd", "/etc/../x", "/a/./b", "./x"),
    *("/etc/cron.d/auth-info", "/dev/null", "/proc/self/mem", "/etc/sudoers.d/x.switch", "C:\\x"),
    *("http://u:p@127.0.0.1", "http://127.0.0.1\r\nX: y", "http://127.0.0.1/?q", "http://x/#y"),
    *("file:///etc/passwd", "http://127.0.0.1:0", "http://127.0.0.1:8000@evil", "//evil"),
    *("0.0.0.0", "[0.0.0.0]", "[IPv6:::]", "[224.0.0.1]", "127.1", "0x7f000001", "[127.0.0.1"),
    *("l\u043ecalhost", "localhost\uff0e", "local\u200bhost", "\u202etsohlacol", "\ud800"),
    *("e\u0301", "sdb://x"),
    *("\U0001f600", "\x1b[2J", "\x7f", "\x85", "\ufeffx", "x" * 300, "x" * 5000, "\u00e9" * 2000),
    *("yes", "null", "~", "<<", "*a", "&a", "!!python/object:os.system", "- a", "{", "a: b", "1e3"),
    *("{{ x }}", "{% x %}", "{0.__class__}", "{x.y}", "{queue_interval}", "**********", "0", "25"),
    *("local", "prog", "error", "discard", "*file*", "error:x", "esmtp:localhost", "@x", "a@b@c"),
    *("root+tag", "<>", "a,b", "a%b", "a!b", "postmaster@", "@localhost", "'x'@y", "x@[1]", "=M"),
]
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 25, 65536, 10**400, 1.5, math.nan, math.inf, -0.0),
    *(b"x", b"", [], {}, [[]], [None], [{}], [""], ["a\nb"], ["-x"], ["$(id)"], ["a", "a"]),
    *({"a": "b"}, {None: None}, {"file": "/x"}, {"x": {"y": {"z": "\n"}}}, (), set(), object()),
    *([{"file": "/x", "assign": {"A": "$(id)"}}], [{"file": "/x", "assign": {"A B": "x"}}]),
    *([{"file": "/x", "content": "\0"}], [{"file": "/x", "assign": {"A": 'x"; id; "'}}]),
    *([{"file": "x\n", "content": ""}], [{"file": "/x", "assign": {}, "content": ""}], [1]),
    *(datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 3, 4), datetime.time(1, 2)),
    *(Word("x y"), Word("root"), Word("/etc/mail/auth-info")),
]
# A check that looks at the beginning only, or at one line, would take these.
BEHIND_A_GOOD_ONE = [
    good + word
    for good in ("localhost", "/etc/mail/auth-info", "http://127.0.0.1:8000")
    for word in WORDS[1:66]
]
VALUES = [*WORDS, *BEHIND_A_GOOD_ONE, *ODD]
KEYS = [
    *((name, key) for name, (_, checks) in settings.SECTIONS.items() for key in checks),
    *(("lookup", key) for key in PLATFORM_FACTS),
]


def pillar(section: str, key: str, value: Any) -> dict[str, Any]:
    """Give a good pillar, in which one value stands for itself: no other key answers for it."""
    found: dict[str, Any] = {
        "auth": {
            "username": "u",
            "password": PASSWORD,
            "allow_cleartext": True,
            "allow_unprivileged_port": True,
        },
        "account": {"webadmin": "http://127.0.0.1:8000"},
    }
    if key == "masquerade_except":
        found["relay"] = {"masquerade": "example.org"}
    found.setdefault(section, {})[key] = value
    return found


def written(found: settings.Settings) -> dict[str, bytes]:
    """Give all that these settings write."""
    texts = {}
    for name, stock in (("sendmail.cf", CF), ("submit.cf", SUBMIT)):
        mailer = found.relay.mailer if found.relay.mailer in ("esmtp", "relay") else "esmtp"
        cf, relay = Cf(stock), dataclasses.replace(found.relay, mailer=mailer)
        every_step(cf, Wishes(relay, found.loop, found.auth, found.daemon))
        texts[name] = cf.render()
    if found.auth is not None:
        texts["credentials"] = credential_map(found.auth)
    platform = select(PLATFORMS, GRAINS, found.lookup)
    for knob in platform.knobs:
        if knob.assign is not None:
            texts[knob.file] = turn(knob, b"", INTERVALS)[0]
    return texts


def words(value: Any) -> Iterator[str]:
    """Give every string in the settings."""
    if isinstance(value, str):
        yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from words(getattr(value, field.name))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from words(key)
            yield from words(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from words(one)


def m4(values: set[str]) -> set[str]:
    """Give those values of an mc that m4 does not hand on as they are."""
    program = shutil.which("m4")
    assert program, "m4 is needed for this test"
    ordered = sorted(values)
    text = "".join(f"define(`X', `{value}')dnl\nX\n" for value in ordered)
    done = subprocess.run([program], input=text, capture_output=True, text=True, timeout=10)
    return set(ordered) ^ set(done.stdout.splitlines())


def test_there_are_enough_of_them() -> None:
    assert len({repr(value) for value in VALUES}) >= 300
    assert len(KEYS) * len(VALUES) > 15000


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_a_hostile_value_is_refused_by_its_name_or_harmless(section: str, key: str) -> None:
    path = f"sendmail_james:{section}:{key}"
    good = (
        ("relay", "masquerade", "example.org") if key == "masquerade" else ("loop", "check", False)
    )
    usual = written(load(pillar(*good), DEFAULTS))
    assert set(usual) == {"sendmail.cf", "submit.cf", "credentials", "/etc/mail/sendmail.conf"}
    for value in VALUES:
        try:
            found = load(pillar(section, key, value), DEFAULTS)
        except SettingsError as err:
            assert [line for line in err.mistakes if line.startswith(f"{path}:")], (value, err)
            assert str(err).replace("\n", "").isprintable(), value
            assert str(err).isascii(), value
            assert PASSWORD not in str(err), value
            assert len(str(err)) < 3000, value
            continue
        for word in words(found):
            assert type(word) is str
            assert re.fullmatch(r"[\t\n -~]{0,10000}", word), (value, word)
        texts = written(found)
        for name in usual.keys() & texts.keys() if isinstance(value, str) else ():
            assert texts[name].count(b"\n") == usual[name].count(b"\n"), (value, name)
        for line in b"".join(texts[name] for name in texts if name[0] == "/").splitlines():
            assert re.fullmatch(rb'[A-Za-z_]\w*="[A-Za-z0-9 _./:@%+=,&~-]*"', line), (value, line)
        if found.auth is not None:
            given = value if key == "password" else PASSWORD
            answers = re.fullmatch(
                rb'user\t"U:(.*)"\nrealm\t"R:(.*)"\npassword\t"P=([A-Za-z0-9+/=]*)"\n',
                texts["credentials"],
            )
            assert answers, value
            user, realm, hidden = answers.groups()
            assert (user.decode(), realm.decode()) == (found.auth.username, found.auth.realm)
            assert base64.b64decode(hidden).decode() == given


MC_VALUES = ("relay:host", "relay:mailer", "relay:switch_file", "auth:file", "auth:programs_file")


def test_m4_hands_on_what_is_accepted() -> None:
    taken: set[str] = set()
    for place in MC_VALUES:
        section, key = place.split(":")
        for value in WORDS:
            try:
                found = load(pillar(section, key, value), DEFAULTS)
            except SettingsError:
                continue
            taken.add(getattr(getattr(found, section), key))
    assert taken
    assert m4(taken) == set()
