"""Tell who is at the other end of a connection on this host: James, or a user on James's port.

Ports from ``net.ipv4.ip_unprivileged_port_start`` on, 1024 as a rule, belong to whoever comes
first. Source: the kernel's networking/proc_net_tcp and networking/ip-sysctl.
"""

from __future__ import annotations

import contextlib
import ipaddress
import pwd
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PORT_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTEN = "0A"

Address = tuple[str, int]
"""IP address and port of one end of a connection."""


@dataclass(frozen=True)
class Trust:
    """Say who may hear a secret.

    smtp_port
        James's SMTP port, where he is on this host and no user may take that port: whoever alone
        holds it is James. None where that proves nothing; then root only is trusted.
    cleartext
        whether a secret may cross a network unencrypted
    """

    smtp_port: int | None = None
    cleartext: bool = False

    def uids(self) -> set[int]:
        """Return the uids whose sockets are James's. Raises OSError where there is no /proc."""
        held = set() if self.smtp_port is None else holders(self.smtp_port)
        # Two who hold one port, each on an address of his own: one of them is not James.
        return {0} | (held if len(held) == 1 else set())


ROOT_ONLY = Trust()


def first_unprivileged_port() -> int:
    """Return the first port that an ordinary user may listen on; 1024 where no kernel says."""
    try:
        return int(PORT_START.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1024


def is_here(host: str) -> bool:
    """Tell whether a host, as the pillar names it, is this very one. Sends nothing to it."""
    try:
        found = socket.getaddrinfo(bare(host), None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return any(_is_own(family, address) for family, *_, address in found)


def _is_own(family: int, address: Any) -> bool:
    # To an address of its own a host goes from that address, whatever the port.
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as line:
        line.connect((address[0], 9, *address[2:]))
        return is_this_host(line.getsockname()[:2], line.getpeername()[:2])
    return False


def bare(host: str) -> str:
    """Return a host without brackets and ``IPv6:``, as resolvers take it."""
    name = host.strip("[]")
    return name[5:] if name.lower().startswith("ipv6:") else name


def is_this_host(here: Address, there: Address) -> bool:
    """Tell whether the end THERE of a connection is on the host of the end HERE."""
    return there[0] == here[0] or _ip(there[0]).is_loopback


def owner(here: Address, there: Address) -> int | None:
    """Return the uid that has taken a connection at the end THERE; None while nobody has.

    Raises OSError where the kernel has no such table.
    """
    ours, theirs = _spellings(here), _spellings(there)
    for local, remote, _, uid, inode in _sockets():
        # Before it is taken a connection has no inode, and older kernels call it root's.
        if local in theirs and remote in ours and inode:
            return uid
    return None


def holders(port: int) -> set[int]:
    """Return the uids of all who listen on a port of this host. Raises OSError as `owner`."""
    end = f":{port:04X}"
    return {uid for local, _, state, uid, _ in _sockets() if state == _LISTEN and end in local}


def user_name(uid: int) -> str:
    """Return a uid with its user's name, as errors show it."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _sockets() -> Iterator[tuple[str, str, str, int, int]]:
    """Yield local and remote end, state, uid and inode of every TCP socket."""
    for number, table in enumerate(TABLES):
        if number and not table.exists():
            continue  # a kernel without IPv6
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            field = line.split()
            yield field[1], field[2], field[3], int(field[7]), int(field[9])


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _spellings(end: Address) -> set[str]:
    """Return an address as the kernel's tables write it: words of four bytes in its own order."""
    packed = _ip(end[0]).packed
    # A server that listens for both families has its IPv4 connections in the IPv6 table.
    forms = [packed] if len(packed) == 16 else [packed, b"\0" * 10 + b"\xff\xff" + packed]
    words = (struct.unpack(f"={len(form) // 4}I", form) for form in forms)
    return {"".join(f"{word:08X}" for word in one) + f":{end[1]:04X}" for one in words}
