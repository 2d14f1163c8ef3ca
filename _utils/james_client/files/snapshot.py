"""Say what a file is at one moment: content, mode, owner, time, extended attributes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import struct
from dataclasses import dataclass, field

from james_client.files.walk import (
    DROP_IN,
    STAGE,
    FilesError,
    MissingDirectory,
    directory,
    failure,
    kind,
    open_at,
    split,
    staged_names,
    trusted_uids,
)

LIMIT = 16 * 1024 * 1024

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_TRIES = 5
# Signatures of a file's content: they would be wrong for any other content.
_UNCOPIED_XATTRS = frozenset({"security.ima", "security.evm"})

Xattrs = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Snapshot:
    """Hold what was found at a path at one moment.

    path
        absolute
    data
        the whole content, None where nothing is there (the other fields are 0 and empty then)
    mode
        permission bits
    mtime_ns
        nanoseconds
    xattrs
        name and value of each extended attribute, which on Linux include the ACL and the SELinux
        label; other systems have no interface for them in Python, so they are empty there
    """

    path: str
    data: bytes | None = field(default=None, repr=False)
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    xattrs: Xattrs = field(default=(), repr=False)

    @property
    def fingerprint(self) -> str:
        """Give one word for content, mode and owner, ``absent`` where nothing is there."""
        return fingerprint(self.data, self.mode, self.uid, self.gid)


def fingerprint(data: bytes | None, mode: int, uid: int, gid: int) -> str:
    """Give one word for content (None: absent), mode and owner."""
    if data is None:
        return "absent"
    return f"{hashlib.sha256(data).hexdigest()}:{mode:04o}:{uid}:{gid}"


def read(path: str | os.PathLike[str]) -> Snapshot:
    """Read a file as it is now; where nothing is, the snapshot's ``data`` is None.

    path
        absolute

    Never follows a symlink in the last component and never waits for a FIFO. Raises FilesError for
    anything but a regular file with one name and at most 16 MiB, for a missing directory (unless it
    is a drop-in's), and for a file that does not hold still.
    """
    text = os.fspath(path)
    parent, name = split(text)
    try:
        with directory(parent) as dir_fd:
            return read_at(dir_fd, name, text)
    except MissingDirectory:
        if parent.endswith(DROP_IN):
            return Snapshot(text)
        raise


def read_or_absent(path: str) -> Snapshot:
    """Read a file as `read` does; where its directory is missing, so is the file."""
    try:
        return read(path)
    except MissingDirectory:
        return Snapshot(path)  # with its package, perhaps


def read_at(dir_fd: int, name: str, path: str, *, names: int = 1) -> Snapshot:
    """Read ``name`` in an open directory, as `read` does.

    path
        for messages
    names
        how many the file may have
    """
    for _ in range(_TRIES):
        try:
            seen = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        except FileNotFoundError:
            return Snapshot(path)
        if seen.st_nlink > names or not stat.S_ISREG(seen.st_mode) or seen.st_size > LIMIT:
            _refuse(seen, dir_fd, name, path)
        try:
            fd = os.open(name, _FILE, dir_fd=dir_fd)
        except OSError as err:
            # ELOOP, EMLINK (FreeBSD), ENXIO: swapped since stat; the next turn names the intruder.
            if err.errno in (errno.ENOENT, errno.ELOOP, errno.EMLINK, errno.ENXIO):
                continue
            raise failure(path, "cannot be opened", err) from err
        try:
            snapshot = _read_open(fd, path, seen)
        except OSError as err:
            raise failure(path, "cannot be read", err) from err
        finally:
            os.close(fd)
        if snapshot is not None:
            return snapshot
    raise FilesError(f"{path}: changed {_TRIES} times while it was read; wanted: a file at rest")


def _refuse(seen: os.stat_result, dir_fd: int, name: str, path: str) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise FilesError(
            f"{path}: found {kind(seen.st_mode)} owned by uid {seen.st_uid}, wanted a regular file"
        )
    if seen.st_size > LIMIT:
        raise FilesError(f"{path}: found {seen.st_size} bytes, wanted at most {LIMIT}")
    if seen.st_nlink > 1 and not _own_second_name(seen, dir_fd, name):
        raise FilesError(
            f"{path}: found a hard link (a file with {seen.st_nlink} names), wanted one name"
        )


def _own_second_name(seen: os.stat_result, dir_fd: int, name: str) -> bool:
    # A run that was killed between link and rename leaves the second name in its staging directory.
    if seen.st_nlink != 2:
        return False
    with contextlib.suppress(OSError), open_at(dir_fd, STAGE) as stage_fd:
        owner = os.fstat(stage_fd)
        if owner.st_uid not in trusted_uids() or owner.st_mode & 0o077:
            return False
        for own in staged_names(name):
            with contextlib.suppress(FileNotFoundError):
                other = os.stat(own, dir_fd=stage_fd, follow_symlinks=False)
                if os.path.samestat(other, seen):
                    return True
    return False


def _read_open(fd: int, path: str, seen: os.stat_result) -> Snapshot | None:
    if _marks(os.fstat(fd)) != _marks(seen):
        return None
    pieces = []
    left = LIMIT + 1
    while left and (piece := os.read(fd, min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
    xattrs = read_xattrs(fd)
    if _marks(os.fstat(fd)) != _marks(seen):
        return None
    return Snapshot(
        path=path,
        data=b"".join(pieces),
        mode=stat.S_IMODE(seen.st_mode),
        uid=seen.st_uid,
        gid=seen.st_gid,
        mtime_ns=seen.st_mtime_ns,
        xattrs=xattrs,
    )


def _marks(info: os.stat_result) -> tuple[int, ...]:
    # Without st_dev: on an overlay it differs before and after a file's first change.
    return (
        info.st_ino,
        info.st_mode,
        info.st_uid,
        info.st_gid,
        info.st_size,
        info.st_mtime_ns,
        info.st_ctime_ns,
    )


def read_xattrs(fd: int) -> Xattrs:
    """Give the extended attributes of an open file, sorted by name; empty where unsupported."""
    if not hasattr(os, "listxattr"):
        return ()
    try:
        names = os.listxattr(fd)
    except OSError as err:
        if err.errno in (errno.ENOTSUP, errno.ENOSYS):
            return ()
        raise
    return tuple((n, os.getxattr(fd, n)) for n in sorted(names) if n not in _UNCOPIED_XATTRS)


def write_xattrs(fd: int, wanted: Xattrs) -> None:
    """Give an open file exactly the wanted extended attributes; OSError where that fails."""
    found = dict(read_xattrs(fd))
    for name, value in wanted:
        if found.pop(name, None) != value:
            os.setxattr(fd, name, value)
    for name in found:
        # A label can be replaced, never taken away; without one in the old file the default stays.
        if name != "security.selinux":
            os.removexattr(fd, name)


def frozen(fd: int) -> str | None:
    """Name the flag (immutable, append-only) that forbids replacing an open file, if any."""
    flags = getattr(os.fstat(fd), "st_flags", None)
    if flags is not None:
        immutable, append = stat.UF_IMMUTABLE | stat.SF_IMMUTABLE, stat.UF_APPEND | stat.SF_APPEND
    else:
        # ioctl_iflags(2): FS_IOC_GETFLAGS, FS_IMMUTABLE_FL, FS_APPEND_FL.
        request = 0x80006601 | struct.calcsize("l") << 16
        try:
            answer = fcntl.ioctl(fd, request, bytes(8))
        except OSError:
            return None  # this file system has no flags
        flags, immutable, append = struct.unpack("=i4x", answer)[0], 0x10, 0x20
    if flags & immutable:
        return "immutable"
    return "append-only" if flags & append else None
