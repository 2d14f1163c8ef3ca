"""A small host in a directory: /etc/mail of an unprivileged owner, knobs, backups, a lock."""

from __future__ import annotations

import ctypes
import json
import os
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from james_client.files import back as files_back
from james_client.files import place as files_place
from james_client.files import snapshot as files_snapshot
from james_client.files.backups import Backup
from james_client.files.candidate import Candidate
from james_client.files.snapshot import Snapshot

EVERY_CALL = bool(os.environ.get("CAMPAIGN"))
STRANGER = 61234  # owns etc, as smmta owns /etc/mail
GROUP = 61235
SECRET = b"user\npl4nted-pa55word\n"
OLD = {"knobs": b"DAEMON=yes\n", "cf": b"DS\nold\xff\r\n" * 400, "stale": b"to be removed\n"}
NEW = {
    "knobs": b"DAEMON=no\n",
    "drop-in": b"[Service]\n",
    "auth": SECRET,
    "cf": b"DSesmtp:localhost\n" * 500,
    "stale": None,
}
FIRST = {"drop-in": None, "auth": None, **OLD}
ORDER = ("knobs", "drop-in", "auth", "cf", "stale")


@dataclass(frozen=True)
class World:
    root: Path

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def call(self) -> dict[str, object]:
        return {"lock": self.root / "lock", "holder": "a test", "timeout": 60.0}

    def path(self, name: str) -> Path:
        folders = {"knobs": self.root / "default", "drop-in": self.root / "sendmail.service.d"}
        return folders.get(name, self.etc) / name

    def build(self) -> World:
        """Make the host as it is before the first run; root needed for the owners."""
        for folder in (self.root / "default", self.etc):
            folder.mkdir(parents=True)
        for index, (name, data) in enumerate(OLD.items()):
            path = self.path(name)
            path.write_bytes(data)
            path.chmod(0o640)
            os.chown(path, os.geteuid(), GROUP if os.geteuid() == 0 else -1)
            os.utime(path, ns=(0, 1_000_000_000_123_456_789 + index))
        if os.geteuid() == 0:
            os.chown(self.etc, STRANGER, GROUP)
        return self

    def candidates(self, new: dict[str, bytes | None] = NEW) -> list[Candidate]:
        return [
            Candidate(
                files_snapshot.read(self.path(n)),
                new[n],
                secret=n == "auth",
                folder_uid=STRANGER,
            )
            for n in ORDER
            if n in new
        ]

    def place(self, new: dict[str, bytes | None] = NEW) -> Backup | None:
        return files_place.place(self.candidates(new), self.backups, **self.call)

    def states(self) -> dict[str, Snapshot]:
        return {name: files_snapshot.read(self.path(name)) for name in ORDER}

    def contents(self) -> dict[str, bytes | None]:
        return {name: state.data for name, state in self.states().items()}

    def litter(self) -> list[str]:
        """Name what no finished run may leave: hidden things, second names."""
        return [
            str(path)
            for path in self.root.rglob("*")
            if path.name.startswith(".")
            or (path.is_file() and path.lstat().st_nlink > 1)
            or (path.name.endswith(".d") and not os.listdir(path))  # noqa: PTH208
        ]

    def exposed(self) -> list[str]:
        """Name the files that hold the secret and can be opened by others than their owner."""
        return [
            str(path)
            for path in self.root.rglob("*")
            if stat.S_ISREG(path.lstat().st_mode)
            and path.stat().st_mode & 0o077
            and b"pa55word" in path.read_bytes()
        ]

    def snapshot_tree(self) -> dict[str, tuple[object, ...]]:
        """Describe everything, to see later that nothing was touched."""
        found = {}
        for path in [self.root, *self.root.rglob("*")]:
            info = path.lstat()
            data = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
            found[str(path)] = (info.st_ino, info.st_mode, info.st_uid, info.st_mtime_ns, data)
        return found

    def assert_whole(self) -> None:
        """Each file is old or new, and the new ones are the first in the order of the renames."""
        found = self.contents()
        states = ["new" if found[n] == NEW[n] else "old" for n in ORDER]
        for name in ORDER:
            assert found[name] in (OLD.get(name), NEW[name]), f"{name} is neither old nor new"
        assert states == sorted(states), f"{states} is no prefix of {ORDER}"
        assert self.exposed() == []

    def assert_goes_on(self) -> None:
        """The next run completes, leaves nothing behind, and the first state can still be had."""
        self.place()
        assert self.contents() == NEW
        assert self.litter() == []
        assert self.exposed() == []
        files_back.restore_first(self.backups, **self.call)


def as_format_1(backups: Path, others: Mapping[str, object] | None = None) -> None:
    """Write a ledger as an earlier version of the formula left it.

    others
        per path, when others were found to have changed it, and to what
    """
    path = backups / "first" / "ledger.json"
    files = []
    for one in json.loads(path.read_text())["files"]:
        placed = one["placed"]
        more = {"placed": placed["fingerprint"], "pending": None, "secret": one["secret"]}
        files.append({**placed["theirs"], **more, "others": (others or {}).get(one["path"], [])})
    path.write_text(json.dumps({"format": 1, "files": files}))
    wanted = {one["sha256"] for one in files} | {path.name}
    for content in path.parent.iterdir():
        if content.name not in wanted:
            content.unlink()


def forked(task: Callable[[], object]) -> int:
    """Run a task in a child; give what waitpid calls its status, 0 if it returned."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        task()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def with_private_mounts(task: Callable[[], object]) -> None:
    """Run a task in a child whose mounts nobody else sees; AssertionError if it fails."""

    def apart() -> None:
        clone_newns = 0x20000
        if ctypes.CDLL(None, use_errno=True).unshare(clone_newns):
            raise OSError(ctypes.get_errno(), "unshare")
        mount("--make-rprivate", "/")
        task()

    assert forked(apart) == 0, "see the traceback on standard error"


def mount(*args: str | Path) -> None:
    subprocess.run(["mount", *map(str, args)], check=True)


def acl(entries: Sequence[tuple[int, int, int]]) -> bytes:
    """Give the value of system.posix_acl_access; entries: tag, permissions, id (acl(5))."""
    words = [(2).to_bytes(4, "little")]
    for tag, perms, who in entries:
        words.append(tag.to_bytes(2, "little") + perms.to_bytes(2, "little"))
        words.append(who.to_bytes(4, "little"))
    return b"".join(words)


NOBODY_ID = 0xFFFFFFFF
# user::rw-, user:STRANGER:r--, group::r--, mask::r--, other::---
ACL_FOR_STRANGER = acl(
    [(1, 6, NOBODY_ID), (2, 4, STRANGER), (4, 4, NOBODY_ID), (16, 4, NOBODY_ID), (32, 0, NOBODY_ID)]
)
