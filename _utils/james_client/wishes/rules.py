"""Say which wishes do not go together. What a value alone may be stands in checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from james_client.wishes import checks as allowed
from james_client.wishes.mistakes import SettingsError, refuse
from james_client.wishes.settings import ROOT

Built = Mapping[str, Mapping[str, Any]]
"""``{section: {key: value}}``: what each value alone may be; a key with a mistake is not there."""


def contradictions(
    built: Built, unprivileged_from: int, is_here: Callable[[str], bool]
) -> Iterator[str]:
    """Yield a mistake for each two wishes that exclude each other.

    unprivileged_from
        the first port that an ordinary user of this host may listen on
    is_here
        tells whether a host is this very one; asked only where that matters
    """
    yield from _dns(built)
    yield from _patience(built)
    yield from _masquerade(built)
    if built["auth"].get("enabled"):
        yield from _login(built)
        yield from _port(built, unprivileged_from, is_here)
    yield from _account(built)
    yield from _watch(built)


def _wrong(key: str, wanted: str, value: Any) -> str:
    return refuse(f"{ROOT}:{key}", wanted, value).mistakes[0]


def _dns(built: Built) -> Iterator[str]:
    relay = built["relay"]
    if relay.get("mx_lookup") and relay.get("dns") is False:
        yield _wrong("relay:mx_lookup", "false, since relay:dns is false", True)


def _patience(built: Built) -> Iterator[str]:
    """Refuse mail that is given up at its first retry, and a warning that comes too late."""
    daemon = built["daemon"]
    last, warn = daemon.get("give_up_after"), daemon.get("warn_after")
    if last is None:
        return
    for key in ("queue_interval", "programs_interval"):
        if key in daemon and allowed.seconds(daemon[key]) >= allowed.seconds(last):
            yield _wrong("daemon:give_up_after", f"more than daemon:{key} ({daemon[key]})", last)
    if warn and warn != allowed.NEVER and allowed.seconds(warn) >= allowed.seconds(last):
        yield _wrong(
            "daemon:warn_after", f"less than daemon:give_up_after ({last}), or never", warn
        )


def _masquerade(built: Built) -> Iterator[str]:
    relay = built["relay"]
    names = relay.get("masquerade_except")
    if names and "masquerade" in relay and relay["masquerade"] is None:
        wanted = "no name, since relay:masquerade is not set"
        yield _wrong("relay:masquerade_except", wanted, ", ".join(names))


def _login(built: Built) -> Iterator[str]:
    auth, relay = built["auth"], built["relay"]
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


def _port(built: Built, unprivileged_from: int, is_here: Callable[[str], bool]) -> Iterator[str]:
    """Refuse a port of this host that any user could take, and the login with it."""
    auth, relay = built["auth"], built["relay"]
    port, host = relay.get("port", 0), relay.get("host", "localhost")
    if auth.get("allow_unprivileged_port") is not False or port < unprivileged_from:
        return
    if allowed.is_loopback(host) or is_here(host):
        yield (
            f"{ROOT}:relay:port: expected a port below {unprivileged_from} (net.ipv4."
            f"ip_unprivileged_port_start), got {port}: any user of this host could take it while "
            "James is down, and the password with it. Give James such a port, raise that sysctl "
            "above this one, or accept the risk with auth:allow_unprivileged_port: true"
        )


def _account(built: Built) -> Iterator[str]:
    auth, account = built["auth"], built["account"]
    token, password = account.get("token"), account.get("webadmin_password")
    wishes = [key for key in ("create", "update") if account.get(key)]
    if "webadmin" in account and account["webadmin"] is None:
        reasons = [f"account:{key} is true" for key in wishes]
        reasons += ["account:aliases is carry"] * (account.get("aliases") == "carry")
        reasons += ["account:people names some"] * bool(account.get("people"))
        for reason in reasons:
            yield _wrong("account:webadmin", f"an address, since {reason}", None)
    if not auth.get("enabled"):
        for key in wishes:
            wanted = "false, since there is no auth section in force"
            yield _wrong(f"account:{key}", wanted, True)
    if account.get("update") and auth.get("enabled") and auth.get("required") is False:
        # James has the new password a moment before sendmail: mail must wait meanwhile.
        wanted = "false, since auth:required is: mail would leave without a login and bounce"
        yield _wrong("account:update", wanted, True)
    url = account.get("webadmin")
    if token and password:
        yield (
            f"{ROOT}:account:webadmin_password: expected null, since account:token is set: "
            "WebAdmin wants one of them"
        )
    sends = (wishes or token or password) and auth.get("allow_cleartext") is not True
    if sends and url and allowed.is_cleartext(url):
        yield _wrong("account:webadmin", "https, or auth:allow_cleartext: true", url)


def _watch(built: Built) -> Iterator[str]:
    """Refuse a schedule whose checks nobody is told of."""
    watch = built["watch"]
    untold = "textfile" in watch and watch["textfile"] is None and watch.get("event") == "never"
    if watch.get("every") and untold:
        wanted = "null, since nobody would be told: set watch:textfile or watch:event too"
        yield _wrong("watch:every", wanted, watch["every"])
