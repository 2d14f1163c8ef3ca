"""Find in systemd's journal why a service did not start."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from james_client.mta.process import ProcessError, run
from james_client.scrub import printable, scrub

_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
_LINES = 200
_SHOWN = 3
_LONGEST = 200  # characters of a line
# What sendmail, a shell and systemd put before a reason.
_BLAMES = re.compile(
    r"SYSERR|: line \d+|not found|denied|cannot|can't|unable|unknown|invalid|fatal|No such|"
    r"No space|missing|unsafe|fail(?!ed with result|ed state)",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"^(Starting|Started|Stopping|Stopped|Failed to start) |Deactivated|control process|"
    r"pam_unix|pam_env|\bexited, status|with result",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"^(?:NOQUEUE: )?(?:SYSERR\([^)]*\): )?")


def last_words(service: str, since: float) -> str:
    """Return what a service's processes said of a failure, "" where nothing is known.

    service
        its name, without ``.service``
    since
        seconds since 1970; what was said before does not count

    Where systemd runs it asks journalctl; elsewhere the platform's own log has it.
    """
    if not (_SYSTEMD.is_dir() and shutil.which("journalctl")):
        return ""
    argv = ["journalctl", "-u", f"{service}.service", "-o", "cat", "--no-pager", "-q"]
    try:
        done = run([*argv, "-n", str(_LINES), "--since", f"@{int(since)}"], timeout=10)
    except ProcessError:
        return ""
    return reason(done.out) if done.status == 0 else ""


def reason(text: str) -> str:
    """Return the lines of a log that say why something failed, without what repeats them."""
    said = []
    for line in text.splitlines():
        plain = printable(line, " ").strip()
        if _BLAMES.search(plain) and not _NOISE.search(plain):
            said.append(_PREFIX.sub("", scrub(plain))[:_LONGEST])
    return "; ".join(list(dict.fromkeys(said))[-_SHOWN:])
