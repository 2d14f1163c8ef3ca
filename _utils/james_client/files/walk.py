"""Walk to a directory that others may own, one descriptor at a time.

On Debian /etc/mail belongs to smmta, who may put a symlink, a hard link, a FIFO or a directory in
the place of any file in it, at any moment. So every path is walked from ``/`` with one descriptor
per directory, and the last component is never followed:

- The directory of a file may belong to anybody (stock /etc/mail does).
- A symlink on the way there is followed only where root alone could have made it (``/var/run``);
  any other is an error that names it.
- A rule says more of each directory on the way: `roots` of those that locks and backups lie in,
  `private.folder_of` of those that credentials lie in.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from james_client.errors import FaultError

STAGE = ".sendmail_james"  # directory beside a managed file, 0700, while files are put in place
DROP_IN = ".d"  # ending of directories that are made when first needed, e.g. sendmail.service.d
STAGED, SECOND = ".new", ".old"  # endings of the names in it

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 20
_KINDS = (
    (stat.S_ISLNK, "a symlink"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


class FilesError(FaultError):
    """Say which path is wrong, what was found there and what is wanted; never any content."""


class MissingDirectory(FilesError):  # noqa: N818 - it says what is wrong
    """Say that a directory on the way to a path does not exist."""


@dataclass(frozen=True)
class Directory:
    """Hold one directory on the way, open.

    path
        where it is, without symlinks
    last
        whether it is the directory that was asked for
    """

    fd: int
    path: str
    last: bool


Rule = Callable[[Directory], None]
"""Raises FilesError, without the path that was asked for, where a directory will not do."""


def trusted_uids() -> frozenset[int]:
    """Give the user ids that may own what is relied on: root's and the running user's."""
    return frozenset({0, os.geteuid()})


def failure(path: str, doing: str, err: OSError) -> FilesError:
    """Turn a system error into one that names the path and what was being done."""
    return FilesError(f"{path}: {doing}: {err.strerror or err}")


def kind(mode: int) -> str:
    """Name the kind of file that a stat mode means, e.g. ``a symlink``."""
    return next((name for test, name in _KINDS if test(mode)), "a regular file")


def split(path: str) -> tuple[str, str]:
    """Part a file's absolute path into its directory and its name; FilesError if it has none."""
    parent, name = os.path.split(path)
    if name in ("", ".", "..") or "\0" in path:
        raise FilesError(f"{path!r}: wanted the absolute path of a file")
    return parent, name


def staged_names(name: str) -> tuple[str, str]:
    """Give the names that ``name`` may have in the staging directory: the file, and a second."""
    return name + STAGED, name + SECOND


@contextlib.contextmanager
def open_at(dir_fd: int, name: str) -> Iterator[int]:
    """Open the directory ``name`` of an open directory, never through a symlink; OSError."""
    fd = os.open(name, _DIRECTORY, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def anybodys(_: Directory) -> None:
    """Take any directory."""


def roots(here: Directory) -> None:
    """Take a directory of root's, or of whoever runs this, that nobody else can rename in.

    A sticky one such as /tmp passes: what stands in it is its owner's.
    """
    info, name = os.fstat(here.fd), here.path.rpartition("/")[2] or "/"
    shared = info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX
    if info.st_uid not in trusted_uids() or shared:
        raise FilesError(
            f"{name!r} on the way has owner uid {info.st_uid} and mode "
            f"{stat.S_IMODE(info.st_mode):04o}; wanted root's, with no write right for others"
        )


@contextlib.contextmanager
def directory(path: str, rule: Rule = anybodys) -> Iterator[int]:
    """Open a directory, walking from ``/``, as the module's docstring says.

    path
        absolute, without ``..``
    rule
        what is asked of each directory on the way, this one included

    Raises FilesError.
    """
    fd = _walk(path, rule)
    try:
        yield fd
    finally:
        os.close(fd)


def _walk(path: str, rule: Rule) -> int:
    todo = _parts(path)[::-1]
    if not path.startswith("/") or ".." in todo:
        raise FilesError(f"{path or '(empty)'}: wanted an absolute path without '..'")
    fd, links, way = os.open("/", _DIRECTORY), 0, [""]
    name = "/"
    try:
        _ask(rule, fd, way, todo, path)
        while todo:
            name = todo.pop()
            seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
            step = name
            if stat.S_ISLNK(seen.st_mode):
                links += 1
                _check_symlink(fd, name, seen, path, links)
                target = os.readlink(name, dir_fd=fd)
                todo += _parts(target)[::-1]
                step = "/" if target.startswith("/") else "."
            fd, before = os.open(step, _DIRECTORY, dir_fd=fd), fd
            os.close(before)
            way = _went(way, step)
            _ask(rule, fd, way, todo, path)
    except OSError as err:
        os.close(fd)
        if isinstance(err, FileNotFoundError):
            raise MissingDirectory(f"{path}: {name!r} does not exist, wanted a directory") from err
        raise failure(path, f"{name!r} on the way cannot be entered", err) from err
    except FilesError:
        os.close(fd)
        raise
    return fd


def _went(way: list[str], step: str) -> list[str]:
    if step == "/":
        return [""]
    if step == "..":
        return way[:-1] or [""]
    return way if step == "." else [*way, step]


def _ask(rule: Rule, fd: int, way: list[str], todo: list[str], path: str) -> None:
    try:
        rule(Directory(fd, "/".join(way) or "/", not todo))
    except FilesError as err:
        raise FilesError(f"{path}: {err}") from None


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
