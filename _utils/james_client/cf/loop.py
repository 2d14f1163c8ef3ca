"""Let the relay greet with this host's own name: how-to step 3."""

from __future__ import annotations

from james_client.cf.mailers import set_flag
from james_client.cf.text import Cf
from james_client.changes import Changes
from james_client.wishes.settings import Loop, Relay

__all__ = ["edit"]


def edit(cf: Cf, relay: Relay, loop: Loop) -> Changes:
    """Take sendmail's check for mail loops off the relay's mailer: its flag ``k``.

    cf
        the configuration, edited in place; submit.cf has the flag already and stays as it is
    relay
        names the mailer
    loop
        ``check`` true takes the flag away again

    Returns what changed. Raises CfError where the cf has no such mailer.
    """
    changes: Changes = {}
    with cf.whole():
        if not cf.is_msp:
            set_flag(cf, relay.mailer, "k", not loop.check, changes)
    return changes
