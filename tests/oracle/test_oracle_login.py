"""sendmail itself offers the login: to James alone, whatever is in it, or the mail waits."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from james_client.run.steps import credential_map
from james_client.wishes.checks import check_fits, check_password
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.secret import Secret
from james_client.wishes.settings import Auth

from oracle.m4 import AUTH, RELAY, Tree, Wishes, apply
from oracle.post import PORT, Post
from oracle.variants import MAILERS

JAMES, PARTNER = "127.0.0.1", "127.0.0.2"
LONGEST = 189  # bytes of a password
OWN = 'AuthInfo:127.0.0.2\t"U:mine" "I:mine" "P:theirs" "M:PLAIN"\n'


@dataclass
class Clients:
    """Build cf files that log in, and write what they log in with."""

    tree: Tree
    folder: Path

    def auth(self, password: str = "s3cret", **more: object) -> Auth:
        """Give settings whose credential file is there."""
        file = str(self.folder / "auth-info")
        auth = replace(AUTH, password=Secret(password), file=file, programs_file=file, **more)  # type: ignore[arg-type]
        self.write(credential_map(auth))
        return auth

    def write(self, data: bytes) -> None:
        """Write the credential file."""
        path = self.folder / "auth-info"
        path.touch(mode=0o600)
        path.write_bytes(data)

    def sendmail_cf(self, auth: Auth, *, host: str = "[127.0.0.1]", lines: str = "") -> bytes:
        """Give Debian's sendmail.cf with lines of the site's own, edited."""
        mc = self.tree.debian("sendmail").replace(MAILERS, lines.encode() + b"\n" + MAILERS)
        relay = replace(RELAY, host=host, port=PORT)
        return apply(self.tree.build(mc), mc, Wishes(relay=relay, auth=auth))[0]

    def submit_cf(self, auth: Auth) -> bytes:
        """Give Debian's submit.cf, edited, but for root, at once, and for files below /tmp."""
        mc = self.tree.debian("submit")
        relay = replace(RELAY, port=PORT)
        cf, _ = apply(self.tree.build(mc), mc, Wishes(relay=relay, auth=auth))
        cf = cf.replace(b"\nO RunAsUser=", b"\n#").replace(b"\nO UseMSP=", b"\n#")
        cf = cf.replace(b"#O DontBlameSendmail=safe", b"O DontBlameSendmail=TrustStickyBit")
        return cf.replace(b"\nO DeliveryMode=queue", b"\nO DeliveryMode=i")

    def map(self, name: str, lines: str) -> str:
        """Write a map and give what a FEATURE says of it."""
        path = self.folder / name
        subprocess.run(["makemap", "hash", path], input=lines, text=True, check=True, timeout=60)
        return f"`hash {path}'"


@pytest.fixture
def clients(tree: Tree, tmp_path: Path) -> Clients:
    """Give the clients of one test."""
    return Clients(tree, tmp_path)


@pytest.fixture
def offering(post: Post) -> Post:
    """Give the post with servers that all offer AUTH."""
    for server in post.servers.values():
        server.offers = "LOGIN PLAIN"
    return post


def logins(post: Post) -> dict[str, list[tuple[str, bytes, bytes]]]:
    """Give who was told which login."""
    return {host: server.logins for host, server in post.servers.items() if server.logins}


