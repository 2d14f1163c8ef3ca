"""
A new password comes to James and to the host while mail flows: all of it arrives once, logged in.

Rotations are killed by strace as they enter a system call, those that talk to James and those that
change a file; by default at a dozen of them, with ``CAMPAIGN=1`` in the environment at every one.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import re
import smtplib
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
import recipe
from forked_salt import ForkedSalt
from james_client.files import old_secrets
from james_client.run import rotation
from safety_host import WRITTEN, failed, litter, temporary, write_pillar
from support import james, leaks, pristine
from support.fake_james import fake_webadmin
from support.squatter import squatter
from test_safety_kill import Point, points

CAMPAIGN = bool(os.environ.get("CAMPAIGN"))
KILLS = 14
BEGAN = time.time()  # no file that is older can hold a password of these tests
ROTATE, HIGHSTATE = ("sendmail_james.rotate",), ("state.apply", "sendmail_james")
GATE = (rotation, "agree")  # what comes before has only read
OWN = (Path("/etc/mail/james-auth-info"), Path("/etc/mail/james-msp-auth-info"))
TALK = re.compile(r"^(connect|sendto|sendmsg)\(.*(htons\((25|8000)\)|->[^>]*:(25|8000)\]>)")
# Always among the calls at which it is killed: around what changes James, the host, the backups.
CHOSEN = (
    r"^sendto\(.*\"PUT /users/sendmail\?force",
    r"^renameat2\(.*james-auth-info\.new",
    r"^renameat2\(.*james-msp-auth-info\.new",
    r"^unlinkat\(.*james-auth-info\.new",
    r"^rename\(.*/\.manifest\.json",
    r"^unlink\(.*/var/backups/sendmail_james/0.*/[0-9a-f]{64}",
)
LIVE, ACCOUNT = "The configuration is proved and live", "James takes mail from sendmail's account"
WAITS = "James has not authenticated us"
ADDRESSES = ("alice", "bob@localhost", f"alice@{recipe.FQDN}", "bob@example.org")
ELSEWHERE = ("/var/cache", "/var/lib/james")  # Salt's, James's


def pillar(password: str, **account: Any) -> dict[str, Any]:
    """Give the pillar with a password; account:update is true unless it is said otherwise."""
    return recipe.pillar(
        auth={"password": password},
        account={"update": True, **account},
        daemon={"queue_interval": "1s", "programs_interval": "1s"},
    )


@dataclass
class Host:
    """The host under test, and how its password is changed."""

    salt: ForkedSalt
    pillars: Path

    def wants(self, password: str, **account: Any) -> None:
        """Change the pillar."""
        write_pillar(self.pillars, pillar(password, **account))

    def run(self, *call: str, **keywords: Any) -> Any:
        """Call and see nothing fail."""
        result = self.salt.call(*call, **keywords)
        wrong = failed(result) if call[0] == "state.apply" else not isinstance(result, dict)
        assert not wrong, wrong or result
        return result


@pytest.fixture(scope="module")
def applied(minion: Any, pillar_folder: Path) -> Host:
    """Apply the formula, with James up."""
    recipe.fresh_host()
    return Host(ForkedSalt(minion.config_file), pillar_folder)


@pytest.fixture
def host(applied: Host) -> Host:
    """Give the host with the first password live, and with no mail."""
    james.add_user("sendmail", password=leaks.PASSWORD)
    applied.wants(leaks.PASSWORD)
    applied.run(*HIGHSTATE)
    recipe.forget_mail()
    return applied


def let_in(password: str) -> bool:
    """Say whether James takes a password."""
    with smtplib.SMTP("127.0.0.1", timeout=30) as talk:
        talk.ehlo()
        plain = base64.b64encode(f"sendmail\0sendmail\0{password}".encode()).decode()
        return talk.docmd("AUTH", f"PLAIN {plain}")[0] == 235


def live() -> list[str]:
    """Give the password in each credential file."""
    found = [re.search(rb'"P=(.*)"', path.read_bytes()) for path in OWN]
    return [base64.b64decode(match[1]).decode() for match in found if match]


def places_of(password: str) -> list[str]:
    """Name the files that hold a password as our files spell it."""
    word = base64.b64encode(password.encode()).decode()
    command = ["grep", "-rlsF", "-e", word, "-e", password, *WRITTEN]
    skipped = [f"--exclude-dir={Path(folder).name}" for folder in ELSEWHERE]
    done = subprocess.run([*command, *skipped], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def send_until(over: Event, sent: Path) -> None:
    """Send all forms of address as root and as programs do, one after the other."""
    number = 0
    with sent.open("w", buffering=1) as notes:
        while not over.wait(0.15):
            address, by = ADDRESSES[number % 4], ("root", "bob")[number // 4 % 2]
            notes.write(recipe.send(address, by=by) + "\n")
            number += 1


@contextmanager
def mail_flows(folder: Path) -> Iterator[Callable[[], list[str]]]:
    """Let mail flow for the length of a ``with``; then the call gives the subjects."""
    over, notes = multiprocessing.get_context("fork").Event(), folder / "sent"
    sender = multiprocessing.get_context("fork").Process(target=send_until, args=(over, notes))
    sender.start()
    try:
        yield lambda: notes.read_text().splitlines()
    finally:
        over.set()
        sender.join()
    assert sender.exitcode == 0


def assert_each_once(sent: list[str]) -> None:
    """See every message at James once, none without a login, none returned."""

    def gone() -> bool:
        for queue in ("-Ac", "-Am"):
            subprocess.run(["sendmail", queue, "-q"], check=False, capture_output=True)
        return not recipe.queue_files()

    james.wait_for(gone, what="empty queues")

    def arrived() -> Counter[str]:
        mails = recipe.mails("local", "relay")
        return Counter(subject for _, mail in mails for subject in mail["headers"]["Subject"])

    james.wait_for(lambda: arrived().total() >= len(sent), what="all messages")
    assert arrived() == Counter(sent)
    assert {name: n for name, n in james.counts().items() if name not in ("local", "relay")} == {
        "address-error": 0,
        "unauthenticated": 0,
        "error": 0,
    }


def waits(subject: str) -> bool:
    """Say whether a message is in the queue because James refuses the login."""
    texts = [path.read_text(errors="replace") for path in recipe.queue_files() if path.exists()]
    return any(subject in text and WAITS in text for text in texts)


def kill_points(log: str) -> list[Point]:
    """Give the calls in a log of strace that talk to James or change a file, in their order."""
    seen: Counter[str] = Counter()
    files = {point.line: point for point in points(log, every=True)}
    found = []
    for line in log.splitlines():
        name = line.partition("(")[0]
        seen[name] += 1
        if TALK.match(line):
            found.append(Point(name, "", seen[name], line))
        elif line in files:
            found.append(files.pop(line))
    if CAMPAIGN:
        return found
    chosen = [next(p for p in found if re.search(want, p.line)) for want in CHOSEN]
    rest = [p for p in found if p not in chosen]
    every = max(1, len(rest) // (KILLS - len(chosen)))
    return [p for p in found if p in chosen or p in rest[::every]]


def watched(host: Host, folder: Path, password: str, *call: str) -> list[Point]:
    """Rotate under the eyes of strace, and give where it may be killed."""
    host.wants(password)
    log = folder / f"{call[0]}.log"
    options = ["-yy", "-s", "60", "-o", str(log), "-e", "trace=%file,%desc,%network"]
    ended = host.salt.traced(GATE, options, *call)
    assert ended.status == 0 and live() == [password] * 2, ended
    found = kill_points(log.read_text(errors="replace"))
    log.unlink()  # it holds the password, too
    return found


def assert_next_run_ends_it(host: Host, call: tuple[str, ...], old: str, new: str) -> None:
    """See the next run complete; then the new password alone is anywhere."""
    host.run(*call)
    assert (let_in(new), let_in(old), live()) == (True, False, [new, new])
    assert places_of(old) == []


def test_no_kill_loses_doubles_or_bounces_mail(host: Host, tmp_path: Path) -> None:
    before, states = temporary(), Counter[str]()
    with mail_flows(tmp_path) as sent:
        old, extra, kills = "watched-2", [], 0
        by_hand = [(ROTATE, point) for point in watched(host, tmp_path, "watched-1", *ROTATE)]
        by_pillar = [(HIGHSTATE, point) for point in watched(host, tmp_path, old, *HIGHSTATE)]
        rounds = by_hand + by_pillar if CAMPAIGN else by_hand[::2] + by_pillar[1::2]
        for number, (call, point) in enumerate(rounds):
            new = f"rotated-{number}"
            host.wants(new)
            kills += host.salt.traced(GATE, point.strace(), *call).killed
            at_james = [word for word in (old, new) if let_in(word)]
            assert len(at_james) == 1 and {*live()} <= {old, new}, point
            state = f"James {at_james == [new]}, here {[word == new for word in live()]}"
            states[state] += 1
            assert at_james == [new] or live() == [old, old], f"the host went first at {point}"
            if at_james == [new] and live() == [old, old]:
                extra.append(recipe.send("alice"))  # tried at once
                james.wait_for(lambda: waits(extra[-1]), what="a reason to wait")
            assert_next_run_ends_it(host, (ROTATE, HIGHSTATE)[number % 2], old, new)
            old = new
        james.wait_for(lambda: len(sent()) >= 100, what="100 messages")
    assert_each_once(sent() + extra)
    assert litter(before) == []
    print(f"{kills} kills; {dict(states)}; {len(sent() + extra)} messages, each arrived once")
    assert kills >= 12
    assert len(states) >= 4, states  # both old, James new, one file new, all new


def held() -> list[str]:
    """Name the files that hold the first password in any shape, but for the pillar's own."""
    found = leaks.files(WRITTEN, since=BEGAN, private=True, but=(*ELSEWHERE, "/var/tmp/pytest"))
    return sorted(path for path in found if "/pillar" not in path)


