"""The few Linux system calls that the standard library of Python 3.11 lacks."""

from __future__ import annotations

import ctypes
import os

NEW_NS, NEW_CGROUP, NEW_UTS = 0x00020000, 0x02000000, 0x04000000
NEW_IPC, NEW_PID, NEW_NET = 0x08000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_CAP_SYS_MODULE, _CAP_SYS_RAWIO, _CAP_SYS_TIME = 16, 17, 25
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process (for PID: its children) into new namespaces."""
    _call("unshare", flags)


def enter(pid: int) -> None:
    """Move this process (its children, as to PIDs) into all namespaces and the root of PID."""
    names = ("cgroup", "ipc", "uts", "net", "pid", "mnt")
    descriptors = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in names]
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY)
    for descriptor in descriptors:
        _call("setns", descriptor, 0)
        os.close(descriptor)
    # where the machine's own root is a chroot, it is not the root of the mount namespace
    os.fchdir(root)
    os.chroot(".")
    os.close(root)


def die_with_parent(signal: int) -> None:
    """Have SIGNAL sent to this process when its parent ends."""
    _call("prctl", _PR_SET_PDEATHSIG, signal, 0, 0, 0)


def give_up_the_machine() -> None:
    """Drop the rights that no namespace confines: setting the clock, modules, I/O ports."""
    for capability in (_CAP_SYS_MODULE, _CAP_SYS_RAWIO, _CAP_SYS_TIME):
        _call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
