"""Ask James what he would take, in an SMTP dialogue that sends nothing (never DATA).

What each answer means is read in James's sources, 3.8.1 and 3.9.0: the packages
org.apache.james.smtpserver and org.apache.james.protocols.smtp.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from james_client.james.line import JamesError, PeerError
from james_client.james.smtp import Reply, Server, Talk, conversation
from james_client.scrub import Reveals

LARGEST = "messages may be as large as sendmail takes them"
MECHANISMS = ("LOGIN", "PLAIN")
NOBODY = "nosuch-sendmail-james-check"  # a user that no host has
_NO_SENDER = Reply(0, "the sender was refused")
_NOWHERE = f"{NOBODY}.invalid"  # no host's name, ever (RFC 2606, 2)

_PLAIN = "<plainAuthEnabled>true</plainAuthEnabled>"
_ANNOUNCE = "<announce>always</announce>"
_TLS = '<tls startTLS="true"> with a keystore, if <requireSSL> is true there'
_CORE = '<handler class="org.apache.james.smtpserver.CoreCmdHandlerLoader"/>'
_FAST = "org.apache.james.smtpserver.fastfail"
_LIMITS = (
    "smtpserver.xml: <connectionLimitPerIP>0</connectionLimitPerIP> and "
    "<connectionLimit>0</connectionLimit>, or enough for all clients at once"
)
_HELO = (
    "the name: James's DNS has to know {}; or smtpserver.xml: take out "
    f'<handler class="{_FAST}.ResolvableEhloHeloHandler"/> or ReverseEqualsEhloHeloHandler'
)
_NO_USER = (
    "James's users: none has this name and password. PUT /users/{}?force at WebAdmin with the "
    'body {{"password": …}}; with <enableVirtualHosting> the name is one with @domain'
)
IDENTITY = "smtpserver.xml: <verifyIdentity>false</verifyIdentity> (relaxed, of 3.9, is no help)"
_SENDER_DOMAIN = (
    "the sender's domain: James's DNS has to have an MX for it; or smtpserver.xml: take out "
    f'<handler class="{_FAST}.ValidSenderDomainHandler"/>'
)
_SENDER = "smtpserver.xml: <handlerchain> has a handler that refuses this sender"
_DOMAIN = (
    "James's domains: PUT /domains/{0} at WebAdmin, or domainlist.xml: <domainname>{0}</domainname>"
)
_ANYBODY = f'smtpserver.xml: <handler class="{_FAST}.ValidRcptHandler"/> first in <handlerchain>'
_RELAY = "smtpserver.xml: a handler in <handlerchain> refuses this recipient"
_STRANGER = (
    "smtpserver.xml: <authorizedAddresses> has to hold this host's address; better give sendmail "
    "a login (pillar auth)"
)


@dataclass(frozen=True)
class Login:
    """Who logs in, and by which mechanisms."""

    username: str
    password: Reveals
    mechanisms: Sequence[str] = MECHANISMS


@dataclass(frozen=True)
class Questions:
    """What sendmail will want of James.

    senders
        addresses, "" for the null sender
    domains
        names that must be James's own
    own
        the domains that James is known to have; None where only his answers can tell
    remote
        an address elsewhere that he must relay to, if any
    largest
        bytes of the largest message that sendmail takes, 0 for no limit; None does not ask
    """

    senders: Sequence[str] = ("",)
    domains: Sequence[str] = ("localhost",)
    own: Sequence[str] | None = None
    remote: str | None = None
    largest: int | None = None


@dataclass(frozen=True)
class Check:
    """One question to James.

    ok
        whether it went well; None where that cannot be seen
    said
        his answer, "" where he gave none, or why it cannot be seen
    change
        what to change, or what is in the way, where it did not go well
    """

    what: str
    ok: bool | None
    said: str
    change: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return the check as a dict, without `change` where nothing is to be changed."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def dialogue(server: Server, login: Login | None, questions: Questions) -> list[Check]:
    """Ask James for all that sendmail will want of him, and send nothing.

    login
        tried with each of its mechanisms that James offers; None asks without a login

    A login that fails ends it. Raises JamesError when James cannot be talked to at all, PeerError
    when it is not James.
    """
    secrets = () if login is None else (login.password,)
    with conversation(server, secrets) as talk:
        checks = [_greeting_check(server, talk)]
        asked = {name: f"{NOBODY}@{name}" for name in (*questions.domains, _NOWHERE)}
        before = {name: _recipient(talk, "", address) for name, address in asked.items()}
        checks.append(_second_check(server, secrets))
        if talk.encrypted:
            checks.append(Check("STARTTLS is offered, and works", True, "220"))
        if questions.largest is not None:
            checks.append(_size_check(talk.limit, questions.largest))
        logged_in = True
        if login is not None:
            found = list(_login_checks(server, talk, login, before[_NOWHERE]))
            logged_in = not _wrong(found)
            checks += found
        if logged_in:
            checks += _mail_checks(talk, questions, before, stranger=login is None)
            talk.ask("QUIT")
    return checks


def _wrong(checks: Iterable[Check]) -> bool:
    return any(check.ok is False for check in checks)


def _check(what: str, reply: Reply, change: str) -> Check:
    return Check(what, reply.good, str(reply), None if reply.good else change)


def _greeting_check(server: Server, talk: Talk) -> Check:
    """Ask for a sender at once: a handler that dislikes a client's name says so only then."""
    reply = talk.ask("MAIL FROM:<>")
    talk.ask("RSET")
    good = reply.good or "HELO" not in reply.text.upper()
    change = None if good else _HELO.format(server.helo)
    return Check(f"a client that says {server.helo} is welcome", good, str(reply), change)


