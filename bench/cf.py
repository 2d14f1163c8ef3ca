#!/usr/bin/env python3
"""Compare editing a cf with the ways one would otherwise take: m4, and seven ``file.replace``.

Prints ratios, taken in one run on one machine; absolute times are there to make sense of them.
Needs m4 and sendmail-cf; Salt only for its own line. ``python bench/cf.py [CF]``
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "_utils"))

import yaml  # noqa: E402
from james_client.cf import auth, loop, relay  # noqa: E402
from james_client.cf.text import Cf  # noqa: E402
from james_client.wishes.settings import load  # noqa: E402

DEFAULTS = yaml.safe_load((REPOSITORY / "sendmail_james" / "defaults.yaml").read_text())
WISHES = load({"auth": {"username": "sendmail", "password": "s3cret"}}, DEFAULTS)
TREE = Path("/usr/share/sendmail/cf")
ROUNDS = 20


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Give the median of several runs, in seconds."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def edit(data: bytes) -> bytes:
    """Do all that a run does to one cf."""
    cf = Cf(data)
    relay.edit(cf, WISHES.relay)
    loop.edit(cf, WISHES.relay, WISHES.loop)
    auth.edit(cf, WISHES.auth, WISHES.relay)
    return cf.render()


def padded(data: bytes, size: int) -> bytes:
    """Give the cf grown to ``size`` bytes by class lines, as a site with many hosts has them."""
    line = b"Cw" + b" host.example.com" * 4 + b"\n"
    lines = (size - len(data)) // len(line)
    return data.replace(b"Cwlocalhost\n", b"Cwlocalhost\n" + line * lines, 1)


def rebuild() -> None:
    """Build Debian's own cf with m4."""
    mc = TREE / "debian" / "sendmail.mc"
    subprocess.run(["m4", mc], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def replaces(data: bytes) -> float | None:
    """Give the seconds that seven ``file.replace`` take for about the same; None without Salt."""
    try:
        import salt.config
        import salt.loader
    except ImportError:
        return None
    patterns = [
        (r"^DS.*$", "DSesmtp:localhost"),
        (r"^# dequoting map$", "DResmtp:localhost\nDHesmtp:localhost\n# dequoting map"),
        (r"^(R< > \$\+\t+\$: < > < \$1 <> \$&h >.*)$", r"R< > $+\t$: < $H > $1\n\1"),
        (r"^(Mesmtp,.*?F=\w+)", r"\1k0"),
        (r"^#O AuthMechanisms=.*$", "O AuthMechanisms=LOGIN PLAIN"),
        (r"^Sauthinfo$", "Kjamesauth text /etc/mail/james-auth-info\nSauthinfo"),
        (r"^#O AuthOptions.*$", "O AuthOptions=A"),
    ]
    options = salt.config.minion_config(None)
    options["file_client"] = "local"
    loaded = salt.loader.minion_mods(options, utils=salt.loader.utils(options))
    replace = loaded["file.replace"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sendmail.cf"

        def work() -> None:
            path.write_bytes(data)
            for pattern, new in patterns:
                replace(str(path), pattern, new, backup=False, show_changes=False)

        return seconds(work, 5)


def main() -> None:
    """Print the table."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("/etc/mail/sendmail.cf")
    data = path.read_bytes()
    ours = seconds(lambda: edit(data))
    print(f"{path}, {len(data)} bytes")
    print(f"parse, edit, render     {ours * 1e3:8.2f} ms    1")
    edited = edit(data)
    print(f"a second time           {seconds(lambda: edit(edited)) * 1e3:8.2f} ms")
    others = {"one m4 rebuild": seconds(rebuild), "seven file.replace": replaces(data)}
    for name, taken in others.items():
        shown = "   not here" if taken is None else f"{taken * 1e3:8.2f} ms    {taken / ours:.1f}"
        print(f"{name:<23} {shown}")
    for size in (100_000, 1_000_000, 10_000_000):
        large = padded(data, size)
        taken = seconds(lambda large=large: edit(large), 3)
        per_byte = taken / len(large) / (ours / len(data))
        print(f"{len(large):>10} bytes        {taken * 1e3:8.2f} ms    {per_byte:.2f} per byte")


if __name__ == "__main__":
    main()
