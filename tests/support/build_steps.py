"""What the builders share: running commands, and the machine's own way to packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# settings of pip and of TLS that the machine needs to reach its registries
PASSED = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
APT_WAY = "etc/apt/apt.conf.d/90build"
UNSAFE = "etc/dpkg/dpkg.cfg.d/build"


def run(*command: str) -> None:
    """Run a command without the machine's environment, say so, and stop on failure."""
    print("+", *command, flush=True)
    subprocess.run(command, check=True, env=environment())


def output(*command: str) -> str:
    """Give what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def environment() -> dict[str, str]:
    """Give the environment of all builders: plain, with the machine's settings for registries."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PASSED) or name.lower().endswith("_proxy")
    }
    plain = {
        "DEBIAN_FRONTEND": "noninteractive",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    return plain | passed


def connect(root: Path) -> None:
    """Let apt and other programs work in ROOT with the machine's resolver, proxy and devices."""
    settings = output("apt-config", "dump").splitlines()
    way = [line for line in settings if line.startswith(("Acquire::http", "Acquire::https"))]
    (root / APT_WAY).write_text("\n".join([*way, ""]))
    (root / UNSAFE).write_text("force-unsafe-io\n")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    run("mount", "-t", "proc", "proc", str(root / "proc"))
    run("mount", "--rbind", "/dev", str(root / "dev"))


def disconnect(root: Path) -> None:
    """Take away again what `connect` gave."""
    for path in (APT_WAY, UNSAFE):
        (root / path).unlink()
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    (root / "etc/resolv.conf").chmod(0o644)
    run("umount", "-R", str(root / "dev"))
    run("umount", str(root / "proc"))