def _second_check(server: Server, secrets: Sequence[Reveals]) -> Check:
    """Connect beside the first conversation: sendmail runs two queues."""
    what = "a second connection at the same time is taken"
    try:
        with conversation(server, secrets) as second:
            second.ask("QUIT")
    except JamesError as err:
        return Check(what, False, str(err), _LIMITS)
    return Check(what, True, "220")


def _size_check(limit: int | None, largest: int) -> Check:
    if limit is None or 0 < largest <= limit:
        return Check(LARGEST, True, "no limit" if limit is None else f"SIZE {limit}")
    kilobytes = -(-largest // 1024)
    change = (
        f"what is larger is returned for good: O MaxMessageSize={limit} in sendmail.cf and "
        "submit.cf (m4: confMAX_MESSAGE_SIZE), or smtpserver.xml: "
        f"<maxmessagesize>{kilobytes}</maxmessagesize>"
    )
    return Check(LARGEST, False, f"SIZE {limit}", change)


# -- the login --------------------------------------------------------------------------------


def _login_checks(server: Server, talk: Talk, login: Login, nowhere: Reply) -> Iterator[Check]:
    """Log in by each mechanism: the first in this conversation, others in one of their own."""
    offered = [name for name in login.mechanisms if name in talk.offers]
    what = f"login by {' or '.join(login.mechanisms)} is offered"
    said = " ".join(talk.offers)[:300] or "no AUTH"
    yield Check(what, bool(offered), said, None if offered else _offer_cure(talk, nowhere))
    usable = False
    for name, reply in _logins(server, talk, login):
        usable = True
        if isinstance(reply, JamesError):
            yield Check(_logs_in(login, name), None, str(reply))
        else:
            yield _check(_logs_in(login, name), reply, _NO_USER.format(login.username))
    if offered and not usable:
        yield Check(_logs_in(login, offered[0]), None, "only sendmail itself can show that")


def _logins(server: Server, talk: Talk, login: Login) -> Iterator[tuple[str, Reply | JamesError]]:
    """Log in by each mechanism that James offers: the others in a conversation of their own."""
    usable = [name for name in MECHANISMS if name in login.mechanisms and name in talk.offers]
    for name in usable:
        if name == usable[0]:
            yield name, talk.log_in(name, login.username, login.password)
            continue
        try:
            with conversation(server, (login.password,)) as other:
                reply = other.log_in(name, login.username, login.password)
        except PeerError:
            raise
        except JamesError as err:
            yield name, err
        else:
            yield name, reply


def login_replies(server: Server, login: Login) -> list[Reply]:
    """Log in by each mechanism that James offers, and return his answers; nothing is sent.

    Raises JamesError when James cannot be talked to at all, PeerError when it is not James.
    """
    with conversation(server, (login.password,)) as talk:
        found = [reply for _, reply in _logins(server, talk, login)]
    return [reply for reply in found if isinstance(reply, Reply)]


def _logs_in(login: Login, mechanism: str) -> str:
    return f"log in as {login.username} with {mechanism}"


def _offer_cure(talk: Talk, nowhere: Reply) -> str:
    """Find out what keeps James from offering a login that sendmail can use.

    nowhere
        what he said before a login to a recipient that is nobody's: 530 where he announces AUTH

    He begins a login that he has not announced, all the same; it is broken off before a secret.
    """
    if set(MECHANISMS) & set(talk.offers):
        return "the pillar: auth:mechanisms: [LOGIN, PLAIN]"
    begun = talk.ask("AUTH LOGIN")
    if begun.code == 334:
        talk.ask("*")
    if begun.code in (500, 502):
        return f"smtpserver.xml: {_CORE} in <handlerchain>"
    parts = [_PLAIN] if begun.code == 504 or talk.offers else []
    if not (talk.offers or nowhere.code == 530):
        parts += [_ANNOUNCE, *([] if talk.encrypted else [_TLS])]
    return "smtpserver.xml: " + ", ".join(parts or [_ANNOUNCE])


# -- mail -------------------------------------------------------------------------------------


def _mail_checks(
    talk: Talk, questions: Questions, before: Mapping[str, Reply], *, stranger: bool
) -> Iterator[Check]:
    asked = {sender: _sender_check(talk, sender) for sender in questions.senders}
    yield from asked.values()
    taken = next((sender for sender, check in asked.items() if check.ok), None)
    after = dict(before)
    if taken is not None:
        after |= {n: _recipient(talk, taken, f"{NOBODY}@{n}") for n in questions.domains}
    for name, own in _own(questions, before, after).items():
        said = str(after[name])
        what = f"domain {name} is James's own"
        if own is None:
            why = f"he says {said!r} to nobody there; account:webadmin in the pillar shows it"
            yield Check(what, None, why)
            continue
        yield Check(what, own, said, None if own else _DOMAIN.format(name))
        if own:
            refused = not after[name].good
            what = f"unknown user at {name} is refused"
            yield Check(what, refused, said, None if refused else _ANYBODY)
    if questions.remote is not None:
        what = f"recipient {questions.remote}"
        if taken is None:
            yield Check(what, None, "James takes no sender")
            return
        reply = _recipient(talk, taken, questions.remote)
        yield _check(what, reply, _STRANGER if stranger else _RELAY)


def _own(
    questions: Questions, before: Mapping[str, Reply], after: Mapping[str, Reply]
) -> dict[str, bool | None]:
    """Tell for each domain whether it is James's own; None where his answers don't tell.

    before, after
        what he says of a user that no host has, before and after the login

    A sender that may relay gets yes for any domain, unless James refuses users that he does not
    know.
    """
    if questions.own is not None:
        return {name: name in questions.own for name in questions.domains}
    known = {n: before[n].unknown_user or after[n].unknown_user for n in questions.domains}
    found: dict[str, bool | None] = {}
    for name in questions.domains:
        if known[name]:
            found[name] = True
        elif before[name].good and before[_NOWHERE].good:
            found[name] = False if any(known.values()) else None
        elif before[name].good or before[name].code >= 500:
            found[name] = before[name].good
        else:
            found[name] = None
    return found


def _recipient(talk: Talk, sender: str, recipient: str) -> Reply:
    """Ask for one recipient, in a transaction that is taken back; _NO_SENDER where none begins."""
    reply = _NO_SENDER
    if talk.ask(f"MAIL FROM:<{sender}>").good:
        reply = talk.ask(f"RCPT TO:<{recipient}>")
    talk.ask("RSET")
    return reply


def _sender_check(talk: Talk, sender: str) -> Check:
    reply = talk.ask(f"MAIL FROM:<{sender}>")
    talk.ask("RSET")
    if reply.code == 503 or "5.7" in reply.text:
        change = IDENTITY
    else:
        change = _SENDER_DOMAIN if "MX" in reply.text else _SENDER
    return _check(f"sender {sender}" if sender else "null sender", reply, change)
