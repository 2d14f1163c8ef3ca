"""Say which directories may hold a secret: root's alone to write in, and no other program's.

Asked of the directories themselves, not of their names: a symlink or a mount may hide what is
behind a name. An ACL that lets others write shows in the group's bits, which are its mask (acl(5)).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from james_client.files.walk import DROP_IN, STAGE, Directory, FilesError, Rule, trusted_uids

# What lies there is read, run, shown, copied or emptied by others.
_OTHERS = (
    *("/boot", "/dev", "/proc", "/sys", "/var/cache", "/var/log", "/var/mail", "/var/spool"),
    *("/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"),
    *("/etc/periodic", "/etc/security", "/etc/skel", "/etc/ssh", "/etc/systemd"),
    *("/usr/lib/systemd", "/var/www", "/srv/www", "/srv/http", "/usr/local/www"),
    *("/usr/share/nginx", "/var/ftp", "/srv/ftp", "/srv/salt", "/srv/pillar"),
)


def folder_for(path: str, owner: int | None = None, own: Sequence[str] = ()) -> Rule:
    """Return the rule for every directory on the way to a file that holds a secret.

    path
        the file, for messages
    owner
        user id that may own the file's directory besides root, as a package ships it
    own
        folders of this formula that hold something else

    Where root is the only one who can change the way, nobody can lead root to another place; the
    owner of the last directory can put another file there, but not read ours.
    """
    taken = _identities((*_OTHERS, *own))

    def rule(here: Directory) -> None:
        info = os.fstat(here.fd)
        mode = stat.S_IMODE(info.st_mode)
        found = f"{here.path} has owner uid {info.st_uid} and mode {mode:04o}"
        if info.st_uid not in trusted_uids() | ({owner} if here.last else set()):
            raise FilesError(
                f"{found}; wanted root's on the way to the secret {path}: chown root {here.path}, "
                "or name a file in a directory of root's"
            )
        if mode & 0o022:
            acl = f" and setfacl -b {here.path}" if _has_acl(here.fd) else ""
            raise FilesError(
                f"{found}; wanted one that its owner alone can write to, on the way to the secret "
                f"{path}: chmod go-w {here.path}{acl}"
            )
        if (info.st_dev, info.st_ino) in taken or here.path.endswith((DROP_IN, f"/{STAGE}")):
            raise FilesError(
                f"{here.path} belongs to another program, which reads, shows or removes what lies "
                f"there; wanted for the secret {path} a directory of its own: "
                "install -d -m 0755 /etc/james"
            )

    return rule


def _identities(paths: Sequence[str]) -> frozenset[tuple[int, int]]:
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            info = Path(path).stat()
            found.append((info.st_dev, info.st_ino))
    return frozenset(found)


def _has_acl(fd: int) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        return "system.posix_acl_access" in os.listxattr(fd)
    return False