def never_drop() -> None:
    """Rotate as if the old password were dropped from no backup; a run killed there does that."""
    old_secrets.drop = lambda *_, **__: None


def test_the_old_password_is_nowhere(host: Host) -> None:
    runners = pristine.sendmail_daemons()
    assert held() == sorted(map(str, OWN))
    host.wants("rotated")
    foretold = host.run(*ROTATE, test=True)
    assert (let_in("rotated"), held()) == (False, sorted(map(str, OWN)))
    done = host.run(*ROTATE, first=never_drop)
    assert done == foretold and done.keys() == {"password", *map(str, OWN)}
    assert "rotated" not in str(done) and not leaks.shown(str(done))
    assert (let_in("rotated"), live()) == (True, ["rotated"] * 2)
    (backup,) = held()
    assert backup.startswith("/var/backups/sendmail_james/"), "the twin: the search finds it there"
    assert host.run(*ROTATE) == {}
    assert held() == []
    assert pristine.sendmail_daemons() == runners, "no restart, which could double a message"


def test_a_restore_keeps_the_password_and_says_so(host: Host) -> None:
    host.wants("rotated")
    host.run(*HIGHSTATE)
    newest = host.salt.call("sendmail_james.backups")[0]
    assert {*newest["files"]} == {*map(str, OWN)}
    said = host.run("sendmail_james.restore", newest["id"])
    assert {path: "stays as it is" in change["kept"] for path, change in said.items()} == {
        str(path): True for path in OWN
    }
    assert live() == ["rotated"] * 2
    assert host.run(*HIGHSTATE) and live() == ["rotated"] * 2


