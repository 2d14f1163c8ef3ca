"""
The pillar under ``sendmail_james``, checked once, as frozen dataclasses.

Defaults stand in ``sendmail_james/defaults.yaml`` only; what a place allows stands in
``james_client.wishes.checks``. Nothing here does I/O.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from james_client.wishes import checks as allowed
from james_client.wishes.checks import (
    check_address,
    check_backup,
    check_credential_file,
    check_host,
    check_local_part,
    check_mailer,
    check_port,
    check_username,
)
from james_client.wishes.mistakes import (
    Secret,
    SettingsError,
    check_bool,
    integer,
    list_of,
    nearest,
    one_of,
    optional,
    refuse,
    shown,
    shown_key,
)

__all__ = [
    "ROOT",
    "Account",
    "Auth",
    "Daemon",
    "Loop",
    "Mc",
    "Package",
    "Relay",
    "Secret",
    "Settings",
    "SettingsError",
    "Verify",
    "check_address",
    "check_backup",
    "check_credential_file",
    "check_host",
    "check_local_part",
    "check_mailer",
    "check_port",
    "check_username",
    "load",
]

ROOT = "sendmail_james"


@dataclass(frozen=True)
class Package:
    """Say whether packages are installed, and whether another MTA may be replaced."""

    install: bool
    replace_mta: bool


@dataclass(frozen=True)
class Daemon:
    """Hold the queue runners' intervals, in sendmail's units (``10m``, ``5s``)."""

    queue_interval: str
    programs_interval: str


@dataclass(frozen=True)
class Relay:
    """Say where mail goes: host and port of James, the mailer, and what stays local."""

    host: str
    mailer: str
    port: int
    mx_lookup: bool
    dns: bool
    switch_file: str
    stay_local: tuple[str, ...]

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
    """Hold how the James account is looked at or created; timeout in seconds."""

    webadmin: str | None
    create: bool
    token: Secret | None
    timeout: int


@dataclass(frozen=True)
class Verify:
    """Say what is proved after a change, and with which addresses."""

    routes: bool
    live: bool
    local_user: str
    remote_address: str


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
    mc: Mc
    lookup: Mapping[str, Any]

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Give the password and the token, where there are any."""
        password = self.auth.password if self.auth else None
        token = self.account.token if self.account else None
        return tuple(secret for secret in (password, token) if secret is not None)


Check = Callable[[Any, str], Any]
_DAY = 86400

# Every key that a pillar may have, and what it may be.
SECTIONS: dict[str, tuple[type, dict[str, Check]]] = {
    "package": (Package, {"install": check_bool, "replace_mta": check_bool}),
    "daemon": (
        Daemon,
        {
            "queue_interval": allowed.interval(_DAY),
            "programs_interval": allowed.interval(_DAY),
        },
    ),
    "relay": (
        Relay,
        {
            "host": check_host,
            "mailer": check_mailer,
            "port": check_port,
            "mx_lookup": check_bool,
            "dns": check_bool,
            "switch_file": allowed.check_switch_file,
            "stay_local": list_of(check_local_part, "local names"),
        },
    ),
    "loop": (Loop, {"check": check_bool}),
    "auth": (
        Auth,
        {
            "enabled": check_bool,
            "username": check_username,
            "password": allowed.check_password,
            "realm": allowed.check_realm,
            "mechanisms": allowed.check_mechanisms,
            "options": allowed.check_options,
            "required": check_bool,
            "file": check_credential_file,
            "programs": one_of("queue", "none"),
            "programs_file": check_credential_file,
            "allow_cleartext": check_bool,
            "allow_unprivileged_port": check_bool,
        },
    ),
    "account": (
        Account,
        {
            "webadmin": optional(allowed.check_webadmin),
            "create": check_bool,
            "token": optional(allowed.check_token),
            "timeout": integer(1, 300),
        },
    ),
    "verify": (
        Verify,
        {
            "routes": check_bool,
            "live": check_bool,
            "local_user": check_local_part,
            "remote_address": allowed.check_remote_address,
        },
    ),
    "mc": (Mc, {"manage": one_of("auto", True, False)}),
}
#: Which key of a section is a secret.
SECRETS_OF = {"auth": "password", "account": "token"}


