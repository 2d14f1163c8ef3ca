"""Tell by the host itself why mail is refused or stands still: disk, load, name server.

Source: enoughdiskspace() in sendmail's conf.c, shouldqueue() in queue.c; operations guide, 5.6.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from james_client.cf.text import Cf
from james_client.james.peer import bare
from james_client.mta import space
from james_client.run.port import JAVA
from james_client.run.service import APPLY
from james_client.verdict.cause import Cause
from james_client.verdict.evidence import Evidence
from james_client.verdict.finding import Finding, Level
from james_client.verdict.queues import folders
from james_client.verdict.words import some

_PER_PROCESSOR = 8  # QueueLA where the cf has none
_FACTOR, _RECIPIENT = 600_000, 30_000  # QueueFactor, RecipientFactor
_LEAST = 64 * 1024 * 1024  # bytes that James wants for his stores and logs
_BUSIEST = "ps -eo pcpu,pid,user,args --sort=pcpu"  # the busiest last
_LOOK_UP = re.compile(
    r"\bhost map: lookup \(([^)]*)\): deferred|(?:Name server: (\S+): )?host name lookup failure"
)
_NEARLY_ALL = 0.8


def _number(cf: Cf, option: str, default: int) -> int:
    """Return the value of a numeric option."""
    value = (cf.option(option) or "").strip()
    return int(value) if value.isdecimal() else default


def _skips_runs(cf: Cf, average: int) -> int | None:
    """Return QueueLA where at such a load sendmail starts no queue run, None where it does."""
    limit = _number(cf, "QueueLA", _PER_PROCESSOR * (os.cpu_count() or 1))
    if average < limit:
        return None
    factor = _number(cf, "QueueFactor", _FACTOR)
    least = _number(cf, "RecipientFactor", _RECIPIENT)
    return limit if least > factor // (average - limit + 1) else None


def _full(found: space.Space, least: int) -> tuple[str, str] | None:
    """Return what a file system lacks and what shows who fills it, None where it has enough."""
    mount = shlex.quote(found.mount)
    if found.free < least:
        left, wanted = (blocks * found.block // 1024 for blocks in (found.free, least))
        return f"has {left} KiB left, expected at least {wanted}", f"du -xh -d3 {mount}"
    if found.files is not None and found.files < space.FILES:
        return (
            f"has room for {found.files} more files, expected {space.FILES}",
            f"du -x --inodes -d3 {mount}",
        )
    return None


def _spool(seen: Evidence) -> Iterator[Finding]:
    told = set()
    for path in seen.plan.cf_paths():
        cf = seen.plan.cf(path)
        for folder in folders(cf):
            found = space.space(folder)
            full = _full(found, max(_number(cf, "MinFreeBlocks", 0), 1))
            if full and found.mount not in told:
                told.add(found.mount)
                said = f"{found.mount}, where {folder} lies, {full[0]}: mail is refused here"
                yield Finding("spool-full", Level.CRITICAL, said, full[1])


def _james_disk(seen: Evidence) -> Iterator[Finding]:
    """Look at the disk that James works on, where he is this host's."""
    for james in _james(seen):
        pid = james.pid
        try:
            folder = _works_in(james)
            found = space.space(folder)
        except (psutil.Error, FileNotFoundError):
            continue
        full = _full(found, -(-_LEAST // found.block))
        if full and found.total:
            said = f"{found.mount}, where James (pid {pid}) works in {folder}, {full[0]}"
            yield Finding("james-disk-full", Level.CRITICAL, said, full[1])


def _james(seen: Evidence) -> list[psutil.Process]:
    """Give who holds the address that sendmail connects to; none where several users do."""
    relay = seen.plan.settings.relay
    if not relay.loopback:
        return []
    used = {"0.0.0.0", "::", "::ffff:0.0.0.0", *_addresses(relay.host)}
    listeners = [one for one in seen.processes.listeners if one.port == relay.port]
    found = []
    for pid in sorted({one.pid for one in listeners if one.pid and one.address in used}):
        with suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found if len({_uid(one) for one in found}) == 1 else []


def _addresses(host: str) -> set[str]:
    found = socket.getaddrinfo(bare(host), None, type=socket.SOCK_STREAM)
    ips = {str(address[0]) for *_, address in found}
    return ips | {f"::ffff:{ip}" for ip in ips if "." in ip}


def _uid(one: psutil.Process) -> int | None:
    with suppress(psutil.Error):
        return int(one.uids().real)
    return None


def _works_in(james: psutil.Process) -> str:
    for word in james.cmdline() if Path(james.exe()).name in JAVA else ():
        name, _, value = word.partition("=")
        if name == "-Dworking.directory" and Path(value).is_dir():
            return str(value)
    return str(james.cwd())


def _load(seen: Evidence) -> Iterator[Finding]:
    average = space.load()
    waits = sum(one.glimpse.total for one in seen.queues)
    for path in seen.plan.cf_paths():
        limit = _skips_runs(seen.plan.cf(path), average)
        if limit is not None:
            said = f"load average {average}, where sendmail starts no queue run from {limit} on "
            said += f"(QueueLA in {path})" + f"; {waits} messages wait" * bool(waits)
            level = Level.CRITICAL if waits else Level.WARNING
            yield Finding("load-too-high", level, said, _BUSIEST)
            return


def _names(seen: Evidence) -> Iterator[Finding]:
    held = [held for one in seen.queues for held in one.glimpse.read]
    found = [match for one in held if (match := _LOOK_UP.search(one.reason))]
    if not found:
        return
    domains = {name.rstrip(".") for match in found if (name := match[1] or match[2])}
    tried = sum(1 for one in held if one.tries)
    # A few domains may have dead name servers of their own.
    all_ = len(domains) > 1 and len(found) >= _NEARLY_ALL * tried
    level = Level.CRITICAL if all_ else Level.WARNING
    said = f"{len(found)} messages wait for DNS" + f" ({some(sorted(domains))})" * bool(domains)
    said += ", which James could ask in sendmail's place"
    yield Finding("dns-dead", level, said, f"sendmail_james:relay:dns: false, then: {APPLY}")


CAUSES = (
    Cause(
        "spool-full",
        Level.CRITICAL,
        (
            "Insufficient disk space; try again later",
            "452 4.4.5 Insufficient disk space; try again later",
            "returntosender: cannot select queue for",
            "No space left on device",
        ),
        _spool,
        explains=("routes", "rebuild-would-lose", "mc-broken", "dead-letter"),
        means=(
            "A queue's disk has no room or no inodes left: sendmail refuses mail, "
            "and what programs send may end in dead.letter."
        ),
        remedy=(
            "`df -h /var/spool/mqueue*`, `df -i`, and the `du` that status prints: "
            "make room. What is in dead.letter by then, read it."
        ),
    ),
    Cause(
        "load-too-high",
        Level.CRITICAL,
        ("runqueue: Skipping queue run -- load average too high",),
        _load,
        explains=("queue-late", "queue-many"),
        means=("The load average is above QueueLA: queue runs are skipped until it falls."),
        remedy=(
            "See which process makes the load; where such a load is usual, raise "
            "confQUEUE_LA in the mc."
        ),
    ),
    Cause(
        "dns-dead",
        Level.CRITICAL,
        ("host map: lookup (example.org): deferred", "Name server: host name lookup failure"),
        _names,
        explains=("queue-late", "queue-many"),
        means=(
            "sendmail waits for a name server before it hands mail to James, who "
            "could ask in its place."
        ),
        remedy="Pillar `relay:dns: false`, or a name server that answers.",
    ),
)
JAMES = (
    Cause(
        "james-disk-full",
        Level.CRITICAL,
        ("java.io.IOException: No space left on device",),
        _james_disk,
        explains=("queue-late", "queue-many", "last-refused"),
        means="James's own disk is full: he takes no mail, or loses what he took.",
        remedy="Make room on that file system.",
    ),
)
