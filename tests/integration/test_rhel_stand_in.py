"""The recipe on a stand-in for RHEL 9: its layout made of facts, on Debian's programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HOST = Path(__file__).resolve().parents[1] / "support" / "host"
STATE = Path("/srv/hosts/rhel-stand-in")


def host(*arguments: str | Path) -> str:
    """Call tests/support/host, by the system's own Python as outside."""
    command = ["/usr/bin/python3", HOST, *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def boot() -> None:
    host("boot", "--dir", STATE, "--owner", str(os.getpid()))


@pytest.fixture
def play() -> Iterator[Callable[[str], str]]:
    """Give `play(act)`, which plays an act of rhel_acts.py in a host of its own."""
    boot()
    inside = ("run", STATE, "--env", "PYTHONPATH=tests", "--", "python")
    yield lambda act: host(*inside, "tests/integration/rhel_acts.py", act)
    host("stop", "--remove", STATE)


def test_the_recipe_on_the_layout_of_red_hat(play: Callable[[str], str]) -> None:
    for act in ("lay_out", "first_apply", "rebuild"):
        play(act)
    host("stop", STATE)
    boot()
    for act in ("after_boot", "clean"):
        play(act)
