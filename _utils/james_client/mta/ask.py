"""Ask sendmail about itself and about a cf: its version, and whether the cf is good."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from james_client.mta.process import TIMEOUT, Done, ProcessError, run, words
from james_client.scratch import scratch


def version(binary: str, *, timeout: float = TIMEOUT) -> tuple[int, ...]:
    """Return sendmail's version as numbers, e.g. (8, 17, 1, 9).

    Raises ProcessError when `binary` is not sendmail but another MTA's stand-in (Postfix, Exim,
    msmtp and others install a program of that name). Source: sendmail(8), `-d0.1`.
    """
    # A cf that does not exist: the version is printed before the cf is read.
    done = run([binary, "-C", "/dev/null", "-d0.1", "-bt"], timeout=timeout)
    found = re.search(r"(?m)^Version (8[.\d]+)", done.out)
    if not found or re.search(r"(?i)\b(exim|postfix|msmtp|opensmtpd)\b", done.out):
        real = os.path.realpath(binary)
        raise ProcessError(
            f"{binary}: found {real}, which is not sendmail (it says: {words(done)})"
        )
    return tuple(int(part) for part in found[1].strip(".").split("."))


def is_roots(uid: int, gid: int, mode: int) -> bool:
    """Tell whether nobody but root, or who runs this, could have written a file."""
    others = stat.S_IWOTH | (stat.S_IWGRP if gid else 0)
    return uid in (0, os.geteuid()) and not mode & others


def require_roots(cf: Path | str, uid: int, gid: int, mode: int) -> None:
    """Refuse a cf that others than root could have written.

    sendmail runs the programs that a cf names (F and K lines) as the user that the same cf names
    (DefaultUser), root included, as soon as it reads it. It must be asked as root all the same: as
    another user it checks nothing (-bC), does not know the queue and the maps (-bv: "may give
    misleading output for non-privileged user") and cannot read classes kept from others (-bt).
    """
    if not is_roots(uid, gid, mode):
        path = shlex.quote(str(cf))
        raise ProcessError(
            f"{cf}: belongs to uid {uid}, gid {gid}, with mode {stat.S_IMODE(mode):04o}; expected "
            "a file that root alone can write, since sendmail runs as root what a cf tells it to: "
            f"look at it; where every line is yours: chown root {path}; chmod go-w {path}; or else "
            "give back your own: salt-call sendmail_james.backups"
        )


@contextmanager
def copy_of(cf: Path | str) -> Iterator[Path]:
    """Hold a copy of a cf that stays as it is while sendmail reads it.

    Raises ProcessError where it cannot be read, or is not root's.
    """
    try:
        with open(cf, "rb", opener=_as_itself) as stream:
            seen = os.fstat(stream.fileno())
            require_roots(cf, seen.st_uid, seen.st_gid, seen.st_mode)
            data = stream.read()
    except OSError as err:
        raise ProcessError(f"{cf}: cannot be read: {err.strerror}") from None
    with scratch() as folder:
        copy = folder / Path(cf).name
        copy.touch(mode=0o600)
        copy.write_bytes(data)
        yield copy


def _as_itself(path: str, flags: int) -> int:
    """Open no link, and wait for no pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def refusal(cf: Path | str, copy: Path, done: Done) -> ProcessError:
    """Return the error that tells in sendmail's words why it does not like a cf."""
    return ProcessError(f"{cf}: sendmail refuses it: {words(done).replace(str(copy), str(cf))}")


def check(cf: Path | str, *, binary: str, timeout: float = TIMEOUT) -> str:
    """Have sendmail read a cf and do nothing else; return what it warns of, empty for nothing.

    Raises ProcessError with sendmail's own words when it does not like what it reads.
    Source: sendmail(8), `-bC` (from 8.15 on; before, address test mode with nothing to test).
    """
    mode = "-bC" if version(binary, timeout=timeout) >= (8, 15) else "-bt"
    with copy_of(cf) as copy:
        done = run([binary, mode, "-C", str(copy)], timeout=timeout)
        if done.status != 0:
            raise refusal(cf, copy, done)
        # Where -bC is unknown, the banner of address test mode is no warning.
        out = done.out.partition("ADDRESS TEST MODE")[0]
        said = f"{out}{done.err}".strip()
        return words(Done(0, out, done.err)).replace(str(copy), str(cf)) if said else ""
