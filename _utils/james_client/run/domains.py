"""Name the domains in which a local name's mail reaches James, starting no sendmail."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from james_client.cf.classes import class_files, expand, file_words, words
from james_client.cf.text import Cf
from james_client.files.walk import FilesError
from james_client.mta.ask import require_roots
from james_client.run.plan import Plan
from james_client.run.roots import read_roots

HOSTS = Path("/etc/hosts")
_LABEL = "[a-z0-9_]([a-z0-9_-]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST = 256 * 1024  # bytes that are read of a file that a class comes from


def local_domains(plan: Plan) -> tuple[str, ...]:
    """Return the domains that mean this host, in which James must know each local name.

    plan
        its cf files say which names sendmail takes for its own

    They are those of ``arriving`` that can be James's: an address in brackets can't.
    """
    return tuple(name for name in arriving(plan) if _NAME.fullmatch(name))


def host_domains(plan: Plan) -> tuple[str, ...]:
    """Return those of them that every host has: of the hub rule, and of programs' bare names."""
    hub, full = plan.settings.relay.host.lower(), full_name(plan)
    return tuple(name for name in dict.fromkeys((hub, full)) if _NAME.fullmatch(name))


def arriving(plan: Plan) -> tuple[str, ...]:
    """Return what stands behind the ``@`` when a local name's mail arrives at James.

    Sendmail itself hands each of them over as NAME@HOST, HOST being pillar ``relay:host`` (the hub
    rule). Programs' mail comes at the host's full name, as its sender's answers do; where it was
    written to a name of class w, at that name, as /etc/hosts spells it out. What only DNS knows of
    this host's names is not seen.
    """
    full = full_name(plan)
    found = [plan.settings.relay.host, full]
    if plan.has_programs_queue():
        spelled = _canonical_names()
        domain = full.partition(".")[2]
        # submit.cf has rules for these before it asks /etc/hosts
        plain = {"localhost", f"localhost.{domain}", socket.gethostname().lower()}
        found += [spelled.get(name, name) for name in own_names(plan) if name not in plain]
    hub, *others = (name.lower().rstrip(".") for name in found)
    return tuple(dict.fromkeys((hub, *(name for name in others if _NAME.fullmatch(name)))))


def full_name(plan: Plan) -> str:
    """Return the name that submit.cf, or sendmail.cf without one, completes bare names with."""
    path = plan.cf_paths()[-1]
    cf = None if plan.data(path) is None else _roots_cf(plan, path)
    written = None if cf is None else cf.macro("j")
    known = written and cf and expand(cf, written, _macros())
    return (known or socket.getfqdn()).lower()


def own_names(plan: Plan) -> tuple[str, ...]:
    """Return sendmail.cf's class w: the names that sendmail takes for this host's own.

    Its C lines, the files of its F lines, and what sendmail adds by itself: the host's name, its
    first label, and what /etc/hosts has for it and for the addresses of its interfaces.
    """
    path = plan.platform.cf
    found = list(_of_itself())
    if plan.data(path) is not None:
        found += _written(_roots_cf(plan, path))
    return tuple(dict.fromkeys(name.lower() for name in found))


def _written(cf: Cf) -> Iterator[str]:
    yield from words(cf, "w", _macros())
    for file in class_files(cf, "w"):
        with suppress(FilesError):
            data = read_roots(file.path) or b""
            yield from file_words(data[:_LONGEST].decode("utf-8", "replace"), file.pattern)


def unread(plan: Plan) -> list[str]:
    """Say which files of class w are not read, for others than root may have written them."""
    found = []
    for file in class_files(_roots_cf(plan, plan.platform.cf), "w"):
        try:
            read_roots(file.path)
        except FilesError as err:
            found.append(str(err))
    return found


def _roots_cf(plan: Plan, path: str) -> Cf:
    """Return a cf, or raise ProcessError where others than root may have written it."""
    seen = plan.before(path)
    require_roots(path, seen.uid, seen.gid, seen.mode)
    return plan.cf(path)


def _macros() -> dict[str, str]:
    """Return what sendmail defines before it reads a cf (V5 and later: w is the first label)."""
    full = socket.getfqdn()
    short, _, domain = full.partition(".")
    return {"w": short, "j": full, "m": domain, "k": socket.gethostname()}


def _of_itself() -> Iterator[str]:
    host = socket.gethostname()
    full = socket.getfqdn()
    yield from (host, full, full.partition(".")[0])
    found = psutil.net_if_addrs().values()
    here = {one.address for all_ in found for one in all_ if one.family == socket.AF_INET}
    for written, *names in _hosts():
        # Of an address the first line counts, and libc finds ::1 as an IPv4 address too.
        address = "127.0.0.1" if written == "::1" else written
        if address in here or host in names:
            yield from names
        here.discard(address)


def _canonical_names() -> dict[str, str]:
    """Return the first name of the first line of /etc/hosts that has a name, for each name."""
    found: dict[str, str] = {}
    for _, first, *others in _hosts():
        for name in (first, *others):
            found.setdefault(name.lower(), first)
    return found


def _hosts() -> Iterator[list[str]]:
    """Give the lines of /etc/hosts: address, name, other names."""
    try:
        text = HOSTS.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) > 1:
            yield fields
