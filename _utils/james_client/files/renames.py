"""Put files in place, each by one rename, so that nothing is lost whoever else is at work.

Beside each file a directory ``.sendmail_james`` (0700, ours) holds the new files while they are
written. Nobody else can look into it or swap what is in it, so owner, mode and ACL can be set in
any order before the file is seen at all. The rename *exchanges* new and old: the old one then is in
our directory, where it is compared with what was read; if somebody changed it in the last moment,
the two are exchanged back. Where the system cannot exchange (FreeBSD, some network file systems) a
second name for the old file does nearly the same; between that and the rename a change of
somebody's within microseconds would be lost.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from james_client.files.candidate import Candidate, check, check_unchanged, require_folder
from james_client.files.snapshot import Snapshot, read_at, write_xattrs
from james_client.files.walk import (
    DROP_IN,
    SECOND,
    STAGE,
    STAGED,
    FilesError,
    MissingDirectory,
    directory,
    failure,
    kind,
    open_at,
    roots,
    split,
    trusted_uids,
)

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_RENAME_EXCHANGE = 2  # renameat2(2)


class NotPutBack(FilesError):  # noqa: N818 - it says what is wrong
    """Say that a run failed half-way and that some of its files could not be put back."""


@dataclass(frozen=True)
class _Staged:
    candidate: Candidate
    name: str
    dir_fd: int
    stage_fd: int

    @property
    def new(self) -> str:
        return self.name + STAGED


def put(candidates: Sequence[Candidate], own: Sequence[str] = ()) -> None:
    """Put candidates in place in their order; under the lock, after `sweep` of the same paths.

    own
        folders that may hold no secret of a candidate, see `check`

    Everything is written and checked before the first rename, so that a full disk or a missing
    right costs nothing. Raises FilesError; then nothing was changed or everything was put back,
    or, as NotPutBack, the message says what was not.
    """
    with contextlib.ExitStack() as stack:
        stages: dict[str, tuple[int, int]] = {}
        staged = []
        for one in candidates:
            parent, name = split(one.path)
            if parent not in stages:
                stack.enter_context(_drop_in(parent))
                dir_fd = stack.enter_context(directory(parent))
                stages[parent] = dir_fd, stack.enter_context(_stage(dir_fd, parent))
            staged.append(_Staged(one, name, *stages[parent]))
            if one.wanted.data is not None:
                _write(staged[-1])
        check(candidates, own)
        for each in staged:
            require_folder(each.candidate, own, each.dir_fd)
        _rename_all(staged)


def sweep(paths: Sequence[str]) -> None:
    """Remove what a killed run left beside these paths: staging and empty drop-in directories."""
    for parent in dict.fromkeys(split(path)[0] for path in paths):
        with contextlib.suppress(MissingDirectory):
            with directory(parent) as dir_fd:
                _sweep(dir_fd, f"{parent}/{STAGE}")
            _remove_empty(parent)


@contextlib.contextmanager
def _drop_in(path: str) -> Iterator[None]:
    """Make a drop-in directory that is not there, and take it away again if it ends up empty."""
    if not path.endswith(DROP_IN):
        yield
        return
    parent, name = split(path)
    with directory(parent, roots) as fd:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=fd)
                os.chmod(name, 0o755, dir_fd=fd)  # whatever the umask
                os.fsync(fd)
        except OSError as err:
            raise failure(path, "the directory cannot be made", err) from err
    try:
        yield
    finally:
        _remove_empty(path)


def _remove_empty(path: str) -> None:
    if path.endswith(DROP_IN):
        parent, name = split(path)
        # Others' files in it, or a swap meanwhile: then it is not ours to take away.
        with contextlib.suppress(OSError, FilesError), directory(parent, roots) as fd:
            os.rmdir(name, dir_fd=fd)


@contextlib.contextmanager
def _stage(dir_fd: int, parent: str) -> Iterator[int]:
    path = f"{parent}/{STAGE}"
    try:
        os.mkdir(STAGE, 0o700, dir_fd=dir_fd)
        with open_at(dir_fd, STAGE) as fd:
            info = os.fstat(fd)
            if info.st_uid != os.geteuid() or _names(fd):
                raise FilesError(f"{path}: was swapped for another directory; wanted our own")
            os.fchmod(fd, 0o700)
            yield fd
    except OSError as err:
        raise failure(path, "the new files cannot be written", err) from err
    finally:
        # Whatever is left after an error of this kind, the next run sweeps.
        with contextlib.suppress(OSError, FilesError):
            _sweep(dir_fd, path)


def _sweep(dir_fd: int, path: str) -> None:
    try:
        info = os.stat(STAGE, dir_fd=dir_fd, follow_symlinks=False)
        if (
            not stat.S_ISDIR(info.st_mode)
            or info.st_uid not in trusted_uids()
            or info.st_mode & 0o077
        ):
            raise FilesError(
                f"{path}: found {kind(info.st_mode)} of uid {info.st_uid} with mode "
                f"{stat.S_IMODE(info.st_mode):04o}, wanted nothing: look at it, then remove it"
            )
        with open_at(dir_fd, STAGE) as fd:
            for name in _names(fd):
                if not name.endswith((STAGED, SECOND)):
                    raise FilesError(f"{path}/{name}: is none of ours, wanted nothing there")
                os.unlink(name, dir_fd=fd)
        os.rmdir(STAGE, dir_fd=dir_fd)
    except FileNotFoundError:
        return
    except OSError as err:
        raise failure(path, "cannot be removed", err) from err


def _names(fd: int) -> list[str]:
    with os.scandir(fd) as found:
        return [each.name for each in found]


def _write(one: _Staged) -> None:
    wanted = one.candidate.wanted
    doing = "the new version cannot be written"
    try:
        fd = os.open(one.new, _NEW, 0o600, dir_fd=one.stage_fd)
        try:
            rest = memoryview(wanted.data or b"")
            while rest:
                rest = rest[os.write(fd, rest) :]
            doing = f"owner {wanted.uid}:{wanted.gid} and mode {wanted.mode:04o} cannot be set"
            os.fchown(fd, wanted.uid, wanted.gid)
            os.fchmod(fd, wanted.mode)
            doing = "ACL and attributes cannot be kept"
            write_xattrs(fd, wanted.xattrs)
            if wanted.mtime_ns:
                os.utime(fd, ns=(wanted.mtime_ns, wanted.mtime_ns))
            doing = "the new version cannot be written"
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as err:
        raise failure(one.candidate.path, doing, err) from err


def _rename_all(staged: Sequence[_Staged]) -> None:
    begun: list[_Staged] = []
    try:
        for one in staged:
            begun.append(one)
            _rename(one)
            os.fsync(one.dir_fd)
    except BaseException as err:
        told = err
        if isinstance(err, OSError):
            told = failure(begun[-1].candidate.path, "cannot be put in place", err)
        back, left = _put_back(begun[::-1])
        if left:
            raise NotPutBack("\n".join([str(told), *left])) from err
        if isinstance(told, FilesError):
            note = f"put back: {', '.join(back)}" if back else "nothing was changed"
            raise FilesError(f"{told}\n{note}") from err
        raise


def _rename(one: _Staged) -> None:
    path, before = one.candidate.path, one.candidate.before
    if before.data is None:
        _link(one.stage_fd, one.new, one.dir_fd, one.name)  # fails where something appeared
        os.unlink(one.new, dir_fd=one.stage_fd)
        return
    removes = one.candidate.wanted.data is None
    try:
        if removes:
            os.rename(one.name, one.new, src_dir_fd=one.dir_fd, dst_dir_fd=one.stage_fd)
        else:
            _exchange(one)
        check_unchanged(before, read_at(one.stage_fd, one.new, path))
    except FilesError:
        if removes:
            os.rename(one.new, one.name, src_dir_fd=one.stage_fd, dst_dir_fd=one.dir_fd)
        else:
            _exchange(one)
        raise


def _exchange(one: _Staged) -> None:
    if _renameat2(one.stage_fd, one.new, one.dir_fd, one.name):
        return
    second = one.name + SECOND
    _link(one.dir_fd, one.name, one.stage_fd, second)
    os.rename(one.new, one.name, src_dir_fd=one.stage_fd, dst_dir_fd=one.dir_fd)
    os.rename(second, one.new, src_dir_fd=one.stage_fd, dst_dir_fd=one.stage_fd)


def _renameat2(old_fd: int, old: str, new_fd: int, new: str) -> bool:
    """Exchange two files in one step; False where the system cannot do that at all."""
    if sys.platform != "linux":
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(old_fd, os.fsencode(old), new_fd, os.fsencode(new), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(code, os.strerror(code))


def _link(old_fd: int, old: str, new_fd: int, new: str) -> None:
    os.link(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)


def _put_back(begun: Sequence[_Staged]) -> tuple[list[str], list[str]]:
    # What is in place, not what was noted, decides: an interrupt may come between the two.
    back, left = [], []
    for one in begun:
        path = one.candidate.path
        try:
            _finish(one)
            if not _is_placed(one):
                continue
            if not _same_file(read_at(one.dir_fd, one.name, path), one.candidate.wanted):
                left.append(f"{path}: was put in place and then changed by somebody; left so")
                continue
            _undo(one)
            os.fsync(one.dir_fd)
            back.append(path)
        except (OSError, FilesError) as err:
            left.append(f"{path}: could not be put back ({err}); the newest backup has it")
    return back, left


def _finish(one: _Staged) -> None:
    # An exchange by way of a second name, interrupted: end it or take it back.
    second = one.name + SECOND
    if _exists(one, second):
        if _exists(one, one.new):
            os.unlink(second, dir_fd=one.stage_fd)
        else:
            os.rename(second, one.new, src_dir_fd=one.stage_fd, dst_dir_fd=one.stage_fd)


def _is_placed(one: _Staged) -> bool:
    before, wanted = one.candidate.before, one.candidate.wanted
    if before.data is None:
        if not _exists(one, one.new):
            return True
        staged = os.stat(one.new, dir_fd=one.stage_fd, follow_symlinks=False)
        if staged.st_nlink == 1:
            return False
        os.unlink(one.new, dir_fd=one.stage_fd)
        return True
    if wanted.data is None:
        return _exists(one, one.new)
    return read_at(one.stage_fd, one.new, one.candidate.path) == before


def _undo(one: _Staged) -> None:
    before, wanted = one.candidate.before, one.candidate.wanted
    if before.data is None:
        os.rename(one.name, one.new, src_dir_fd=one.dir_fd, dst_dir_fd=one.stage_fd)
    elif wanted.data is None:
        _link(one.stage_fd, one.new, one.dir_fd, one.name)
        os.unlink(one.new, dir_fd=one.stage_fd)
    else:
        _exchange(one)


def _exists(one: _Staged, name: str) -> bool:
    try:
        os.stat(name, dir_fd=one.stage_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _same_file(found: Snapshot, wanted: Snapshot) -> bool:
    return found.fingerprint == wanted.fingerprint