def words(result: Any) -> str:
    """Give what failed: the comments of states, or an error's text."""
    return str(failed(result))


def by_id(result: dict[str, Any]) -> dict[str, tuple[bool | None, Any]]:
    """Give result and changes of each state."""
    return {one["__id__"]: (one["result"], one["changes"]) for one in result.values()}


@pytest.mark.parametrize("call", [ROTATE, HIGHSTATE, ("sendmail_james.credentials",)])
def test_what_james_refuses_does_not_go_live(host: Host, call: tuple[str, ...]) -> None:
    host.wants("refused", update=False)
    for test in (True, False):
        said = words(host.salt.call(*call, test=test))
        assert "535" in said and "account:update: true" in said, said
        assert "refused" not in said.replace("James refuses", "")
        assert live() == [leaks.PASSWORD] * 2
    assert recipe.arrives(recipe.send("alice")) == ["local"]
    james.add_user("sendmail", password="refused")  # by hand, as the error says
    host.run(*call)
    assert live() == ["refused"] * 2


def never_ask() -> None:
    """Apply as if James were not asked."""
    rotation.agree = lambda *_, **__: rotation.Agreed()


def test_unasked_it_would_go_live_and_mail_would_wait(host: Host) -> None:
    """The twin of the test above."""
    host.wants("refused", update=False)
    result = by_id(host.salt.call(*HIGHSTATE, first=never_ask))
    assert (result[LIVE][0], live()) == (True, ["refused"] * 2)
    sent = recipe.send("alice")
    james.wait_for(lambda: waits(sent), what="a reason to wait")
    host.wants(leaks.PASSWORD)
    host.run(*HIGHSTATE)
    assert recipe.arrives(sent) == ["local"]


