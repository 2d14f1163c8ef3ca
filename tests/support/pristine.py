"""Put a disposable host back to what it was at first, so that tests do not see each other."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support import james

MARK = b"container=box"
COPY = Path("/srv/pristine")
# what tests and the formula change; a folder that was not there at first is removed
FOLDERS = (
    *("etc", "home", "root", "var/backups", "var/lib/sendmail", "var/lib/sendmail_james"),
    *("var/spool", "var/tmp/mail"),
)
DAEMONS = "^sendmail: "  # how sendmail titles those of its processes that stay
SAME = ("rsync", "--archive", "--hard-links", "--acls", "--xattrs", "--delete", "--itemize-changes")


def in_disposable_host() -> bool:
    """Say whether this is a disposable host, where tests may change what they like."""
    try:
        return MARK in Path("/proc/1/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def run(*command: str) -> str:
    """Run a command and give what it prints; CalledProcessError."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def remember() -> None:
    """Copy what tests may change, once in a host's life."""
    if COPY.exists():
        return
    fresh = COPY.with_suffix(".new")
    for folder in FOLDERS:
        (fresh / folder).mkdir(parents=True, exist_ok=True)
        if Path("/", folder).exists():
            run(*SAME, f"/{folder}/", f"{fresh / folder}/")
    fresh.rename(COPY)


def restore(*, listening: bool = True, keep_james: bool = False) -> None:
    """Bring back files, units and processes; sendmail restarts only where something differs.

    With LISTENING false sendmail is left stopped instead, so that port 25 is free. James is
    stopped, unless KEEP_JAMES says that it may stay as it is.
    """
    changed = []
    for folder in FOLDERS:
        Path("/", folder).mkdir(parents=True, exist_ok=True)
        changed += run(*SAME, f"{COPY / folder}/", f"/{folder}/").splitlines()
    if any("systemd" in line or "init.d" in line for line in changed):
        run("systemctl", "daemon-reload")
    if listening and not changed and sendmail_is_stock():
        return
    if not keep_james:
        james.stop()
    run("systemctl", "stop", "sendmail.service")
    james.wait_for(_stopped, what="the end of every sendmail")
    run("systemctl", "reset-failed")
    if listening:
        run("systemctl", "start", "sendmail.service")


def _stopped() -> bool:
    """End what is left, such as runners that a test started by hand; say whether nothing was."""
    return subprocess.run(["pkill", "^sendmail"], check=False).returncode == 1


def sendmail_daemons() -> list[str]:
    """Give PID and title of every sendmail daemon, queue runners among them."""
    listed = subprocess.run(["pgrep", "-af", DAEMONS], check=False, capture_output=True, text=True)
    return listed.stdout.splitlines()


def sendmail_is_stock() -> bool:
    """Say whether exactly the one listening daemon runs that Debian starts."""
    (*others, last) = sendmail_daemons() or [""]
    return not others and "accepting connections" in last
