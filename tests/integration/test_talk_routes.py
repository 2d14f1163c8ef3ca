"""Where sendmail says it would send a message is where it sends it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import talk_target
from james_client.mta.process import run
from james_client.mta.routes import why_not_james
from support import pristine
from talk_target import check, listing, reading, routes

CF, MSP = "/etc/mail/sendmail.cf", "/etc/mail/submit.cf"
ALIASES = """\
multi: alice, bob, x@example.net
self: self, y@example.net
fil: /var/tmp/filed
prg: |/bin/true
inc: :include:/etc/mail/list
tagged: tagging@example.org
deep: multi
"""
FORMS = (
    "alice",
    "nosuch",
    "ALICE",
    "alice@localhost",
    "alice@mail.example.test",
    "alice@mail",
    "x@example.org",
    "x@nosuch.example.test",
    "root",
    "postmaster",
    "mailer-daemon",
    "alice+tag",
    "tagged+tag",
    "multi+tag",
    "multi",
    "self",
    "inc",
    "deep",
    '"a b"@localhost',
    '"alice"',
    "Alice Example <alice@localhost>",
    "alice@[127.0.0.1]",
    "alice@[IPv6:::1]",
    "x@[192.0.2.1]",
    "alice%example.org@localhost",
    "-alice",
)


@pytest.fixture(scope="module")
def target():
    """Make the state that the formula must reach, with aliases of every kind and no runner."""
    handle = talk_target.fresh()
    aliases()
    pristine.run("systemctl", "stop", "sendmail.service")
    return handle


def aliases() -> None:
    """Add entries of every kind to the aliases file."""
    path = Path("/etc/mail/aliases")
    path.write_text(path.read_text() + ALIASES)
    Path("/etc/mail/list").write_text("i1@example.org, i2\n")
    pristine.run("newaliases")


def sent(address: str, cf: Path | str = CF) -> set[tuple[str, str, str]]:
    """Really send a message, and give (mailer, host, recipient) of each delivery that was tried."""
    argv = ["/usr/sbin/sendmail", "-C", str(cf), "-v", "-oem", "-N", "never", "--", address]
    return tried(run(argv, given=b"Subject: route\n\nhi\n", timeout=60).out)


def tried(text: str) -> set[tuple[str, str, str]]:
    """Read the deliveries out of a transcript of -v."""
    found: set[tuple[str, str, str]] = set()
    mailer = host = ""
    for line in text.splitlines():
        if way := re.search(r"\.\.\. (?:Connecting to|Using cached \S+ connection to) (.*)$", line):
            host, _, mailer = way[1].rstrip(".").partition(" via ")
            if not mailer:
                found.add((host, "", line.partition("...")[0]))
        elif (rcpt := re.match(r">>> RCPT To:<(.*)>", line)) and mailer:
            found.add((mailer, host, rcpt[1]))
    return found


def foretold(cf: Path | str, address: str) -> set[tuple[str, str, str]]:
    """Give the same as `sent`, as foretold."""
    return {(route.mailer, route.host, route.user) for route in routes(cf, [address])}


@pytest.mark.smoke
def test_roots_mail_takes_the_foretold_way(target):
    """Mailer, host and recipient of the real dialogue are those foretold."""
    assert {form: sent(form) for form in FORMS} == {form: foretold(CF, form) for form in FORMS}


def test_the_forms_together_are_the_forms_alone(target):
    """One process for all addresses says the same as one for each."""
    together = routes(CF, FORMS)
    assert [route for form in FORMS for route in routes(CF, [form])] == together
    known = reading(CF).mailers
    relay = talk_target.RELAY
    stray = [route for route in together if why_not_james(route, relay, known)]
    assert stray == []


def test_programs_mail_takes_the_foretold_way(target):
    """The submission program's queue run dials what submit.cf foretold."""
    for address in ("alice", "x@example.org", "multi", "alice+tag", "root", "|x"):
        argv = ["/usr/sbin/sendmail", "-i", "-N", "never", "--", address]
        assert run(argv, given=b"Subject: route\n\nhi\n").status == 0
        (waiting,) = listing(MSP).waiting
        said = run(["/usr/sbin/sendmail", "-Ac", "-v", f"-qI{waiting.id}"]).out
        assert tried(said) == foretold(MSP, address)


def test_programs_and_files_stay_and_are_named(target):
    """What an alias pipes or files never reaches James; writing to them directly is refused."""
    (prog,) = routes(CF, ["prg"])
    (file,) = routes(CF, ["fil"])
    (refused,) = routes(CF, ["|/bin/sh"])
    known, relay = reading(CF).mailers, talk_target.RELAY
    assert "stays on this host" in (why_not_james(prog, relay, known) or "")
    assert "stays on this host" in (why_not_james(file, relay, known) or "")
    assert refused.error == "Cannot mail directly to programs"
    assert sent("|/bin/sh") == set()
    sent("fil")
    assert "Subject: route" in Path("/var/tmp/filed").read_text()


def test_a_name_of_class_l_stays(target, tmp_path):
    """LOCAL_USER names do not leave, and are listed."""
    local = tmp_path / "sendmail.cf"
    local.write_text("CL root bob\n" + Path(CF).read_text("latin-1"), "latin-1")
    assert reading(local, "L").classes["L"] == ("bob", "root")
    assert foretold(local, "root") == {("local", "", "root")} == sent("root", local)
    assert foretold(CF, "root") == {("esmtp", "localhost", "root@localhost")}


def test_a_mailer_that_does_not_exist_is_found(target, tmp_path):
    """-bC does not see it, the routes do."""
    wrong = tmp_path / "sendmail.cf"
    wrong.write_text(
        Path(CF).read_text("latin-1").replace("esmtp:local", "nosuch:local"), "latin-1"
    )
    check(wrong)
    for route in routes(wrong, ["alice", "x@example.org"]):
        assert route.error == "buildaddr: unknown mailer nosuch"


def test_dead_dns_changes_nothing(target):
    """No name server is asked."""
    alive = routes(CF, FORMS)
    pristine.run("systemctl", "stop", "dnsmasq.service")
    try:
        assert routes(CF, FORMS) == alive
    finally:
        pristine.run("systemctl", "start", "dnsmasq.service")


def test_nothing_is_touched(target, tmp_path):
    """No file in /etc or /var/spool changes, and no mail is queued."""
    mark = tmp_path / "mark"
    mark.touch()
    routes(CF, FORMS)
    routes(MSP, FORMS)
    check(CF)
    reading(CF, "wL")
    assert pristine.run("find", "/etc/mail", "/var/spool", "/var/lib", "-cnewer", str(mark)) == ""


def test_many_addresses_take_one_process(target):
    """A thousand addresses at once: all of them come back, in their order."""
    asked = [f"user{number}@localhost" for number in range(1000)]
    assert [route.user for route in routes(CF, asked)] == asked
