"""Fetch the jars of Apache James by Maven. Usage: build_james.py POM DIRECTORY."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def main(pom: Path, directory: Path) -> None:
    store = directory / "maven"
    goal = "dependency:copy-dependencies"
    settings = (f"-Dmaven.repo.local={store}", f"-DoutputDirectory={directory}")
    subprocess.run(["mvn", "-B", "-ntp", "-f", str(pom), goal, *settings], check=True)
    if not list(directory.glob("james-server-memory-app-*.jar")):
        raise SystemExit(f"Maven put no James into {directory}")
    shutil.rmtree(store)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
