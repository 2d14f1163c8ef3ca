"""Let one run at a time change the host's files, and say who holds the others up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator

from james_client.files.walk import FilesError, directory, failure, kind, roots, split, trusted_uids

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PAUSE = 0.05  # seconds between two tries: flock has no time limit of its own


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], holder: str, timeout: float) -> Iterator[None]:
    """Hold the lock file for the length of a ``with``; the kernel frees it when its holder dies.

    path
        in a directory that only root can write to; made with mode 0600
    holder
        who this is, in words; others read it when they give up waiting
    timeout
        seconds to wait

    Raises FilesError when time is up, naming holder, process id and since when, and when the path
    is not a file of ours. Not re-entrant: the same process waits for itself as for any other.
    """
    text = os.fspath(path)
    fd = _open(text)
    try:
        _wait(fd, text, timeout)
        _write(fd, f"{' '.join(holder.split())[:200]} (pid {os.getpid()}) since {_now()}\n")
        try:
            yield
        finally:
            os.ftruncate(fd, 0)
            # A child that inherited the descriptor by fork would keep the lock otherwise.
            fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def _open(path: str) -> int:
    parent, name = split(path)
    with directory(parent, roots) as dir_fd:
        try:
            fd = os.open(name, _OPEN, 0o600, dir_fd=dir_fd)
        except OSError as err:
            raise failure(path, "the lock file cannot be opened", err) from err
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode) or info.st_uid not in trusted_uids() or info.st_nlink != 1:
        os.close(fd)
        raise FilesError(
            f"{path}: found {kind(info.st_mode)} of uid {info.st_uid} with {info.st_nlink} names, "
            f"wanted a lock file of root's own"
        )
    return fd


def _wait(fd: int, path: str, timeout: float) -> None:
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                who = os.pread(fd, 400, 0).decode("utf-8", "replace").strip()
                raise FilesError(
                    f"{path}: still locked after {timeout:g} s by {who or 'an unnamed process'}; "
                    f"nothing was changed, try again when that has ended"
                ) from None
        time.sleep(_PAUSE)


def _write(fd: int, line: str) -> None:
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, line.encode("utf-8", "replace"), 0)
    except OSError:
        # The name only helps others to wait; a full /run must not keep mail from being set right.
        return


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
