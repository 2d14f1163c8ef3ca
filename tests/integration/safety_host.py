"""What the tests of kills and faults see of a host: its files, old or new, litter, and mail."""

from __future__ import annotations

import json
import mailbox
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import recipe
from forked_salt import ForkedSalt
from james_client.run import owed, service
from support import james, leaks, pristine

# All but the last step, which talks to James: it can't be up while sendmail holds its port.
STEPS = ",".join(f"sendmail_james.{name}" for name in ("daemon", "relay", "loop", "auth"))
PILLAR = recipe.pillar(auth={"password": leaks.PASSWORD}, account=None)
STAGE = ".sendmail_james"
STATE, BACKUPS = Path("/var/lib/sendmail_james"), Path("/var/backups/sendmail_james")
WRITTEN = ("/etc", "/run", "/tmp", "/var", "/root", "/home")  # where a run could leave the password
TEMPORARY = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
FORMS = ("bob", "bob@localhost", f"bob@{recipe.FQDN}", "bob@example.org")
# Debian's own tools write these anew, dates and all, whenever sendmail starts.
GENERATED = ("/etc/mail/Makefile", "/etc/mail/databases", "/etc/cron.d/sendmail")
Files = dict[str, bytes]


def contents() -> Files:
    """Give all of /etc; of a cf only what counts, for a rebuilt one has other dates in comments."""
    found = {}
    for path in Path("/etc").rglob("*"):
        if str(path) in GENERATED or path.parent.name == STAGE:
            continue
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if path.suffix == ".cf":
                data = re.sub(rb"(?m)^(#.*)?\n", b"", data)
            found[str(path)] = data
    return found


def temporary() -> set[str]:
    """Name what lies in folders for temporary files, and what the formula keeps in /run."""
    lying = {str(path) for folder in TEMPORARY for path in folder.iterdir()}
    return lying | {str(path) for path in Path("/run").glob("*sendmail_james*")}


def litter(before: set[str]) -> list[str]:
    """Name what a finished run must not leave, but may have left half-done when it was killed."""
    found = temporary() - before - {"/run/sendmail_james.lock"}
    found |= {str(path) for path in Path("/etc").rglob(STAGE)}
    found |= {str(path) for path in BACKUPS.glob("**/.*")}
    # that all is verified, a later run of another SLS file may see
    kept = {owed.VERIFICATION, service.LISTENED}
    found |= {str(path) for path in STATE.glob("**/*") if path.name not in kept}
    return sorted(found)


def exposed(since: float) -> dict[str, list[str]]:
    """Name the files that show the password and that others than their owner can open."""
    return leaks.files(WRITTEN, since=since, but=("/var/cache/sendmail_james", "/var/lib/james"))


def failed(result: Any) -> Any:
    """Give the states that failed with their comments, or what else was returned."""
    if not isinstance(result, dict):
        return result
    return {one["__id__"]: one["comment"] for one in result.values() if not one["result"]}


def changed(result: dict[str, Any]) -> dict[str, Any]:
    """Give the changes of the states that have any."""
    return {one["__id__"]: one["changes"] for one in result.values() if one["changes"]}


@dataclass
class Worlds:
    """The host before the formula and after it, as /etc shows them."""

    salt: ForkedSalt
    old: Files
    new: Files = field(default_factory=dict)

    def mixture(self) -> list[str]:
        """Name the files that are neither old nor new."""
        now = contents()
        names = self.old.keys() | self.new.keys() | now.keys()
        wrong = [n for n in names if now.get(n) not in (self.old.get(n), self.new.get(n))]
        return sorted(wrong)

    def renewed(self) -> tuple[str, ...]:
        """Name the files that are new already: the state that a kill has left."""
        now = contents()
        names = self.old.keys() | self.new.keys()
        differ = [n for n in names if self.old.get(n) != self.new.get(n)]
        return tuple(sorted(n for n in differ if now.get(n) == self.new.get(n)))

    def wrong(self) -> list[str]:
        """Name the files that are not new."""
        now = contents()
        return sorted(n for n in now.keys() | self.new.keys() if now.get(n) != self.new.get(n))

    def put_back(self) -> None:
        """Make the files old again, leaving mail and processes as they are."""
        for folder in set(pristine.FOLDERS) - {"var/spool"}:
            pristine.run(*pristine.SAME, f"{pristine.COPY / folder}/", f"/{folder}/")

    def apply(self, *, restart: bool = True) -> dict[str, Any]:
        """Apply the steps to the end, with no RESTART of sendmail for once, and see none fail."""
        first = None if restart else _no_restart
        result = self.salt.call("state.apply", STEPS, first=first)
        assert not failed(result), failed(result)
        return result


def _no_restart() -> None:
    def restart(plan: Any, _: Any) -> list[str]:
        owed.settle(plan)
        return []

    service.restart = restart


@dataclass
class Post:
    """Mail that was handed in: each piece must be delivered once, or be returned once."""

    good: list[str] = field(default_factory=list)
    bad: int = 0

    def __post_init__(self) -> None:
        for box in Path("/var/mail").iterdir():
            box.unlink()

    def send(self) -> None:
        """Send all five forms of address as root and as an ordinary user."""
        for by in ("root", "bob"):
            self.good += [recipe.send(address, by=by) for address in FORMS]
            recipe.send("nosuch", by=by)
            self.bad += 1

    def assert_all_there(self) -> None:
        """Let the queues run empty to a running James; all must have come once."""
        for queue in ("-Am", "-Ac", "-Am"):
            pristine.run("sendmail", queue, "-q")
        recipe.all_gone()

        def missing() -> Counter[str]:
            return Counter(self.good) - Counter(delivered())

        james.wait_for(lambda: not missing(), what="all mail")
        seen = Counter(delivered())
        assert {subject: seen[subject] for subject in self.good if seen[subject] != 1} == {}
        james.wait_for(lambda: returned() >= self.bad, what="returned mail")
        assert returned() == self.bad


def delivered() -> list[str]:
    """Give the subjects of all mail in mailboxes and at James."""
    boxes = [mailbox.mbox(path) for path in Path("/var/mail").iterdir() if path.is_file()]
    local = [str(mail["Subject"]) for box in boxes for mail in box]
    there = [
        subject
        for name in ("local", "relay")
        for mail in james.mails(name)
        for subject in mail["headers"].get("Subject", ())
    ]
    return local + there


def returned() -> int:
    """Count the returned mail."""
    return sum(subject.startswith("Returned mail") for subject in delivered())


def write_pillar(folder: Path, pillar: Any) -> None:
    """Make a pillar the minion's."""
    (folder / "top.sls").write_text(json.dumps({"base": {"*": ["given"]}}))
    given = folder / "given.sls"
    given.touch(mode=0o600)
    given.write_text("#!json\n" + json.dumps(pillar) + "\n")
