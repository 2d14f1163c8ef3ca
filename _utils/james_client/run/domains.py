"""Name the domains in which a local name's mail reaches James."""

from __future__ import annotations

import socket

from james_client.james.account import DOMAIN
from james_client.run.plan import Plan


def local_domains(plan: Plan) -> tuple[str, ...]:
    """Return the domains that mean this host, in which James must know each local name.

    plan
        its cf files say which names sendmail takes for its own

    Sendmail itself hands bare names over at localhost (the hub rule), programs' mail comes at the
    host's full name.
    """
    return (DOMAIN, socket.getfqdn())
