"""Processes end in time, say no more than they may, and see no more than they need."""

import os
import pwd
import signal
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from james_client.mta.ask import copy_of, version
from james_client.mta.process import ProcessError, run, stranger, words
from james_client.mta.reading import ListedMailer
from james_client.mta.routes import cures, routes, why_not_james
from james_client.mta.trace import Route
from mta_world import wait_for_end


def test_output_status_and_input_come_back():
    """What goes in comes out, bytes that are no text included."""
    done = run(["/bin/sh", "-c", "cat; echo no >&2; exit 3"], given=b"yes\xff\n" * 100_000)
    assert done.status == 3
    assert done.err == "no\n"
    assert done.out.encode("utf-8", "surrogateescape") == b"yes\xff\n" * 100_000


def test_the_environment_is_minimal(monkeypatch):
    """Nothing of ours is handed on."""
    monkeypatch.setenv("PLANTED", "leak")
    names = {line.partition("=")[0] for line in run(["/usr/bin/env"]).out.splitlines()}
    assert names == {"PATH", "LC_ALL", "HOME"}


def test_a_process_that_hangs_is_stopped_with_its_children(tmp_path):
    """The whole session is killed, not only the first process."""
    alive = tmp_path / "pid"
    with pytest.raises(ProcessError, match=r"sh: did not end within 0\.5 s and was stopped"):
        run(["/bin/sh", "-c", f"sleep 300 & echo $! > {alive}; wait"], timeout=0.5)
    wait_for_end(int(alive.read_text()))


def test_who_holds_the_output_open_is_stopped_too(tmp_path):
    """A process that is at its end already, but whose child goes on with its output."""
    alive = tmp_path / "pid"
    with pytest.raises(ProcessError, match="did not end within"):
        run(["/bin/sh", "-c", f"sleep 300 & echo $! > {alive}"], timeout=0.5)
    wait_for_end(int(alive.read_text()))


def test_who_closes_its_output_and_goes_on_is_stopped_too():
    """The time limit holds to the process's end, not to that of what it says."""
    with pytest.raises(ProcessError, match="did not end within"):
        run(["/bin/sh", "-c", "exec >&- 2>&-; sleep 300"], timeout=0.5)


@pytest.mark.parametrize("whole", [True, False])
def test_what_a_process_leaves_running_is_killed_if_asked(whole):
    """And the twin: sendmail's deliveries in the background go on otherwise."""
    asked = {"whole": True} if whole else {}
    child = int(run(["/bin/sh", "-c", "sleep 300 >&- 2>&- & echo $!"], **asked).out)
    if whole:
        wait_for_end(child)
    else:
        os.kill(child, signal.SIGKILL)


def test_a_stranger_has_no_name():
    """Nothing of anybody's can be used by it."""
    with pytest.raises(KeyError):
        pwd.getpwuid(stranger())
    with pytest.raises(ProcessError, match="cannot be started as uid 4294967294, gid 0"):
        run(["/nonexistent"], user=(2**32 - 2, 0))


def test_endless_output_is_stopped():
    """A process that never stops talking cannot fill the memory."""
    with pytest.raises(ProcessError, match="printed more than"):
        run(["/usr/bin/yes"], timeout=60)


@pytest.mark.parametrize("path", ["/nonexistent/sendmail", "/etc/passwd", "/etc"])
def test_what_cannot_be_started_is_named(path):
    """Missing, not executable, or a directory: an error with the path."""
    with pytest.raises(ProcessError, match=f"{path}: cannot be started"):
        run([path])


@pytest.mark.parametrize("path", ["/bin/true", "/bin/cat", "/bin/echo"])
def test_another_program_is_not_taken_for_sendmail(path):
    """Success of a stand-in that understands no option proves nothing."""
    with pytest.raises(ProcessError, match=f"{path}: found .*, which is not sendmail"):
        version(path)


@pytest.mark.parametrize(
    "address",
    ["", " ", "a\nb", "a\0b", "a\tb", " a", "a ", "a" * 251, "é" * 130, "a\u2028b", None, 5],
)
def test_what_is_no_address_reaches_no_command_line(address):
    """The error comes before sendmail would be started: /nonexistent is not even tried."""
    with pytest.raises(ProcessError, match="expected"):
        routes("/etc/mail/sendmail.cf", [address], binary="/nonexistent")


def test_no_address_needs_no_process():
    """Nothing asked, nothing started."""
    assert routes("/etc/mail/sendmail.cf", [], binary="/nonexistent") == []


def test_words_are_one_scrubbed_line():
    """Repetition, line ends and credentials go."""
    done = run(["/bin/sh", "-c", "echo a; echo a; echo '>>> AUTH PLAIN c2VjcmV0' >&2"])
    assert words(done) == ">>> AUTH PLAIN (hidden); a"
    assert len(words(run(["/usr/bin/seq", "1", "100000"]))) == 500


