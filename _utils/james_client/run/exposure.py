"""Remember that others could have read the password, until another one is live."""

from __future__ import annotations

import re
from collections.abc import Sequence

from james_client.files.candidate import Candidate
from james_client.run import owed
from james_client.run.plan import Plan

EXPOSED = "password-exposed"

_PASSWORD = re.compile(rb'(?m)^password\t(".*")$')
_OTHERS = 0o077


def note(plan: Plan, candidates: Sequence[Candidate]) -> None:
    """Note which credential file is readable by others, before that is mended.

    candidates
        what is about to go live
    """
    for one in candidates:
        old, new = _passwords(one)
        if old and old == new and one.before.mode & _OTHERS:
            said = f"{one.path} had mode {one.before.mode:04o}"
            owed.state_file(plan, EXPOSED).write_text(said)


def forget(plan: Plan, placed: Sequence[Candidate]) -> None:
    """Forget it where another password is live: whoever has read the old one has nothing."""
    if any(old and old != new for old, new in map(_passwords, placed)):
        owed.settle(plan, EXPOSED)


def _passwords(one: Candidate) -> tuple[bytes, bytes]:
    """Return the password that a file holds and the one that it will hold, b"" for none."""
    if not one.secret:
        return b"", b""
    found = [_PASSWORD.search(data or b"") for data in (one.before.data, one.after)]
    before, after = (match[1] if match else b"" for match in found)
    return before, after


def told(plan: Plan) -> str:
    """Return which file was readable by others, with which mode; "" where none was."""
    return owed.text(plan, EXPOSED)
