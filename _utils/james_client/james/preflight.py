"""Say of all that a client needs of James whether he allows it, and what cures it; send nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from james_client.james.account import login, server, webadmin
from james_client.james.dialogue import LARGEST, Check, Questions, dialogue
from james_client.james.line import JamesError
from james_client.james.webadmin import WebAdmin
from james_client.wishes.settings import Settings

_ANSWERS = "James answers"
_LETS_IN = "WebAdmin lets us in"
_HEALTHY = "James is healthy"
_NO_ADMIN = "the pillar has no account:webadmin"
_SHOWN = 10  # components

_REWRITES = Check(
    "aliases are followed",
    None,
    'no request shows mailetcontainer.xml, where <mailet match="All" '
    'class="RecipientRewriteTable"/> has to stand; a message to an alias shows it '
    "(salt-call sendmail_james.probe, with verify:local_user an alias)",
)


@dataclass(frozen=True)
class Preflight:
    """Hold what James was asked, in his SMTP and in his WebAdmin.

    failure
        why he cannot be talked to at all
    """

    smtp: list[Check]
    webadmin: list[Check]
    failure: JamesError | None = None

    @property
    def checks(self) -> list[Check]:
        """Give all of it."""
        return [*self.smtp, *self.webadmin]


def preflight(settings: Settings, domains: Sequence[str], largest: int | None) -> Preflight:
    """Ask James for all that a client needs.

    domains
        names that must be James's own
    largest
        bytes of the largest message that sendmail takes, 0 for no limit; None where not known

    A James who is not there, or is not proved to be James, is one of the answers.
    """
    own, admin = _webadmin_checks(webadmin(settings))
    james = server(settings)
    questions = Questions(
        senders=("", f"root@{james.helo}"),
        domains=domains,
        own=own,
        remote=settings.verify.remote_address,
        largest=largest,
    )
    admin.append(_REWRITES)
    try:
        smtp = dialogue(james, login(settings), questions)
    except JamesError as err:
        return Preflight([Check(_ANSWERS, False, "", str(err))], admin, err)
    if largest is None:
        smtp.append(Check(LARGEST, None, "this host has no sendmail.cf yet"))
    return Preflight([Check(_ANSWERS, True, ""), *smtp], admin)


def _webadmin_checks(admin: WebAdmin | None) -> tuple[Sequence[str] | None, list[Check]]:
    """Return James's domains, None where WebAdmin does not show them, and what it says."""
    if admin is None:
        return None, [Check(what, None, _NO_ADMIN) for what in (_LETS_IN, _HEALTHY)]
    try:
        own = admin.domains()
        let_in = Check(_LETS_IN, True, "")
    except JamesError as err:
        own = None
        let_in = Check(_LETS_IN, False, "", str(err))
    try:
        ill = admin.health()
    except JamesError as err:
        return own, [let_in, Check(_HEALTHY, None, str(err))]
    said = "; ".join(f"{name} is {state}" for name, state in list(ill.items())[:_SHOWN])
    change = "what the component names (GET /healthcheck at WebAdmin, James's log)"
    return own, [let_in, Check(_HEALTHY, not ill, said, change if ill else None)]
