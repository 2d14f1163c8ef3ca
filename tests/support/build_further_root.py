"""Make the root tree of a Debian release that only `make test-releases` asks for.

Usage: build_further_root.py RELEASE DIRECTORY, as build_root.py. Where the release's own Python is
too old for Salt, one is built from Debian's newer source, in /usr/local, as Salt's own packages
bring theirs.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from build_root import HOST_NAME, NO_SERVICES, PACKAGES, mirror, name, remove_packages
from build_steps import connect, disconnect, run


@dataclass(frozen=True)
class Release:
    """What differs between releases: its packages, and a Python's source as (release, package)."""

    packages: tuple[str, ...]
    python: tuple[str, str] | None = None


RELEASES = {
    "bullseye": Release(("openjdk-17-jre-headless",), ("bookworm", "python3.11")),
    "forky": Release(("openjdk-21-jre-headless", "util-linux-extra")),  # the latter: pivot_root
}
# What Python is built with, and what of it Salt's modules need at run time
COMPILER = """
    gcc libbz2-dev libc6-dev libffi-dev liblzma-dev libsqlite3-dev libssl-dev uuid-dev zlib1g-dev
    dpkg-dev
""".split()
SOURCES = "etc/apt/sources.list.d/python-source.list"
SCRIPTS = Path("/usr/share/debootstrap/scripts")


def build_python(tree: Path, suite: str, package: str, address: str) -> None:
    """Build Python in TREE from the source PACKAGE of another release, below /usr/local."""
    inside = ("chroot", str(tree))
    (tree / SOURCES).write_text(f"deb-src {address} {suite} main\n")
    run(*inside, "apt-get", "update")
    run(*inside, "apt-get", "-y", "install", *COMPILER)
    # without Debian's patches, which keep pip from a Python that they take for the system's
    fetch = f"apt-get source --download-only {package} && dpkg-source --skip-patches -x *.dsc it"
    run(*inside, "sh", "-c", f"mkdir /build && cd /build && {fetch}")
    configure = "OPT=-O1 ./configure --prefix=/usr/local --disable-test-modules"
    make = f"make -j{os.cpu_count()} && make install"
    run(*inside, "sh", "-c", f"cd /build/it && {configure} && {make}")
    shutil.rmtree(tree / "build")
    (tree / SOURCES).unlink()


def main(release: str, tree: Path) -> None:
    """Make the tree."""
    socket.sethostname(HOST_NAME)
    address, facts = mirror(), RELEASES[release]
    # a debootstrap that is older than the release does not know its name
    script = SCRIPTS / (release if (SCRIPTS / release).exists() else "sid")
    options = ("--variant=minbase", "--merged-usr")
    run("debootstrap", *options, release, str(tree), address, str(script))
    name(tree, release, address)
    connect(tree)
    apt = ("chroot", str(tree), "apt-get", "-y")
    # what testing's mirrors sign is good for a week, and some lag
    run(*apt, "-o", "Acquire::Check-Valid-Until=false", "update")
    run(*apt, "install", *PACKAGES, *facts.packages)
    run(*apt, "install", "--download-only", "postfix")
    remove_packages(tree / "var/cache/apt/archives")
    if facts.python:
        build_python(tree, *facts.python, address)
        remove_packages(tree / "var/cache/apt/archives")
    (tree / NO_SERVICES).unlink()
    disconnect(tree)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