PASSWORDS = {
    "every sign": "".join(map(chr, range(0x20, 0x7F))),
    "meant for rules": "$&{auth_type} $# $@ $: $| $(jamesauth user $) < > \" \\ ' ` %1 %",
    "UTF-8": "Grüße, 世界 \U0001f511",
    "a comment to some": "#s3cret",
    "blanks": "  two  and a\ttab ",
    "control characters": "".join(map(chr, [*range(1, 10), 11, 12, 13, *range(14, 32), 127])),
    "the longest": "x" * LONGEST,
    "the longest, UTF-8": "é" * (LONGEST // 2) + "x",
}


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("which", ["sendmail.cf", "submit.cf"])
def test_any_password_that_is_taken_arrives_as_it_was_given(
    which: str, password: str, clients: Clients, offering: Post
) -> None:
    auth = clients.auth(check_password(password, "password").reveal())
    check_fits(auth.username, auth.password, "password")
    cf = clients.sendmail_cf(auth) if which == "sendmail.cf" else clients.submit_cf(auth)
    took, queue = offering.send(cf, "bob")
    assert (took, "empty" in queue) == ({JAMES}, True), queue
    assert [login[1:] for login in logins(offering)[JAMES]] == [(b"sendmail", password.encode())]


@pytest.mark.parametrize("size", [LONGEST + 1, LONGEST + 2, 300, 1500])
def test_a_longer_password_is_refused_and_would_not_have_arrived(
    size: int, clients: Clients, offering: Post
) -> None:
    auth = clients.auth("x" * size)
    with pytest.raises(SettingsError, match=f"at most {LONGEST} bytes for sendmail, got {size}"):
        check_fits(auth.username, auth.password, "password")
    took, queue = offering.send(clients.sendmail_cf(auth), "bob")
    assert took == set()
    assert "x" * 50 not in str(logins(offering)) and "eHh4eHh4" not in queue


def test_the_longest_user_and_realm_arrive(clients: Clients, offering: Post) -> None:
    user = f"{'u' * 64}@{'d' * 187}"
    auth = clients.auth("x" * LONGEST, username=user, realm="r" * 252)
    offering.send(clients.sendmail_cf(auth), "bob")
    assert logins(offering)[JAMES][0][1:] == (user.encode(), b"x" * LONGEST)


@pytest.mark.parametrize("host", ["localhost", "[127.0.0.1]", "[IPv6:::1]"])
@pytest.mark.parametrize("own", ["", "access", "authinfo"], ids=["no login", "access", "authinfo"])
def test_each_server_gets_its_own_login_or_none(
    own: str, host: str, clients: Clients, offering: Post
) -> None:
    table = clients.map("mailertable", f"partner.test\tesmtp:[{PARTNER}]\n")
    lines = f"FEATURE(`mailertable', {table})dnl\n"
    if own == "authinfo":
        lines += f"FEATURE(`authinfo', {clients.map('own', OWN)})dnl\n"
    auth = clients.auth()
    cf = clients.sendmail_cf(auth, host=host, lines=lines)
    if own == "access":
        clients.map("access", OWN)
        old = f"{clients.folder}/access".encode()
        cf = cf.replace(b"/etc/mail/access", old)
    took, _ = offering.send(cf, "someone@partner.test")
    assert took == {PARTNER}
    assert logins(offering) == ({PARTNER: [("PLAIN", b"mine", b"theirs")]} if own else {})
    for to in ("bob", "someone@example.com"):
        took, _ = offering.send(cf, to)
        assert took <= {JAMES, "::1"} and len(took) == 1
        assert [login[1:] for (login,) in logins(offering).values()] == [(b"sendmail", b"s3cret")]


def test_the_way_of_the_how_to_tells_every_server(clients: Clients, offering: Post) -> None:
    """The negative twin: DefaultAuthInfo, and the ruleset out of the way."""
    table = clients.map("mailertable", f"partner.test\tesmtp:[{PARTNER}]\n")
    auth = clients.auth()
    cf = clients.sendmail_cf(auth, lines=f"FEATURE(`mailertable', {table})dnl\n")
    clients.write(b"sendmail\nsendmail\ns3cret\nlocalhost\n")
    cf = cf.replace(b"\nSauthinfo\n", b"\nSotherinfo\n")
    default = b"#O DefaultAuthInfo=/etc/mail/default-auth-info"
    assert default in cf
    cf = cf.replace(default, f"O DefaultAuthInfo={auth.file}".encode())
    offering.send(cf, "someone@partner.test")
    assert [login[1:] for login in logins(offering)[PARTNER]] == [(b"sendmail", b"s3cret")]


def test_a_map_of_the_sites_that_fails_hands_out_nothing_of_ours(
    clients: Clients, offering: Post
) -> None:
    table = clients.map("mailertable", f"partner.test\tesmtp:[{PARTNER}]\n")
    lines = f"FEATURE(`mailertable', {table})dnl\nFEATURE(`authinfo', `hash /nowhere/map')dnl\n"
    cf = clients.sendmail_cf(clients.auth(), lines=lines)
    offering.send(cf, "someone@partner.test")
    assert logins(offering) == {}
    offering.send(cf, "bob")
    assert len(logins(offering)[JAMES]) == 1

    # A file that the site's own DefaultAuthInfo names is handed out then, see docs/cf.md.
    path = clients.folder / "default"
    path.touch(mode=0o600)
    path.write_text("own\nown\nsecret\nrealm\n")
    default = b"#O DefaultAuthInfo=/etc/mail/default-auth-info"
    cf = cf.replace(default, b"O DefaultAuthInfo=" + bytes(path))
    offering.send(cf, "someone@partner.test")
    assert [login[1:] for login in logins(offering)[PARTNER]] == [(b"own", b"secret")]


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
def test_james_gets_no_mechanism_that_the_pillar_does_not_list(
    mechanism: str, clients: Clients, offering: Post
) -> None:
    lines = "define(`confAUTH_MECHANISMS', `LOGIN PLAIN CRAM-MD5')dnl"
    cf = clients.sendmail_cf(clients.auth(mechanisms=(mechanism,)), lines=lines)
    rest = "PLAIN" if mechanism == "LOGIN" else "LOGIN"
    assert f"\nO AuthMechanisms={mechanism} {rest} CRAM-MD5\n".encode() in cf
    offering.send(cf, "bob")
    assert [login[0] for login in logins(offering)[JAMES]] == [mechanism]
    for server in offering.servers.values():
        server.offers = rest
    took, queue = offering.send(cf, "bob")
    assert (took, logins(offering)) == (set(), {})
    assert "Temporary AUTH failure" in queue


def absent(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def without_user(path: Path) -> None:
    path.write_bytes(b"\n".join(path.read_bytes().splitlines()[1:]))


def in_the_old_form(path: Path) -> None:
    path.write_bytes(b"sendmail\nsendmail\ns3cret\nlocalhost\n")


def in_an_open_folder(path: Path) -> None:
    path.parent.chmod(0o777)


@pytest.mark.parametrize(
    "damage", [absent, empty, without_user, in_the_old_form, in_an_open_folder]
)
@pytest.mark.parametrize("required", [True, False], ids=["compulsory", "optional"])
def test_mail_waits_where_the_login_cannot_be_read(
    required: bool, damage: Callable[[Path], None], clients: Clients, offering: Post
) -> None:
    auth = clients.auth(required=required)
    cf = clients.sendmail_cf(auth)
    damage(Path(auth.file))
    took, queue = offering.send(cf, "bob")
    assert (took, logins(offering)) == (set(), {})
    assert "Temporary AUTH failure" in queue
    assert "1 message" in queue or "Total requests: 1" in queue


def test_no_other_program_minds_a_map_that_is_not_there(clients: Clients, sendmail: str) -> None:
    auth = clients.auth()
    path = clients.folder / "test.cf"
    path.write_bytes(clients.sendmail_cf(auth))
    words = {"-bC": "", "-bp": "", "-bv": "bob", "-bi": "", "-bt": ""}
    said = {}
    for _ in ("the map is there", "it is not"):
        for option, word in words.items():
            command = [sendmail, "-C", str(path), option, *word.split()]
            done = subprocess.run(
                command, input="3,0 bob\n", capture_output=True, text=True, check=False, timeout=60
            )
            seen = (done.returncode, done.stdout, done.stderr)
            assert said.setdefault(option, seen) == seen
        Path(auth.file).unlink(missing_ok=True)
    assert said["-bC"][0] == said["-bp"][0] == 0
