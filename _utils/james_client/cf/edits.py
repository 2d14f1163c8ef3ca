"""Turn a sendmail cf into that of an Apache James client, exactly as m4 would have built it.

Three steps, each of which may be applied alone, in any order and again: :func:`relay`,
:func:`loop_check` and :func:`client_auth`. Each edits a ``Cf`` wholly or, when it raises, not at
all. :func:`facts` and :func:`missing` only read. ``docs/cf.md`` says what m4 does with the same
settings and where that differs.
"""

from james_client.cf.auth import client_auth
from james_client.cf.facts import facts, missing
from james_client.cf.relay import SWITCH, loop_check, relay
from james_client.changes import Changes

__all__ = [
    "SWITCH",
    "Changes",
    "client_auth",
    "facts",
    "loop_check",
    "missing",
    "relay",
]
