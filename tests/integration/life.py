"""The acts of one host's life, played inside it: python life.py ACT.

What goes wrong is told at the act's end, all of it: the life goes on.
"""

from __future__ import annotations

import difflib
import json
import os
import pickle
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rebuild_world as world
import recipe
from forked_salt import ForkedSalt
from life_post import Post
from support import james, pristine

SHARED = Path("/srv/shared")
MAIL, CF, MC = world.MAIL, world.CF, world.MC
CREDENTIALS = (MAIL / "james-auth-info", MAIL / "james-msp-auth-info")
OTHER_FILE = MAIL / "other-auth-info"
SWITCH = MAIL / "james-service.switch"
INTERVALS = {"queue_interval": "3s", "programs_interval": "1s"}
NEW_PASSWORD = "the second, 'quoted' & longer: ß"
HELLO = {"hello_name": "james.example.test"}  # so that sendmail's loop check may be on
PACKAGES = ("sendmail-base", "sendmail-bin", "sendmail-cf")
MASQUERADE = "MASQUERADE_AS(`example.org')dnl\n"
TIMEOUT = ("O Timeout.queuereturn=5d", "O Timeout.queuereturn=4d")
# What Debian's tools make anew on any host, dates and all, and what tells this James how to be.
MADE = {
    *("/etc/mail/aliases.db", "/etc/aliases.db", "/etc/mail/access.db"),
    *("/etc/mail/Makefile", "/etc/mail/databases", "/etc/default/james"),
    *("/etc/mail/sendmail.cf.old", "/etc/mail/submit.cf.old"),
    # The package's own script writes our mechanisms into this one; nothing of it is in use.
    "/etc/mail/sasl/sasl.m4",
}
# Where a password may be left; the pillar is elsewhere.
KEPT = ("/etc", "/var/backups/sendmail_james", "/var/lib/sendmail_james", "/run", "/tmp")


