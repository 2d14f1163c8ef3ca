"""The password shows nowhere but in the files that are its own, whatever fails."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import recipe
from forked_salt import ForkedSalt, log_all
from james_client.run import live, load
from james_client.run.plan import RunError
from safety_host import WRITTEN, exposed, write_pillar
from support import james, leaks, pristine
from support.fake_james import FakeJames, fake_james, fake_webadmin
from support.leaks import PASSWORD

PILLAR = recipe.pillar(auth={"password": PASSWORD}, account={"timeout": 1})
OWN = ("/etc/mail/james-auth-info", "/etc/mail/james-msp-auth-info")
# Salt's own: it logs every pillar file that it renders, at level debug, where it renders it.
SALTS_OWN = re.compile(
    r"^\[salt\.(template|utils\.templates|pillar|loaded\.int\.(render|pillar))[\w.]*:\d+\]"
)
RECORD = re.compile(r"^(?=\[[\w.]+:\d+\]\[[A-Z]+\])", re.MULTILINE)


@pytest.fixture(scope="module")
def salt(minion: Any, pillar_folder: Path) -> ForkedSalt:
    """Give a masterless Salt in forks."""
    write_pillar(pillar_folder, {})
    return ForkedSalt(minion.config_file)


@pytest.fixture(scope="module", autouse=True)
def applied(salt: ForkedSalt, pillar_folder: Path) -> None:
    """Apply the formula twice, with James up, so that a backup holds the password too."""
    recipe.fresh_host()
    write_pillar(pillar_folder, PILLAR)
    for again in (False, True):
        if again:
            Path(OWN[0]).chmod(0o640)  # the repair backs up a password that is live still
        result = salt.call("state.apply", "sendmail_james")
        assert all(state["result"] for state in result.values()), result


class Watch:
    """Call Salt and search all that it gives and logs."""

    def __init__(self, salt: ForkedSalt, pillars: Path, folder: Path) -> None:
        self.salt, self.pillars, self.log = salt, pillars, folder / "log"

    def call(self, function: str, *arguments: str, **keywords: Any) -> tuple[str, list[str]]:
        """Give what a call returned, and what shows the password in that and in its log."""
        self.log.unlink(missing_ok=True)
        first = partial(log_all, self.log)
        data = self.salt.call(function, *arguments, first=first, **keywords)
        said = f"{json.dumps(data)}\n{json.dumps(data, ensure_ascii=False)}\n{data}"
        ours = [r for r in RECORD.split(self.log.read_text(errors="replace")) if not is_salts(r)]
        wrong = [f"returned: {shape}" for shape in leaks.shown(said)]
        return said, wrong + [f"logged: {r}" for r in ours if leaks.shown(r)]


def is_salts(record: str) -> bool:
    """Say whether a log record is Salt's own about a pillar."""
    return bool(SALTS_OWN.match(record))


@pytest.fixture
def watch(salt: ForkedSalt, pillar_folder: Path, tmp_path: Path) -> Iterator[Watch]:
    """Give a Salt whose returns and logs are searched; afterwards the pillar is the usual one."""
    write_pillar(pillar_folder, PILLAR)
    yield Watch(salt, pillar_folder, tmp_path)
    write_pillar(pillar_folder, PILLAR)


def changed(**sections: Any) -> dict[str, Any]:
    """Give the pillar with other sections."""
    found = copy.deepcopy(PILLAR)
    for name, section in sections.items():
        own = found["sendmail_james"]
        whole = not isinstance(section, dict) or not isinstance(own.get(name), dict)
        own[name] = section if whole else {**own[name], **section}
    return found


PILLARS: dict[str, Any] = {
    "a wrong type beside it": changed(relay={"port": "smtp"}, daemon={"queue_interval": 5}),
    "a wrong key": changed(auth={"pasword": PASSWORD}),
    "a key in capitals": changed(auth={"Password": PASSWORD}),
    "itself as a key": changed(auth={PASSWORD: None}),
    "itself as a key with a value": changed(auth={PASSWORD: PASSWORD}),
    "a list": changed(auth={"password": [PASSWORD]}),
    "a mapping": changed(auth={"password": {PASSWORD: PASSWORD}}),
    "a number beside it": changed(auth={"username": 5}),
    "a line end in it": changed(auth={"password": f"{PASSWORD}\n"}),
    "a NUL in it": changed(auth={"password": f"{PASSWORD}\0{PASSWORD}"}),
    "too long": changed(auth={"password": PASSWORD * 200}),
    "one level too high": changed(password=PASSWORD),
    "in place of the section": changed(auth=PASSWORD),
    "in a list in place of the section": changed(auth=[{"password": PASSWORD}]),
    "in place of everything": {"sendmail_james": PASSWORD},
    "in WebAdmin's address": changed(account={"webadmin": f"http://u:{PASSWORD}@127.0.0.1:8000"}),
    "as the token, with a line end": changed(account={"token": f"{PASSWORD}\n"}),
    "a relay to another host": changed(relay={"host": "james.example.org"}),
    "a mailer that does not exist": changed(relay={"mailer": "nosuch"}),
    "a file that is a folder": changed(auth={"file": "/etc/mail"}),
    "a file in no folder": changed(auth={"file": "/nowhere/james-auth-info"}),
    "behind an address": changed(auth={"password": f"sdb://nosuch/{PASSWORD}"}),
}


