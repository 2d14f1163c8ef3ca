"""Describe what a file is to become, what that changes, and what stands in the way."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from james_client.changes import Changes
from james_client.files.ledger import Theirs
from james_client.files.private import folder_for
from james_client.files.snapshot import Snapshot, frozen, read
from james_client.files.walk import FilesError, directory, split, trusted_uids

_HIDDEN = "(not shown)"
_PRIVATE = "(not shown: others cannot read it)"
_ACLS = frozenset({"system.posix_acl_access", "system.nfs4_acl"})
_SHOWN = 200_000  # bytes: a diff of more is no help and takes long
# access_db and authinfo maps: `AuthInfo:host "U:user" "P:password"` (cf/README, FEATURE(authinfo)).
_SECRET_LINE = re.compile(r"(authinfo:)[^\r\n]*", re.IGNORECASE)


@dataclass(frozen=True)
class Candidate:
    """Say what the file of a snapshot is to become.

    before
        as `snapshot.read` found it
    after
        the new content, None to remove the file
    mode, uid, gid
        of a new file (0644 or, if secret, 0600, and the running user's where None); an existing
        file keeps its own, unless it is secret, and may belong to uid besides root
    secret
        it holds a password: nobody is shown its content, mode is at most 0600, uid and gid always
        hold, ACLs are not kept, and it lies only where root alone can change the way to it
    folder_uid
        user id that may own a secret's directory besides root, as the package ships it
    exact
        a former state to bring back whole, with time and extended attributes
    owned
        it is ours alone: mode, uid and gid hold for an existing file too
    theirs
        what the file would be without us, None where that is to be told from the ledger
    steps
        which steps made the difference, None for those that are known
    """

    before: Snapshot
    after: bytes | None = field(repr=False)
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    secret: bool = False
    folder_uid: int | None = None
    exact: Snapshot | None = field(default=None, repr=False)
    owned: bool = False
    theirs: Theirs | None = field(default=None, repr=False)
    steps: tuple[str, ...] | None = None

    @property
    def path(self) -> str:
        """Give the absolute path."""
        return self.before.path

    @property
    def wanted(self) -> Snapshot:
        """Give what is to be there; mtime_ns 0 means the time of writing."""
        if self.exact is not None:
            return self.exact
        if self.after is None:
            return Snapshot(self.path)
        kept = tuple(x for x in self.before.xattrs if not (self.secret and x[0] in _ACLS))
        if self.before.data is not None and not (self.secret or self.owned):
            return replace(self.before, data=self.after, mtime_ns=0)
        return Snapshot(
            path=self.path,
            data=self.after,
            mode=(0o600 if self.secret else 0o644) if self.mode is None else self.mode,
            uid=os.geteuid() if self.uid is None else self.uid,
            gid=os.getegid() if self.gid is None else self.gid,
            xattrs=kept,
        )

    @property
    def differs(self) -> bool:
        """Say whether putting it in place would change anything."""
        wanted = self.wanted
        if self.exact is None:
            wanted = replace(wanted, mtime_ns=self.before.mtime_ns)
        if wanted.data is None:
            return self.before.data is not None
        return wanted != self.before


def changes(candidates: Iterable[Candidate], *, diff: bool = False) -> Changes:
    """Give ``{path: {old, new}}`` of the candidates that differ; nothing is touched.

    diff
        add a unified diff of each

    old and new are the size in words, with mode and owner where they change too, None where there
    is no file. Size and diff are not shown of a secret, nor of what others cannot read before or
    after: the owner of a directory may rename a file that he cannot read to any name in it. What
    follows ``AuthInfo:`` in a line is never shown.
    """
    return {
        one.path: {"old": _words(one, one.before), "new": _words(one, one.wanted)}
        | ({"diff": _diff(one)} if diff else {})
        for one in candidates
        if one.differs
    }


def check(candidates: Sequence[Candidate], own: Sequence[str] = ()) -> None:
    """Raise FilesError with every reason why the candidates cannot be put in place now.

    own
        folders of this formula (backups) that may hold no secret of a candidate

    Looked at: each file still as its snapshot says, its owner (root, the running user, or the
    candidate's uid), immutable flags, and what is asked of a secret and of the way to it. Nothing
    is touched.
    """
    wrong = []
    for index, one in enumerate(candidates):
        if any(one.path == other.path for other in candidates[:index]):
            wrong.append(f"{one.path}: is wanted twice")
        try:
            _check(one)
            require_folder(one, own)
        except FilesError as err:
            wrong.append(str(err))
    if wrong:
        raise FilesError("\n".join(wrong))


def _check(one: Candidate) -> None:
    path, before, wanted = one.path, one.before, one.wanted
    if one.secret and one.exact is None and wanted.mode & ~0o600:
        raise FilesError(f"{path}: asked for mode {wanted.mode:04o}, a secret wants at most 0600")
    check_unchanged(before, read(path))
    if before.data is None:
        return
    if before.uid not in trusted_uids() | {one.uid}:
        raise FilesError(
            f"{path}: found a file of uid {before.uid}, who could change it at any time; "
            f"wanted root's: look at it, then remove it or give it to root"
        )
    if one.differs and (flag := _frozen(path)):
        raise FilesError(f"{path}: found it {flag}, wanted a file that may be replaced (chattr)")


def require_folder(one: Candidate, own: Sequence[str] = (), opened: int | None = None) -> None:
    """Raise FilesError unless a new secret's directory may hold it.

    opened
        descriptor of the directory that it will be put into, which must be that one still

    A former state is brought back to where it was.
    """
    if not one.secret or one.exact is not None or one.after is None:
        return
    parent = split(one.path)[0]
    with directory(parent, folder_for(one.path, one.folder_uid, own)) as fd:
        if opened is not None and not os.path.samestat(os.fstat(fd), os.fstat(opened)):
            raise FilesError(f"{parent}: was swapped meanwhile; somebody else is at work")


def check_unchanged(before: Snapshot, now: Snapshot) -> None:
    """Raise FilesError that names what differs, unless both are the same file state."""
    if before == now:
        return
    if before.data is None or now.data is None:
        found = "nothing is there" if now.data is None else "a file is there"
        what = f"{found} any more" if now.data is None else f"{found} meanwhile"
    else:
        fields = {"data": "content", "mtime_ns": "time", "xattrs": "ACL or attributes"}
        names = ("data", "mode", "uid", "gid", "mtime_ns", "xattrs")
        differ = (n for n in names if getattr(before, n) != getattr(now, n))
        what = f"{', '.join(fields.get(n, n) for n in differ)} changed"
    raise FilesError(
        f"{before.path}: {what} since it was read; somebody else is at work, run this again"
    )


def _frozen(path: str) -> str | None:
    parent, name = split(path)
    with directory(parent) as dir_fd:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=dir_fd)
        except OSError:
            return None  # swapped a moment ago: putting it in place finds out
    try:
        return frozen(fd)
    finally:
        os.close(fd)


def _is_public(one: Candidate) -> bool:
    return all(side.data is None or side.mode & stat.S_IROTH for side in (one.before, one.wanted))


def _words(one: Candidate, side: Snapshot) -> str | None:
    if side.data is None:
        return None
    hidden = one.secret or not _is_public(one)
    size = _HIDDEN if hidden else f"{len(side.data)} bytes"
    if _access(one.before) == _access(one.wanted):
        return size
    mode, uid, gid, _ = _access(side)
    return f"{size}, mode {mode:04o}, uid {uid}, gid {gid}"


def _access(side: Snapshot) -> tuple[int, int, int, bool]:
    return side.mode, side.uid, side.gid, side.data is None


def _diff(one: Candidate) -> str:
    path, old, new = one.path, one.before.data, one.wanted.data
    if one.secret:
        return _HIDDEN
    if not _is_public(one):
        return _PRIVATE
    if max(len(old or b""), len(new or b"")) > _SHOWN:
        return "(too large to show)"
    if b"\0" in (old or b"") + (new or b""):
        return "(binary)"
    lines = difflib.unified_diff(_lines(old), _lines(new), f"{path} (old)", f"{path} (new)")
    text = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return _SECRET_LINE.sub(rf"\1 {_HIDDEN}", text)


def _lines(data: bytes | None) -> list[str]:
    # Not splitlines(): form feeds and such are no line ends to sendmail.
    text = (data or b"").decode("utf-8", "backslashreplace")
    return re.findall(r"[^\n]*\n|[^\n]+", text)
