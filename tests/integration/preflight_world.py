"""A real James with an SMTP server for each fault, what preflight says of one, and its cure."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import recipe
import yaml
from james_client.answers.preflight import preflight
from james_client.james.dialogue import Check, Login, Questions, dialogue
from james_client.james.smtp import Server
from james_client.run.plan import Plan
from james_client.wishes import read
from james_client.wishes.platform import select
from james_client.wishes.secret import Secret
from support import james

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
CF_FILES = ("sendmail.cf", "submit.cf")
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
SIZE_STAYS = "size, as it stays"
PORTS = {name: FIRST_PORT + n for n, name in enumerate((*FAULTS, *NAME_FAULTS, SIZE_STAYS))}


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


def wants_token(folder: Path) -> str:
    """Write the settings of a WebAdmin that wants tokens of the key in a folder; give the file."""
    file = Path("/tmp/webadmin.properties")
    file.write_text(
        "enabled=true\nport=8000\nhost=127.0.0.1\njwt.enabled=true\n"
        f"jwt.publickeypem.url=file://{folder}/public"
    )
    return str(file)


def add_account(token: str) -> None:
    """Give a James who wants a token sendmail's account."""
    put = urllib.request.Request(
        f"{james.WEBADMIN}/users/sendmail",
        json.dumps({"password": recipe.PASSWORD}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="PUT",
    )
    urllib.request.urlopen(put, timeout=10).close()


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