def test_what_only_one_of_two_says_is_not_believed(host: Host) -> None:
    """A WebAdmin that answers all with yes, and changes nothing; fake, a real one does not lie."""
    host.wants("believed", webadmin="http://127.0.0.1:8001", create=False)
    with fake_webadmin(200, "", port=8001):
        for call in (ROTATE, HIGHSTATE):
            said = words(host.salt.call(*call))
            assert "8001 says that it has the new password, and James still refuses it" in said
    assert (live(), let_in(leaks.PASSWORD)) == ([leaks.PASSWORD] * 2, True)


def test_a_user_on_webadmins_port_is_told_nothing(host: Host) -> None:
    host.wants("for-james-alone", webadmin="http://127.0.0.1:8001")
    with squatter("127.0.0.1", 8001, "webadmin") as user:
        for call in (ROTATE, HIGHSTATE):
            said = words(host.salt.call(*call))
            assert "user bob" in said and "nothing was sent" in said, said
        heard = user.heard()
    assert heard == b""
    assert (live(), let_in(leaks.PASSWORD)) == ([leaks.PASSWORD] * 2, True)


def test_a_reboot_between_james_and_host_lets_mail_wait(host: Host) -> None:
    james.add_user("sendmail", password="halfway")  # as a rotation that was killed then leaves it
    pristine.run("systemctl", "restart", "sendmail.service")
    sent = [recipe.send(address, by=by) for address in ADDRESSES for by in ("root", "bob")]
    said = recipe.reasons(len(sent))
    assert said.count("James has not authenticated") == len(sent), said
    assert james.counts() == dict.fromkeys(james.REPOSITORIES, 0)
    host.wants("halfway")
    host.run(*HIGHSTATE)
    assert_each_once(sent)


def test_a_james_with_another_password_is_put_right(host: Host) -> None:
    james.add_user("sendmail", password="another")
    hidden = {"password": "(not shown), was (not shown)"}
    assert by_id(host.salt.call(*HIGHSTATE, test=True))[ACCOUNT] == (None, hidden)
    assert by_id(host.run(*HIGHSTATE))[ACCOUNT] == (True, hidden)
    assert let_in(leaks.PASSWORD)
    james.add_user("sendmail", password="another")
    host.wants(leaks.PASSWORD, update=False)
    assert by_id(host.salt.call(*HIGHSTATE))[ACCOUNT] == (False, {})
    host.wants("not live")
    alone = ("state.sls_id", ACCOUNT, "sendmail_james.verify")
    assert by_id(host.salt.call(*alone))[ACCOUNT] == (False, {}), "the host would be behind James"
    assert not let_in("not live")


def test_with_no_james_a_highstate_goes_on_and_a_rotation_does_not(host: Host) -> None:
    james.stop()
    host.wants("while-down", timeout=1)
    assert "nothing listens there" in words(host.salt.call(*ROTATE))
    assert live() == [leaks.PASSWORD] * 2
    result = by_id(host.salt.call(*HIGHSTATE))
    assert (result[LIVE][0], result[ACCOUNT][0]) == (True, False)
    assert live() == ["while-down"] * 2
    recipe.new_james()
    host.run(*HIGHSTATE)
    assert let_in("while-down")
