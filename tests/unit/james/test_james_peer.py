"""Who is at the other end: looked up for the very connection, in the kernel's own tables."""

import socket
import ssl
import subprocess
from contextlib import contextmanager

import pytest
from fake_servers import drips, fake_server, says
from james_client.james import peer
from james_client.james.dialogue import Login, Questions, dialogue
from james_client.james.line import JamesError, Line, PeerError
from james_client.james.peer import ROOT_ONLY, Trust
from james_client.james.smtp import Server
from james_client.james.webadmin import WebAdmin
from james_client.wishes.secret import Secret
from support.squatter import squatter

NOBODY = 65534
BOTH = ("127.0.0.1", "::1")


def free_port(address: str = "127.0.0.1") -> int:
    """Give a port where nothing listens."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        return listener.getsockname()[1]


@contextmanager
def connected(address: str, listener: socket.socket):
    """Give both ends of a connection that is not taken yet, as the client sees them."""
    with socket.create_connection((address, listener.getsockname()[1])) as client:
        yield client.getsockname()[:2], client.getpeername()[:2]


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        (socket.gethostname(), True),
        ("[127.0.0.7]", True),
        ("[IPv6:::1]", True),
        ("[192.0.2.7]", False),
        ("[IPv6:2001:db8::7]", False),
        ("no-such-host.invalid", False),
        ("\udcff", False),
    ],
)
def test_this_very_host_is_known_by_any_name(host, here):
    """Nothing is sent for it, not even to an address elsewhere."""
    assert peer.is_here(host) is here


@pytest.mark.parametrize(
    ("bound", "family", "address", "both"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1", False),
        ("::1", socket.AF_INET6, "::1", False),
        ("::", socket.AF_INET6, "127.0.0.1", True),
        ("::", socket.AF_INET6, "::1", True),
    ],
)
def test_the_owner_is_known_once_the_connection_is_taken(bound, family, address, both):
    """Also where a server listens for both families, as Java's do."""
    listener = socket.create_server((bound, 0), family=family, dualstack_ipv6=both)
    with listener, connected(address, listener) as ends:
        assert peer.owner(*ends) is None
        taken, _ = listener.accept()
        with taken:
            assert peer.owner(*ends) == 0
            assert peer.owner(*reversed(ends)) == 0
        assert peer.holders(listener.getsockname()[1]) == {0}


@pytest.mark.parametrize("address", BOTH)
def test_another_user_is_seen(address):
    """By the connection and by the port."""
    port = free_port(address)
    with squatter(address, port, "smtp", user="nobody"):
        with socket.create_connection((address, port)) as client:
            client.recv(10)
            assert peer.owner(client.getsockname()[:2], client.getpeername()[:2]) == NOBODY
        assert peer.holders(port) == {NOBODY}
        assert peer.user_name(NOBODY) == "user nobody (uid 65534)"
    assert peer.holders(port) == set()


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
LINE = "   4: {} {} {} 00000000:00000000 00:00000000 00000000 {}        0 {} 1 0 20 0 0 10 -1\n"
THERE, HERE = "0100007F:1F40", "0100007F:8A46"


@pytest.mark.parametrize(
    ("line", "uid"),
    [
        ((THERE, HERE, "01", 1001, 77), 1001),
        ((THERE, HERE, "01", 0, 77), 0),
        ((THERE, HERE, "01", 0, 0), None),  # not taken: Linux before 6.16 says uid 0
        ((THERE, HERE, "03", 0, 0), None),  # TCP_DEFER_ACCEPT
        ((THERE, HERE, "06", 0, 0), None),  # TIME_WAIT of an earlier one
        ((THERE, "00000000:0000", "0A", 0, 77), None),
        ((THERE, "0100007F:8A47", "01", 0, 77), None),
        ((HERE, THERE, "01", 0, 77), None),
        (("0200007F:1F40", HERE, "01", 0, 77), None),
    ],
)
def test_which_entry_counts(monkeypatch, tmp_path, line, uid):
    """The pair, established and taken."""
    table = tmp_path / "tcp"
    table.write_text(HEAD + LINE.format(*line))
    monkeypatch.setattr(peer, "TABLES", (table,))
    assert peer.owner(("127.0.0.1", 0x8A46), ("127.0.0.1", 8000)) == uid


def test_a_kernel_without_ipv6_has_no_table_of_it(monkeypatch, tmp_path):
    """As with ipv6.disable=1; what no table can tell is still refused."""
    table, absent = tmp_path / "tcp", tmp_path / "tcp6"
    table.write_text(HEAD + LINE.format(THERE, HERE, "01", 1001, 77))
    monkeypatch.setattr(peer, "TABLES", (table, absent))
    assert peer.owner(("127.0.0.1", 0x8A46), ("127.0.0.1", 8000)) == 1001
    assert peer.holders(8000) == set()
    table.rename(absent)
    with pytest.raises(FileNotFoundError):
        peer.holders(8000)


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.9.9.9", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::1", "::1", True),
        ("fe80::1%eth0", "fe80::2%eth0", False),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", True),
    ],
)
def test_this_host(here, there, same):
    """Loopback, or one's own address."""
    assert peer.is_this_host((here, 1), (there, 2)) is same


def test_the_first_unprivileged_port(monkeypatch, tmp_path):
    """The kernel's word, or its default where there is none."""
    assert peer.first_unprivileged_port() == int(peer.PORT_START.read_text())
    for place, content in (("gone", None), ("odd", "x\n")):
        path = tmp_path / place
        if content is not None:
            path.write_text(content)
        monkeypatch.setattr(peer, "PORT_START", path)
        assert peer.first_unprivileged_port() == 1024


