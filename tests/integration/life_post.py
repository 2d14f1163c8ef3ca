"""Mail that is sent throughout a host's life, by root and by programs, and counted to a message."""

from __future__ import annotations

import itertools
import json
import mailbox
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import recipe
from support import james, pristine

PAUSE = 0.2  # seconds between two messages
WAYS = (
    ("bob", "bob"),
    ("bob", "root"),
    ("bob@localhost", "bob"),
    (f"bob@{recipe.FQDN}", "root"),
    (f"bob@{recipe.FQDN}", "bob"),
    ("bob@localhost", "root"),
)  # to whom, and who sends it


class Post:
    """Send without a pause of one's own, and know what has arrived where.

    ledger: the file that keeps what was sent and what an earlier James had got.
    """

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        known = json.loads(ledger.read_text()) if ledger.exists() else {}
        self.sent: list[str] = known.get("sent", [])
        self._before: Counter[str] = Counter(known.get("before", {}))
        self._going = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send_all, daemon=True)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send all the time."""
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Send nothing meanwhile."""
        with self._going:
            yield

    def _send_all(self) -> None:
        for address, by in itertools.cycle(WAYS):
            with self._going:
                self.send(address, by)
            if self._ended.wait(PAUSE):
                return

    def send(self, address: str, by: str) -> str | None:
        """Send one message; who finds no sendmail, as in a package's upgrade, has sent none."""
        with suppress(FileNotFoundError):
            self.sent.append(recipe.send(address, by=by))
            return self.sent[-1]
        return None

    def arrived(self) -> Counter[str]:
        """Count the copies of each message, at James and in mailboxes."""
        boxes = [mailbox.mbox(path) for path in Path("/var/mail").iterdir() if path.is_file()]
        return self._at_james() + Counter(str(mail["Subject"]) for box in boxes for mail in box)

    def _at_james(self) -> Counter[str]:
        """Count what today's James has, and what those of before had."""
        mails = recipe.mails() if james.running() else ()
        now = Counter(one for _, mail in mails for one in mail["headers"].get("Subject", ()))
        return self._before + now

    def settle(self, *, now: bool = False) -> None:
        """Wait until all that was sent has arrived; the queues are run NOW, or by their runners.

        For a post that is paused, or has ended.
        """

        def all_there() -> bool:
            if now:
                for queue in ("-Am", "-Ac", "-Am"):
                    pristine.run("sendmail", queue, "-q")
            return not Counter(self.sent) - self.arrived()

        try:
            james.wait_for(all_there, what="all mail")
        except TimeoutError:
            missing = Counter(self.sent) - self.arrived()
            raise AssertionError(f"{len(missing)} missing\n{recipe.queued()}") from None

    def keep(self) -> None:
        """Write down what was sent and what has arrived: James forgets it when he is stopped."""
        self._before = self._at_james()
        self.write()

    def write(self) -> None:
        """Keep the ledger for the next act."""
        self.ledger.write_text(json.dumps({"sent": self.sent, "before": self._before}))

    def wrong(self) -> dict[str, int]:
        """Give the messages that did not arrive exactly once, and what nobody sent: bounces."""
        seen, sent = self.arrived(), set(self.sent)
        once = {one: seen[one] for one in self.sent if seen[one] != 1}
        return once | {one: count for one, count in seen.items() if one not in sent}
