"""Secrets are refused below a folder that others write to, such as /tmp."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Give a folder on whose way root alone can change anything, if this is root."""
    if os.geteuid() != 0:
        yield Path(tempfile.mkdtemp())
        return
    folder = Path(tempfile.mkdtemp(prefix="test.", dir="/var/lib"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
