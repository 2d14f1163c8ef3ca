"""Ask James for many recipients in one dialogue that sends nothing: MAIL, RCPT, RSET."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from james_client.james.dialogue import MECHANISMS, NOBODY, Login
from james_client.james.line import JamesError
from james_client.james.smtp import Reply, Server, Talk, conversation

_GROUP = 20  # recipients of one transaction: fewer than any server's limit


@dataclass
class Recipients:
    """Say what James answered to recipients, in his own words.

    unknown
        addresses that he refuses for good: mail to them dies
    later
        addresses that he refuses for now: mail to them waits
    foreign
        domains that are not his own: an authenticated sender's mail there he would relay, to
        whomever, so that his yes proves nothing
    blind
        domains of his own in which he takes any name, so that his yes proves nothing either
    taken
        how many addresses he takes, and is known to refuse others beside them
    """

    unknown: dict[str, str] = field(default_factory=dict)
    later: dict[str, str] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    blind: dict[str, str] = field(default_factory=dict)
    taken: int = 0


def ask(server: Server, login: Login | None, addresses: Sequence[str]) -> Recipients:
    """Ask James for each address as sendmail's mail will come: from the null sender, logged in.

    login
        whom James lets in, by the first mechanism that he offers; None asks without a login
    addresses
        each with a domain

    The domains are asked for before the login, for after it James relays to any. Raises JamesError
    when James cannot be talked to, refuses the login, or takes no sender now.
    """
    found = Recipients()
    domains = list(dict.fromkeys(_domain(address) for address in addresses))
    nobodies = [f"{NOBODY}@{domain}" for domain in domains]
    with conversation(server, () if login is None else (login.password,)) as talk:
        before = dict(zip(domains, _replies(talk, nobodies), strict=True))
        after = before
        if login is not None:
            _log_in(talk, login)
            after = dict(zip(domains, _replies(talk, nobodies), strict=True))
        for domain in domains:
            _judge(found, domain, before[domain], after[domain])
        asked = [one for one in addresses if _domain(one) not in found.foreign]
        for address, reply in zip(asked, _replies(talk, asked), strict=True):
            if reply.good:
                found.taken += _domain(address) not in found.blind
            else:
                (found.unknown if reply.code >= 500 else found.later)[address] = str(reply)
        talk.ask("QUIT")
    return found


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _judge(found: Recipients, domain: str, stranger: Reply, reply: Reply) -> None:
    """Judge a domain by James's answers to a user that no host has, before and after the login."""
    if stranger.unknown_user or reply.unknown_user:
        return
    if stranger.good and reply.good:
        found.blind[domain] = str(reply)
    elif reply.good or stranger.code == 530:
        found.foreign[domain] = str(stranger)


def _replies(talk: Talk, addresses: Sequence[str]) -> Iterator[Reply]:
    """Give the reply to each address, in transactions that are taken back."""
    for start in range(0, len(addresses), _GROUP):
        group = addresses[start : start + _GROUP]
        commands = ["RSET", "MAIL FROM:<>", *(f"RCPT TO:<{address}>" for address in group)]
        _, sender, *replies = talk.ask_all(commands)
        if sender.good:
            yield from replies
        elif sender.code >= 500:
            yield from [sender] * len(group)
        else:
            raise JamesError(f"{talk.where}: James takes no null sender now: {sender}")


def _log_in(talk: Talk, login: Login) -> None:
    wanted = [name for name in MECHANISMS if name in login.mechanisms and name in talk.offers]
    reply = talk.log_in((*wanted, MECHANISMS[0])[0], login.username, login.password)
    if not reply.good:
        raise JamesError(f"{talk.where}: James refuses the login: {reply}")
