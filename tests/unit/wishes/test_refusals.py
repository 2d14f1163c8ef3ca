"""What would be mistaken for something else, or give a secret away, is refused with the reason."""

import pathlib
from typing import Any

import pytest
import yaml
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.platform import PlatformError, select
from james_client.wishes.read import load, own
from james_client.wishes.secret import MASK

FORMULA = pathlib.Path(__file__).parents[3] / "sendmail_james"
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
PLATFORMS = yaml.safe_load((FORMULA / "platforms.yaml").read_text())
PASSWORD = "Tr0ub4dor-unique"
AUTH = {"username": "u", "password": PASSWORD}


def mistakes(pillar: Any, **more: Any) -> tuple[str, ...]:
    """Give what is wrong with a pillar; nothing where nothing is."""
    try:
        load(pillar, DEFAULTS, **more)
    except SettingsError as err:
        return err.mistakes
    return ()


@pytest.mark.parametrize(
    ("pillar", "path"),
    [
        ({"auth": {"username": "u", "password": MASK}}, "sendmail_james:auth:password"),
        ({"account": {"token": MASK}}, "sendmail_james:account:token"),
        (
            {"account": {"webadmin_password": MASK}},
            "sendmail_james:account:webadmin_password",
        ),
    ],
)
def test_salts_mask_is_no_secret(pillar: Any, path: str) -> None:
    (said,) = mistakes(pillar)
    assert said.startswith(f"{path}: expected the secret itself")
    assert said.endswith("got Salt's mask for secrets")


def test_a_mask_behind_an_sdb_address_is_none_either() -> None:
    pillar = {"auth": {"username": "u", "password": "sdb://v/p"}}
    assert "mask" in mistakes(pillar, resolve=lambda _: MASK)[0]


@pytest.mark.parametrize(
    "key",
    ["sendmail-james", "sendmail_jame", "Sendmail_James", "sendmailjames", "sendmail_jmaes"],
)
def test_a_key_that_is_nearly_ours_is_not_passed_over(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        own({"sendmail": {}, key: {"auth": AUTH}})
    (said,) = caught.value.mistakes
    assert said.startswith(f"sendmail_james: expected this key in the pillar, got '{key}'")
    assert PASSWORD not in said
    assert own({key: {}, "sendmail_james": {"relay": {}}}) == {"relay": {}}


@pytest.mark.parametrize("key", ["sendmail", "james", "postfix", "sendmail_mta", 5, None, ""])
def test_another_key_is_others(key: Any) -> None:
    assert own({key: {}}) is None
    assert own({}) is None


@pytest.mark.parametrize(
    ("pillar", "where"),
    [
        ({"auth": {**AUTH, "username": f"{PASSWORD} "}}, "auth:username"),
        ({"auth": {**AUTH, "realm": f"{PASSWORD} "}}, "auth:realm"),
        ({"auth": {**AUTH, "mechanisms": [PASSWORD]}}, "auth:mechanisms:0"),
        ({"relay": {"stay_local": [f"{PASSWORD}!"]}}, "relay:stay_local:0"),
        ({"lookup": {"cf": PASSWORD}}, "lookup:cf"),
        ({"lookup": {"knobs": [PASSWORD]}}, "lookup:knobs:0"),
        ({"lookup": {"submit_user": f"{PASSWORD}!"}}, "lookup:submit_user"),
        ({"auth": PASSWORD}, "auth"),
        ({"relay": PASSWORD}, "relay"),
        (PASSWORD, ""),
        ({PASSWORD: {}}, ""),
        ({"correcthorse": {}}, ""),
        ({"auth": {**AUTH, "correcthorse": "x"}}, "auth"),
        ({"auth": {**AUTH, "correcthorse": None}}, "auth"),
    ],
)
def test_a_wrong_value_that_may_be_the_password_is_not_shown(pillar: Any, where: str) -> None:
    (said,) = [line for line in mistakes(pillar) if "it is required" not in line]
    assert said.startswith(f"sendmail_james{':' if where else ''}{where}: expected ")
    assert PASSWORD not in said
    assert "correcthorse" not in said


def test_a_mistyped_key_is_shown() -> None:
    assert "got 'prt': did you mean port?" in mistakes({"relay": {"prt": 25}})[0]


FOLDERS = [
    *("/etc/sudoers.d", "/etc/cron.d", "/etc/cron.daily", "/etc/pam.d", "/etc/systemd/system"),
    *("/etc/profile.d", "/etc/ld.so.conf.d", "/etc/skel", "/etc/apt/apt.conf.d", "/etc/init.d"),
    *("/var/www", "/var/www/html", "/srv", "/srv/www/x", "/usr/share/x", "/usr/lib/systemd/system"),
    *("/var/backups/sendmail_james", "/var/lib/sendmail_james", "/etc/mail/.sendmail_james"),
    *("/var/spool/mqueue", "/var/spool/mqueue-client", "/var/log", "/var/cache/x", "/lib/x"),
    *("/boot", "/bin", "/sbin", "/opt/site/htdocs", "/etc/mail/www", "/var/spool/cron"),
]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    ("section", "key", "name"),
    [
        ("auth", "file", "auth-info"),
        ("auth", "programs_file", "auth-info"),
        ("relay", "switch_file", "x.switch"),
    ],
)
def test_no_file_of_ours_lies_in_others_folders(
    section: str, key: str, name: str, folder: str
) -> None:
    pillar: dict[str, Any] = {"auth": AUTH}
    pillar[section] = {**pillar.get(section, {}), key: f"{folder}/{name}"}
    (said,) = mistakes(pillar)
    assert said.startswith(f"sendmail_james:{section}:{key}: expected ")
    assert ", not /" in said


