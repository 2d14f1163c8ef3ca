"""Build a cf from an mc as the platform would, but as a user who may do nothing.

An mc and what it includes may run commands (`syscmd`, `esyscmd`), and on Debian they lie in a
folder that belongs to the mail system's user: m4 must never run as root.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from james_client.mta.process import Done, ProcessError, run, stranger
from james_client.scrub import scrub

TIMEOUT = 60.0  # seconds
_INCLUDE = re.compile(rb"\b(s?)include\(\s*`?([^`'(),\s]+)'?\)")
_CF = re.compile(rb"(?m)^V\d")
_COMMENT = re.compile(rb"\bdnl\b.*")


def build(data: bytes, mc: str, cf_dir: str | None = None) -> bytes:
    """Return what m4 builds from the content of an mc.

    data
        the content, of the file as it is or as it shall be
    mc
        the file's path: what it includes is looked for from its folder, and errors name it
    cf_dir
        the folder of sendmail's m4 files, for an mc that does not include ``cf.m4`` itself, as on
        FreeBSD, where /etc/mail/Makefile puts that file before it; None where there is none

    Raises ProcessError in m4's words, and where m4 may not read what the mc includes: it reads as
    a user whom no file belongs to, with the group of the mc's folder, or the mc's own where that is
    root's.
    """
    m4 = shutil.which("m4")
    if m4 is None:
        raise ProcessError(
            f"{mc}: m4 is not installed; expected it, since the mc is kept in step (mc:manage)"
        )
    built = _built([m4], data, mc)
    if cf_dir is None or _CF.search(built):
        return built
    return _built([m4, f"-D_CF_DIR_={cf_dir}/", f"{cf_dir}/m4/cf.m4", "-"], data, mc)


def _built(command: Sequence[str], data: bytes, mc: str) -> bytes:
    home = Path(mc).parent
    user = _reader(mc)
    try:
        # Not as a file: no folder for temporary files need be open to who runs m4.
        done = run(command, given=data, timeout=TIMEOUT, user=user, cwd=str(home), whole=True)
    except ProcessError as err:
        raise ProcessError(f"{mc}: {err}") from None
    hidden = {} if user is None else _hidden(data, home, user[1])
    # m4 passes over what sinclude may not read: the result would not be the platform's.
    passed_over = [said for said, silent in hidden.items() if silent]
    if done.status == 0 and not passed_over:
        return done.out.encode("utf-8", "surrogateescape")
    said = [_words(done).replace(":stdin:", f":{mc}:")] if done.status else []
    raise ProcessError(f"{mc}: m4 refuses it: {'; '.join([*said, *hidden])}")


def is_build_of(cf: bytes, data: bytes, mc: str, cf_dir: str | None = None) -> bool:
    """Tell whether a cf is what m4 builds from the content of an mc, date and place apart.

    cf
        the cf's content
    data, mc, cf_dir
        as ``build`` takes them

    Debian's tools write the mc as a comment at the end.
    """
    built, found = _undated(build(data, mc, cf_dir)), _undated(cf)
    quoted = {b"# " + line for line in data.splitlines()}
    quoted |= {f"### {mc} ###".encode(), b"# "}
    return found[: len(built)] == built and quoted.issuperset(found[len(built) :])


def _undated(cf: bytes) -> list[bytes]:
    dated = (b"##### built by ", b"##### in ", b"##### using ")
    return [line for line in cf.splitlines() if not line.startswith(dated)]


def _reader(mc: str) -> tuple[int, int] | None:
    """Return the uid and gid that m4 runs as, None for our own where we are not root.

    Debian's own sendmail.mc includes files that only the group of /etc/mail may read.
    """
    if os.geteuid() != 0:
        return None
    uid = stranger()
    return uid, Path(mc).parent.stat().st_gid or Path(mc).stat().st_gid or uid


def _words(done: Done) -> str:
    said = scrub(done.err).strip()
    return said[-500:] or f"it ended with status {done.status}"


def _hidden(data: bytes, home: Path, gid: int) -> dict[str, bool]:
    """Return what an mc includes by name and a group may not read: {words: m4 is silent of it}."""
    found: dict[str, bool] = {}
    for silent, name in _INCLUDE.findall(_COMMENT.sub(b"", data)):
        path = home / os.fsdecode(name)
        try:
            seen = path.stat()
        except OSError:
            continue
        wanted = stat.S_IROTH | (stat.S_IRGRP if seen.st_gid == gid else 0)
        if not seen.st_mode & wanted:
            mode, owner = stat.S_IMODE(seen.st_mode), _owner(seen)
            found[
                f"{path} is {mode:04o} {owner}, but m4 must not run as root: "
                f"expected it readable for all, or for group {_group(gid)}"
            ] = bool(silent)
    return found


def _owner(seen: os.stat_result) -> str:
    try:
        user = pwd.getpwuid(seen.st_uid).pw_name
    except KeyError:
        user = str(seen.st_uid)
    return f"{user}:{_group(seen.st_gid)}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
