"""Ask James in one short dialogue whether he takes sendmail's login and its senders; send nothing.

It is what a monitor asks every minute; ``james.dialogue`` asks for everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from james_client.james.dialogue import MECHANISMS, Login
from james_client.james.smtp import Reply, Server, conversation

_WRONG = 535  # name or password, whatever the mechanism (RFC 4954, 6)


@dataclass(frozen=True)
class Pulse:
    """Hold James's answers.

    offers
        the mechanisms of AUTH that he offers
    logins
        his answer to the login by each mechanism that was tried, the last of which may be yes, or
        a no to name and password
    senders
        his answers to sendmail's senders, "" for the null sender; empty without a login
    """

    offers: tuple[str, ...]
    logins: dict[str, Reply] = field(default_factory=dict)
    senders: dict[str, Reply] = field(default_factory=dict)

    @property
    def let_in(self) -> bool:
        """Tell whether he took the login."""
        return any(reply.good for reply in self.logins.values())

    @property
    def refused(self) -> Reply | None:
        """Return his refusal of the login for good, None where he took it or was not asked."""
        replies = [reply for reply in self.logins.values() if reply.code >= 500]
        return replies[0] if replies and not self.let_in else None


def pulse(server: Server, login: Login | None, senders: Sequence[str] | None = None) -> Pulse:
    """Log in as sendmail does, and ask for its senders.

    A mechanism that is not taken is followed by the next one, a wrong password by none.

    login
        None asks without one
    senders
        addresses, "" for the null sender; those of root and of returned mail where absent

    Raises JamesError when James cannot be talked to at all, PeerError when it is not James.
    """
    secrets = () if login is None else (login.password,)
    with conversation(server, secrets) as talk:
        found = Pulse(talk.offers)
        wanted = () if login is None else login.mechanisms
        for name in (one for one in MECHANISMS if one in wanted and one in talk.offers):
            if login is None or found.let_in:
                break
            found.logins[name] = talk.log_in(name, login.username, login.password)
            if found.logins[name].code == _WRONG:
                break  # each more is a failed login that counts towards a lock-out
        if login is None or found.let_in:
            for sender in ("", f"root@{server.helo}") if senders is None else senders:
                found.senders[sender] = talk.ask(f"MAIL FROM:<{sender}>")
                talk.ask("RSET")
        talk.ask("QUIT")
    return found