def load(
    pillar: Mapping[str, Any] | None,
    defaults: Mapping[str, Any],
    *,
    resolve: Callable[[str], Any] | None = None,
    lookup_keys: Collection[str] | None = None,
    unprivileged_from: int = 1024,
) -> Settings:
    """
    Check the pillar and give it back with the defaults filled in.

    pillar
        What stands under ``sendmail_james``; None where nothing does.
    defaults
        The parsed ``defaults.yaml``.
    resolve
        Turns an ``sdb://`` address into the secret; without it the address is taken as it is.
    lookup_keys
        The platform facts that ``lookup`` may set; None accepts any.
    unprivileged_from
        The first port that an ordinary user of this host may listen on.

    Raises :class:`SettingsError` with all mistakes, in the order of the sections and keys, then
    those values that do not go together.
    """
    return _Reader(defaults, resolve, lookup_keys, unprivileged_from).read(
        {} if pillar is None else pillar
    )


class _Reader:
    def __init__(
        self,
        defaults: Mapping[str, Any],
        resolve: Callable[[str], Any] | None,
        lookup_keys: Collection[str] | None,
        unprivileged_from: int,
    ) -> None:
        self.defaults = defaults
        self.resolve = resolve
        self.lookup_keys = lookup_keys
        self.unprivileged_from = unprivileged_from
        self.mistakes: list[str] = []

    def read(self, pillar: Any) -> Settings:
        given = self.mapping(pillar, ROOT, (*SECTIONS, "lookup"))
        built = {name: self.section(name, given) for name in SECTIONS}
        built["lookup"] = self.lookup(given)
        for rule in (_dns_mistakes, _auth_mistakes, _account_mistakes):
            self.mistakes.extend(rule(built))
        self.mistakes.extend(_port_mistakes(built, self.unprivileged_from))
        if self.mistakes:
            raise SettingsError(self.mistakes)
        if not built["auth"].get("enabled"):
            built["auth"] = {}
        parts: dict[str, Any] = {
            name: maker(**built[name]) if built[name] else None
            for name, (maker, _) in SECTIONS.items()
        }
        return Settings(lookup=built["lookup"], **parts)

    def mapping(self, value: Any, path: str, known: Collection[str] | None) -> dict[str, Any]:
        """Give the known part of a mapping; unknown keys are mistakes."""
        if not isinstance(value, Mapping):
            # A word in the place of a section may be a secret: tell its type only.
            found = "a word" if isinstance(value, (str, int, float)) else shown(value)
            self.mistakes.append(f"{path}: expected a mapping, got {found}")
            return {}
        if known is None:
            return dict(value)
        for key in value:
            if not isinstance(key, str) or key not in known:
                found, hint = shown_key(key, value[key]), nearest(key, known)
                self.mistakes.append(f"{path}: expected a known key, got {found}: {hint}")
        return {key: value[key] for key in known if key in value}

    def section(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check one section; an absent auth or account is empty."""
        path = f"{ROOT}:{name}"
        _, checks = SECTIONS[name]
        own = self.mapping(given.get(name, {}), path, checks)
        if not isinstance(given.get(name, {}), Mapping) or (
            name in SECRETS_OF and name not in given
        ):
            return {}
        values = {**self.defaults.get(name, {}), **own}
        off = name == "auth" and values.get("enabled") is False
        checked: dict[str, Any] = {}
        for key, check in checks.items():
            where = f"{path}:{key}"
            if key not in values:
                if not off:
                    self.mistakes.append(f"{where}: expected a value, got none (it is required)")
                continue
            try:
                value = values[key]
                if key == SECRETS_OF.get(name) and not off:
                    value = self.resolved(value, where)
                checked[key] = check(value, where)
            except SettingsError as err:
                self.mistakes.extend(err.mistakes)
        return checked

    def resolved(self, value: Any, path: str) -> Any:
        """Ask for a secret that the pillar only points at."""
        if self.resolve is None or not isinstance(value, str) or not value.startswith("sdb://"):
            return value
        try:
            found = self.resolve(value)
        # sdb drivers raise anything, and their words may hold the secret.
        except Exception as err:
            kind = type(err).__name__
        else:
            if found is not None and found != value:
                return found
            # Salt gives the address back where no such sdb profile is configured.
            kind = "nothing"
        raise SettingsError([f"{path}: expected a secret behind its sdb:// address, got {kind}"])

    def lookup(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the platform facts."""
        path = f"{ROOT}:lookup"
        own = self.mapping(given.get("lookup", {}), path, self.lookup_keys)
        facts: dict[str, Any] = {}
        for key, value in {**self.defaults.get("lookup", {}), **own}.items():
            check = allowed.PLATFORM_FACTS.get(key, allowed.check_platform_fact)
            try:
                facts[key] = check(value, f"{path}:{key}")
            except SettingsError as err:
                self.mistakes.extend(err.mistakes)
        return facts


def _wrong(key: str, wanted: str, value: Any) -> str:
    return refuse(f"{ROOT}:{key}", wanted, value).mistakes[0]


def _dns_mistakes(built: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    relay = built["relay"]
    if relay.get("mx_lookup") and relay.get("dns") is False:
        yield _wrong("relay:mx_lookup", "false, since relay:dns is false", True)


def _auth_mistakes(built: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    auth, relay = built["auth"], built["relay"]
    if not auth.get("enabled"):
        return
    host = relay.get("host", "localhost")
    # With an MX look-up DNS decides where the password goes, whatever the name.
    away = not allowed.is_loopback(host) or (relay.get("mx_lookup") and not host.startswith("["))
    if auth.get("allow_cleartext") is False and away:
        where = f"the MX of {host}" if relay.get("mx_lookup") else host
        wanted = f"true, since the password would go to {where} in clear text"
        yield _wrong("auth:allow_cleartext", wanted + ", or a relay:host on this host", False)
    if "file" in auth and auth["file"] == auth.get("programs_file"):
        yield _wrong("auth:programs_file", "another file than auth:file", auth["file"])
    if "username" in auth and "password" in auth:
        try:
            allowed.check_fits(auth["username"], auth["password"], f"{ROOT}:auth:password")
        except SettingsError as err:
            yield from err.mistakes


def _port_mistakes(built: Mapping[str, Mapping[str, Any]], first: int) -> Iterator[str]:
    """Refuse a port of this host that any user could take, and the login with it."""
    auth, relay = built["auth"], built["relay"]
    port, host = relay.get("port", 0), relay.get("host", "localhost")
    refused = auth.get("enabled") and auth.get("allow_unprivileged_port") is False
    if refused and port >= first and allowed.is_loopback(host):
        yield (
            f"{ROOT}:relay:port: expected a port below {first} (net.ipv4."
            f"ip_unprivileged_port_start), got {port}: any user of this host could take it while "
            "James is down, and the password with it. Give James such a port, raise that sysctl "
            "above this one, or accept the risk with auth:allow_unprivileged_port: true"
        )


def _account_mistakes(built: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    auth, account = built["auth"], built["account"]
    create, token = account.get("create"), account.get("token")
    if create and "webadmin" in account and account["webadmin"] is None:
        yield _wrong("account:webadmin", "an address, since account:create is true", None)
    if create and not auth.get("enabled"):
        yield _wrong("account:create", "false, since there is no auth section in force", True)
    url = account.get("webadmin")
    sends = (create or token) and auth.get("allow_cleartext") is not True
    if sends and url and allowed.is_cleartext(url):
        yield _wrong("account:webadmin", "https, or auth:allow_cleartext: true", url)