def test_who_alone_holds_the_smtp_port_is_james():
    """Nobody but root where there is nobody, or two."""
    port = free_port()
    assert Trust(port).uids() == {0}
    with squatter("127.0.0.1", port, "smtp", user="nobody"):
        assert Trust(port).uids() == {0, NOBODY}
        assert ROOT_ONLY.uids() == {0}
        with squatter("::1", port, "smtp"):
            assert Trust(port).uids() == {0}


PASSWORD, TOKEN = Secret("pa55-word&%"), Secret("t0ken")
SAID = "user nobody (uid 65534) listens there; expected James, known by user root (uid 0); nothing"


@pytest.mark.parametrize("address", BOTH)
def test_nothing_is_said_to_another_user_by_webadmin(address):
    """Not even the request's first line."""
    port = free_port(address)
    url = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
    with squatter(address, port, "webadmin", user="nobody") as user:
        for admin in (WebAdmin(url), WebAdmin(url, TOKEN)):
            with pytest.raises(PeerError) as caught:
                admin.create_user("bob", PASSWORD)
            assert SAID in str(caught.value)
        assert user.heard() == b""


@pytest.mark.parametrize("address", BOTH)
def test_no_login_is_said_to_another_user(address):
    """The dialogue stops before AUTH."""
    port = free_port(address)
    with squatter(address, port, "smtp", user="nobody") as user:
        with pytest.raises(PeerError, match="nothing was sent"):
            dialogue(Server(address, port), Login("sendmail", PASSWORD), Questions())
        heard = user.heard()
    assert b"EHLO" in heard
    assert b"AUTH" not in heard


def test_the_one_who_holds_the_smtp_port_is_told():
    """The positive twin: a James that is not root's."""
    smtp, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    with squatter("127.0.0.1", port, "webadmin", user="nobody") as user:
        with squatter("127.0.0.1", smtp, "smtp", user="nobody"):
            WebAdmin(url, trust=Trust(smtp)).create_user("bob", PASSWORD)
        with pytest.raises(PeerError, match=f"who alone holds port {smtp}"):
            WebAdmin(url, trust=Trust(smtp)).create_user("bob", PASSWORD)
        assert PASSWORD.reveal().encode() in user.heard()


def test_what_cannot_be_looked_up_is_refused(monkeypatch, tmp_path):
    """No /proc: no secret."""
    monkeypatch.setattr(peer, "TABLES", (tmp_path / "tcp",))
    with fake_server(says(b"")) as port, pytest.raises(PeerError, match="No such file"):
        WebAdmin(f"http://127.0.0.1:{port}").domains()


@pytest.mark.parametrize(
    ("token", "trust", "refused"),
    [(TOKEN, ROOT_ONLY, True), (None, ROOT_ONLY, False), (TOKEN, Trust(cleartext=True), False)],
)
def test_a_secret_for_another_host(monkeypatch, token, trust, refused):
    """In clear text only where the pillar says so."""
    monkeypatch.setattr(peer, "is_this_host", lambda *_: False)
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
    with fake_server(says(body)) as port:
        admin = WebAdmin(f"http://127.0.0.1:{port}", token, trust=trust)
        if refused:
            with pytest.raises(PeerError, match="https, or auth:allow_cleartext: true"):
                admin.domains()
        else:
            assert admin.domains() == ()


@pytest.fixture
def certificate(tmp_path):
    """Give the paths of a key and of a certificate that it signs itself, for localhost."""
    key, cert = str(tmp_path / "key"), str(tmp_path / "cert")
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert]
    subprocess.run([*words.split(), *more], check=True, capture_output=True)
    return key, cert


def test_https_needs_a_certificate_that_holds(monkeypatch, certificate):
    """One that does needs no look at the socket's owner; one for another name does not hold."""
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def talk(connection):
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(4096)
            secured.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n["a.b"]')

    with fake_server(talk) as port:
        with pytest.raises(JamesError, match=r"certificate does not hold: self.signed"):
            WebAdmin(f"https://localhost:{port}", TOKEN).domains()
        monkeypatch.setenv("SSL_CERT_FILE", cert)
        monkeypatch.setattr(peer, "TABLES", ())
        assert WebAdmin(f"https://localhost:{port}", TOKEN).domains() == ("a.b",)
        with pytest.raises(JamesError, match="its certificate does not hold: IP address mismatch"):
            WebAdmin(f"https://127.0.0.1:{port}", TOKEN).domains()


@pytest.mark.parametrize(
    ("talk", "limit", "words"),
    [
        (says(b"x" * 1000), 999, "is longer than 999 bytes"),
        (drips(b"", b"x" * 100, pause=0), 10**12, r"no answer within 0\.2 s"),
        (drips(b"", b"x"), 10**12, r"no answer within 0\.2 s"),
    ],
)
def test_no_more_is_received_than_the_limits(talk, limit, words):
    """In all, whatever the pieces and however fast they come."""
    with (
        fake_server(talk) as port,
        Line("127.0.0.1", port, 0.2, limit=limit) as line,
        pytest.raises(JamesError, match=words),
    ):
        while line.read(10):
            pass


def test_an_address_as_sendmail_writes_it():
    """In brackets, with IPv6: before it."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        with Line("[IPv6:::1]", port, 5, limit=1) as line:
            assert line.where == f"[IPv6:::1]:{port}"
