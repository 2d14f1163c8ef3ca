"""Foretell where sendmail would send an address, and say why that is not James."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from james_client.mta.ask import copy_of, refusal
from james_client.mta.process import TIMEOUT, ProcessError, run
from james_client.mta.reading import ListedMailer
from james_client.mta.trace import DEBUG, Route, TraceError, read


class Target(Protocol):
    """The pillar's `relay`, as far as routes are concerned."""

    @property
    def host(self) -> str: ...
    @property
    def mailer(self) -> str: ...
    @property
    def port(self) -> int: ...


def routes(
    cf: Path | str,
    addresses: Sequence[str],
    *,
    binary: str,
    timeout: float = TIMEOUT,
) -> list[Route]:
    """Return where sendmail would send each address, without DNS and without sending.

    One process for all of them. It is sendmail's own verification that decides: aliases,
    +details and ruleset 5 count as in a delivery. An alias with several members gives several
    routes.
    Raises ProcessError when an address cannot be one, or sendmail cannot read the cf.
    Source: sendmail(8), `-bv`; operations guide, 5.6 (ServiceSwitchFile).
    """
    for address in addresses:
        _must_be_one(address)
    if not addresses:
        return []
    with copy_of(cf) as copy:
        switch = copy.with_name("switch")
        switch.write_text("hosts files\n", encoding="ascii")
        # sendmail reads it after it has given up root for the submission program's user.
        copy.parent.chmod(0o755)
        argv = [binary, "-C", str(copy), f"-OServiceSwitchFile={switch}", "-bv", DEBUG, "--"]
        done = run([*argv, *addresses], timeout=timeout)
        if "--parseaddr(" not in done.out:
            raise refusal(cf, copy, done)
    try:
        return read(done.out, addresses)
    except TraceError as err:
        raise ProcessError(f"{cf}: {err} (exit status {done.status})") from None


def _must_be_one(address: str) -> None:
    """Refuse what no envelope can carry, before it reaches a command line."""
    if not isinstance(address, str) or not address.strip():
        raise ProcessError(f"expected an address, got {address!r}")
    if address != address.strip() or not address.isprintable() or len(address.encode()) > 250:
        raise ProcessError(
            f"expected one address of at most 250 printable characters, got {address[:260]!r}"
        )


def why_not_james(
    route: Route, relay: Target, mailers: Mapping[str, ListedMailer], *, msp: bool = False
) -> str | None:
    """Return why a route does not end at James, or None when it does.

    `mailers` are those of the same cf's `reading()`; with `msp` (submit.cf) the mailer's name
    is the submission program's own affair.
    """
    if route.error:
        return f"sendmail refuses it: {route.error}"
    mailer = mailers.get(route.mailer)
    if mailer is None:
        return f"mailer {route.mailer} does not exist"
    if not mailer.network or not route.host:
        where = f"mailer {route.mailer}, {mailer.path}"
        asked = "" if "5" in mailer.flags else ": without flag 5 ruleset 5 is not asked"
        return f"it stays on this host ({where}{asked})"
    if same_host(route.host) != same_host(relay.host):
        return f"it goes to {route.host}, not to {relay.host}"
    if mailer.port.replace("smtp", "25") != str(relay.port):
        return f"it goes to port {mailer.port}, not to {relay.port}"
    if "%" in mailer.flags:
        return f"it waits to be asked for (flag % of mailer {route.mailer}, as in dsmtp)"
    if route.user.startswith("@"):
        return (
            f"it arrives as {route.user}: names of class L stay on this host only by flag @ of the "
            "local mailer"
        )
    if not msp and route.mailer.lower() != relay.mailer.lower():
        return f"it goes by mailer {route.mailer}, not by {relay.mailer}"
    return None


def cures(reasons: Sequence[str]) -> list[str]:
    """Say what to do about these reasons; empty where they say it themselves."""
    found = [cure for words, cure in _CURES.items() if any(words in one for one in reasons)]
    return list(dict.fromkeys(found))


_CURES = {
    "it stays on this host": (
        "names that are meant to stay local belong in pillar sendmail_james:relay:stay_local"
    ),
    "it goes": "look for what else the cf sends mail by: a mailertable, a rule of LOCAL_RULE_0",
}


def same_host(host: str) -> str:
    """Reduce a host to one spelling: no brackets, and one name for what localhost resolves to."""
    bare = host.strip("[]").lower().removeprefix("ipv6:").rstrip(".")
    return "localhost" if bare in ("::1", "127.0.0.1") else bare
