"""The pillar: what is accepted, and word for word what is said of each mistake."""

import dataclasses
import pathlib
import re
from typing import Any

import pytest
import yaml
from james_client.wishes import read, settings
from james_client.wishes.lookup import PLATFORM_FACTS
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.secret import Secret

FORMULA = pathlib.Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
PASSWORD = "Tr0ub4dor-unique"
HIDDEN = "a string, not shown: it may be a secret"
AUTH = f"{{username: sendmail, password: {PASSWORD}"
WORD = "quote it if a word is meant"
BOOL = f"(YAML's yes, no, on and off too: {WORD})"
HOST = "a host name, [192.0.2.1] or [IPv6:2001:db8::1]"
USER = "a user name of ASCII letters, digits and ._+=-, perhaps with @domain"
TIME = "an interval such as 10m, 1h30m or 5s, 1s to 24h"
LONG = TIME.replace("24h", "8760h")
EVERY = (
    "CRAM-MD5 DIGEST-MD5 EXTERNAL GS2-IAKERB GS2-KRB5 GSS-SPNEGO GSSAPI KERBEROS_V4 LOGIN NTLM "
    "OAUTHBEARER OTP PASSDSS-3DES-1 PLAIN SRP XOAUTH2"
).split() + [f"SCRAM-SHA-{size}{end}" for size in (1, 224, 256, 384, 512) for end in ("", "-PLUS")]
MECHANISMS = "auth:mechanisms: expected mechanisms such as LOGIN, PLAIN of at most 252 bytes in all"
FILE = "an absolute path in lower case that ends in auth-info"
URL = "an address such as http://127.0.0.1:8000, without user, password or query"


def load(text: str, **more: Any) -> settings.Settings:
    return read.load(yaml.safe_load(text), DEFAULTS, **more)