class Life:
    """One host, its Salt, its mail, and what has gone wrong."""

    def __init__(self) -> None:
        self.salt = ForkedSalt("/srv/minion/minion")
        self.post = Post(SHARED / "ledger.json")
        self.password = recipe.PASSWORD
        self.wrong: list[str] = []

    def step(self, what: str, do: Callable[[], object]) -> None:
        """Live through one step, and tell how it went."""
        start = time.monotonic()
        try:
            do()
        except Exception as err:
            line = traceback.extract_tb(err.__traceback__)[-1].lineno
            self.wrong.append(f"{what}: {type(err).__name__} {err} (line {line})")
        said = "WRONG" if self.wrong and self.wrong[-1].startswith(f"{what}: ") else "well"
        print(f"{said:6} {time.monotonic() - start:5.1f} s  {what}", flush=True)

    def pillar(self, **sections: Any) -> dict[str, Any]:
        """Give the usual pillar with other sections, and with today's password."""
        found = recipe.pillar(**{"daemon": INTERVALS} | sections)
        if auth := found["sendmail_james"].get("auth"):
            auth["password"] = self.password
        return found

    def apply(self, **sections: Any) -> None:
        """Apply the formula with another pillar; afterwards the host is as it says."""
        write_pillar(self.pillar(**sections))
        result = self.salt.call("state.apply", "sendmail_james")
        assert isinstance(result, dict), result
        failed = {one["__id__"]: one["comment"] for one in result.values() if not one["result"]}
        assert not failed, failed
        self.nothing_differs()

    def nothing_differs(self) -> None:
        """See that pillar and host agree."""
        found = self.salt.call("sendmail_james.drift")
        assert found == {}, found

    def arrives(self, *ways: tuple[str, str], at: str) -> None:
        """Send a message each way, and see that it arrives at one of James's repositories."""
        subjects = [self.post.send(*way) for way in ways]
        found = [recipe.arrives(subject) for subject in subjects]
        assert found == [[at]] * len(ways), found

    def logged_in(self) -> None:
        """See that mail of root and of programs arrives with a login, a remote address's too."""
        self.arrives(("bob", "root"), ("bob", "bob"), at="local")
        self.arrives(("someone@example.org", "bob"), ("someone@example.org", "root"), at="relay")

    # -- what is done to the host ------------------------------------------------------------------

    def first_apply(self) -> None:
        with self.post.paused():
            pristine.run("systemctl", "stop", "sendmail.service")
            recipe.new_james(**HELLO)
        self.apply()
        self.logged_in()

    def auth_goes(self) -> None:
        self.apply(auth=None, account=None)
        left = [str(path) for path in CREDENTIALS if path.exists()]
        left += [str(path) for path in (CF, world.MSP_CF) if "jamesauth" in text(path)]
        assert left == [], left
        assert "O DeliveryMode=queue" not in text(world.MSP_CF)
        self.arrives(("bob", "root"), ("bob", "bob"), at="unauthenticated")
        assert not (found := exposed(self.password)), found

    def auth_comes_back_with_other_intervals(self) -> None:
        self.apply(daemon={"queue_interval": "7s", "programs_interval": "2s"})
        assert all(path.exists() for path in CREDENTIALS)
        assert any("Queue runner@00:00:07" in line for line in pristine.sendmail_daemons())
        self.logged_in()

    def no_dns_and_the_usual_intervals(self) -> None:
        self.apply(relay={"dns": False})
        assert SWITCH.exists()
        assert any("Queue runner@00:00:03" in line for line in pristine.sendmail_daemons())
        self.logged_in()

    def dns_comes_back_and_the_login_moves(self) -> None:
        self.apply(auth={"file": str(OTHER_FILE)})
        assert not SWITCH.exists()
        assert str(SWITCH) not in text(CF) + text(world.MSP_CF)
        assert OTHER_FILE.exists() and not CREDENTIALS[0].exists()
        self.logged_in()

    def the_login_moves_back_and_loops_are_looked_for(self) -> None:
        self.apply(loop={"check": True})
        assert CREDENTIALS[0].exists() and not OTHER_FILE.exists()
        assert "k" not in flags()
        self.logged_in()

    def no_loop_check_and_no_mc(self) -> None:
        self.apply(mc={"manage": False})
        assert "k" in flags()
        assert "sendmail_james" not in text(MC) + text(MAIL / "submit.mc")
        self.logged_in()

    def the_mc_comes_back_and_builds_the_cf(self) -> None:
        self.apply(mc={"manage": "auto"})
        assert "sendmail_james" in text(MC)
        pristine.run("touch", str(MC))
        with self.restarted_by_others():
            pristine.run("systemctl", "restart", "sendmail.service")
        self.nothing_differs()
        self.logged_in()

    @contextmanager
    def restarted_by_others(self) -> Iterator[None]:
        """Have nothing on its way: a restart that is not ours may send a message twice."""
        with self.post.paused():
            self.post.settle()
            yield

    def rotation(self) -> None:
        old, self.password = self.password, NEW_PASSWORD
        write_pillar(self.pillar(account={"update": True}))
        said = self.salt.call("sendmail_james.rotate")
        assert isinstance(said, dict) and said, said
        self.apply(account={"update": True})
        self.apply()
        self.logged_in()
        assert not (found := exposed(old)), found
        found = exposed(self.password)
        assert found == sorted(map(str, CREDENTIALS)), found

    def an_administrator_edits(self) -> None:
        masquerade(MC)
        with self.restarted_by_others():
            pristine.run("systemctl", "restart", "sendmail.service")
        assert "\nDMexample.org\n" in text(CF)
        other_timeout(CF)
        self.apply()
        assert "\nDMexample.org\n" in text(CF) and TIMEOUT[1] in text(CF)
        self.logged_in()

    def a_reinstall(self) -> None:
        with self.restarted_by_others():
            subprocess.run(
                ["apt-get", "install", "--reinstall", "--no-download", "--yes", *PACKAGES],
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                check=True,
            )
        self.apply()
        assert "\nDMexample.org\n" in text(CF)
        assert TIMEOUT[1] not in text(CF), "what is in no mc, Debian's own rebuild takes away"
        other_timeout(CF)
        self.apply()
        assert TIMEOUT[1] in text(CF)
        self.logged_in()

    def quiet(self) -> None:
        """See that one more highstate changes nothing."""
        result = self.salt.call("state.apply", "sendmail_james")
        assert {one["result"] for one in result.values()} == {True}, result
        assert {name: one["changes"] for name, one in result.items() if one["changes"]} == {}

    def shut_down_with_mail_waiting(self) -> None:
        with self.post.paused():
            self.post.settle()
            self.post.keep()
            james.stop()
            for way in (("bob", "bob"), ("bob", "root")):
                self.post.send(*way)
            self.post.write()
        (SHARED / "password").write_text(self.password)

    def after_the_boot(self) -> None:
        self.password = (SHARED / "password").read_text()
        with self.post.paused():
            james.start(**HELLO)
            james.add_user(*recipe.PEOPLE)
            james.add_user("sendmail", password=self.password)
        self.nothing_differs()
        self.quiet()
        with self.post.paused():
            self.post.settle()
        self.logged_in()

    def the_end(self) -> None:
        with self.post.paused():
            self.post.settle()
            self.post.keep()
            james.stop()
        result = self.salt.call("state.apply", "sendmail_james.clean")
        assert isinstance(result, dict), result
        assert {one["result"] for one in result.values()} == {True}, result
        james.wait_for(pristine.sendmail_is_stock, what="one sendmail that listens")
        assert not (found := exposed(self.password)), found

    def as_before_and_the_edits(self) -> None:
        """Compare all of /etc with what it was and what the administrator has done since."""
        before: dict[str, bytes] = pickle.loads((SHARED / "etc").read_bytes())
        wanted = Path("/tmp/wanted")
        for path, edits in ((MC, (masquerade,)), (CF, (masqueraded, other_timeout))):
            wanted.write_bytes(before[str(path)])
            for edit in edits:
                edit(wanted)
            before[str(path)] = wanted.read_bytes()
        now = etc()
        names = sorted(before.keys() | now.keys())
        wrong = [name for name in names if counts(name, before) != counts(name, now)]
        for name in wrong:
            both = (before.get(name, b""), now.get(name, b""))
            lines = [data.decode("latin-1").splitlines() for data in both]
            print(*difflib.unified_diff(*lines, name, lineterm="", n=0), sep="\n       ")
        assert wrong == [], wrong

    def every_message_once(self) -> None:
        self.post.settle(now=True)
        recipe.all_gone()
        wrong = self.post.wrong()
        print(f"       {len(self.post.sent)} messages sent")
        assert wrong == {}, wrong


