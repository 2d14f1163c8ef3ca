"""
A highstate that is killed leaves every file old or new and whole, mail moving or queued, and
nothing that the next highstate does not put right.

The kill comes by strace as the highstate enters a system call. By default at ten chosen calls;
with ``CAMPAIGN=1`` in the environment at every one that changes something in a managed place.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from forked_salt import ForkedSalt
from james_client.files import back as files_back
from james_client.files import renames as files_renames
from james_client.run import before_us, owed, proof
from rebuild_world import Applied
from safety_host import (
    BACKUPS,
    PILLAR,
    STATE,
    STEPS,
    Post,
    Worlds,
    changed,
    contents,
    exposed,
    failed,
    litter,
    temporary,
    write_pillar,
)
from support import james, leaks, pristine

CAMPAIGN = bool(os.environ.get("CAMPAIGN"))
GATE = (proof, "prove")  # what comes before has not touched any managed place
PLACES = re.compile(
    r"/etc/(mail|default)|/var/(backups|lib)/sendmail_james|/run/sendmail_james|/tmp/sendmail"
)
CHANGING = re.compile(
    r"(p?write(64)?|fsync|fch(mod|own)|chmod|f?truncate|utimensat|f?setxattr|flock|fcntl|"
    r"(rename|link|unlink|mkdir)(at2?)?|rmdir)\(|openat\(.*O_CREAT"
)
# Where to kill by default: the first call that looks like this.
CHOSEN = (
    r"^unlinkat\(.*/tmp/sendmail_james",
    r"^openat\(.*restart-pending",
    r"^fsync\(.*/var/backups",
    r"^write\(.*james-auth-info\.new",
    r"^fchown\(.*james-msp-auth-info\.new",
    r"^linkat\(.*james-msp-auth-info",
    r"^renameat2\(.*submit\.cf",
    r"^renameat2\(.*sendmail\.mc",
    r"^renameat2\(.*sendmail\.cf",
    r"^unlink\(.*restart-pending",
)
ON_A_FILE = re.compile(r"^p?write(?:64)?\(\d+<(/etc/[^>]+)>")


# The same for the way back; with each of the first so many instead.
BACK = {
    ("renameat2", ""): (2, 5),
    ("renameat", ""): (1, 2),
    ("unlinkat", "/etc/mail/.sendmail_james"): (1, 6),
    ("rename", "/var/backups/sendmail_james/first/.ledger.json"): (3, 3),
}
CLEAN = "sendmail_james.clean"


@dataclass(frozen=True)
class Point:
    """A system call of the highstate at which to kill it: the AT-th of this NAME on this PATH."""

    name: str
    path: str
    at: int
    line: str

    def __str__(self) -> str:
        return f"{self.at}. {self.line[:160]}"

    def strace(self) -> list[str]:
        """Give the options that kill there."""
        inject = f"inject={self.name}:signal=KILL:when={self.at}"
        path = ["-P", self.path] if self.path else []
        return ["-o", "/dev/null", *path, "-e", f"trace={self.name}", "-e", inject]


def points(log: str, *, every: bool = CAMPAIGN) -> list[Point]:
    """Give the calls in a log of strace that change something in a managed place."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.splitlines():
        name, bracket, _ = line.partition("(")
        # Python also writes to pipes, not always as often; a file's own writes are as many.
        path = match[1] if (match := ON_A_FILE.match(line)) else ""
        seen[name, path] += 1
        if bracket and CHANGING.match(line) and PLACES.search(line):
            found.append(Point(name, path, seen[name, path], line))
    if every:
        return found
    firsts = {want: [p for p in found if re.search(want, p.line)][:1] for want in CHOSEN}
    assert all(firsts.values()), firsts
    return [point for first in firsts.values() for point in first]


@pytest.fixture(scope="module")
def salt(minion: Any, pillar_folder: Path) -> ForkedSalt:
    """Give a masterless Salt in forks, with the pillar that holds the password."""
    write_pillar(pillar_folder, PILLAR)
    return ForkedSalt(minion.config_file)


@pytest.fixture(scope="module")
def watched(salt: ForkedSalt, tmp_path_factory: pytest.TempPathFactory) -> tuple[Worlds, str]:
    """Apply once, watched: what is old, what is new, and the log of all system calls."""
    pristine.remember()
    pristine.restore()
    worlds = Worlds(salt, contents())
    log = tmp_path_factory.mktemp("strace") / "log"
    options = ["-y", "-o", str(log), "-e", "trace=%file,%desc"]
    done = salt.traced(GATE, options, "state.apply", STEPS)
    assert not failed(done.data), failed(done.data)
    worlds.new = contents()
    return worlds, log.read_text(errors="replace")


@pytest.fixture
def worlds(watched: tuple[Worlds, str]) -> Iterator[Worlds]:
    """Give what is old and what is new, with the host as it was at first."""
    pristine.restore()
    yield watched[0]
    james.stop()


def assert_whole(worlds: Worlds, point: object, since: float) -> None:
    """See every file old or new, and the password where it belongs."""
    pristine.run("systemctl", "start", "sendmail.service")  # a restart under way comes to its end
    assert (str(point), worlds.mixture()) == (str(point), [])
    assert (str(point), exposed(since)) == (str(point), {})


