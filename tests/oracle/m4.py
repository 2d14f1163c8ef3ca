"""Build a cf with m4, and apply the steps to a cf and its mc."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from james_client.cf import auth, loop, masquerade, relay, timeouts
from james_client.cf.text import Cf
from james_client.mc.block import McFile
from james_client.wishes.secret import Secret
from james_client.wishes.settings import Auth, Daemon, Loop, Relay

BUILT = re.compile(rb"(?m)^##### built by .*$")

RELAY = Relay(
    host="localhost",
    mailer="esmtp",
    port=25,
    mx_lookup=False,
    dns=True,
    switch_file="/etc/mail/james-service.switch",
    stay_local=(),
    masquerade=None,
    masquerade_except=(),
    elsewhere=(),
)
DAEMON = Daemon("10m", "5s", None, None)
LOOP = Loop(check=False)
AUTH = Auth(
    username="sendmail",
    password=Secret("s3cret"),
    enabled=True,
    realm="localhost",
    mechanisms=("LOGIN", "PLAIN"),
    options="A",
    required=True,
    file="/etc/mail/james-auth-info",
    programs="queue",
    programs_file="/etc/mail/james-msp-auth-info",
    allow_cleartext=False,
    allow_unprivileged_port=False,
)


@dataclass(frozen=True)
class Wishes:
    """Hold what the steps need."""

    relay: Relay = RELAY
    loop: Loop = LOOP
    auth: Auth | None = AUTH
    daemon: Daemon = DAEMON


WISHES = {
    "default": Wishes(),
    "mailer relay, port 2525": Wishes(replace(RELAY, mailer="relay", port=2525)),
    "mailer smtp, port 2525": Wishes(replace(RELAY, mailer="smtp", port=2525)),
    "MX look-up, loop check, AUTH optional": Wishes(
        replace(RELAY, host="james.example.com", mx_lookup=True),
        Loop(check=True),
        replace(AUTH, required=False, options=""),
    ),
    "IPv6, no DNS, only PLAIN, not for programs": Wishes(
        replace(RELAY, host="[IPv6:::1]", dns=False),
        LOOP,
        replace(AUTH, mechanisms=("PLAIN",), programs="none"),
    ),
    "no AUTH": Wishes(auth=None),
}
#: What the steps take back only from a clean file: these replace each other, and no others.
LASTING = {
    "masqueraded, patient": Wishes(
        replace(RELAY, masquerade="example.org", masquerade_except=("root", "@shop.example")),
        daemon=replace(DAEMON, give_up_after="10d", warn_after="never"),
    ),
    "masqueraded otherwise, less patient": Wishes(
        replace(RELAY, masquerade="m.define.example"),
        daemon=replace(DAEMON, give_up_after="2d12h", warn_after="90m"),
    ),
}
STEPS = ("daemon", "relay", "loop", "auth")


@dataclass(frozen=True)
class Tree:
    """Hold the folder of sendmail's m4 files."""

    folder: Path

    def build(self, mc: bytes) -> bytes:
        """Give the cf that m4 builds, without the date; where m4 fails, CalledProcessError."""
        done = subprocess.run(
            ["m4", "-"], input=mc, capture_output=True, cwd=self.folder / "cf", check=True
        )
        return BUILT.sub(b"##### built", done.stdout)

    def debian(self, name: str) -> bytes:
        """Give Debian's own mc, ``sendmail`` or ``submit``."""
        return (self.folder / "debian" / f"{name}.mc").read_bytes()

    def samples(self) -> dict[str, bytes]:
        """Give every sample mc of the package, each with the line that its Makefile would add."""
        start = b"include(`../m4/cf.m4')dnl\n"
        paths = sorted((self.folder / "cf").glob("*.mc"))
        return {path.name: start + path.read_bytes() for path in paths}


def apply(
    cf: bytes, mc: bytes, wishes: Wishes, steps: Iterable[str] = STEPS
) -> tuple[bytes, bytes]:
    """Apply steps to a cf and to its mc, and give both."""
    config, source = Cf(cf), McFile(mc)
    for step in steps:
        if step == "daemon":
            timeouts.edit(config, wishes.daemon)
            source.timeouts(wishes.daemon)
        elif step == "relay":
            relay.edit(config, wishes.relay)
            masquerade.edit(config, wishes.relay)
            source.relay(config, wishes.relay)
            source.masquerade(config, wishes.relay)
        elif step == "loop":
            loop.edit(config, wishes.relay, wishes.loop)
            source.loop(config, wishes.relay, wishes.loop)
        else:
            auth.edit(config, wishes.auth, wishes.relay)
            source.auth(config, wishes.auth, wishes.relay)
    return config.render(), source.render()
