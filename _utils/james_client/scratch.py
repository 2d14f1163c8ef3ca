"""Give a temporary folder for what sendmail and m4 shall look at; remove those of killed runs."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = "sendmail_james"


@contextmanager
def scratch() -> Iterator[Path]:
    """Hold a folder for the length of a ``with``; its name has the process that it belongs to."""
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"{_NAME}.{os.getpid()}.") as folder:
        yield Path(folder)


def _sweep(parent: Path) -> None:
    for left in parent.glob(f"{_NAME}.*.*"):
        number = left.name.split(".")[1]
        if number.isdecimal() and _ours(left) and not _lives(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _ours(path: Path) -> bool:
    # Anybody may put a name into /tmp: a link or another's folder is left alone.
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
