"""The life of one host: all that the pillar, an administrator and Debian do to it, mail flowing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HOST = Path(__file__).resolve().parents[1] / "support" / "host"
STATE = Path("/srv/hosts/life")
MINION = {
    "id": "mail",
    "file_client": "local",
    "file_roots": {"base": ["/srv/sendmail_james"]},
    "pillar_roots": {"base": ["/srv/shared/pillar"]},
    "root_dir": "/srv/minion",
}
PREPARE = """
mkdir /srv/minion && cp /srv/shared/minion /srv/minion/
salt-call --local -c /srv/minion --out=quiet saltutil.sync_all
"""


def host(*arguments: str | Path) -> tuple[int, str]:
    """Call tests/support/host, by the system's own Python as outside; give code and output."""
    command = ["/usr/bin/python3", HOST, *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def boot() -> None:
    code, said = host("boot", "--dir", STATE, "--owner", str(os.getpid()))
    assert code == 0, said


@pytest.fixture
def life() -> Iterator[Callable[[str], tuple[int, str]]]:
    """Give `life(act)`, which plays an act in a host of its own, in memory until it is removed."""
    boot()
    folder = STATE / "shared"
    (folder / "pillar").mkdir()
    (folder / "pillar/top.sls").write_text(json.dumps({"base": {"*": ["given"]}}))
    (folder / "pillar/given.sls").write_text("#!json\n{}\n")
    (folder / "minion").write_text(json.dumps(MINION))
    code, said = host("run", STATE, "--", "sh", "-ec", PREPARE)
    assert code == 0, said
    play = ("run", STATE, "--env", "PYTHONPATH=tests", "--", "python", "tests/integration/life.py")
    yield lambda act: host(*play, act)
    host("stop", "--remove", STATE)


def test_the_life_of_one_host(life: Callable[[str], tuple[int, str]]) -> None:
    young = life("youth")
    host("stop", STATE)
    boot()
    old = life("age")
    print(young[1], old[1], sep="\n")
    assert (young[0], old[0]) == (0, 0), f"{young[1]}\n{old[1]}"
