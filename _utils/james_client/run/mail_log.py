"""Know where this host's sendmail logs, and who of its users is sendmail."""

from __future__ import annotations

from james_client.cf.relay import submission_host
from james_client.mta import attempts, maillog
from james_client.mta.processes import uid_of
from james_client.run.plan import Plan


def read(plan: Plan, limit: int = maillog.LINES) -> maillog.Log:
    """Return the newest lines that sendmail has logged; no process is started for it."""
    # The main queue's mail is no business of whom programs' mail is handed to.
    uids, programs = _uids("root", plan.queue_user()), _uids(plan.programs_user())
    return maillog.read(plan.platform.mail_logs, uids, programs, limit=limit)


def _uids(*users: str) -> set[int]:
    return {uid for uid in map(uid_of, users) if uid is not None}


def james_hosts(plan: Plan) -> tuple[str, ...]:
    """Return what sendmail and the submission program call the host that James is on."""
    relay = plan.settings.relay
    # A stock submit.cf names this very machine by its address, and is left with that.
    here = ("localhost", "127.0.0.1", "IPv6:::1") if relay.loopback else ()
    return tuple(dict.fromkeys((relay.host, submission_host(relay), *here)))


def lately(plan: Plan) -> attempts.Lately:
    """Return the last message that James took, and the last that he did not, by the log.

    Where the cf insists on a login (pillar ``auth:required``), James took none without one.
    """
    return attempts.lately(read(plan), james_hosts(plan))
