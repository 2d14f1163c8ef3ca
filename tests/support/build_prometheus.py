"""Unpack Prometheus, promtool and node_exporter of one Debian release, with no service started.

Usage: build_prometheus.py TREE DIRECTORY, in a mount namespace of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from build_salt import overlay
from build_steps import connect, run

PACKAGES = ("prometheus", "prometheus-node-exporter")


def main(tree: Path, layer: Path) -> None:
    """Make the folder."""
    layer.chmod(0o755)
    root = overlay(tree)
    connect(root)
    inside = ("chroot", str(root))
    run(*inside, "apt-get", "update")
    run(*inside, "sh", "-c", f"cd /tmp && apt-get download {' '.join(PACKAGES)}")
    for package in (root / "tmp").glob("*.deb"):
        run("dpkg-deb", "--extract", str(package), str(layer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
