"""Know where the root trees, Salt layers and James jars lie, and which of them are current.

Every item is built under a temporary name and renamed to one that carries the hash of its inputs,
so that what is half made, or made from other inputs, is never used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
REPOSITORY = SUPPORT.parent.parent
CACHE = Path(os.environ.get("SENDMAIL_JAMES_CACHE") or "/var/cache/sendmail_james")
RELEASES = ("bookworm", "trixie")
# nothing but `make test-releases` asks for these, so nothing else downloads them
FURTHER = ("bullseye", "forky")
SALT = "3008.3"


def usual_release() -> str:
    """Give the release of a host that asks for none: in a host, its own."""
    if not Path("/srv/roots").is_dir():
        return RELEASES[0]
    told = Path("/etc/os-release").read_text()
    return next(one for one in RELEASES + FURTHER if f"VERSION_CODENAME={one}\n" in told)


class CacheError(RuntimeError):
    """Something that a host is made of is missing; the message says what to run."""


@dataclass(frozen=True)
class Item:
    """One thing in the cache: its name, what it is made from, and the command that makes it."""

    name: str
    inputs: tuple[Path | str, ...]
    command: tuple[str, ...]

    @cached_property
    def stamp(self) -> str:
        """Give twelve hex digits of the hash of all inputs, as they are when first asked."""
        digest = hashlib.sha256()
        for part in self.inputs:
            data = part.read_bytes() if isinstance(part, Path) else part.encode()
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.hexdigest()[:12]

    @property
    def path(self) -> Path:
        """Give the folder that holds the current version, there or not."""
        return CACHE / f"{self.name}-{self.stamp}"

    @property
    def ready(self) -> bool:
        """Say whether the current version is complete."""
        return self.path.is_dir()

    def existing(self) -> Path:
        """Give the folder of the current version, or raise CacheError."""
        if not self.ready:
            raise CacheError(f"{self.path} is missing: run {SUPPORT / 'bootstrap'}")
        return self.path

    def build(self, log: Path) -> None:
        """Make the current version, with the command's words in LOG; CalledProcessError."""
        making = self.path.with_name(self.path.name + ".making")
        remove_tree(making)
        making.mkdir(parents=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [*DYING, *self.command, str(making)]
        with log.open("wb") as out:
            made = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        if made.returncode:
            remove_tree(making)
        made.check_returncode()
        making.rename(self.path)

    def remove_others(self) -> None:
        """Remove versions made from other inputs, unless a running host uses them."""
        prefix = self.path.name.removesuffix(self.stamp)
        for half_made in self.path.parent.glob(prefix + "????????????.making"):
            remove_tree(half_made)
        for other in self.path.parent.glob(prefix + "????????????"):
            if other == self.path:
                continue
            with locked(other, exclusive=True, wait=False) as free:
                if free:
                    remove_tree(other)


def remove_tree(path: Path) -> None:
    """Remove PATH and all below it; no mount is there, builders have their own."""
    if path.exists():
        shutil.rmtree(path)


@contextmanager
def locked(path: Path, *, exclusive: bool, wait: bool = True) -> Iterator[bool]:
    """Hold a lock on the folder PATH; give False where it is taken and WAIT is false."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        mode = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(descriptor, mode if wait else mode | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def hold(paths: Sequence[Path]) -> None:
    """Take a shared lock on every path for as long as this process lives."""
    for path in paths:
        fcntl.flock(os.open(path, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_SH)


# A builder ends with the bootstrap that started it.
DYING = ("setpriv", "--pdeathsig", "KILL")
# Builders work where nothing they mount, name or start is seen by the machine.
APART = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")


def root_tree(release: str) -> Item:
    """Give the root tree of RELEASE, a stock Debian with sendmail."""
    inputs = (SUPPORT / "build_root.py", SUPPORT / "build_steps.py")
    if release in FURTHER:
        inputs = (SUPPORT / "build_further_root.py", *inputs)
    command = (*APART, "/usr/bin/python3", str(inputs[0]), release)
    return Item(f"roots/{release}", inputs, command)


def salt_layer(release: str, salt: str = SALT) -> Item:
    """Give the layer with Salt and the test tools that lies over the root tree of RELEASE."""
    builder, wanted, tree = (
        SUPPORT / "build_salt.py",
        SUPPORT / "requirements.txt",
        root_tree(release),
    )
    command = (*APART, "/usr/bin/python3", str(builder), salt, str(wanted), str(tree.path))
    return Item(f"salt/{release}-{salt}", (builder, wanted, salt, tree.stamp), command)


def james() -> Item:
    """Give the folder of James's jars."""
    builder, pom = SUPPORT / "build_james.py", SUPPORT / "james-server" / "pom.xml"
    return Item("james/lib", (builder, pom), ("/usr/bin/python3", str(builder), str(pom)))


def james_classes(release: str) -> Item:
    """Give the folder of James's classes as the Java of RELEASE loads them: half his time to start.

    Java leaves an archive aside that does not fit its jars, so an old one costs time and no more.
    """
    builder, run = SUPPORT / "build_james_classes.py", SUPPORT / "james-server" / "run"
    inputs = (builder, run, james().stamp, salt_layer(release).stamp)
    command = ("/usr/bin/python3", str(builder), release)
    return Item(f"james/classes-{release}", inputs, command)


def prometheus(release: str) -> Item:
    """Give the folder of Prometheus's packages, unpacked; `make campaign-watch` alone wants it."""
    builder, tree = SUPPORT / "build_prometheus.py", root_tree(release)
    command = (*APART, "/usr/bin/python3", str(builder), str(tree.path))
    return Item(f"prometheus/{release}", (builder, tree.stamp), command)