@pytest.mark.parametrize("mistake", PILLARS)
def test_no_mistake_in_the_pillar_shows_it(watch: Watch, mistake: str) -> None:
    write_pillar(watch.pillars, PILLARS[mistake])
    for test in (True, False):
        said, wrong = watch.call("state.apply", "sendmail_james", test=test)
        assert '"result": false' in said
        assert wrong == []
    assert watch.call("sendmail_james.drift")[1] == []


def echoing() -> FakeJames:
    """Give a fake James that repeats what it was told, the password's token for one."""
    answers = {"AUTH": "535 5.7.8 not you: {line}", "RCPT": "550 no"}
    return FakeJames(answers=answers)


@contextmanager
def no_james() -> Iterator[None]:
    """Stop James for a while."""
    james.stop()
    try:
        yield
    finally:
        start_james()


def start_james() -> None:
    """Start James with those who get mail."""
    james.start()
    james.add_user(*recipe.PEOPLE)
    james.add_user("sendmail", password=PASSWORD)


@contextmanager
def another_password() -> Iterator[None]:
    """Let James know another password for a while."""
    james.add_user("sendmail", password="another")
    try:
        yield
    finally:
        james.add_user("sendmail", password=PASSWORD)


@contextmanager
def indiscreet() -> Iterator[None]:
    """Put fakes that repeat all that they are told into James's place."""
    with no_james(), fake_james(echoing()), fake_webadmin(401, "no: {request}"):
        yield


@contextmanager
def garbled() -> Iterator[None]:
    """Put fakes that talk nonsense into James's place."""
    fake = FakeJames(greeting="\x00\xff<html>", answers={"EHLO": "\xfe{line}"})
    with no_james(), fake_james(fake), fake_webadmin(200, "<html>{request}"):
        yield


@contextmanager
def damaged(path: str, old: bytes, new: bytes) -> Iterator[None]:
    """Put something else into a file for a while."""
    file = Path(path)
    before, status = file.read_bytes(), file.stat()
    file.write_bytes(before.replace(old, new))
    try:
        yield
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@contextmanager
def immutable_folder() -> Iterator[None]:
    """Let nothing be written in /etc/mail, and have something to write."""
    with damaged(OWN[0], b"sendmail", b"other"):
        pristine.run("mount", "--bind", "/etc/mail", "/etc/mail")
        pristine.run("mount", "-o", "remount,bind,ro", "/etc/mail")
        try:
            yield
        finally:
            pristine.run("umount", "/etc/mail")


