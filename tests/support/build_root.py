"""Make the root tree of one Debian release, with sendmail as its packages leave it.

Usage: build_root.py RELEASE DIRECTORY, in mount, PID, IPC and UTS namespaces of its own. The mirror
and the way to it are those that the machine's own apt uses.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from build_steps import connect, disconnect, output, run

HOST_NAME = "mail.example.test"
JAVA = {"bookworm": "openjdk-17-jre-headless", "trixie": "openjdk-21-jre-headless"}
PACKAGES = """
    acl attr bsd-mailx bsdextrautils ca-certificates cron curl dbus debconf-utils dnsmasq-base
    e2fsprogs git iproute2 iptables less libsasl2-modules logrotate lsof m4 make mount
    netcat-openbsd openssl procps psmisc python3 python3-apt python3-venv rsync sasl2-bin sendmail
    sendmail-bin sendmail-cf shellcheck strace sudo systemd-sysv util-linux
""".split()
NO_SERVICES = "usr/sbin/policy-rc.d"
KEPT_PACKAGES = ("sendmail", "sensible-mda", "libsasl2-modules", "postfix", "lockfile-progs")


def mirror() -> str:
    """Give the address of the Debian archive that the machine's apt takes packages from."""
    wanted = "$(ORIGIN)|$(COMPONENT)|$(CODENAME)|$(REPO_URI)"
    codename = output("sh", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"').strip()
    listed = output("apt-get", "indextargets", "--format", wanted, "Identifier: Packages")
    for line in listed.splitlines():
        origin, component, suite, address = line.split("|")
        if (origin, component, suite) == ("Debian", "main", codename):
            return address
    raise SystemExit(
        f"apt knows no Debian archive with the component main of {codename}:\n{listed}"
    )


def name(tree: Path, release: str, address: str) -> None:
    """Give TREE a name and a place to take packages from, and keep its services from starting."""
    (tree / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {HOST_NAME} mail\n")
    (tree / "etc/hostname").write_text(HOST_NAME + "\n")
    (tree / "etc/mailname").write_text(HOST_NAME + "\n")
    (tree / "etc/apt/sources.list").write_text(f"deb {address} {release} main\n")
    # a host has no network: what apt can install there is what KEPT_PACKAGES leaves it
    (tree / "etc/apt/apt.conf.d/90hosts").write_text('APT::Install-Recommends "false";\n')
    refuse = tree / NO_SERVICES
    refuse.write_text("#!/bin/sh\nexit 101\n")
    refuse.chmod(0o755)


def remove_packages(archives: Path) -> None:
    """Keep only those packages that tests install again, where no network reaches."""
    for package in archives.glob("*.deb"):
        if not package.name.startswith(KEPT_PACKAGES):
            package.unlink()


def main(release: str, tree: Path) -> None:
    """Make the tree."""
    socket.sethostname(HOST_NAME)
    address = mirror()
    run("debootstrap", "--variant=minbase", "--merged-usr", release, str(tree), address)
    name(tree, release, address)
    connect(tree)
    apt = ("chroot", str(tree), "apt-get", "-y")
    run(*apt, "update")
    run(*apt, "install", *PACKAGES, JAVA[release])
    run(*apt, "install", "--download-only", "postfix")
    remove_packages(tree / "var/cache/apt/archives")
    (tree / NO_SERVICES).unlink()
    disconnect(tree)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
