"""Say what the pillar under ``sendmail_james`` may hold: its sections, as frozen dataclasses.

Defaults stand in ``sendmail_james/defaults.yaml`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from james_client.wishes import checks as allowed
from james_client.wishes import people
from james_client.wishes.mistakes import check_bool, integer, list_of, one_of, optional
from james_client.wishes.secret import Secret

ROOT = "sendmail_james"


@dataclass(frozen=True)
class Package:
    """Say whether packages are installed, and whether another MTA may be replaced."""

    install: bool
    replace_mta: bool


@dataclass(frozen=True)
class Daemon:
    """Hold the queue runners' intervals, in sendmail's units (``10m``, ``5s``), and their patience.

    What is None stays as the cf says.
    """

    queue_interval: str
    programs_interval: str
    give_up_after: str | None
    warn_after: str | None


@dataclass(frozen=True)
class Relay:
    """Say where mail goes: host and port of James, the mailer, what stays local, and from whom.

    ``masquerade`` None leaves the senders as they are.
    """

    host: str
    mailer: str
    port: int
    mx_lookup: bool
    dns: bool
    switch_file: str
    stay_local: tuple[str, ...]
    masquerade: str | None
    masquerade_except: tuple[str, ...]
    elsewhere: tuple[str, ...]

    @property
    def triple(self) -> str:
        """Give the value of the D lines, ``mailer:host``."""
        return f"{self.mailer}:{self.host}"

    @property
    def loopback(self) -> bool:
        """Tell whether James is on this very host: localhost, 127/8 or ::1."""
        return allowed.is_loopback(self.host)


@dataclass(frozen=True)
class Loop:
    """Say whether sendmail's own check for mail loops stays on."""

    check: bool


@dataclass(frozen=True)
class Auth:
    """Hold how sendmail and the submission program log in to James."""

    username: str
    password: Secret
    enabled: bool
    realm: str
    mechanisms: tuple[str, ...]
    options: str
    required: bool
    file: str
    programs: str
    programs_file: str
    allow_cleartext: bool
    allow_unprivileged_port: bool


@dataclass(frozen=True)
class Account:
    """Hold how James's account and names are looked at, made or changed; timeout in seconds."""

    webadmin: str | None
    create: bool
    update: bool
    token: Secret | None
    webadmin_password: Secret | None
    timeout: int
    aliases: str
    acknowledged: tuple[str, ...]
    people: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Verify:
    """Say what is proved, and with which addresses."""

    routes: bool
    names: bool
    live: bool
    diff: bool
    local_user: str
    remote_address: str


@dataclass(frozen=True)
class Watch:
    """Say what a check finds too much, its seconds, how often it is made, and who is told."""

    oldest_warning: str
    oldest_critical: str
    count_warning: int
    count_critical: int
    timeout: int
    every: str | None
    textfile: str | None
    event: str


@dataclass(frozen=True)
class Mc:
    """Say whether the mc is kept in step: ``auto``, true or false."""

    manage: str | bool


@dataclass(frozen=True)
class Settings:
    """Hold the whole checked pillar; ``auth`` and ``account`` are None where not wanted."""

    package: Package
    daemon: Daemon
    relay: Relay
    loop: Loop
    auth: Auth | None
    account: Account | None
    verify: Verify
    watch: Watch
    mc: Mc
    lookup: Mapping[str, Any]

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Give the password, and what WebAdmin wants, where there are any."""
        parts = {"auth": self.auth, "account": self.account}
        found = [getattr(parts[name], key, None) for name, keys in SECRETS.items() for key in keys]
        return tuple(secret for secret in found if secret is not None)


Check = Callable[[Any, str], Any]
_DAY = 86400
_YEAR = 365 * _DAY

SECTIONS: dict[str, tuple[type, dict[str, Check]]] = {
    "package": (Package, {"install": check_bool, "replace_mta": check_bool}),
    "daemon": (
        Daemon,
        {
            "queue_interval": allowed.interval(_DAY),
            "programs_interval": allowed.interval(_DAY),
            "give_up_after": optional(allowed.interval(_YEAR)),
            "warn_after": optional(allowed.interval(_YEAR, allowed.NEVER)),
        },
    ),
    "relay": (
        Relay,
        {
            "host": allowed.check_host,
            "mailer": allowed.check_mailer,
            "port": allowed.check_port,
            "mx_lookup": check_bool,
            "dns": check_bool,
            "switch_file": allowed.check_switch_file,
            "stay_local": list_of(allowed.check_local_part, "local names"),
            "masquerade": optional(allowed.check_domain),
            "masquerade_except": list_of(
                allowed.check_masquerade_exception, "users, and hosts with @ before them"
            ),
            "elsewhere": list_of(allowed.check_domain, "domains"),
        },
    ),
    "loop": (Loop, {"check": check_bool}),
    "auth": (
        Auth,
        {
            "enabled": check_bool,
            "username": allowed.check_username,
            "password": allowed.check_password,
            "realm": allowed.check_realm,
            "mechanisms": allowed.check_mechanisms,
            "options": allowed.check_options,
            "required": check_bool,
            "file": allowed.check_credential_file,
            "programs": one_of("queue", "none"),
            "programs_file": allowed.check_credential_file,
            "allow_cleartext": check_bool,
            "allow_unprivileged_port": check_bool,
        },
    ),
    "account": (
        Account,
        {
            "webadmin": optional(allowed.check_webadmin),
            "create": check_bool,
            "update": check_bool,
            "token": optional(allowed.check_token),
            "webadmin_password": optional(allowed.check_webadmin_password),
            "timeout": integer(1, 300),
            "aliases": one_of("report", "carry", "ignore"),
            "acknowledged": list_of(people.check_alias_name, "names of aliases"),
            "people": people.check_people,
        },
    ),
    "verify": (
        Verify,
        {
            "routes": check_bool,
            "names": check_bool,
            "live": check_bool,
            "diff": check_bool,
            "local_user": allowed.check_local_part,
            "remote_address": allowed.check_remote_address,
        },
    ),
    "watch": (
        Watch,
        {
            "oldest_warning": allowed.interval(_YEAR),
            "oldest_critical": allowed.interval(_YEAR),
            "count_warning": integer(1, 10**6),
            "count_critical": integer(1, 10**6),
            "timeout": integer(1, 60),
            "every": optional(allowed.interval(_DAY)),
            "textfile": optional(allowed.check_textfile),
            "event": one_of("never", "change", "always"),
        },
    ),
    "mc": (Mc, {"manage": one_of("auto", True, False)}),
}
"""Every key that a pillar may have, and what it may be; ``lookup`` stands beside them."""
SECRETS = {"auth": ("password",), "account": ("token", "webadmin_password")}
"""The keys of a section that hold a secret; it is in force only where the pillar has it."""
