"""Remember that others could have read the password, until another one is live."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence

from james_client.files.candidate import Candidate
from james_client.run import owed
from james_client.run.plan import Plan

EXPOSED = "password-exposed"

_PASSWORD = re.compile(rb'(?m)^password\t(".*")$')
OTHERS = 0o077


def note(plan: Plan, candidates: Sequence[Candidate]) -> None:
    """Note which credential file is readable by others, before that is mended.

    candidates
        what is about to go live

    The note tells the password from another one, and nobody what it is.
    """
    for one in candidates:
        password = _password(one.before.data) if one.secret else b""
        if password and password == _password(one.after) and one.before.mode & OTHERS:
            salt = os.urandom(16)
            known = (
                f"{salt.hex()} {_hash(password, salt)} {one.path} had mode {one.before.mode:04o}"
            )
            path = owed.state_file(plan, EXPOSED)
            path.touch(mode=0o600)
            path.write_text(known)


def told(plan: Plan) -> str:
    """Return which file was readable by others, with which mode, while that password is live.

    Returns "" where none was, or another password is live: whoever has read the old one has
    nothing.
    """
    salt, _, rest = owed.text(plan, EXPOSED).partition(" ")
    known, _, said = rest.partition(" ")
    auth = plan.settings.auth
    if not (said and auth):
        return ""
    live = (_password(plan.found(path)) for path in (auth.file, auth.programs_file))
    return said if any(_hash(one, bytes.fromhex(salt)) == known for one in live if one) else ""


def _password(data: bytes | None) -> bytes:
    """Return the password that a credential file holds, b"" for none."""
    found = _PASSWORD.search(data or b"")
    return found[1] if found else b""


def _hash(password: bytes, salt: bytes) -> str:
    return hashlib.scrypt(password, salt=salt, n=2**14, r=8, p=1).hex()
