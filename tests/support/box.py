"""Build the inside of a disposable host, an overlay on a root tree, and become its PID 1.

Whatever is mounted here ends with the last process of the host; the machine sees none of it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

import cache
import kernel

FURNITURE = cache.SUPPORT / "host-files"
ENABLED = ("dnsmasq.service",)
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "getty.target",
    "systemd-udevd.service",
    "tmp.mount",
)
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
# where things are inside every host
REPOSITORY, SHARED, HOSTS = "srv/sendmail_james", "srv/shared", "srv/hosts"
CACHE = "var/cache/sendmail_james"
IDLE = "0.00 0.00 0.00 1/1 1\n"  # as in /proc/loadavg


@dataclass(frozen=True)
class Plan:
    """What a host is made of."""

    state: Path
    shared: Path
    layers: tuple[Path, ...]
    scratch: bool
    cgroup: Path

    @property
    def root(self) -> Path:
        """Give the mount point of the host's root."""
        return self.state / "root"


def mount(*arguments: str | Path) -> None:
    """Call mount(8); CalledProcessError on failure."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


def bind(source: Path, target: Path, *, writable: bool = False) -> None:
    """Show the folder SOURCE at TARGET, read-only unless WRITABLE."""
    target.mkdir(parents=True, exist_ok=True)
    mount("--bind", source, target)
    if not writable:
        mount("-o", "remount,bind,ro", target)


def become_pid_1(plan: Plan) -> None:
    """Enter fresh namespaces, build the root and execute systemd; returns only by an exception."""
    kernel.die_with_parent(signal.SIGKILL)
    os.setsid()
    (plan.cgroup / "cgroup.procs").write_text("0")
    kernel.unshare(
        kernel.NEW_NS | kernel.NEW_UTS | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_CGROUP
    )
    mount("--make-rprivate", "/")
    mount_root(plan)
    if not (plan.root / "etc/systemd/system/multi-user.target.wants/dnsmasq.service").is_symlink():
        furnish(plan.root)
    mount_kernel_views(plan.root)
    mount_devices(plan.root / "dev")
    bind(plan.state / "run", plan.root / "run/host", writable=True)
    bind(plan.shared, plan.root / SHARED, writable=True)
    bind(cache.REPOSITORY, plan.root / REPOSITORY)
    bind(cache.CACHE, plan.root / CACHE)
    bind(cache.james().existing(), plan.root / "opt/james/lib")
    (plan.root / HOSTS).mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", plan.root / HOSTS)
    socket.sethostname((plan.root / "etc/hostname").read_text().strip())
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    enter_root(plan.root)
    kernel.give_up_the_machine()
    command = ["/lib/systemd/systemd", "--unit=multi-user.target", "--show-status=false"]
    os.execve(command[0], command, {"container": "box", "NOTIFY_SOCKET": "/run/host/notify"})


def mount_root(plan: Plan) -> None:
    """Lay the overlay; in scratch mode what is written stays in memory and ends with the host."""
    upper = plan.state
    plan.root.mkdir(exist_ok=True)
    if plan.scratch:
        upper = plan.state / "memory"
        upper.mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", upper)
    for name in ("upper", "work"):
        (upper / name).mkdir(exist_ok=True)
    lower = ":".join(map(str, plan.layers))
    places = f"lowerdir={lower},upperdir={upper}/upper,workdir={upper}/work"
    mount("-t", "overlay", "overlay", "-o", places, plan.root)


def furnish(root: Path) -> None:
    """Write into a new host what a stock Debian has not: name server, James, a user."""
    (root / "etc/machine-id").write_text(uuid.uuid4().hex + "\n")
    shutil.copytree(FURNITURE, root, dirs_exist_ok=True)
    for piece in (FURNITURE, *FURNITURE.rglob("*")):  # a checkout may be writable to its group
        (root / piece.relative_to(FURNITURE)).chmod(0o755 if piece.is_dir() else 0o644)
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).symlink_to("/dev/null")
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    for unit in ENABLED:
        (units / "multi-user.target.wants" / unit).symlink_to(f"/etc/systemd/system/{unit}")
    (root / "srv/roots").mkdir()
    for tree in map(cache.root_tree, cache.RELEASES):
        (root / "srv" / tree.name).symlink_to(f"/{CACHE}/{tree.name}-{tree.stamp}")
    subprocess.run(
        ["chroot", str(root), "/usr/sbin/useradd", "--create-home", "--shell", "/bin/bash", "bob"],
        check=True,
    )


def mount_kernel_views(root: Path) -> None:
    """Mount proc, sysfs and cgroup2, read-only where they reach the machine's own settings."""
    mount("-t", "proc", "proc", root / "proc")
    mount("--bind", root / "proc/sys", root / "proc/sys")
    mount("--bind", root / "proc/sys/net", root / "proc/sys/net")
    mount("-o", "remount,bind,ro", root / "proc/sys")
    trigger = root / "proc/sysrq-trigger"
    if trigger.exists():
        mount("--bind", trigger, trigger)
        mount("-o", "remount,bind,ro", trigger)
    mount("-t", "sysfs", "-o", "ro", "sysfs", root / "sys")
    mount("-t", "cgroup2", "cgroup2", root / "sys/fs/cgroup")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root / "run")
    # sendmail keeps mail back where the load is high, and other hosts' load is not this one's
    idle = root / "run/loadavg"
    idle.write_text(IDLE)
    mount("--bind", idle, root / "proc/loadavg")
    mount("-o", "remount,bind,ro", root / "proc/loadavg")


def mount_devices(dev: Path) -> None:
    """Fill /dev with the harmless devices, taken from the machine, and terminals of its own."""
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", dev)
    for name in DEVICES:
        (dev / name).touch()
        mount("--bind", f"/dev/{name}", dev / name)
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620,gid=5", "devpts", dev / "pts")
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", dev / "shm")
    (dev / "ptmx").symlink_to("pts/ptmx")
    (dev / "fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (dev / name).symlink_to(f"/proc/self/fd/{number}")
    (dev / "console").touch()


def enter_root(root: Path) -> None:
    """Make ROOT the root of this mount namespace and let go of the machine's."""
    os.chdir(root)
    outside = Path(".outside")
    outside.mkdir(exist_ok=True)
    subprocess.run(["pivot_root", ".", str(outside)], check=True)
    subprocess.run(["umount", "-l", "/.outside"], check=True)
    Path("/.outside").rmdir()