def write_pillar(pillar: dict[str, Any]) -> None:
    """Make a pillar the minion's."""
    given = SHARED / "pillar/given.sls"
    given.touch(mode=0o600)
    given.write_text("#!json\n" + json.dumps(pillar) + "\n")


def text(path: Path) -> str:
    return path.read_text("latin-1")


def flags() -> str:
    """Give the flags of mailer esmtp."""
    return re.search(r"^Mesmtp,.*?F=(\w+)", text(CF), re.MULTILINE)[1]


def masquerade(mc: Path) -> None:
    """Edit an mc as an administrator does, above the mailers."""
    found = text(mc)
    assert found.count("MAILER_DEFINITIONS\n") == 1
    wanted = found.replace("MAILER_DEFINITIONS\n", f"{MASQUERADE}MAILER_DEFINITIONS\n")
    mc.write_text(wanted, "latin-1")


def masqueraded(cf: Path) -> None:
    """Make of a cf what m4 makes of the edited mc."""
    cf.write_text(re.sub(r"(?m)^DM.*", "DMexample.org", text(cf)), "latin-1")


def other_timeout(cf: Path) -> None:
    """Edit a cf as an administrator does."""
    found = text(cf)
    assert TIMEOUT[0] in found
    cf.write_text(found.replace(*TIMEOUT), "latin-1")


def etc() -> dict[str, bytes]:
    """Give the content of every file in /etc, and where each link leads."""
    paths = [path for path in Path("/etc").rglob("*") if str(path) not in MADE]
    files = {str(p): p.read_bytes() for p in paths if p.is_file() and not p.is_symlink()}
    return files | {str(path): bytes(path.readlink()) for path in paths if path.is_symlink()}


def counts(name: str, files: dict[str, bytes]) -> bytes | None:
    """Give what counts of a file: comments of a cf or a table have the date of its making."""
    data = files.get(name)
    if data is None or not name.startswith(("/etc/mail/", "/etc/cron.d/")):
        return data
    return re.sub(rb"(?m)^#.*\n|^\s*\n", b"", data)


def exposed(password: str) -> list[str]:
    """Name the files that hold a password in any form."""
    found = []
    for folder in KEPT:
        for path in Path(folder).rglob("*"):
            if (
                path.is_file()
                and not path.is_symlink()
                and recipe.leaks(path.read_bytes(), password)
            ):
                found.append(str(path))
    return sorted(found)


def youth(life: Life) -> None:
    """Live until the shutdown."""
    pristine.run("systemctl", "restart", "sendmail.service")
    (SHARED / "etc").write_bytes(pickle.dumps(etc()))
    with life.post.flowing():
        life.step("the first apply", life.first_apply)
        life.step("auth goes", life.auth_goes)
        life.step("auth comes back, other intervals", life.auth_comes_back_with_other_intervals)
        life.step("no DNS, the usual intervals", life.no_dns_and_the_usual_intervals)
        life.step("DNS, another auth:file", life.dns_comes_back_and_the_login_moves)
        life.step("the usual file, loop check", life.the_login_moves_back_and_loops_are_looked_for)
        life.step("no loop check, no mc", life.no_loop_check_and_no_mc)
        life.step("the mc again", life.the_mc_comes_back_and_builds_the_cf)
        life.step("a rotation", life.rotation)
        life.step("an administrator's edits", life.an_administrator_edits)
        life.step("a reinstall", life.a_reinstall)
        life.step("one more highstate", life.quiet)
    life.step("a shutdown with mail waiting", life.shut_down_with_mail_waiting)


def age(life: Life) -> None:
    """Live from the boot to the end."""
    with life.post.flowing():
        life.step("the boot", life.after_the_boot)
        life.step("clean", life.the_end)
    life.step("/etc as before, and the edits", life.as_before_and_the_edits)
    life.step("every message once", life.every_message_once)


if __name__ == "__main__":
    one = Life()
    {"youth": youth, "age": age}[sys.argv[1]](one)
    print("\n".join(one.wrong))
    sys.exit(bool(one.wrong))