def mistakes(text: str, **more: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(text, **more)
    assert PASSWORD not in str(caught.value)
    assert str(caught.value).splitlines() == list(caught.value.mistakes)
    return [re.sub("^sendmail_james:(?! )", "", line) for line in caught.value.mistakes]


def test_no_pillar_is_all_defaults() -> None:
    found = read.load(None, DEFAULTS)
    assert found == load("{}")
    assert found.relay.triple == "esmtp:localhost"
    assert found.relay.loopback
    assert (found.auth, found.account) == (None, None)
    assert dataclasses.asdict(found.daemon) == DEFAULTS["daemon"]
    assert dataclasses.asdict(found.verify) == DEFAULTS["verify"]


def test_full_pillar() -> None:
    found = load(
        """
        package: {install: false, replace_mta: true}
        daemon: {queue_interval: 1h30m, programs_interval: 30s, give_up_after: 3w,
                 warn_after: never}
        relay: {host: '[127.0.0.1]', mailer: relay, port: 525, dns: false, stay_local: [root],
                masquerade: Example.ORG, masquerade_except: [root, '@Shop.example.org'],
                    elsewhere: [Partner.example]}
        loop: {check: true}
        auth: {username: mail@localhost, password: " ü$j`'\\"\\r", mechanisms: [CRAM-MD5, PLAIN],
               options: A p, programs: none, file: /etc/james/auth-info}
        account: {webadmin: 'http://[::1]:8000/', create: true, token: a.b-c}
        verify: {live: true, local_user: root, remote_address: x@example.org}
        mc: {manage: false}
        lookup: {cf: /etc/sendmail.cf, rebuilds: false}
        """
    )
    assert found.daemon == settings.Daemon("1h30m", "30s", "3w", "never")
    assert found.relay == settings.Relay(
        *("[127.0.0.1]", "relay", 525, False, False, "/etc/mail/james-service.switch", ("root",)),
        *("example.org", ("root", "@shop.example.org"), ("partner.example",)),
    )
    assert found.auth is not None and found.account is not None
    assert found.auth.password.reveal() == " ü$j`'\"\r"
    assert found.auth.mechanisms == ("CRAM-MD5", "PLAIN")
    assert found.auth.options == "A,p"
    assert found.auth.realm == DEFAULTS["auth"]["realm"]
    assert found.account.webadmin == "http://[::1]:8000"
    assert found.account.token == Secret("a.b-c")
    assert found.mc.manage is False
    own = {"cf": "/etc/sendmail.cf", "rebuilds": False}
    assert found.lookup == DEFAULTS["lookup"] | own


def test_the_example_is_a_good_pillar() -> None:
    example = yaml.safe_load((FORMULA.parent / "pillar.example").read_text())
    found = read.load(example["sendmail_james"], DEFAULTS)
    assert found.auth is not None and found.account is not None


@pytest.mark.parametrize(
    ("pillar", "said"),
    [
        ("[relay]", "sendmail_james: expected a mapping, got a list"),
        ("rely: {}", "sendmail_james: expected a known key, got 'rely': did you mean relay?"),
        ("relay:", "relay: expected a mapping, got nothing (give a value or leave the key out)"),
        ("relay: {prt: 25}", "relay: expected a known key, got 'prt': did you mean port?"),
        ("mc: {on: 1}", f"mc: expected a known key, got true {BOOL}: known are manage"),
        ("relay: {port: smtp}", "relay:port: expected 1..65535, got 'smtp'"),
        ("relay: {port: '25'}", "relay:port: expected 1..65535 (without quotes), got '25'"),
        ("relay: {port: 0}", f"relay:port: expected 1..65535, got 0 (a number: {WORD})"),
        ("relay: {port: 65536}", f"relay:port: expected 1..65535, got 65536 (a number: {WORD})"),
        ("relay: {port: on}", f"relay:port: expected 1..65535, got true {BOOL}"),
        ("relay: {port: 25.0}", f"relay:port: expected 1..65535, got 25.0 (a number: {WORD})"),
        ("relay: {port: 0o31}", "relay:port: expected 1..65535, got '0o31'"),
        ("relay: {port: 1e3}", "relay:port: expected 1..65535, got '1e3'"),
        ("relay: {port: [25]}", "relay:port: expected 1..65535, got a list"),
        ("relay: {host: no}", f"relay:host: expected {HOST}, got false {BOOL}"),
        (
            "relay: {host: 2024-01-02}",
            f"relay:host: expected {HOST}, got 2024-01-02 (a date: quote it)",
        ),
        ("relay: {host: ''}", f"relay:host: expected {HOST}, got ''"),
        (
            "relay: {host: 'esmtp:localhost'}",
            f"relay:host: expected {HOST}, and the mailer before ':' in relay:mailer, "
            "got 'esmtp:localhost'",
        ),
        ("relay: {host: 127.0.0.1}", "relay:host: expected [127.0.0.1], got '127.0.0.1'"),
        ("relay: {host: '::1'}", "relay:host: expected [IPv6:::1], got '::1'"),
        ("relay: {host: '[::1]'}", "relay:host: expected [IPv6:::1], got '[::1]'"),
        (
            "relay: {host: '[IPv6:0:0:0:0:0:0:0:1]'}",
            "relay:host: expected [IPv6:::1], got '[IPv6:0:0:0:0:0:0:0:1]'",
        ),
        (
            "relay: {host: '[::ffff:127.0.0.1]'}",
            "relay:host: expected [127.0.0.1], got '[::ffff:127.0.0.1]'",
        ),
        (
            "relay: {host: '[james.example.org]'}",
            "relay:host: expected james.example.org without brackets (relay:mx_lookup decides on "
            "MX), got '[james.example.org]'",
        ),
        ("relay: {host: '[127.1]'}", f"relay:host: expected {HOST}, got '[127.1]'"),
        ("relay: {host: 'fe80::1%eth'}", f"relay:host: expected {HOST}, got 'fe80::1%eth'"),
        ("relay: {host: 10.1}", f"relay:host: expected {HOST}, got 10.1 (a number: {WORD})"),
        ("relay: {host: '10.1'}", f"relay:host: expected {HOST}, got '10.1'"),
        (
            f"relay: {{host: {'a.' * 127}b}}",
            f"relay:host: expected {HOST}, got '{'a.' * 40}'... (255 characters)",
        ),
        ("relay: {host: james.}", f"relay:host: expected {HOST}, got 'james.'"),
        ('relay: {host: "a\\nb"}', f"relay:host: expected {HOST}, got 'a\\nb'"),
        (
            "relay: {host: l\u043ecalhost}",
            f"relay:host: expected {HOST} in ASCII, got 'l\\u043ecalhost'",
        ),
        (
            "relay: {host: a.dnl.example}",
            "relay:host: expected no word that m4 expands (dnl), got 'a.dnl.example'",
        ),
        (
            "relay: {mailer: ESMTP}",
            "relay:mailer: expected a mailer's name in lower case such as esmtp, got 'ESMTP'",
        ),
        (
            "relay: {mailer: local}",
            "relay:mailer: expected a mailer that speaks SMTP, such as esmtp, got 'local'",
        ),
        (
            "relay: {mx_lookup: true, dns: false}",
            f"relay:mx_lookup: expected false, since relay:dns is false, got true {BOOL}",
        ),
        ("relay: {dns: 'no'}", "relay:dns: expected true or false without quotes, got 'no'"),
        ("relay: {dns: 0}", f"relay:dns: expected true or false, got 0 (a number: {WORD})"),
        (
            "relay: {stay_local: root}",
            "relay:stay_local: expected a list of local names, got 'root'",
        ),
        (
            "relay: {stay_local: [root, root]}",
            "relay:stay_local: expected each name once, got a list",
        ),
        (
            "relay: {stay_local: [root, 'a b']}",
            f"relay:stay_local:1: expected a local name of letters, digits and ._-, got {HIDDEN}",
        ),
        (
            "daemon: {queue_interval: 10}",
            f"daemon:queue_interval: expected {TIME}, got 10 (a number: {WORD})",
        ),
        ("daemon: {queue_interval: 0s}", f"daemon:queue_interval: expected {TIME}, got '0s'"),
        ("daemon: {queue_interval: 25h}", f"daemon:queue_interval: expected {TIME}, got '25h'"),
        ("daemon: {queue_interval: ''}", f"daemon:queue_interval: expected {TIME}, got ''"),
        (
            "daemon: {queue_interval: 5m -bd}",
            f"daemon:queue_interval: expected {TIME}, got '5m -bd'",
        ),
        (
            "daemon: {give_up_after: never}",
            f"daemon:give_up_after: expected {LONG}, got 'never'",
        ),
        ("daemon: {give_up_after: 53w}", f"daemon:give_up_after: expected {LONG}, got '53w'"),
        (
            "daemon: {warn_after: 0}",
            f"daemon:warn_after: expected {LONG}, or never, got 0 (a number: {WORD})",
        ),
        (
            "daemon: {give_up_after: 10m}",
            "daemon:give_up_after: expected more than daemon:queue_interval (10m), got '10m'",
        ),
        (
            "daemon: {give_up_after: 2d, warn_after: 48h}",
            "daemon:warn_after: expected less than daemon:give_up_after (2d), or never, got '48h'",
        ),
        (
            "relay: {masquerade: '[127.0.0.1]'}",
            "relay:masquerade: expected a domain such as example.org, got '[127.0.0.1]'",
        ),
        (
            "relay: {masquerade: '@example.org'}",
            "relay:masquerade: expected a domain such as example.org, got '@example.org'",
        ),
        (
            "relay: {masquerade: a.dnl.example}",
            "relay:masquerade: expected no word that m4 expands (dnl), got 'a.dnl.example'",
        ),
        (
            "relay: {masquerade_except: [root]}",
            "relay:masquerade_except: expected no name, since relay:masquerade is not set, "
            "got 'root'",
        ),
        (
            "relay: {masquerade: example.org, masquerade_except: [a@b]}",
            "relay:masquerade_except:0: expected a user's name, or a host such as "
            f"@shop.example.org, got {HIDDEN}",
        ),
        ("auth: {}", "auth:username: expected a value, got none (it is required)"),
        (
            f"auth: {{sendmail, {PASSWORD}}}",
            "auth: expected a known key, got one without a value: known are allow_cleartext, "
            "allow_unprivileged_port, "
            "enabled, file, mechanisms, options, password, programs, programs_file, realm, "
            "required, username",
        ),
        (f"auth: sendmail {PASSWORD}", f"auth: expected a mapping, got {HIDDEN}"),
        (f"{AUTH}, username: '#x'}}", f"auth:username: expected {USER}, got {HIDDEN}"),
        (
            f"{AUTH}, mechanisms: [plain]}}",
            f"auth:mechanisms:0: expected PLAIN in capitals, got {HIDDEN}",
        ),
        (
            f"{AUTH}, mechanisms: []}}",
            f"{MECHANISMS}, got none",
        ),
        (
            f"{AUTH}, mechanisms: {EVERY}}}",
            f"{MECHANISMS}, got 299",
        ),
        (
            f"{AUTH}, mechanisms: [ANONYMOUS]}}",
            f"auth:mechanisms:0: expected a SASL mechanism such as LOGIN, got {HIDDEN}",
        ),
        (
            f"{AUTH}, options: Ap}}",
            "auth:options: expected letters of A a c d f m p y separated by commas, got 'Ap'",
        ),
        (
            f"{AUTH}, programs: ~}}",
            "auth:programs: expected one of queue, none, got nothing "
            "(give a value or leave the key out)",
        ),
        (
            f"{AUTH}, file: '|/bin/sh auth-info'}}",
            f"auth:file: expected {FILE}, got '|/bin/sh auth-info'",
        ),
        (
            f"{AUTH}, file: /etc/../etc/auth-info}}",
            f"auth:file: expected {FILE}, got '/etc/../etc/auth-info'",
        ),
        (f"{AUTH}, file: /etc/passwd}}", f"auth:file: expected {FILE}, got '/etc/passwd'"),
        (
            f"{AUTH}, file: /etc/mail/default-auth-info}}",
            "auth:file: expected another name: default-auth-info is the distribution's, "
            "got '/etc/mail/default-auth-info'",
        ),
        (
            f"{AUTH}, file: /tmp/auth-info}}",
            "auth:file: expected a lasting directory that only root writes to, not /tmp, "
            "got '/tmp/auth-info'",
        ),
        (
            f"{AUTH}, file: /etc/mail/auth-info, programs_file: /etc/mail/auth-info}}",
            "auth:programs_file: expected another file than auth:file, got '/etc/mail/auth-info'",
        ),
        (
            "account: {webadmin: 'http://localhost/../x'}",
            f"account:webadmin: expected {URL}, got 'http://localhost/../x'",
        ),
        ("account: {timeout: 0}", f"account:timeout: expected 1..300, got 0 (a number: {WORD})"),
        (
            "account: {create: true, webadmin: 'http://localhost:8000'}",
            "account:create: expected false, since there is no auth section in force, "
            f"got true {BOOL}",
        ),
        (
            "account: {update: true, webadmin: 'http://localhost:8000'}",
            "account:update: expected false, since there is no auth section in force, "
            f"got true {BOOL}",
        ),
        (
            f"{AUTH}}}\naccount: {{update: true}}",
            "account:webadmin: expected an address, since account:update is true, got nothing "
            "(give a value or leave the key out)",
        ),
        (
            f"{AUTH}, required: false}}\naccount: {{update: true, webadmin: 'http://localhost:1'}}",
            "account:update: expected false, since auth:required is: mail would leave without a "
            f"login and bounce, got true {BOOL}",
        ),
        (
            f"{AUTH}}}\naccount: {{update: true, webadmin: 'http://james.example.org'}}",
            "account:webadmin: expected https, or auth:allow_cleartext: true, "
            "got 'http://james.example.org'",
        ),
        (
            "account: {webadmin: 'ftp://localhost'}",
            f"account:webadmin: expected {URL}, got 'ftp://localhost'",
        ),
        (
            "account: {webadmin: 'http://u:p@localhost'}",
            f"account:webadmin: expected {URL}, got one with an @",
        ),
        (
            "account: {webadmin: 'http://localhost:99999'}",
            f"account:webadmin: expected {URL}, got 'http://localhost:99999'",
        ),
        (
            f"account: {{token: {PASSWORD}, webadmin: 'http://james.example.org'}}",
            "account:webadmin: expected https, or auth:allow_cleartext: true, "
            "got 'http://james.example.org'",
        ),
        (
            "account: {token: 5}",
            "account:token: expected a token of letters, digits and ._~+/=-, got int: quote it",
        ),
        *(
            (
                f"account: {{webadmin_password: {value}}}",
                "account:webadmin_password: expected a password of ASCII characters but space and "
                f"comma, got {found}",
            )
            for value, found in (("5", "int: quote it"), ("'a,b'", "str"), ("'a b'", "str"))
        ),
        (
            f"account: {{webadmin_password: {PASSWORD}, webadmin: 'http://james.example.org'}}",
            "account:webadmin: expected https, or auth:allow_cleartext: true, "
            "got 'http://james.example.org'",
        ),
        (
            f"account: {{webadmin_password: {PASSWORD}, token: t}}",
            "account:webadmin_password: expected null, since account:token is set: WebAdmin wants "
            "one of them",
        ),
        (
            "verify: {remote_address: root}",
            "verify:remote_address: expected an address with a domain such as name@example.org, "
            "got 'root'",
        ),
        ("mc: {manage: Auto}", "mc:manage: expected one of auto, true, false, got 'Auto'"),
        (
            "mc: {manage: 1}",
            f"mc:manage: expected one of auto, true, false, got 1 (a number: {WORD})",
        ),
        ("lookup: {cf: etc/x}", f"lookup:cf: expected an absolute path, got {HIDDEN}"),
        (
            "lookup: {packages: sendmail}",
            f"lookup:packages: expected a list of names, got {HIDDEN}",
        ),
        (
            "lookup: {knobs: [{file: /etc/x, assign: {A: '$(id)'}}]}",
            "lookup:knobs:0:assign:A: expected letters, digits, blanks and _./:@%+=,&{}~-, "
            f"got {HIDDEN}",
        ),
        (
            "lookup: {knobs: [{file: /etc/x, assign: {A: '{x.y}'}}]}",
            "lookup:knobs:0:assign:A: expected no braces but {queue_interval} and "
            f"{{programs_interval}}, got {HIDDEN}",
        ),
    ],
)
def test_what_a_mistake_says(pillar: str, said: str) -> None:
    text = f"auth: {pillar}" if pillar.startswith(AUTH) else pillar
    assert said in mistakes(text)


def test_all_mistakes_come_together_and_in_order() -> None:
    found = mistakes(
        """
        mc: {manage: maybe}
        auth: {username: sendmail, password: 5, allow_cleartext: 1}
        relay: {port: -1, host: james.example.org, mx_lookup: true, dns: false}
        bogus: 1
        daemon: {queue_interval: never}
        """
    )
    keys = [line.partition(": ")[0] for line in found]
    assert keys == [
        "sendmail_james",
        "daemon:queue_interval",
        "relay:port",
        "auth:password",
        "auth:allow_cleartext",
        "mc:manage",
        "relay:mx_lookup",
    ]


def test_clear_text_needs_a_word() -> None:
    pillar = f"{{relay: {{host: james.example.org}}, auth: {AUTH}, allow_cleartext: %s}}}}"
    assert mistakes(pillar % "false")[0].startswith("auth:allow_cleartext: expected true, since")
    assert load(pillar % "true").auth is not None


def test_with_an_mx_lookup_no_name_is_local() -> None:
    pillar = f"{{relay: {{host: '%s', mx_lookup: true}}, auth: {AUTH}}}}}"
    assert mistakes(pillar % "localhost")[0].startswith(
        "auth:allow_cleartext: expected true, since the password would go to the MX of localhost"
    )
    assert load(pillar % "[127.0.0.1]").auth is not None


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "[127.0.0.1]", "[127.9.9.9]", "[IPv6:::1]"]
)
def test_loopback(host: str) -> None:
    assert load(f"relay: {{host: '{host}'}}").relay.loopback


