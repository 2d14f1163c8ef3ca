"""Send the recipe's test messages, see what becomes of each, and leave nothing behind.

Source: the how-to's tests (`mail -v` to five forms of address), and a null sender.
"""

from __future__ import annotations

import pwd
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from james_client.james.line import JamesError
from james_client.james.webadmin import WebAdmin
from james_client.mta import queue, transcript
from james_client.mta.process import Done, ProcessError, run, words
from james_client.mta.routes import routes
from james_client.scrub import Reveals, scrub

HEADER = "X-Sendmail-James-Probe"
ROOT, USER = "root", "user"
TAKEN = "the queue runner took it before its dialogue could be watched"
PROCESS_SECONDS = 20.0


@dataclass(frozen=True)
class Wish:
    """What is to be tested.

    `local_user` is known to James, `user` a login of this host, `fqdn` its name; `remote` may
    be None. `cf` and `msp` are the live files; `queue_only` says that programs' mail waits for
    the queue runner, `authenticated` that James must have seen a login. `binary` is sendmail's
    program. Times are in seconds.
    """

    local_user: str
    user: str
    fqdn: str
    remote: str | None
    cf: str
    msp: str | None
    queue_only: bool
    authenticated: bool
    binary: str
    timeout: float = 60.0
    runner_timeout: float = 20.0


@dataclass
class _Test:
    """One message: to whom, from whom, by whom; and what is known of it by now."""

    token: str
    address: str
    by: str
    sender: str
    nobody: bool = False
    read: transcript.Transcript | None = None
    note: str | None = None
    fault: str | None = None
    places: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Return the message's name in the report."""
        return f"{self.address} ({self.sender or 'null sender'}, as {self.by})"


def send(
    wish: Wish, webadmin: WebAdmin | None = None, secrets: Sequence[Reveals] = ()
) -> dict[str, Any]:
    """Send the test messages as root and as an ordinary user, and tell what became of each.

    Returns {"messages": {name: {...}}, "queue runner": ..., "left behind": [...], "wrong": [...]};
    "wrong" is empty where all went as it must. Raises ProcessError when sendmail cannot be run, or
    there is no such user; JamesError when WebAdmin does not answer.
    """
    job = _Run(wish, webadmin, secrets)
    try:
        for test in job.tests:
            job.send(test)
        runner = job.runner()
        job.look()
    finally:
        left = job.clean()
    shown = {test.name: job.shown(test) for test in job.tests}
    wrong = [f"{test.name}: {fault}" for test in job.tests for fault in job.faults(test)]
    if runner is not None and not runner.lives:
        wrong.append(f"queue runner: {runner.said}")
    wrong += [f"left behind: {item}" for item in left]
    report = {
        "messages": shown,
        "queue runner": runner and runner.said,
        f"new in {wish.local_user}'s mailbox": job.delivered,
        "left behind": left,
        "wrong": wrong,
    }
    return {key: value for key, value in report.items() if value is not None}


class _Runner(NamedTuple):
    """Say whether the submission program's queue runner lives, and what it did."""

    lives: bool
    said: str


