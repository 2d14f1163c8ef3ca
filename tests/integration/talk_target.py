"""The state that the formula must reach, made by hand: what these tests need of it and no more."""

from __future__ import annotations

import base64
import re
import shutil
import smtplib
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from james_client.mta import ask, queue
from james_client.mta import reading as sendmail_reading
from james_client.mta import routes as sendmail_routes
from support import james, pristine

SENDMAIL = "/usr/sbin/sendmail"

MAIL = Path("/etc/mail")
PASSWORD = "Gr33n-Tea&%Pot"
RELAY = SimpleNamespace(host="localhost", mailer="esmtp", port=25)
check = partial(ask.check, binary=SENDMAIL)
reading = partial(sendmail_reading.reading, binary=SENDMAIL)
routes = partial(sendmail_routes.routes, binary=SENDMAIL)
listing = partial(queue.listing, binary=SENDMAIL)
CREDENTIALS = {"james-auth-info": "root", "james-msp-auth-info": "smmsp"}
FILES = ("sendmail.cf", "submit.cf")
KNOBS = {
    "DAEMON_MODE": "none",
    "QUEUE_MODE": "daemon",
    "QUEUE_INTERVAL": "1m",
    "MSP_MODE": "Daemon",
    "MSP_INTERVAL": "p5s",
}
HUB = "R$+\t\t\t$: <> $1\n"
TRY = "R< > $+\t\t\t$: < $H > $1\ttry hub\nR< > $+\t\t\t$: < $R > $1\ttry relay\n"
REQUIRE = (
    "Stls_rcpt\n"
    "R$*\t\t$: $1 $| <$&{auth_type}>\n"
    'R$* $| <>\t$#error $@ 4.7.0 $: "454 James has not authenticated us"\n'
    "R$* $| <$*>\t$: $1\n"
)


def relayed(text: str, triple: str = "esmtp:localhost", flags: str = "k0") -> str:
    """Point smart host, local relay and mail hub of a sendmail.cf at James."""
    text = text.replace("\nDS\n", f"\nDS{triple}\nDR{triple}\nDH{triple}\n")
    text = text.replace(HUB, HUB + TRY, 1)
    return re.sub(r"(?m)^(Mesmtp,.*?F=\w+)", rf"\g<1>{flags}", text)


def authenticated(text: str, file: str, *, required: bool = True) -> str:
    """Make a cf log in to James, always if required."""
    text = re.sub(r"(?m)^Sauthinfo$", "SJamesUnusedAuthinfo", text)
    if required:
        text = text.replace("\nStls_rcpt\n", "\n" + REQUIRE)
    text = re.sub(r"(?m)^#?O DefaultAuthInfo=.*", f"O DefaultAuthInfo={file}", text)
    text = re.sub(r"(?m)^#?O AuthMechanisms=.*", "O AuthMechanisms=LOGIN PLAIN", text)
    return re.sub(r"(?m)^#?O AuthOptions.*", "O AuthOptions=A", text)


def credentials(password: str = PASSWORD) -> None:
    """Write both credential files, 0600, each for the one who reads it."""
    for name, owner in CREDENTIALS.items():
        path = MAIL / name
        path.touch(0o600)
        path.write_text(f"sendmail\nsendmail\n{password}\nlocalhost\n")
        path.chmod(0o600)
        shutil.chown(path, owner, owner)


def make(*, login: bool = True, required: bool = True, flags: str = "k0", more: str = "") -> None:
    """Turn a stock Debian host into a client of James, with its runners started anew.

    `login` and `required` are about AUTH, `flags` go to the esmtp mailer, `more` are lines for
    the head of sendmail.cf.
    """
    cf, msp = ((pristine.COPY / "etc/mail" / name).read_text("latin-1") for name in FILES)
    cf = more + relayed(cf, flags=flags)
    if login:
        cf = authenticated(cf, "/etc/mail/james-auth-info", required=required)
        msp = re.sub(r"(?m)^O DeliveryMode=.*", "O DeliveryMode=queue", msp)
        msp = authenticated(msp, "/etc/mail/james-msp-auth-info", required=required)
    credentials()
    knobs = (MAIL / "sendmail.conf").read_text()
    for key, value in KNOBS.items():
        knobs = re.sub(rf"(?m)^{key}=.*", f'{key}="{value}"', knobs)
    (MAIL / "sendmail.conf").write_text(knobs)
    pristine.run("/usr/share/sendmail/update_conf")
    for name, text in zip(FILES, (cf, msp), strict=True):
        (MAIL / name).write_text(text, "latin-1")
    pristine.run("systemctl", "restart", "sendmail.service")


def fresh(**how: Any) -> Any:
    """Put the host back, start a James with users, make the state, and give James's handle."""
    pristine.remember()
    pristine.restore(listening=False)
    james.start()
    james.add_user("alice", "bob", "postmaster", "root")
    james.add_user("sendmail", password=PASSWORD)
    make(**how)
    return james


def tokens(password: str = PASSWORD) -> list[str]:
    """Give what AUTH LOGIN and AUTH PLAIN say over the wire for a password."""
    said = (password, f"sendmail\0sendmail\0{password}", f"\0sendmail\0{password}")
    return [base64.b64encode(text.encode()).decode() for text in said]


def submit(sender: str, recipient: str, text: str) -> None:
    """Give James a message without logging in."""
    with smtplib.SMTP("127.0.0.1", 25, timeout=30) as smtp:
        smtp.sendmail(sender, [recipient], text)