@dataclass(frozen=True)
class Relay:
    """As in the pillar."""

    host: str = "localhost"
    mailer: str = "esmtp"
    port: int = 25


MAILERS = {
    "esmtp": ListedMailer("esmtp", "[IPC]", "k", "TCP $h"),
    "relay": ListedMailer("relay", "[IPC]", "k", "TCP $h 2525"),
    "dsmtp": ListedMailer("dsmtp", "[IPC]", "k%", "TCP $h"),
    "local": ListedMailer("local", "/usr/sbin/sensible-mda", "5", "sensible-mda"),
    "cyrusv2": ListedMailer("cyrusv2", "[IPC]", "lsA@", "FILE /x"),
    "procmail": ListedMailer("procmail", "/usr/bin/procmail", "lsA@", "procmail"),
}


@pytest.mark.parametrize(
    ("mailer", "host", "relay", "msp"),
    [
        ("esmtp", "localhost", Relay(), False),
        ("esmtp", "[127.0.0.1]", Relay(), False),
        ("esmtp", "[IPv6:::1]", Relay("[::1]"), False),
        ("esmtp", "James.Example.Test.", Relay("james.example.test"), False),
        ("relay", "[127.0.0.1]", Relay(port=2525), True),
    ],
)
def test_what_reaches_james(mailer, host, relay, msp):
    """All spellings of the loopback are one place."""
    assert why_not_james(Route("a", mailer, host, "a"), relay, MAILERS, msp=msp) is None


@pytest.mark.parametrize(
    ("mailer", "host", "relay", "reason"),
    [
        ("local", "", Relay(), "it stays on this host (mailer local, /usr/sbin/sensible-mda)"),
        ("cyrusv2", "", Relay(), "(mailer cyrusv2, [IPC]: without flag 5 ruleset 5 is not asked)"),
        ("procmail", "", Relay(), "without flag 5 ruleset 5 is not asked"),
        ("esmtp", "example.org", Relay(), "it goes to example.org, not to localhost"),
        ("esmtp", "[127.0.0.9]", Relay(), "it goes to [127.0.0.9], not to localhost"),
        ("esmtp", "localhost", Relay(port=2525), "it goes to port 25, not to 2525"),
        ("relay", "localhost", Relay(port=2525), "it goes by mailer relay, not by esmtp"),
        ("gone", "localhost", Relay(), "mailer gone does not exist"),
        ("dsmtp", "localhost", Relay(mailer="dsmtp"), "it waits to be asked for"),
    ],
)
def test_what_does_not_reach_james(mailer, host, relay, reason):
    """The reason names what is wrong."""
    assert reason in (why_not_james(Route("a", mailer, host, "a"), relay, MAILERS) or "")


def test_a_name_kept_local_that_leaves_all_the_same_does_not_reach_james():
    """James would be handed @root@localhost, which is nobody's address."""
    route = Route("root", "esmtp", "localhost", "@root@localhost", via=("pop @root",))
    assert "flag @ of the local mailer" in (why_not_james(route, Relay(), MAILERS) or "")


@pytest.mark.parametrize(
    ("mailer", "host", "words"),
    [
        ("local", "", "sendmail_james:relay:stay_local"),
        ("esmtp", "example.org", "a mailertable"),
        ("relay", "localhost", "a mailertable"),
        ("gone", "localhost", ""),
    ],
)
def test_only_what_stays_local_is_told_how_to_stay_so(mailer, host, words):
    """A name that leaves for elsewhere is no name that is meant to stay."""
    why = why_not_james(Route("a", mailer, host, "a"), Relay(), MAILERS)
    said = " ".join(cures([why or ""]))
    assert words in said
    assert ("stay_local" in said) is (mailer == "local")
    assert bool(said) is bool(words)


def test_a_refused_address_does_not_reach_james():
    """Sendmail's own words are handed on."""
    route = Route("a", "esmtp", "localhost", "a", "User unknown")
    assert why_not_james(route, Relay(), MAILERS) == "sendmail refuses it: User unknown"


@pytest.mark.parametrize(
    ("owner", "group", "mode", "roots"),
    [
        (0, 0, 0o664, True),
        (0, 104, 0o644, True),
        (0, 104, 0o664, False),
        (0, 0, 0o646, False),
        (101, 0, 0o644, False),
    ],
)
def test_a_cf_is_roots_where_nobody_else_can_write_it(tmp_path, owner, group, mode, roots):
    """On Debian the group of a cf is the submission program's."""
    cf = tmp_path / "sendmail.cf"
    cf.write_text("V10\n")
    os.chown(cf, owner, group)
    cf.chmod(mode)
    refused = pytest.raises(ProcessError, match=r"is yours: chown root .*chmod go-w .*or else give")
    with nullcontext() if roots else refused, copy_of(cf) as copy:
        assert copy.read_text() == "V10\n"