class _Run:
    """One run of the probe: its tests, its deadline, and where its mail may be."""

    def __init__(self, wish: Wish, webadmin: WebAdmin | None, secrets: Sequence[Reveals]) -> None:
        self.wish = wish
        self.webadmin = webadmin
        self.secrets = secrets
        self.deadline = time.monotonic() + wish.timeout
        self.token = uuid.uuid4().hex
        try:
            entry = pwd.getpwnam(wish.user)
        except KeyError:
            raise ProcessError(
                f"{wish.user!r} is no user of this host; expected a login name"
            ) from None
        self.user = entry.pw_uid, entry.pw_gid
        self.home = entry.pw_dir
        self.folders = {
            cf == wish.msp: queue.listing(cf, binary=wish.binary).folders
            for cf in (wish.cf, wish.msp)
            if cf
        }
        self.before = _keys(webadmin)
        self.inbox = webadmin.mailbox_count(wish.local_user) if webadmin else None
        self.delivered: int | None = None
        self.tests = self._tests()
        self.routes = self._routes()
        self.works: set[str] = set()
        self.returns: set[str] = set()

    def _tests(self) -> list[_Test]:
        wish = self.wish
        nobody = f"nosuch-{self.token[:8]}"
        forms = [wish.local_user, f"{wish.local_user}@localhost", f"{wish.local_user}@{wish.fqdn}"]
        forms += [wish.remote] if wish.remote else []
        tests: list[_Test] = []
        for by, sender in ((ROOT, "root"), (USER, wish.user)):
            tests += [_Test("", form, by, sender) for form in forms]
            # As returned mail comes: only if this is taken, may the last one be returned.
            tests.append(_Test("", sender, by, ""))
            tests.append(_Test("", nobody, by, sender, nobody=True))
        for number, test in enumerate(tests):
            test.token = f"{self.token}-{number:02}."
        return tests

    def _routes(self) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for by, cf in ((ROOT, self.wish.cf), (USER, self.wish.msp or self.wish.cf)):
            addresses = list(dict.fromkeys(test.address for test in self.tests if test.by == by))
            for route in routes(cf, addresses, binary=self.wish.binary):
                key = by, route.address
                found[key] = f"{found[key]}; {route.path}" if key in found else route.path
        return found

    def _left(self) -> float:
        return min(PROCESS_SECONDS, max(1.0, self.deadline - time.monotonic()))

    def send(self, test: _Test) -> None:
        """Submit one message and learn what became of it."""
        try:
            by_queue = test.by == USER and self.wish.queue_only and self.wish.msp is not None
            done = self._submit(test, watch=not by_queue)
            if by_queue and done.status == 0:
                self._run_queue(test)
            else:
                self._read(test, done)
        except ProcessError as err:
            test.fault = str(err)
        if test.read is None:
            return
        if test.read.result == transcript.QUEUED:
            self._ask_queue(test, test.read)
        elif test.read.result == transcript.ACCEPTED:
            (self.works if test.sender else self.returns).add(test.by)

    def _read(self, test: _Test, done: Done) -> None:
        test.read = transcript.read(scrub(done.out + done.err, self.secrets))
        if test.read.result is None and done.status != 0:
            test.fault = scrub(words(done), self.secrets)

    def _ask_queue(self, test: _Test, read: transcript.Transcript) -> None:
        """Take the reason that stands in the queue where sendmail's status line gives none."""
        for folders in self.folders.values():
            for found in queue.find(folders, test.token):
                if found.reason and found.reason not in read.why:
                    known = read.why if read.why not in ("Deferred", "queued") else ""
                    why = "; ".join(part for part in (found.reason, known) if part)
                    test.read = replace(read, why=why)

    def _submit(self, test: _Test, *, watch: bool) -> Done:
        argv = [self.wish.binary, "-oi", "-oem", "-f", test.sender or "<>"]
        argv += ["-Am"] if test.by == ROOT else []
        argv += ["-v"] if watch else []
        if not test.nobody or test.by not in self.returns:
            # A report of failure nobody can take would end in dead.letter.
            argv += ["-N", "never"]
        user = self.user if test.by == USER else None
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
            "HOME": self.home if user else "/root",
            "USER": self.wish.user if user else "root",
            "LOGNAME": self.wish.user if user else "root",
        }
        return run(
            [*argv, "--", test.address],
            given=self._message(test),
            timeout=self._left(),
            user=user,
            environment=environment,
        )

    def _message(self, test: _Test) -> bytes:
        lines = [
            f"To: {test.address}",
            "Subject: sendmail_james test message",
            f"{HEADER}: {test.token}",
            "",
            "This message was sent by sendmail_james to see where it goes.",
            "",
        ]
        return "\n".join(lines).encode()

    def _run_queue(self, test: _Test) -> None:
        """Run the submission program's queue for one message, to see the dialogue."""
        found = queue.find(self.folders[True], test.token)
        if not found:
            test.note = TAKEN
            return
        argv = [self.wish.binary, "-Ac", "-v", f"-qI{found[0].id}"]
        self._read(test, run(argv, timeout=self._left()))
        if test.read is None or test.read.result is None:
            limit = min(self.deadline, time.monotonic() + self.wish.runner_timeout)
            test.note = TAKEN if queue.gone(found[0].control, limit) else None

    def runner(self) -> _Runner | None:
        """Leave one message to the submission program's runner, and wait until it is taken."""
        if not (self.wish.queue_only and self.wish.msp and USER in self.works):
            return None
        test = _Test(f"{self.token}-runner.", self.wish.local_user, USER, self.wish.user)
        start = time.monotonic()
        self._submit(test, watch=False)
        limit = min(self.deadline, start + self.wish.runner_timeout)
        for found in queue.find(self.folders[True], test.token):
            if not queue.gone(found.control, limit):
                reason = next(iter(queue.find(self.folders[True], test.token)), found).reason
                waited = f"{time.monotonic() - start:.0f} s"
                said = f"no runner took a message within {waited} ({reason or 'not tried'})"
                return _Runner(False, said)
        return _Runner(True, f"took a message after {time.monotonic() - start:.1f} s")

    def look(self) -> None:
        """Wait until James has filed what it accepted, or the deadline is near."""
        if self.webadmin is None:
            return
        sent = [t for t in self.tests if t.read and t.read.result == transcript.ACCEPTED]
        limit = min(self.deadline, time.monotonic() + 10)
        while True:
            self._look(self.webadmin)
            if all(test.places for test in sent) or time.monotonic() > limit:
                return
            time.sleep(0.1)

    def _look(self, webadmin: WebAdmin) -> None:
        for repository, key in _keys(webadmin) - self.before:
            text = webadmin.mail_text(repository, key)
            for test in self.tests:
                if test.token in text:
                    returned = "MAILER-DAEMON" in text.partition("\n\n")[0]
                    test.places.add(f"{repository} (returned)" if returned else repository)
        inbox = webadmin.mailbox_count(self.wish.local_user)
        self.delivered = (inbox or 0) - (self.inbox or 0)

    def clean(self) -> list[str]:
        """Remove our messages from the queues and from James's repositories; tell what stays."""
        left: list[str] = []
        limit = time.monotonic() + 5
        for folders in self.folders.values():
            for found in queue.find(folders, self.token):
                if not queue.remove(found, self.token, limit):
                    left.append(f"{found.control} (being delivered)")
        if self.webadmin is not None:
            try:
                for repository, key in _keys(self.webadmin) - self.before:
                    if self.token in self.webadmin.mail_text(repository, key):
                        self.webadmin.delete_mail(repository, key)
            except JamesError as err:
                left.append(f"James's repositories: {err}")
        return left

    def shown(self, test: _Test) -> dict[str, Any]:
        """Return what is known of one message, for people."""
        read = test.read
        row: Mapping[str, Any] = {
            "address": test.address,
            "sent by": (self.wish.user if test.by == USER else ROOT)
            + ", as <>" * (not test.sender),
            "route": self.routes.get((test.by, test.address)),
            "result": read.result if read else None,
            "why": read.why if read else None,
            "authenticated": read.authenticated if read else None,
            "returned": read.bounce if read else None,
            "arrived": sorted(test.places) if self.webadmin else None,
            "note": test.fault or test.note,
            "dialogue": read.text.strip() if read else None,
            "wrong": self.faults(test) or None,
        }
        return {key: value for key, value in row.items() if value not in (None, "")}

    def faults(self, test: _Test) -> list[str]:
        """Return what is wrong with one message's fate."""
        read = test.read
        if read is None or read.result is None:
            return [] if test.places or test.note else [test.fault or "its fate is unknown"]
        wanted = transcript.REFUSED if test.nobody else transcript.ACCEPTED
        faults = []
        if read.result != wanted:
            faults.append(f"{read.result}, not {wanted}: {read.why}")
        if self.wish.authenticated and read.authenticated is False:
            faults.append("sent without a login")
        return faults


def _keys(webadmin: WebAdmin | None) -> set[tuple[str, str]]:
    if webadmin is None:
        return set()
    return {(name, key) for name in webadmin.repositories() for key in webadmin.mails(name)}