def assert_goes_on(worlds: Worlds, point: object, before: set[str], *, restart: bool) -> None:
    """See the next highstate complete, clean up, and leave nothing to do."""
    worlds.apply(restart=restart)
    assert (str(point), worlds.wrong()) == (str(point), [])
    assert (str(point), changed(worlds.apply())) == (str(point), {})
    assert (str(point), litter(before)) == (str(point), [])


def campaign(worlds: Worlds, kill_at: Sequence[Point], post: Post) -> tuple[int, int]:
    """Kill at each point and see that nothing is lost; give how often, and the states seen."""
    since, before = time.time(), temporary()
    tested: set[tuple[str, ...]] = set()
    kills = 0
    for point in kill_at:
        worlds.put_back()
        ended = worlds.salt.traced(GATE, point.strace(), "state.apply", STEPS)
        kills += ended.killed
        assert_whole(worlds, point, since)
        if new := (state := worlds.renewed()) not in tested:
            tested.add(state)
            post.send()
        if new and CAMPAIGN:
            pristine.run("systemctl", "restart", "sendmail.service")  # as a reboot would
            post.send()
        # The same files need no second restart, which takes longer than all the rest.
        assert_goes_on(worlds, point, before, restart=new and (CAMPAIGN or kills == 1))
    return kills, len(tested)


def test_a_highstate_killed_at_a_system_call_costs_nothing(watched: Any, worlds: Worlds) -> None:
    post = Post()
    kill_at = points(watched[1])
    kills, states = campaign(worlds, kill_at, post)
    james.start()
    james.add_user("bob", "root")
    james.add_user("sendmail", password=leaks.PASSWORD)
    post.assert_all_there()
    assert kills >= (100 if CAMPAIGN else len(CHOSEN) - 1)
    mails = len(post.good) + post.bad
    print(f"{kills} kills; {states} states of the files; {mails} messages sent, 0 lost, 0 twice")


def plainly(staged: Sequence[Any], *_: Any) -> None:
    """Write as a careless program would."""
    for one in staged:
        path = Path(one.path)
        with path.open("wb", buffering=0) as stream:
            stream.write(one.wanted.data)
            os.fsync(stream.fileno())
        path.chmod(one.wanted.mode)
        os.chown(path, one.wanted.uid, one.wanted.gid)


def test_a_plain_write_is_caught(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_renames, "put", plainly)
    for name, path in (("write", "/etc/mail/submit.cf"), ("chmod", "/etc/mail/james-auth-info")):
        worlds.put_back()
        point = Point(name, path, 1, "")
        since = time.time()
        assert worlds.salt.traced(GATE, point.strace(), "state.apply", STEPS).killed
        with pytest.raises(AssertionError, match=path):
            assert_whole(worlds, point, since)


@pytest.mark.parametrize("at", range(1, 6) if CAMPAIGN else [3])
def test_salt_call_killed_while_it_renames_costs_nothing(
    worlds: Worlds, minion: Any, at: int
) -> None:
    since, before = time.time(), temporary()
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2"]
    command += ["-e", f"inject=renameat2:signal=KILL:when={at}", shutil.which("salt-call") or ""]
    command += ["-c", minion.config_dir, "--local", "state.apply", STEPS]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert_whole(worlds, at, since)
    assert len(worlds.renewed()) == at + 1  # the two credential files came before
    assert_goes_on(worlds, at, before, restart=True)


def _only_files() -> None:
    """Give back files, with no restart."""

    def restart(plan: Any, *_: Any) -> before_us.Restarted:
        owed.settle(plan)
        return before_us.Restarted([], [])

    before_us.restart = restart


def passwords() -> dict[str, list[str]]:
    """Name all files with the password, but for the numbered backups, which are kept."""
    kept = [str(path) for path in BACKUPS.iterdir() if path.name != "first"]
    return leaks.files(("/etc", "/run", str(STATE), str(BACKUPS)), private=True, but=kept)


def test_a_way_back_killed_at_a_system_call_is_finished(worlds: Worlds) -> None:
    worlds.apply(restart=False)
    assert passwords()
    before, applied = temporary(), Applied()
    kill_at = [
        Point(name, path, at, f"{name} {path}")
        for (name, path), (chosen, last) in BACK.items()
        for at in (range(1, last + 1) if CAMPAIGN else [chosen])
    ]
    for number, point in enumerate(kill_at):
        since = time.time()
        applied.files()
        gate = (files_back, "restore_first")
        assert worlds.salt.traced(gate, point.strace(), "state.apply", CLEAN).killed, point
        assert (str(point), worlds.mixture()) == (str(point), [])
        assert (str(point), exposed(since)) == (str(point), {})
        if number % 2:  # somebody thinks better of it
            worlds.apply(restart=False)
            assert (str(point), worlds.wrong()) == (str(point), [])
        result = worlds.salt.call("state.apply", CLEAN, first=_only_files)
        assert not failed(result), failed(result)
        assert (str(point), worlds.renewed()) == (str(point), ())
        assert (str(point), litter(before)) == (str(point), [])
        assert (str(point), passwords()) == (str(point), {})
        assert files_back.status(BACKUPS) == {}
