"""Keep a file that another program reads all the time: whole at any moment, readable by all.

It holds no secret and can be made anew, so there is no backup of it; its first line says whose it
is, and what does not begin with that line is somebody else's.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from james_client.files.walk import Directory, FilesError, MissingDirectory, directory, split

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def check(path: str, mark: bytes) -> None:
    """Refuse a place for a report that will not do.

    path
        absolute
    mark
        the first line of a report of ours

    Raises FilesError where its directory is missing or anybody may write to it, and where something
    else is in its place.
    """
    parent, name = split(path)
    with directory(parent, _not_anybodys) as folder:
        _refuse_others(folder, name, path, mark)


def write(path: str, data: bytes, mark: bytes) -> None:
    """Put a report in place by one rename, mode 0644. Raises FilesError as `check` does."""
    parent, name = split(path)
    fresh = f".{name}.new"
    with directory(parent, _not_anybodys) as folder:
        _refuse_others(folder, name, path, mark)
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=folder)
        fd = os.open(fresh, _NEW, 0o600, dir_fd=folder)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            os.fchmod(fd, 0o644)
        os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)


def remove(path: str, mark: bytes) -> bool:
    """Remove a report, if it is there and ours; tell whether it was."""
    parent, name = split(path)
    with suppress(MissingDirectory), directory(parent) as folder:
        with suppress(FileNotFoundError):
            os.unlink(f".{name}.new", dir_fd=folder)
        if _begins(folder, name) == mark.rstrip(b"\n"):
            os.unlink(name, dir_fd=folder)
            return True
    return False


def is_there(path: str, mark: bytes) -> bool:
    """Tell whether a report of ours is there."""
    parent, name = split(path)
    with suppress(MissingDirectory), directory(parent) as folder:
        return _begins(folder, name) == mark.rstrip(b"\n")
    return False


def _not_anybodys(here: Directory) -> None:
    mode = os.fstat(here.fd).st_mode
    if here.last and mode & 0o002 and not mode & stat.S_ISVTX:
        raise FilesError(
            f"its directory has mode {stat.S_IMODE(mode):04o}; wanted one that not everybody may "
            f"write to, for anybody could forge what stands there: chmod o-w {here.path}"
        )


def _refuse_others(folder: int, name: str, path: str, mark: bytes) -> None:
    found = _begins(folder, name)
    if found is not None and found != mark.rstrip(b"\n"):
        raise FilesError(
            f"{path}: holds something else; expected nothing, or a file whose first line is "
            f"{mark.decode().rstrip()!r}: move it away, or name another file"
        )


def _begins(folder: int, name: str) -> bytes | None:
    """Return a file's first line, None where there is none; of what is no file, an empty one."""
    try:
        fd = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:  # a symlink, a socket
        return b""
    try:
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        return os.read(fd, 200).partition(b"\n")[0] if is_file else b""
    finally:
        os.close(fd)
