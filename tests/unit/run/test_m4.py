"""An m4 that crashes or hangs keeps candidates from going live, in plain words and in time.

The real m4 can't be made to do either, so a fake one stands in its place here.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from james_client.run import proof
from james_client.run.plan import RunError


@pytest.fixture
def mc(tmp_path: Path) -> str:
    path = tmp_path / "sendmail.mc"
    path.write_text("dnl\n")
    return str(path)


def fake_m4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    folder = tmp_path / "fake"
    folder.mkdir()
    (folder / "m4").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "m4").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("echo 'm4: end of file in string' >&2; exit 1", "m4 refuses it: m4: end of file in"),
        ("kill -SEGV $$", "m4 refuses it: it ended with status -11"),
        ("exec sleep 600", "m4 did not end within 0"),
    ],
)
def test_an_m4_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mc: str, script: str, wanted: str
) -> None:
    fake_m4(tmp_path, monkeypatch, script)
    monkeypatch.setattr(proof, "M4_TIMEOUT", 0.2)
    with pytest.raises(RunError, match=f"{mc}: {wanted}"):
        proof._m4(mc, mc)


def test_no_m4_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mc: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match="m4 is not installed"):
        proof._m4(mc, mc)


def test_an_m4_that_works_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mc: str
) -> None:
    fake_m4(tmp_path, monkeypatch, "echo V10")
    assert proof._m4(mc, mc) == b"V10\n"
