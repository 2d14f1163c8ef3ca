"""Read the alias files that this host's sendmail.cf names, where root alone may write them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from james_client.files import snapshot
from james_client.files.walk import FilesError, trusted_uids
from james_client.mta import aliases
from james_client.mta.aliases import AliasFile, Reading
from james_client.run.domains import local_domains
from james_client.run.plan import Plan

_MAX_LINKS = 8


def reading(plan: Plan) -> Reading:
    """Return what all alias files say, as sendmail looks names up in them.

    What cannot or must not be read is told there, not raised.
    """
    local = {domain.lower() for domain in local_domains(plan)}
    named = aliases.files(plan.cf(plan.platform.cf).option_values("AliasFile"))
    return aliases.together([_read(one, local) for one in named])


def _read(named: AliasFile, local: set[str]) -> Reading:
    if named.path is None:
        said = "not a text file: its aliases are not looked at, and programs' mail loses them"
        return Reading(mistakes=(f"{named.spec}: {said}",))
    try:
        data = _data(named.path)
    except (FilesError, OSError) as err:
        return Reading(unread=(str(err),))
    if data is None:
        gone = () if named.optional else (f"{named.path}: does not exist; expected an alias file",)
        return Reading(unread=gone)
    return aliases.read(data, named.path, local)


def _data(path: str) -> bytes | None:
    """Return an alias file's content, None where there is none.

    Sendmail reads one that is anybody's but writable to its owner alone; whoever that is says what
    becomes of root's mail. What goes to James is root's own word only. Raises FilesError.
    """
    seen = snapshot.read_or_absent(_end(path))
    if seen.data is None:
        return None
    if seen.uid not in trusted_uids() or seen.mode & 0o022:
        raise FilesError(
            f"{path}: has owner uid {seen.uid} and mode {seen.mode:04o}; wanted root's, with no "
            f"write right for others: chown root {seen.path}; chmod go-w {seen.path}"
        )
    return seen.data


def _end(path: str) -> str:
    """Follow symlinks that are root's own, as Debian's /etc/mail/aliases is. Raises FilesError."""
    for _ in range(_MAX_LINKS):
        try:
            info = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return path
        if not stat.S_ISLNK(info.st_mode):
            return path
        if info.st_uid not in trusted_uids():
            raise FilesError(
                f"{path}: is a symlink of uid {info.st_uid}; wanted a file, or a symlink of root's"
            )
        path = os.path.normpath(Path(path).parent / Path(path).readlink())
    raise FilesError(f"{path}: more than {_MAX_LINKS} symlinks; wanted an alias file")
