"""
Read files whose directory may belong to an unprivileged user.

On Debian /etc/mail belongs to smmta, who may put a symlink, a hard link, a FIFO or a directory in
the place of any file in it, at any moment. So every path is walked from ``/`` with one descriptor
per directory, and the last component is never followed:

- The directory of a file may belong to anybody (stock /etc/mail does).
- A symlink on the way there is followed only where root alone could have made it (``/var/run``);
  any other is an error that names it.
- With ``trusted=True`` (locks, backups) every directory must belong to root, or to whoever runs
  this, and be closed to others for writing (a sticky directory such as /tmp passes).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from james_client.errors import FaultError

LIMIT = 16 * 1024 * 1024
STAGE = ".sendmail_james"  # directory beside a managed file, 0700, while files are put in place
DROP_IN = ".d"  # ending of directories that are made when first needed, e.g. sendmail.service.d
STAGED, SECOND = ".new", ".old"  # endings of the names in it

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_TRIES = 5
_MAX_LINKS = 20
# Signatures of a file's content: they would be wrong for any other content.
_UNCOPIED_XATTRS = frozenset({"security.ima", "security.evm"})
_KINDS = (
    (stat.S_ISLNK, "a symlink"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)

Xattrs = tuple[tuple[str, bytes], ...]


class FilesError(FaultError):
    """Say which path is wrong, what was found there and what is wanted; never any content."""


class MissingDirectory(FilesError):  # noqa: N818 - it says what is wrong
    """Say that a directory on the way to a path does not exist."""


@dataclass(frozen=True)
class Snapshot:
    """
    Hold what was found at a path at one moment.

    path: absolute. data: the whole content, None where nothing is there (the other fields are 0
    and empty then). mode: permission bits. mtime_ns: nanoseconds. xattrs: name and value of each
    extended attribute, which on Linux include the ACL and the SELinux label; other systems have
    no interface for them in Python, so they are empty there.
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


def trusted_uids() -> frozenset[int]:
    """Give the user ids that may own what is relied on: root's and the running user's."""
    return frozenset({0, os.geteuid()})


def failure(path: str, doing: str, err: OSError) -> FilesError:
    """Turn a system error into one that names the path and what was being done."""
    return FilesError(f"{path}: {doing}: {err.strerror or err}")


def kind(mode: int) -> str:
    """Name the kind of file that a stat mode means, e.g. ``a symlink``."""
    return next((name for test, name in _KINDS if test(mode)), "a regular file")


def read(path: str | os.PathLike[str]) -> Snapshot:
    """
    Read a file as it is now; where nothing is, the snapshot's ``data`` is None.

    path: absolute. Never follows a symlink in the last component and never waits for a FIFO.
    Raises FilesError for anything but a regular file with one name and at most 16 MiB, for a
    missing directory (unless it is a drop-in's), and for a file that does not hold still.
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


def split(path: str) -> tuple[str, str]:
    """Part a file's absolute path into its directory and its name; FilesError if it has none."""
    parent, name = os.path.split(path)
    if name in ("", ".", "..") or "\0" in path:
        raise FilesError(f"{path!r}: wanted the absolute path of a file")
    return parent, name


def read_at(dir_fd: int, name: str, path: str, *, names: int = 1) -> Snapshot:
    """Read ``name`` in an open directory, as `read` does; path is for messages, names: at most."""
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


def staged_names(name: str) -> tuple[str, str]:
    """Give the names that ``name`` may have in the staging directory: the file, and a second."""
    return name + STAGED, name + SECOND


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


@contextlib.contextmanager
def open_at(dir_fd: int, name: str) -> Iterator[int]:
    """Open the directory ``name`` of an open directory, never through a symlink; OSError."""
    fd = os.open(name, _DIRECTORY, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def directory(path: str, *, trusted: bool = False) -> Iterator[int]:
    """
    Open a directory, walking from ``/``, as the module's docstring says; FilesError.

    path: absolute, without ``..``. trusted: insist on directories that only root can write to.
    """
    fd = _walk(path, trusted)
    try:
        yield fd
    finally:
        os.close(fd)


def _walk(path: str, trusted: bool) -> int:
    todo = _parts(path)[::-1]
    if not path.startswith("/") or ".." in todo:
        raise FilesError(f"{path or '(empty)'}: wanted an absolute path without '..'")
    fd, links = os.open("/", _DIRECTORY), 0
    try:
        while todo:
            name = todo.pop()
            seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISLNK(seen.st_mode):
                links += 1
                _check_symlink(fd, name, seen, path, links)
                target = os.readlink(name, dir_fd=fd)
                todo += _parts(target)[::-1]
                step = "/" if target.startswith("/") else "."
            else:
                step = name
            fd, before = os.open(step, _DIRECTORY, dir_fd=fd), fd
            os.close(before)
            if trusted:
                _check_trusted(fd, name, path)
    except OSError as err:
        os.close(fd)
        if isinstance(err, FileNotFoundError):
            raise MissingDirectory(f"{path}: {name!r} does not exist, wanted a directory") from err
        raise failure(path, f"{name!r} on the way cannot be entered", err) from err
    except FilesError:
        os.close(fd)
        raise
    return fd


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _check_symlink(fd: int, name: str, seen: os.stat_result, path: str, links: int) -> None:
    if links > _MAX_LINKS:
        raise FilesError(f"{path}: more than {_MAX_LINKS} symlinks on the way")
    around = os.fstat(fd)
    closed = not around.st_mode & 0o022 and around.st_uid in trusted_uids()
    if not closed or seen.st_uid not in trusted_uids():
        raise FilesError(
            f"{path}: {name!r} on the way is a symlink of uid {seen.st_uid} in a directory of uid "
            f"{around.st_uid}; wanted a directory, or a symlink that only root can make"
        )


def _check_trusted(fd: int, name: str, path: str) -> None:
    info = os.fstat(fd)
    shared = info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX
    if info.st_uid not in trusted_uids() or shared:
        raise FilesError(
            f"{path}: {name!r} on the way has owner uid {info.st_uid} and mode "
            f"{stat.S_IMODE(info.st_mode):04o}; wanted root's, with no write right for others"
        )
