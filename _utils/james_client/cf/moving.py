"""Find in a cf what sendmail does as a server, and what James must do once sendmail only sends.

Source: the lines that m4 writes for each feature (cf/README; proto.m4); operations guide, 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from james_client.cf.classes import class_files, words
from james_client.cf.text import Cf

__all__ = ["Feature", "features"]

_MAP = re.compile(r"K\s*(\S+)\s+(\S+)\s*(.*)", re.DOTALL)
_FILTER = re.compile(r"X([^,\s]+)[,\s]+(.*)", re.DOTALL)
_SOCKET = re.compile(r"\bS\s*=\s*([^,\s]+)")
# Map classes that are made of a text file (map.c).
_OF_TEXT = frozenset({"hash", "btree", "dbm", "ndbm", "cdb", "lmdb", "text", "implicit"})
_TABLES = {
    "mailertable": "mailertable",
    "virtuser": "virtusertable",
    "access": "access_db",
    "generics": "genericstable",
    "domaintable": "domaintable",
    "authinfo": "authinfo",
    "bitdomain": "bitdomain",
    "uudomain": "uucpdomain",
}
# What an mc without mailers and features of its own has.
_STOCK_MAILERS = frozenset({"local", "prog", "smtp", "esmtp", "smtp8", "dsmtp", "relay"})
_STOCK_MAILERS |= {"*file*", "*include*"}
_STOCK_AGENTS = frozenset({"mail", "mail.local", "sensible-mda"})
_CHECKS = ("Local_check_relay", "Local_check_mail", "Local_check_rcpt", "Local_greet_pause")
_LOOPBACK = re.compile(r"127\.|::1$|IPv6:::1$|localhost$", re.IGNORECASE)


@dataclass(frozen=True)
class Feature:
    """One thing that sendmail does for others.

    name
        the field's word, a heading of docs/moving.md
    said
        what more the cf says of it
    tables
        text files, or lists, that hold its entries: where they hold none, it does nothing
    """

    name: str
    said: str = ""
    tables: tuple[str, ...] = ()


def features(cf: Cf, smart_host: str | None = None) -> list[Feature]:
    """Return what a sendmail.cf does besides handing mail on.

    cf
        the configuration; nothing that it names is opened
    smart_host
        the value of macro S that is ours
    """
    return [
        *_inbound(cf),
        *_tables(cf),
        *_lists(cf),
        *_filters(cf),
        *_certificates(cf),
        *_logins(cf),
        *_smart_hosts(cf, smart_host),
        *_agents(cf),
        *_checks(cf),
    ]


def _inbound(cf: Cf) -> Iterator[Feature]:
    values = cf.option_values("DaemonPortOptions")
    found = [place for value in values if (place := _place(value))]
    if not values:
        found = ["port smtp of every address"]
    if found:
        yield Feature("mail from other hosts", ", ".join(found))


def _place(value: str) -> str:
    """Return where a daemon listens, in words; nothing where that is this host's own business."""
    pairs = (part.partition("=")[::2] for part in value.split(","))
    fields = {key.strip()[:1].upper(): text.strip() for key, text in pairs if key.strip()}
    address = fields.get("A", "")
    if _LOOPBACK.match(address):
        return ""
    return f"port {fields.get('P', 'smtp')} of {address or 'every address'}"


def _tables(cf: Cf) -> Iterator[Feature]:
    entries = (cf.entry(index).decode("utf-8", "replace") for index in cf.places(b"K"))
    for match in filter(None, map(_MAP.match, entries)):
        name, kind, rest = match[1], match[2], match[3].split()
        if name in _TABLES and kind in _OF_TEXT and rest:
            yield Feature(_TABLES[name], tables=(rest[-1].removesuffix(".db"),))
        elif name in _TABLES:
            yield Feature(_TABLES[name], f"from {kind}")
        elif kind == "dns" and "dnsbl" in name:
            yield Feature("DNS blocklists", f"map {name}")
        elif name == "ldapmra":
            yield Feature("LDAP routing")


def _lists(cf: Cf) -> Iterator[Feature]:
    """Give the class files that say for whom sendmail takes mail."""
    for name, letter in (("relay-domains", "R"), ("local-host-names", "w")):
        files = tuple(file.path for file in class_files(cf, letter))
        # C lines of class w hold this host's own names
        if letter == "R" and (written := words(cf, letter)):
            yield Feature(name, " ".join(written))
        if files:
            yield Feature(name, tables=files)


def _filters(cf: Cf) -> Iterator[Feature]:
    known = {}
    for index in cf.places(b"X"):
        if match := _FILTER.match(cf.entry(index).decode("utf-8", "replace")):
            socket = _SOCKET.search(match[2])
            known[match[1]] = socket[1] if socket else ""
    wanted = re.split(r"[,;\s]+", cf.option("InputMailFilters") or "")
    for name in filter(None, wanted):
        where = known.get(name, "")
        kind = "DKIM" if "dkim" in f"{name} {where}".lower() else "milter"
        yield Feature(kind, f"{name} at {where}" if where else name)


def _certificates(cf: Cf) -> Iterator[Feature]:
    path = cf.option("ServerCertFile")
    if path and cf.option("ServerKeyFile"):
        yield Feature("STARTTLS certificate", path)


def _logins(cf: Cf) -> Iterator[Feature]:
    if trusted := words(cf, "TrustAuthMech"):
        yield Feature("logins of users", " ".join(trusted))


def _smart_hosts(cf: Cf, ours: str | None) -> Iterator[Feature]:
    smart = cf.macro("S")
    if smart and smart != ours:
        login = cf.option("DefaultAuthInfo")
        yield Feature("smart host", f"{smart} with the login of {login}" if login else smart)
    if luser := cf.macro("L"):
        yield Feature("luser relay", luser)


def _agents(cf: Cf) -> Iterator[Feature]:
    local = cf.mailer("local")
    program = local.path.rpartition("/")[2] if local else ""
    if program and program not in _STOCK_AGENTS:
        yield Feature("delivery agent", f"mailer local is {program}")
    others = sorted({name for name in cf.mailers() if name.lower() not in _STOCK_MAILERS})
    if others:
        yield Feature("mailers", " ".join(others))


def _checks(cf: Cf) -> Iterator[Feature]:
    for name in _CHECKS:
        # m4 writes each as an empty ruleset; a site's own rules stand below a second header.
        if any(cf.rules(header) for header in cf.headers() if header.name == name):
            yield Feature("checks of its own", name)
