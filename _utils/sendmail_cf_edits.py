"""Turn a sendmail cf into that of an Apache James client, exactly as m4 would have built it.

Three steps, each of which may be applied alone, in any order and again: :func:`relay`,
:func:`loop_check` and :func:`client_auth`. Each edits a :class:`sendmail_cf.Cf` wholly or, when it
raises, not at all. :func:`facts` and :func:`missing` only read. ``docs/cf.md`` says what m4 does
with the same settings and where that differs.
"""

from sendmail_cf_auth import client_auth
from sendmail_cf_facts import facts, missing
from sendmail_cf_options import Changes
from sendmail_cf_relay import SWITCH, SWITCH_FILE, loop_check, relay

__all__ = [
    "SWITCH",
    "SWITCH_FILE",
    "Changes",
    "client_auth",
    "facts",
    "loop_check",
    "missing",
    "relay",
]
