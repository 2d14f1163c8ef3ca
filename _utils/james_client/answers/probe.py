"""Send the how-to's test messages and say what became of each, and whose mail would bounce."""

from __future__ import annotations

import pwd
import socket
from typing import Any

from james_client.answers.messages import Wish, send
from james_client.answers.names import names
from james_client.answers.table import table
from james_client.james.account import webadmin
from james_client.james.line import JamesError
from james_client.run import port
from james_client.run.plan import Plan


def probe(plan: Plan, *, verbose: bool = False) -> dict[str, Any]:
    """Send the how-to's test messages as root and as an ordinary user; leave nothing behind.

    verbose
        with all that is known of each message, its dialogue too; a table of them otherwise

    Returns the probe's report, and whose mail James would not take: ``{"messages": [...] or {…},
    "unknown to James": [...], "aliases without effect": {…}, "wrong": [...]}``; nothing is wrong
    where "wrong" is empty.
    """
    port.refuse_sendmail(plan)
    settings, facts = plan.settings, plan.platform
    auth, user = settings.auth, _ordinary_user()
    msp = facts.submit_cf if plan.has_programs_queue() else None
    wish = Wish(
        local_user=settings.verify.local_user,
        user=user,
        fqdn=socket.getfqdn(),
        remote=settings.verify.remote_address,
        cf=facts.cf,
        msp=msp,
        queue_only=auth is not None and auth.programs == "queue",
        authenticated=auth is not None and auth.required,
        binary=facts.sendmail,
    )
    secrets = (auth.password,) if auth else ()
    server = webadmin(settings)
    report = send(wish, server, secrets)
    try:
        found = names(plan)
    except JamesError as err:  # who lets nobody in is told with what that did to the messages
        report["wrong"].append(str(err))
    else:
        report |= found | {"wrong": report["wrong"] + found["unknown to James"]}
    return report if verbose else table(report)


def _ordinary_user() -> str:
    """Return a login of this host that is a person's, or nobody."""
    people = (entry for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 60000)
    return min(people, key=lambda entry: entry.pw_uid, default=pwd.getpwnam("nobody")).pw_name
