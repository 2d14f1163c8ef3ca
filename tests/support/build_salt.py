"""Make the layer that adds Salt and the test tools to a root tree, at /opt/salt-venv.

Usage: build_salt.py SALT REQUIREMENTS TREE DIRECTORY, in a mount namespace of its own.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from build_steps import connect, environment, run

VENV = "/opt/salt-venv"
# Salt depends on timelib, which has no binary wheel
COMPILER = ("gcc", "libc6-dev", "python3-dev")


def reachable(root: Path) -> None:
    """Show in ROOT, at their paths, the files that the settings for registries name."""
    named = {Path(value) for value in environment().values() if value.startswith("/")}
    for path in sorted(named - {Path("/root")} | {Path("/etc/pip.conf")}):
        target = root / path.relative_to("/")
        if not path.exists() or (target.exists() and target.samefile(path)):
            continue
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            run("mount", "--bind", str(path), str(target))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def overlay(tree: Path) -> Path:
    """Lay a writable root over TREE, in memory, and give its path."""
    scratch = Path("/mnt")
    run("mount", "-t", "tmpfs", "tmpfs", str(scratch))
    for name in ("upper", "work", "root"):
        (scratch / name).mkdir()
    places = f"lowerdir={tree},upperdir={scratch}/upper,workdir={scratch}/work"
    run("mount", "-t", "overlay", "overlay", "-o", places, str(scratch / "root"))
    return scratch / "root"


def main(salt: str, requirements: Path, tree: Path, layer: Path) -> None:
    """Make the layer."""
    layer.chmod(0o755)
    venv = layer / VENV.lstrip("/")
    venv.mkdir(parents=True)
    root = overlay(tree)
    connect(root)
    run("chroot", str(root), "apt-get", "-y", "install", *COMPILER)
    reachable(root)
    wanted = requirements.read_text().splitlines()
    pinned = [f"salt=={salt}" if line.startswith("salt==") else line for line in wanted]
    (root / "tmp/wanted.txt").write_text("\n".join(pinned) + "\n")
    (root / VENV.lstrip("/")).mkdir()
    run("mount", "--bind", str(venv), str(root / VENV.lstrip("/")))
    inside = ("chroot", str(root))
    run(*inside, "python3", "-m", "venv", VENV)
    install = ("pip", "install", "--no-input", "--progress-bar=off", "-r", "/tmp/wanted.txt")
    run(*inside, f"{VENV}/bin/python", "-m", *install)
    run(*inside, f"{VENV}/bin/salt-call", "--version")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