@pytest.mark.parametrize(
    "host", ["localhost.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]", "james"]
)
def test_not_loopback(host: str) -> None:
    assert not load(f"relay: {{host: '{host}'}}").relay.loopback


def test_a_disabled_section_asks_for_nothing_but_is_still_checked() -> None:
    assert load("auth: {enabled: false}").auth is None
    assert mistakes("auth: {enabled: false, programs: x}") == [
        "auth:programs: expected one of queue, none, got 'x'"
    ]


def test_unknown_platform_facts_are_mistakes() -> None:
    assert mistakes("lookup: {fcf: /etc/x}") == [
        "lookup: expected a known key, got 'fcf': did you mean cf?"
    ]


def test_defaults_name_every_key_but_the_two_required() -> None:
    known = {name: set(checks) for name, (_, checks) in settings.SECTIONS.items()}
    known["auth"] -= {"username", "password"}
    assert {name: set(keys) for name, keys in DEFAULTS.items()} == {
        **known,
        "lookup": {"state_dir", "backups", "lock"},
    }


def test_our_platform_facts_pass_their_own_checks() -> None:
    platforms = yaml.safe_load((FORMULA / "platforms.yaml").read_text())
    for name, facts in platforms.items():
        for key, value in facts.items():
            path = f"{name}:{key}"
            assert PLATFORM_FACTS[key](value, path) == value
