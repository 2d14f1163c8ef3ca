"""Each setting of a real James that keeps a client's mail, one at a time; what preflight prints,
cures it.

A James may have many SMTP servers, so that two of them are enough: the first has a server for each
fault, the second one for each cure.
"""

from __future__ import annotations

import json
import re
import smtplib
import subprocess
import urllib.parse
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
import yaml
from james_client.answers.preflight import preflight
from james_client.james.dialogue import Check, Login, Questions, dialogue
from james_client.james.smtp import Server
from james_client.run.plan import Plan
from james_client.wishes import read
from james_client.wishes.platform import select
from james_client.wishes.secret import Secret
from support import james, pristine

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_PORT = 601  # no user of the host may take those
TLS = (
    '<tls socketTLS="false" startTLS="true"><keystore>file://conf/keystore</keystore>'
    "<keystoreType>PKCS12</keystoreType><secret>changeit</secret></tls>"
)
HANDLER = '<handler class="org.apache.james.smtpserver.fastfail.{}"/>'
OFFERED = "login by LOGIN or PLAIN is offered"
SECOND = "a second connection at the same time is taken"
LOCAL = ("localhost", recipe.FQDN)
DEAD = "client.invalid"  # a name that no DNS has
ELEMENT = re.compile(r'<(\w+)>([^<]*)</\1>|(<handler class="[^"]+"/>)|(<tls [^>]*>)')
NOT_SEEN = {"aliases are followed"}

# fault: the edits of the server that is right (element: what it becomes), what is wrong then
FAULTS: dict[str, tuple[dict[str, str], list[str]]] = {
    "none": ({}, []),
    "starttls": ({"<tls .*?/>": TLS, "<requireSSL>.*?<": "<requireSSL>true<"}, []),
    "relays for us, and offers a login": (
        {"</auth>": "</auth><authorizedAddresses>127.0.0.0/8</authorizedAddresses>"},
        [],
    ),
    "sample": (
        {
            "<announce>.*?<": "<announce>never<",
            "</auth>": "</auth><authorizedAddresses>127.0.0.0/8</authorizedAddresses>",
        },
        [OFFERED],
    ),
    "loopback is authorized": (
        {
            "<announce>.*?<": "<announce>forUnauthorizedAddresses<",
            "</auth>": "</auth><authorizedAddresses>127.0.0.0/8</authorizedAddresses>",
        },
        [OFFERED],
    ),
    "no login for anybody": ({"<announce>.*?<": "<announce>never<"}, [OFFERED]),
    "TLS wanted, not offered": ({"<requireSSL>.*?<": "<requireSSL>true<"}, [OFFERED]),
    "no plain login": ({"<plainAuthEnabled>.*?<": "<plainAuthEnabled>false<"}, [OFFERED]),
    "identity": (
        {"<verifyIdentity>.*?<": "<verifyIdentity>true<"},
        ["null sender", f"sender root@{recipe.FQDN}"],
    ),
    "any name": (
        {HANDLER.format("ValidRcptHandler"): ""},
        [f"unknown user at {name} is refused" for name in LOCAL],
    ),
    "any name, and relays for us": (
        {
            HANDLER.format("ValidRcptHandler"): "",
            "</auth>": "</auth><authorizedAddresses>127.0.0.0/8</authorizedAddresses>",
        },
        [f"unknown user at {name} is refused" for name in LOCAL],
    ),
    "size": (
        {"</bind>": "</bind><maxmessagesize>1000</maxmessagesize>"},
        ["messages may be as large as sendmail takes them"],
    ),
    "one connection for an address": (
        {"</bind>": "</bind><connectionLimitPerIP>1</connectionLimitPerIP>"},
        [SECOND],
    ),
    "one connection": ({"</bind>": "</bind><connectionLimit>1</connectionLimit>"}, [SECOND]),
}
# Faults that show only to a client whose name no DNS knows; asked for as that client.
NAME_FAULTS = {
    "client's name": ("ResolvableEhloHeloHandler", f"a client that says {DEAD} is welcome"),
    "sender's domain": ("ValidSenderDomainHandler", f"sender root@{DEAD}"),
}
PORTS = {name: FIRST_PORT + n for n, name in enumerate((*FAULTS, *NAME_FAULTS))}


def documented() -> str:
    """Give the server of the documented smtpserver.xml."""
    text = (REPOSITORY / "docs" / "james.md").read_text()
    return re.search(r"<smtpserver .*?</smtpserver>", text, re.DOTALL)[0]


def edited(server: str, edits: dict[str, str]) -> str:
    """Give a server with other elements, each of which is there once."""
    for old, new in edits.items():
        server, count = re.subn(old, new, server)
        assert count == 1, (old, count)
    return server


def servers() -> dict[str, str]:
    """Give a server for each fault."""
    right = documented()
    made = {name: edited(right, edits) for name, (edits, _) in FAULTS.items()}
    for name, (handler, _) in NAME_FAULTS.items():
        first = {"<handlerchain>": f"<handlerchain>{HANDLER.format(handler)}"}
        made[name] = edited(right, first)
    return made


