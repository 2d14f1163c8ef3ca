"""Tell whether the live cf files send to the James whom the pillar names."""

from __future__ import annotations

from james_client.cf import relay as cf_relay
from james_client.cf.text import Cf
from james_client.run.plan import Plan, naming

_WHERE = ("smart host", "local relay", "mail hub", "submission host")


def elsewhere(plan: Plan) -> str:
    """Say which cf names another host or port than the pillar, empty where none does.

    A login that is live there is for whom the cf names, and for nobody else.
    """
    relay = plan.settings.relay
    for path in plan.cf_paths():
        with naming(path):
            cf = Cf(plan.cf(path).render())
            changes = cf_relay.edit(cf, relay)
        mailer = "relay" if cf.is_msp else relay.mailer
        for thing in (*_WHERE, f"arguments of mailer {mailer}"):
            if thing in changes:
                return f"the {thing} of {path} is not the pillar's yet"
    return ""
