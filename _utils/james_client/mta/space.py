"""Ask the file system and the kernel for what sendmail asks them before it takes or moves mail.

Source: freediskspace() and sm_getla() in sendmail's conf.c.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_LOAD = Path("/proc/loadavg")
FILES = 10  # sendmail makes up to four for a message


@dataclass(frozen=True)
class Space:
    """Show what a folder's file system has left for others than root.

    mount
        where it is mounted
    free, block
        blocks, and bytes of one
    total
        blocks in all; 0 where the kernel makes the file system up, as /proc
    files
        how many more files it takes, None where it does not count them
    """

    mount: str
    free: int
    block: int
    total: int
    files: int | None


def space(folder: str) -> Space:
    """Look at the file system of a folder. Raises OSError."""
    seen = os.statvfs(folder)
    mount = Path(folder).resolve()
    while not os.path.ismount(mount):
        mount = mount.parent
    block = seen.f_bsize or seen.f_frsize
    files = seen.f_favail if seen.f_files else None
    return Space(str(mount), seen.f_bavail, block, seen.f_blocks, files)


def load() -> int:
    """Return the load average of the last minute as sendmail reads it."""
    try:
        first = float(_LOAD.read_text().split()[0])
    except FileNotFoundError:
        first = os.getloadavg()[0]
    return int(first + 0.5)
