"""Read what root alone may have written, where others may own the folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from james_client.files import snapshot
from james_client.files.walk import FilesError, trusted_uids

_MAX_LINKS = 8


def read_roots(path: str) -> bytes | None:
    """Return the content of a file that is root's word and no secret, None where there is none.

    Whoever may write an alias file or a list of this host's names says what becomes of root's mail:
    what goes to James is root's own word only. Of what others cannot read nothing is shown: the
    owner of a folder may rename any file to any name in it. Raises FilesError.
    """
    seen = snapshot.read_or_absent(_end(path))
    if seen.data is None:
        return None
    if seen.uid not in trusted_uids() or seen.mode & 0o022:
        raise FilesError(
            f"{path}: has owner uid {seen.uid} and mode {seen.mode:04o}; wanted root's, with no "
            f"write right for others: chown root {seen.path}; chmod go-w {seen.path}"
        )
    if not seen.mode & 0o004:
        raise FilesError(
            f"{path}: has mode {seen.mode:04o}; wanted one that all may read, for what it says "
            f"comes into returns: look at it, then: chmod o+r {seen.path}"
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
    raise FilesError(f"{path}: more than {_MAX_LINKS} symlinks; wanted a file")
