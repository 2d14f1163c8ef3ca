"""The dialogue and WebAdmin with a real James, as it is and as it is often set wrongly."""

from __future__ import annotations

import pytest
import talk_target
from james_client.james import recipients
from james_client.james.dialogue import Check, Login, Questions, dialogue
from james_client.james.line import JamesError, NothingListensError
from james_client.james.smtp import Server
from james_client.james.webadmin import UserExistsError, WebAdmin
from james_client.wishes.secret import Secret
from support import james, pristine

PASSWORD = Secret(talk_target.PASSWORD)
LOGIN = Login("sendmail", PASSWORD)
SERVER = Server("localhost", 25, helo="mail.example.test")
DOMAINS = ("localhost", "mail.example.test")
SENDERS = ("root@mail.example.test", "bob@mail.example.test", "")


@pytest.fixture(scope="module")
def host():
    """Free port 25, once."""
    pristine.remember()
    pristine.restore(listening=False)


@pytest.fixture
def server(host):
    """Give a James of the usual settings with an account for sendmail, and nothing else in it."""
    if not james.running() or james.SETTINGS.read_text():
        james.start()
    james.remove_user("relay", "postmaster")
    james.remove_domain("other.example.test")
    james.ask("DELETE", "/address/aliases/alice@localhost/sources/ops@localhost")
    james.forget_mails()
    return furnished()


def furnished() -> WebAdmin:
    """Give James its users, and a client for it."""
    james.add_user("alice", "bob", "root")
    james.add_user("sendmail", password=talk_target.PASSWORD)
    return WebAdmin(james.WEBADMIN)


def ask(password: Secret = PASSWORD, *, domains=DOMAINS) -> dict[str, Check]:
    """Hold the dialogue; the checks by what they are about."""
    questions = Questions(senders=SENDERS, domains=domains, remote="x@example.org")
    checks = dialogue(SERVER, Login("sendmail", password), questions)
    return {check.what: check for check in checks}


def test_a_james_that_is_set_right(server):
    """All goes well, nothing is sent."""
    checks = ask()
    assert [check for check in checks.values() if not check.ok] == []
    assert "log in as sendmail with PLAIN" in checks
    assert "log in as sendmail with LOGIN" in checks
    assert set(james.counts().values()) == {0}


def test_a_wrong_password(server):
    """The login fails, the account is named, and the password is not."""
    checks = ask(Secret("wrong-" + talk_target.PASSWORD))
    failed = [check for check in checks.values() if not check.ok]
    assert [check.what for check in failed] == [
        "log in as sendmail with LOGIN",
        "log in as sendmail with PLAIN",
    ]
    assert "535" in failed[0].said
    assert "PUT /users/sendmail?force at WebAdmin" in (failed[0].change or "")
    assert talk_target.PASSWORD not in repr(checks)


def test_a_domain_that_is_not_james_own(server):
    """An authenticated sender may reach any domain: the check is not taken in by that."""
    checks = ask(domains=("localhost", "other.example.test"))
    assert checks["domain localhost is James's own"].ok
    other = checks["domain other.example.test is James's own"]
    assert not other.ok
    assert "PUT /domains/other.example.test at WebAdmin" in (other.change or "")
    server.add_domain("other.example.test")
    assert ask(domains=("other.example.test",))["domain other.example.test is James's own"].ok


def test_a_james_that_verifies_identities(host):
    """It takes the account's own address only; the setting is named."""
    james.start(verify_identity=True)
    furnished()
    checks = ask()
    for what in ("sender root@mail.example.test", "sender bob@mail.example.test"):
        assert not checks[what].ok
        assert "verifyIdentity" in (checks[what].change or "")


def test_a_james_without_auth(host):
    """Nothing to log in with: the setting is named."""
    james.start(announce="never")
    furnished()
    checks = ask()
    (only,) = [check for check in checks.values() if not check.ok]
    assert "<announce>always</announce>" in (only.change or "")


def test_no_james(server):
    """Neither on the SMTP port nor on WebAdmin's."""
    james.stop()
    with pytest.raises(NothingListensError, match="localhost:25: nothing listens there"):
        ask()
    with pytest.raises(NothingListensError, match="nothing listens there"):
        server.domains()


def test_recipients_that_are_unknown(server):
    """Exactly those, with James's words; aliases in James count, other domains' names do not."""
    names = ["root@localhost", "alice@mail.example.test", "postmaster@localhost", "ops@localhost"]
    found = recipients.ask(SERVER, LOGIN, [*names, "x@example.org"])
    assert found.unknown == {
        "postmaster@localhost": "550 5.1.1 Unknown user: postmaster@localhost",
        "ops@localhost": "550 5.1.1 Unknown user: ops@localhost",
    }
    assert found.foreign == {"example.org": "530 5.7.1 Authentication Required"}
    assert (found.taken, found.blind, found.later) == (2, {}, {})
    james.ask("PUT", "/address/aliases/alice@localhost/sources/ops@localhost")
    assert "ops@localhost" not in recipients.ask(SERVER, LOGIN, names).unknown
    assert set(james.counts().values()) == {0}


def test_an_alias_of_a_whole_domain_proves_nothing_of_its_names(server):
    """James takes any name there, and refuses none before it has the message."""
    alias = "/domains/localhost/aliases/mail.example.test"
    james.ask("PUT", alias)
    try:
        found = recipients.ask(SERVER, LOGIN, ["nosuch@mail.example.test", "root@localhost"])
    finally:
        james.ask("DELETE", alias)
    assert found.blind.keys() == {"mail.example.test"}
    assert (found.taken, found.unknown) == (1, {})


def test_accounts(server):
    """Created once; a second time refused, and the password kept."""
    first, second = Secret("first-pa55"), Secret("second-pa55")

    def let_in(password: Secret) -> bool:
        return all(c.ok for c in dialogue(SERVER, Login("relay", password), Questions()))

    assert not server.user_exists("relay")
    server.create_user("relay", first)
    assert server.user_exists("relay")
    with pytest.raises(UserExistsError):
        server.create_user("relay", second)
    assert let_in(first)
    assert not let_in(second)
    with pytest.raises(JamesError, match="Username supplied is invalid"):
        server.create_user("a b/c", first)


def test_domains_and_repositories(server):
    """What James has is listed; what it has not is empty."""
    assert set(DOMAINS) <= set(server.domains())
    assert "var/mail/local" in server.repositories()
    assert server.mails("var/mail/nosuch") == ()
    assert server.mailbox_count("nosuch") is None


def test_one_mail_is_found_read_and_removed(server):
    """And only that one."""
    there = "var/mail/unauthenticated"
    for subject in ("first", "second"):
        talk_target.submit("bob@localhost", "alice@localhost", f"Subject: {subject}\n\nhi\n")
    keys = james.wait_for(
        lambda: len(server.mails(there)) == 2 and server.mails(there), what="two mails"
    )
    (first,) = [key for key in keys if "Subject: first" in server.mail_text(there, key)]
    server.delete_mail(there, first)
    server.delete_mail(there, first)
    assert server.mail_text(there, first) == ""
    assert server.mails(there) == tuple(key for key in keys if key != first)
