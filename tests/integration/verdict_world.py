"""An applied host whose verdict is asked for cheaply, and the shell of the one who reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import recipe
from forked_salt import ForkedSalt
from safety_host import write_pillar
from support import james

TOOL = Path("/usr/local/bin/salt-call")
PATIENCE = 60


class Host:
    """Hold a host on which the formula was applied with the usual pillar."""

    def __init__(self, minion: Any, pillar_folder: Path) -> None:
        self.folder, self.config = pillar_folder, minion.config["conf_file"]
        self.salt = ForkedSalt(self.config)

    def given(self, **sections: Any) -> None:
        """Give the minion another pillar."""
        write_pillar(self.folder, recipe.pillar(**sections))

    def check(self) -> str:
        """Give the line of `check`."""
        line = self.salt.call("sendmail_james.check")
        assert recipe.leaks(line, recipe.PASSWORD) == []
        assert "\n" not in line
        return str(line)

    def status(self) -> Mapping[str, Any]:
        """Give the page of `status`."""
        page = self.salt.call("sendmail_james.status")
        assert isinstance(page, dict), page
        assert recipe.leaks(str(page), recipe.PASSWORD) == []
        return page

    def well(self) -> None:
        """Wait until `check` finds nothing wrong."""
        said = [""]

        def is_well() -> bool:
            said[0] = self.check()
            return said[0].startswith("OK - ")

        try:
            james.wait_for(is_well, PATIENCE, "a check that is OK")
        except TimeoutError:
            raise AssertionError(said[0]) from None


def shell(command: str) -> str:
    """Type a command as it was printed, whatever it exits with."""
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={**os.environ, "PATH": f"{TOOL.parent}:{os.environ['PATH']}"},
    )
    assert done.returncode != 127, done.stderr
    return done.stdout + done.stderr


def install_salt_call(config: str) -> None:
    """Have `salt-call` mean the minion under test."""
    real = shutil.which("salt-call", path="/opt/salt-venv/bin:/usr/bin")
    assert real
    TOOL.write_text(f'#!/bin/sh\nexec {real} -c "{Path(config).parent}" "$@"\n')
    TOOL.chmod(0o755)
