"""Make a folder with one CPython that Debian does not have, and the test tools that rooms need.

Usage: build_python.py VERSION REQUIREMENTS DIRECTORY. VERSION is that of org.bytedeco:cpython at
Maven Central, whose jars carry whole interpreters: bin, lib, and libpython beside them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

INSIDE = "org/bytedeco/cpython/linux-x86_64/"
NEEDED = ("hypothesis", "pytest")  # pinned in REQUIREMENTS
ALSO = ("psutil", "PyYAML")  # as in a Salt layer, where Salt brings them
LEFT_OUT = ("lib/python3.{minor}/test/", "include/", "libs/")


def fetch(version: str, store: Path) -> Path:
    """Fetch the jar into STORE by Maven, and give its path."""
    artifact = f"org.bytedeco:cpython:{version}:jar:linux-x86_64"
    goal = ["dependency:get", "-Dtransitive=false", f"-Dartifact={artifact}"]
    command = ["mvn", "-B", "-ntp", f"-Dmaven.repo.local={store}", *goal]
    subprocess.run(command, check=True)
    (jar,) = store.glob(f"org/bytedeco/cpython/{version}/*-linux-x86_64.jar")
    return jar


def unpack(jar: Path, minor: str, directory: Path) -> None:
    """Unpack the interpreter; a jar keeps no modes."""
    left_out = tuple(part.format(minor=minor) for part in LEFT_OUT)
    with zipfile.ZipFile(jar) as archive:
        for entry in archive.infolist():
            name = entry.filename.removeprefix(INSIDE)
            if entry.is_dir() or name == entry.filename or name.startswith(left_out):
                continue
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(entry))
    (directory / f"bin/python3.{minor}").chmod(0o755)


def main(version: str, requirements: Path, directory: Path) -> None:
    """Make the folder."""
    minor = version.split(".")[1]
    directory.chmod(0o755)
    store = directory / "maven"
    unpack(fetch(version, store), minor, directory)
    shutil.rmtree(store)
    python = [str(directory / f"bin/python3.{minor}"), "-m"]
    environment = os.environ | {"LD_LIBRARY_PATH": str(directory)}
    lines = requirements.read_text().split()
    # the newest that this Python still takes, but none newer than the hosts have
    pinned = [line.replace("==", "<=") for line in lines if line.partition("==")[0] in NEEDED]
    subprocess.run([*python, "ensurepip"], check=True, env=environment)
    install = ["pip", "install", "--no-input", "--progress-bar=off", *pinned, *ALSO]
    subprocess.run([*python, *install], check=True, env=environment)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
