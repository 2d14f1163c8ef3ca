"""Install what the tests need and fill the cache; a second run finds all there in no time.

Usage: bootstrap [--salt VERSION]... [--prometheus], as root on Debian 12 or 13, by its own Python.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import cache

# command -> the Debian package that has it
NEEDED = {
    "chroot": "coreutils",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "java": "default-jre-headless",
    "mount": "mount",
    "mvn": "maven",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
STARTED = time.monotonic()


def say(text: str) -> None:
    """Print one line of progress with the seconds since the start."""
    print(f"bootstrap {time.monotonic() - STARTED:4.0f} s: {text}", flush=True)


def install_packages() -> None:
    """Install by apt the packages whose commands are missing."""
    missing = sorted({package for command, package in NEEDED.items() if not shutil.which(command)})
    if missing or not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        say("apt-get update")
        subprocess.run(["apt-get", "-qq", "update"], check=True)
    if missing:
        say("installing " + " ".join(missing))
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "-qq", "install", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


class Line(threading.Thread):
    """Build items one after the other; `failure` holds what went wrong."""

    def __init__(self, items: Sequence[cache.Item]) -> None:
        super().__init__(daemon=True)
        self.items = [item for item in items if not item.ready]
        self.failure: str | None = None
        self.doing: tuple[cache.Item, Path] | None = None

    def run(self) -> None:
        for item in self.items:
            log = cache.CACHE / "log" / (item.name.replace("/", "-") + ".log")
            self.doing = (item, log)
            began = time.monotonic()
            try:
                item.build(log)
            except (OSError, subprocess.CalledProcessError) as error:
                tail = "\n".join(last_lines(log, 30))
                self.failure = f"{item.name}: {error}\n{tail}\nThe whole story: {log}"
                return
            say(f"{item.name} is made ({time.monotonic() - began:.0f} s)")
        self.doing = None


def last_lines(log: Path, count: int) -> list[str]:
    """Give the last COUNT lines of a log that may still be growing."""
    try:
        lines = log.read_bytes()[-8000:].decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [line for line in lines if line.strip()][-count:]


def build(lines: Sequence[Line]) -> None:
    """Let all lines build side by side, and show every five seconds what each is at."""
    for line in lines:
        line.start()
    while any(line.is_alive() for line in lines):
        until = time.monotonic() + 5
        for line in lines:
            line.join(max(0.0, until - time.monotonic()))
        for line in lines:
            if line.is_alive() and line.doing:
                item, log = line.doing
                say(f"{item.name}: " + "".join(last_lines(log, 1))[:90])
    failures = [line.failure for line in lines if line.failure]
    if failures:
        raise SystemExit("bootstrap failed\n" + "\n\n".join(failures))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bootstrap", description=__doc__)
    parser.add_argument("--salt", action="append", help="a further Salt version for every release")
    parser.add_argument("--prometheus", action="store_true", help="Prometheus's packages, too")
    parser.add_argument("--release", action="append", choices=cache.RELEASES + cache.FURTHER)
    wanted = parser.parse_args()
    if os.geteuid():
        raise SystemExit("bootstrap: needs root, to install packages and to make root trees")
    install_packages()
    cache.CACHE.mkdir(parents=True, exist_ok=True)
    with cache.locked(cache.CACHE, exclusive=True, wait=False) as free:
        if not free:
            say("another bootstrap is at work, waiting for it")
    with cache.locked(cache.CACHE, exclusive=True):
        versions = [cache.SALT, *(wanted.salt or [])]
        plan = [[cache.james()]]
        for release in wanted.release or cache.RELEASES:
            layers = [cache.salt_layer(release, version) for version in versions]
            extra = [cache.prometheus(release)] * wanted.prometheus
            plan.append([cache.root_tree(release), *layers, *extra])
        build([Line(items) for items in plan])
        # these are made in hosts of what is there now
        classes = [[cache.james_classes(release)] for release in wanted.release or cache.RELEASES]
        build([Line(items) for items in classes])
        for items in (*plan, *classes):
            for item in items:
                item.remove_others()
    say(f"all is in {cache.CACHE}")


if __name__ == "__main__":
    main()
