"""An ordinary user on James's ports: he gets no byte of a secret, James himself still does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recipe
from support import james, pristine
from support.squatter import squatter

TOKEN = "t0ken-for-webadmin"
ACCOUNT = "James takes mail from sendmail's account"
START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
DROP_IN = Path("/run/systemd/system/james.service.d/user.conf")


@pytest.fixture(scope="module")
def host() -> None:
    """Give a host on which neither sendmail nor James listens."""
    pristine.remember()
    pristine.restore(listening=False)
    with_both_families()


@pytest.fixture
def call(host: None, module_call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Give salt-call on a host whose James is down."""
    james.stop()
    yield module_call
    james.stop()


@pytest.fixture
def stock_sendmail(call: Callable[..., Any]) -> Iterator[None]:
    """Have sendmail listen on port 25 as at first, and put the host back afterwards."""
    pristine.run("systemctl", "start", "sendmail.service")
    yield
    pristine.restore(listening=False)
    with_both_families()


def with_both_families() -> None:
    """Let localhost mean ::1 as well, and first."""
    hosts = Path("/etc/hosts")
    hosts.write_text(f"::1 localhost\n{hosts.read_text()}")


def account_present(call: Callable[..., Any], **sections: Any) -> tuple[bool, str]:
    """Run the state that looks for the account on James, and give its result and comment."""
    wanted = recipe.pillar(**{"account": {"timeout": 2}, **sections})
    ran = call("state.single", "sendmail_james.account_present", f"name={ACCOUNT}", pillar=wanted)
    if not isinstance(ran.data, dict):
        return False, str(ran.data or ran.stderr)
    ((_, state),) = ran.data.items()
    return state["result"], state["comment"]


def no_secret_in(heard: bytes) -> bool:
    """Tell that nothing at all of the login or the token was heard."""
    return not recipe.leaks(heard, recipe.PASSWORD) and TOKEN.encode() not in heard


@pytest.mark.parametrize(
    ("mode", "token"), [("webadmin", None), ("webadmin", TOKEN), ("waiting", TOKEN)]
)
def test_a_user_on_webadmins_port_gets_nothing(
    call: Callable[..., Any], mode: str, token: str | None
) -> None:
    with squatter("127.0.0.1", 8000, mode) as user:
        result, said = account_present(call, account={"timeout": 2, "token": token})
        heard = user.heard()
    assert heard == b""
    assert result is False
    assert "127.0.0.1:8000: " in said and "nothing was sent" in said
    assert "bob" in said or mode == "waiting"
    assert "account:webadmin" in said


def test_a_user_on_webadmins_port_gets_nothing_of_a_first_apply(
    call: Callable[..., Any], stock_sendmail: None
) -> None:
    """James is to take port 25 once sendmail has left it, and is not there yet."""
    wanted = recipe.pillar(account={"timeout": 2, "token": TOKEN})
    with squatter("127.0.0.1", 8000, "webadmin") as user:
        failed = recipe.failures(call("state.apply", "sendmail_james", pillar=wanted))
        heard = user.heard()
    assert heard == b""
    assert "user bob" in failed[ACCOUNT] and "nothing was sent" in failed[ACCOUNT]
    assert Path("/etc/mail/james-auth-info").exists(), "the rest went live"


def test_a_user_on_the_other_family_gets_nothing(call: Callable[..., Any]) -> None:
    """`localhost` is tried as ::1 first, and James is on 127.0.0.1."""
    recipe.new_james()
    account = {"webadmin": "http://localhost:8000", "token": TOKEN}
    with squatter("::1", 8000, "webadmin") as user:
        result, said = account_present(call, account=account)
        heard = user.heard()
    assert heard == b""
    assert result is False and "bob" in said
    assert account_present(call, account={"webadmin": "http://localhost:8000"})[0] is True


@pytest.mark.parametrize(
    ("address", "host"),
    [("127.0.0.1", "localhost"), ("::1", "localhost"), ("127.0.1.1", recipe.FQDN)],
)
def test_a_user_on_an_unprivileged_smtp_port_gets_nothing(
    call: Callable[..., Any], address: str, host: str
) -> None:
    wish = {"relay": {"port": 2525, "host": host}, "auth": {"allow_cleartext": True}}
    with squatter(address, 2525, "smtp") as user:
        result, said = account_present(call, account=None, **wish)
        status = call("sendmail_james.status", pillar=recipe.pillar(**wish))
        applied = call("state.apply", "sendmail_james")
        heard = user.heard()
    assert no_secret_in(heard)
    assert "sendmail_james:relay:port" in next(iter(recipe.failures(applied).values()))
    assert not Path("/etc/mail/james-auth-info").exists()
    assert result is False
    for text in (said, str(status.stdout + status.stderr)):
        assert "sendmail_james:relay:port: expected a port below 1024" in text
        assert "auth:allow_unprivileged_port" in text


def test_port_25_is_refused_too_where_users_may_bind_it(call: Callable[..., Any]) -> None:
    before = START.read_text()
    START.write_text("25\n")
    try:
        with squatter("::1", 25, "smtp") as user:
            result, said = account_present(call, account=None)
            applied = call("state.apply", "sendmail_james", pillar=recipe.pillar())
            heard = user.heard()
    finally:
        START.write_text(before)
    assert no_secret_in(heard)
    assert result is False
    assert "net.ipv4.ip_unprivileged_port_start" in said
    first = next(iter(recipe.failures(applied).values()))
    assert "sendmail_james:relay:port: expected a port below 25" in first
    assert not Path("/etc/mail/james-auth-info").exists()


def test_with_the_switch_a_second_listener_still_gets_nothing(call: Callable[..., Any]) -> None:
    recipe.new_james(smtp_port=2525)
    wish = {"relay": {"port": 2525}, "auth": {"allow_unprivileged_port": True}}
    assert account_present(call, **wish)[0] is True
    with squatter("::1", 2525, "smtp") as user:
        result, said = account_present(call, account=None, **wish)
        heard = user.heard()
    assert no_secret_in(heard)
    assert result is False and "bob" in said


@pytest.fixture
def james_user() -> Iterator[str]:
    """Let James run as a user of his own, who may bind port 25."""
    pristine.run("useradd", "--system", "james")
    DROP_IN.parent.mkdir(parents=True)
    DROP_IN.write_text("[Service]\nUser=james\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n")
    pristine.run("systemctl", "daemon-reload")
    yield "james"
    james.stop()
    DROP_IN.unlink()
    DROP_IN.parent.rmdir()
    pristine.run("systemctl", "daemon-reload")
    pristine.run("chown", "-R", "root:root", "/var/lib/james")
    pristine.run("userdel", "james")


def test_a_james_with_a_user_of_his_own_is_known_by_his_port(
    call: Callable[..., Any], james_user: str
) -> None:
    recipe.new_james()
    owner = pristine.run("ps", "-o", "user=", "-C", "java").split()
    assert owner == [james_user]
    assert account_present(call) == (True, "James takes what sendmail will send")
    james.stop()
    with squatter("127.0.0.1", 8000, "webadmin", user=james_user):
        result, said = account_present(call)
    assert result is False, "the user alone proves nothing while James does not hold port 25"
    assert james_user in said