FAULTS: dict[str, Callable[[], Any]] = {
    "James is down": no_james,
    "James knows another password": another_password,
    "James and WebAdmin repeat what they are told": indiscreet,
    "James and WebAdmin talk nonsense": garbled,
    "the cf is broken": partial(damaged, "/etc/mail/sendmail.cf", b"V10/", b"nonsense/"),
    "nothing can be written": immutable_folder,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_shows_it(watch: Watch, fault: str) -> None:
    heard = ""
    with FAULTS[fault]():
        for test in (True, False):
            said, wrong = watch.call("state.apply", "sendmail_james", test=test)
            heard += said
            assert wrong == []
        for function in ("status", "account"):
            assert watch.call(f"sendmail_james.{function}")[1] == []
    # where nothing has changed, a James who is away is a warning
    assert ('"warnings"' if fault == "James is down" else '"result": false') in heard


def test_no_command_shows_it(watch: Watch) -> None:
    commands = ("status", "settings", "routes", "drift", "account", "backups", "credentials")
    for function in (*commands, "relay", "loop_check", "client_auth"):
        assert watch.call(f"sendmail_james.{function}")[1] == []
    said, wrong = watch.call("sendmail_james.probe", "verbose=True")
    assert (wrong, ">>> AUTH PLAIN (hidden)" in said) == ([], True)


def searched(*places: str) -> list[str]:
    """Give what shows the password in the output of commands."""
    found = []
    for place in places:
        done = subprocess.run(place, shell=True, capture_output=True, check=False)
        found += [f"{place}: {shape}" for shape in leaks.shown(done.stdout + done.stderr)]
    return found


def test_nothing_that_others_can_read_holds_it(watch: Watch) -> None:
    since = time.time()
    for own in OWN:
        Path(own).unlink()
    with another_password():
        sent = [recipe.send(address, by=by) for address in recipe.PEOPLE for by in ("root", "bob")]
        watch.call("state.apply", "sendmail_james")
        pristine.run("sendmail", "-q")
        pristine.run("sendmail", "-Ac", "-q")
        queue = "cat /var/spool/mqueue*/* /var/mail/* /var/tmp/dead.letter /root/dead.letter"
        assert recipe.queue_files()
        assert searched(queue, "mailq -v", "mailq -Ac -v") == []
    watch.call("state.apply", "sendmail_james")
    recipe.send("nosuch", by="bob")
    for queue in ("-Am", "-Ac", "-Am"):
        pristine.run("sendmail", queue, "-q")
    for subject in sent:
        recipe.arrives(subject)
    assert searched("journalctl --all", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ") == []
    assert [path for path in OWN if leaks.shown(Path(path).read_bytes())] == list(OWN)
    assert exposed(since) == {}
    private = leaks.files(WRITTEN, since=since, private=True, but=("/var/cache", "/var/lib/james"))
    known = ("/etc/mail/james-", "/var/backups/sendmail_james/", str(watch.pillars), "/run/host")
    # Salt's log at level all holds the pillar file as Salt rendered it, see above.
    assert [path for path in private if not path.startswith((*known, str(watch.log)))] == []
    mail = json.dumps([mail for _, mail in recipe.mails()])
    assert (leaks.shown(mail), "Returned mail" in mail) == ([], True)


def test_no_process_shows_it_while_salt_call_runs(
    watch: Watch, minion: Any, minion_call: Callable[..., Any]
) -> None:
    for own in OWN:
        Path(own).unlink()
    minion_call("test.true", pillar=PILLAR)
    program = minion.salt_call_cli(timeout=600).run  # the one that has a command line of its own
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for process in os.listdir("/proc"):  # noqa: PTH208
                if process.isdecimal():
                    for name in ("cmdline", "environ"):
                        with suppress(OSError):
                            seen.add(Path("/proc", process, name).read_bytes())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        applied = program("--log-level=all", "state.apply", "sendmail_james")
        probed = program("sendmail_james.probe")
    finally:
        over.set()
        watcher.join()
    assert applied.returncode == probed.returncode == 0, applied.stdout
    assert any(b"state.apply" in line for line in seen)
    assert any(b"/usr/sbin/sendmail" in line for line in seen)
    assert leaks.shown(b"\n".join(seen)) == []
    assert leaks.shown(f"{applied.stdout}{applied.data}{probed}") == []
    records = re.split(r"^(?=\[[A-Z]+ *\] )", applied.stderr, flags=re.MULTILINE)
    shown = [record for record in records if leaks.shown(record)]
    assert [record for record in shown if "Rendered data from file: " not in record] == []


USER = {
    "traced": "strace -f -s 4096 -o /tmp/bob.trace sendmail -v bob </dev/null; cat /tmp/bob.trace",
    "crashed": (
        "cd /tmp; ulimit -c unlimited; sendmail -v bob <&1 & sleep 0.3; kill -SEGV $!; wait;"
        "cat /tmp/core* /var/spool/mqueue-client/core*"
    ),
    "in memory": "cat /proc/[0-9]*/environ /proc/[0-9]*/mem",
    "in backups": "cat /var/backups/sendmail_james/*/* /var/lib/sendmail_james/*",
    "in links": "ln -s /etc/mail/james-msp-auth-info /tmp/l; sendmail -C/tmp/l -d99; cat /tmp/l",
    "as a list": "sendmail -v -oA/etc/mail/james-msp-auth-info -bv bob; sendmail -bi",
    "as an include": (
        "echo ':include:/etc/mail/james-msp-auth-info' > /tmp/inc; sendmail -v -oi"
        " ':include:/etc/mail/james-msp-auth-info' < /tmp/inc; cat ~/dead.letter"
    ),
}


@pytest.mark.parametrize("way", USER)
def test_an_ordinary_user_does_not_find_it(way: str) -> None:
    assert leaks.shown(by("bob", USER[way])) == []


def by(user: str, command: str) -> bytes:
    """Give all that a user's command shows."""
    mail = b"Subject: 1\n\n2\n"
    who = {"user": user, "group": user, "extra_groups": [], "cwd": "/tmp"}
    done = subprocess.run(command, shell=True, input=mail, capture_output=True, check=False, **who)
    return done.stdout + done.stderr


@pytest.mark.parametrize("way", ["in backups", "in links"])
def test_root_finds_it_in_the_same_way(way: str) -> None:
    assert leaks.shown(by("root", USER[way].replace("ln -s", "ln -sf")))


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    for name, shape in leaks.SHAPES.items():
        assert name in leaks.shown(b"before" + shape + b"after")
    tmp_path.chmod(0o755)
    planted = tmp_path / "planted"
    planted.write_bytes(leaks.SHAPES["base64 at 1 of it"])
    assert str(planted) in leaks.files([str(tmp_path)])
    planted.chmod(0o600)
    assert leaks.files([str(tmp_path)]) == {}
    assert str(planted) in leaks.files([str(tmp_path)], private=True)


def test_the_search_finds_what_is_logged(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(*_: Any, **__: Any) -> Any:
        logging.getLogger("sendmail_james").debug("the pillar is %r", PASSWORD)
        raise RunError(f"no way with {PASSWORD}")

    monkeypatch.setattr(live, "go_live", careless)
    monkeypatch.setattr(load, "shown", lambda value, *_: value)  # the last net
    wrong = watch.call("state.apply", "sendmail_james")[1]
    assert any(line.startswith("logged: [sendmail_james:") for line in wrong)
    assert any(line.startswith("returned: ") for line in wrong)