@pytest.mark.parametrize(
    "folder", ["/etc", "/etc/mail", "/etc/james", "/usr/local/etc/mail", "/root", "/opt/mail"]
)
def test_a_folder_of_ones_own_is_fine(folder: str) -> None:
    assert mistakes({"auth": {**AUTH, "file": f"{folder}/auth-info"}}) == ()


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/hosts", "/etc/mail/sendmail.cf"])
def test_a_switch_file_replaces_no_other_file(path: str) -> None:
    (said,) = mistakes({"relay": {"switch_file": path}})
    assert "expected an absolute path that ends in .switch" in said


@pytest.mark.parametrize(
    ("relay", "first", "refused"),
    [
        ({"port": 1023}, 1024, False),
        ({"port": 1024}, 1024, True),
        ({"port": 2525}, 1024, True),
        ({"port": 2525, "host": "[127.0.0.1]"}, 1024, True),
        ({"port": 2525, "host": "[IPv6:::1]"}, 1024, True),
        ({"port": 2525}, 2526, False),
        ({}, 25, True),
        ({}, 0, True),
        ({}, 26, False),
    ],
)
def test_a_port_that_any_user_may_take(relay: Any, first: int, refused: bool) -> None:
    said = mistakes({"relay": relay, "auth": AUTH}, unprivileged_from=first)
    assert len(said) == refused
    for line in said:
        assert f"sendmail_james:relay:port: expected a port below {first} " in line
        assert "auth:allow_unprivileged_port: true" in line
    allowed = {"relay": relay, "auth": {**AUTH, "allow_unprivileged_port": True}}
    assert mistakes(allowed, unprivileged_from=first) == ()
    assert mistakes({"relay": relay}, unprivileged_from=first) == ()
    off = {"relay": relay, "auth": {"enabled": False}}
    assert mistakes(off, unprivileged_from=first) == ()


@pytest.mark.parametrize(("port", "refused"), [(1023, False), (1024, True), (2525, True)])
def test_a_port_of_this_host_by_another_name(port: int, refused: bool) -> None:
    asked: list[str] = []

    def is_here(host: str) -> bool:
        asked.append(host)
        return host == "mail.example.test"

    auth = {**AUTH, "allow_cleartext": True}
    pillar = {"relay": {"host": "mail.example.test", "port": port}, "auth": auth}
    said = mistakes(pillar, is_here=is_here)
    assert len(said) == len(asked) == refused, "no name is looked up where the port is root's"
    assert not refused or "any user of this host" in said[0]
    pillar["relay"]["host"] = "james.example.org"
    assert mistakes(pillar, is_here=is_here) == ()


def test_a_port_elsewhere_is_no_users() -> None:
    pillar = {"relay": {"host": "a.example.org", "port": 2525}, "auth": AUTH}
    pillar["auth"] = {**AUTH, "allow_cleartext": True}
    assert mistakes(pillar) == ()


@pytest.mark.parametrize("host", ["[0.0.0.0]", "[IPv6:::]", "[224.0.0.1]", "[IPv6:ff02::1]"])
def test_an_address_of_no_one_host(host: str) -> None:
    assert "expected an address of one host" in mistakes({"relay": {"host": host}})[0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"rely": {}}, "defaults.yaml: rely: expected a section of its name"),
        ({"relay": {"prt": 1}}, "defaults.yaml: relay:prt: expected a key that the pillar may"),
        ({"lookup": {"fc": 1}}, "defaults.yaml: lookup:fc: expected a key that the pillar may"),
    ],
)
def test_a_default_that_nothing_reads_is_refused(more: Any, said: str) -> None:
    defaults = {name: {**keys, **more.get(name, {})} for name, keys in DEFAULTS.items()}
    with pytest.raises(SettingsError, match=said):
        load({}, {**more, **defaults})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"fc": "/x"}, "platforms.yaml: Debian: expected the keys packages, .*, got fc"),
        ({"cf": "etc/x"}, "platforms.yaml: Debian:cf: expected an absolute path"),
        ({"knobs": [{"file": "/x"}]}, "platforms.yaml: Debian:knobs:0: expected file, and either"),
    ],
)
def test_a_platform_fact_that_is_none_is_refused(more: Any, said: str) -> None:
    platforms = {**PLATFORMS, "Debian": {**PLATFORMS["Debian"], **more}}
    with pytest.raises(PlatformError, match=said):
        select(platforms, {"os_family": "Debian"}, {})
