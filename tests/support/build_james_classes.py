"""Archive the classes that James loads. Usage: build_james_classes.py RELEASE DIRECTORY."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
ARCHIVE = "classes.jsa"
# In a host: start James on a free port, and end him when he is up. systemd's own stop would kill a
# Java that takes long to write.
INSIDE = f"""
import subprocess, sys
sys.path.insert(0, "/srv/sendmail_james/tests")
from support import james
james.start(smtp_port=2525, archive="/var/lib/james/{ARCHIVE}")
subprocess.run(["systemctl", "kill", "james.service"], check=True)
james.wait_for(lambda: not james.running(), 180, "the end of James")
"""
KEEP = f"python -c '{INSIDE}' && cp /var/lib/james/{ARCHIVE} /srv/shared/"


def main(release: str, directory: Path) -> None:
    host = [str(SUPPORT / "host"), "with", "--release", release, "--shared", str(directory)]
    subprocess.run([*host, "--", "sh", "-c", KEEP], check=True)
    if not (directory / ARCHIVE).exists():
        raise SystemExit(f"{release}: Java left no {ARCHIVE}; look at james.service's log")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
