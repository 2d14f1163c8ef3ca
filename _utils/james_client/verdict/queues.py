"""Find the folders of a host's queues, and read how long what waits there may wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from james_client.cf import timeouts
from james_client.cf.text import Cf
from james_client.mta import queue
from james_client.run.plan import Plan
from james_client.wishes.checks import seconds

READ = 500  # messages of each queue, the oldest, whose files are read
_PATH = re.compile(r"[,\s]P[a-z]*\s*=\s*([^,\s]+)")


@dataclass(frozen=True)
class SeenQueue:
    """Show one queue: what waits in it, and how long it may.

    programs
        whether it is programs' queue
    glimpse
        what was read of it
    give_up
        after how many seconds sendmail gives a message up, by its kind
    interval
        seconds between two runs
    """

    programs: bool
    glimpse: queue.Glimpse
    give_up: Mapping[str, int]
    interval: int

    @property
    def name(self) -> str:
        """Give the queue's name, as people say it."""
        return "programs' queue" if self.programs else "queue"

    @property
    def run(self) -> str:
        """Give the command that runs it once."""
        return "sendmail -Ac -q" if self.programs else "sendmail -q"

    def listing(self, kind: str) -> str:
        """Give the command that lists what was set aside: ``L`` lost, ``Q`` quarantined."""
        return f"sendmail {'-Ac ' * self.programs}-bp -q{kind}"


def look(plan: Plan, patience: float) -> list[SeenQueue]:
    """Read the queues: sendmail's, then programs'.

    patience
        seconds for each
    """
    found = []
    daemon = plan.settings.daemon
    for path in plan.cf_paths():
        cf = plan.cf(path)
        programs = path == plan.platform.submit_cf
        interval = daemon.programs_interval if programs else daemon.queue_interval
        glimpse = queue.glimpse(folders(cf), READ, patience)
        found.append(SeenQueue(programs, glimpse, timeouts.read(cf).give_up, seconds(interval)))
    return found


def folders(cf: Cf) -> list[str]:
    """Return the folders of a cf's queue: QueueDirectory, and the P= of Q lines (op 5.6, 4.9).

    Relative ones lie in QueueDirectory's own; a ``*`` at the end stands for several.
    """
    base = cf.option("QueueDirectory") or ""
    top = base.rpartition("/")[0] if base.endswith("*") else base
    lines = [cf.entry(place).decode("utf-8", "replace") for place in cf.places(b"Q")]
    named = [match[1] for line in lines if (match := _PATH.search(line))]
    found: list[str] = []
    for path in dict.fromkeys(Path(top, name) for name in (base, *named)):
        if path.name.endswith("*"):
            found += sorted(map(str, path.parent.glob(path.name)))
        elif path.is_absolute():
            found.append(str(path))
    return found