def start(made: dict[str, str], **files: str) -> None:
    """Start a James that has all these servers, each on its port, and other files of his."""
    text = ""
    for name, server in made.items():
        own = {"</bind>": "</bind><gracefulShutdown>false</gracefulShutdown>"}  # it takes seconds
        own |= {r"127\.0\.0\.1:25": f"127.0.0.1:{PORTS[name]}", "-sendmail<": f"-{PORTS[name]}<"}
        text += edited(server, own)
    Path("/tmp/smtpserver.xml").write_text(f"<smtpservers>{text}</smtpservers>")
    james.start(smtpserver="/tmp/smtpserver.xml", **files)


def usual(made: dict[str, str]) -> None:
    """Start a James that has all these servers and the usual users."""
    start(made)
    james.add_user(*recipe.PEOPLE)
    james.add_user("sendmail", password=recipe.PASSWORD)


def plan(port: int, **sections: Any) -> Plan:
    """Give this host's plan with James on that port."""
    formula = REPOSITORY / "sendmail_james"
    defaults, platforms = (
        yaml.safe_load((formula / f"{name}.yaml").read_text()) for name in ("defaults", "platforms")
    )
    given = recipe.pillar(relay={"port": port}, **sections)["sendmail_james"]
    wishes = read.load(given, defaults)
    grains = {"os_family": "Debian", "init": "systemd", "host": "mail"}
    return Plan(wishes, select(platforms, grains, wishes.lookup))


def look(port: int, **sections: Any) -> dict[str, Any]:
    """Give preflight's report; {item: what it says} without what is said to be well."""
    report = preflight(plan(port, **sections))
    told = {what: said for what, said in report["checks"].items() if said != "yes"}
    wrong = [f"{what}: {said}" for what, said in told.items() if said.startswith("no, ")]
    assert report["wrong"] == wrong
    return told


def wrong(told: dict[str, str]) -> list[str]:
    """Give the items that are wrong."""
    return [what for what, said in told.items() if said.startswith("no, ")]


def stranger(name: str) -> list[Check]:
    """Ask as a client whose name no DNS knows, and give what is wrong."""
    server = Server("localhost", PORTS[name], DEAD)
    login = Login("sendmail", Secret(recipe.PASSWORD))
    found = dialogue(server, login, Questions(senders=(f"root@{DEAD}", "")))
    return [check for check in found if check.ok is False]


def cured(server: str, told: list[str]) -> str:
    """Do to a server what preflight prints, and nothing else."""
    cures = {said.partition("smtpserver.xml: ")[2] for said in told}
    for cure in cures:
        for name, value, handler, tls in ELEMENT.findall(cure):
            if handler and "take out" in cure:
                server = server.replace(handler, "")
            elif handler:
                server = edited(server, {"<handlerchain>": f"<handlerchain>{handler}"})
            elif tls and "<requireSSL>true" in server:
                server = edited(server, {"<tls .*?/>": TLS})
            elif name and f"<{name}>" in server:
                server = edited(server, {f"<{name}>.*?</": f"<{name}>{value}</"})
    return server


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
    usual({name: cured(one, list(before[name].values())) for name, one in servers().items()})
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
    properties = "enabled=true\nport=8000\nhost=127.0.0.1\njwt.enabled=true\n"
    (tmp_path / "webadmin").write_text(f"{properties}jwt.publickeypem.url=file://{tmp_path}/public")
    (tmp_path / "webadmin").rename("/tmp/webadmin.properties")
    start({"none": documented()}, webadmin="/tmp/webadmin.properties")
    put = urllib.request.Request(
        f"{james.WEBADMIN}/users/sendmail",
        json.dumps({"password": recipe.PASSWORD}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="PUT",
    )
    urllib.request.urlopen(put, timeout=10).close()
    told = look(FIRST_PORT)
    assert wrong(told) == ["WebAdmin lets us in"]
    assert "it wants a token (account:token)" in told["WebAdmin lets us in"]
    assert look(FIRST_PORT, account={"token": token}).keys() == NOT_SEEN
    told = look(FIRST_PORT, account={"token": token[:-9] + "forgotten"})
    assert wrong(told) == ["WebAdmin lets us in"]
    assert token[:-9] not in str(told)


def new_token(folder: Path) -> str:
    """Make a pair of keys, the public one in a file, and a token that an administrator has."""
    key = folder / "key"
    for command in (
        f"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {key}",
        f"openssl pkey -in {key} -pubout -out {folder / 'public'}",
    ):
        subprocess.run(command.split(), check=True, capture_output=True)

    def packed(data: bytes) -> str:
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"sub": "admin", "admin": True, "exp": 4102444800}
    parts = [packed(json.dumps(one).encode()) for one in ({"alg": "RS256"}, claims)]
    sign = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    signed = subprocess.run(sign, input=".".join(parts).encode(), check=True, capture_output=True)
    return ".".join([*parts, packed(signed.stdout)])
