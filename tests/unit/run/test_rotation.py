"""A new password is tried at James, and given to him where that is allowed, before it is live."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_servers import fake_server
from james_client.cf.login import find_required
from james_client.cf.text import Cf
from james_client.files.walk import FilesError
from james_client.james.line import JamesError, PeerError
from james_client.mta import processes
from james_client.run import owed, rotation, service, steps
from james_client.run.plan import Plan, RunError
from james_client.wishes import read
from james_client.wishes.platform import select
from support.squatter import squatter

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="writes where root alone may: needs root")

FORMULA = Path(__file__).parents[3] / "sendmail_james"
DEFAULTS, PLATFORMS = (
    yaml.safe_load((FORMULA / f"{name}.yaml").read_text()) for name in ("defaults", "platforms")
)
OLD, NEW = "old-Pa55word", "new-Pa55word"
HIDDEN = {"old": "(not shown)", "new": "(not shown)"}
TOLD = {"password": HIDDEN}
OFFLINE = {"service.offline": lambda: True}


@dataclass
class Fake:
    """A James who notes what he is asked; a real one neither lies nor shows in which order."""

    password: str = OLD
    exists: bool = True
    lies: bool = False
    replies: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    smtp: int = 0
    webadmin: str = ""

    def login(self, line: str) -> str:
        """Answer AUTH PLAIN."""
        *_, password = base64.b64decode(line.split()[2]).decode().split("\0")
        good = self.exists and password == self.password
        self.asked.append(f"AUTH {'yes' if good else 'no'}")
        return "235 in" if good else "535 5.7.8 Authentication Failed"

    def put(self, body: str) -> None:
        """Take a password."""
        if not self.lies:
            self.password, self.exists = json.loads(body)["password"], True


@contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    """Serve SMTP and WebAdmin for the length of a ``with``."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            fake.asked.append(f"{self.command} {self.path}")
            known = self.command != "HEAD" or fake.exists
            if self.command == "PUT" and self.path.startswith("/users/"):
                fake.put(body)
            self.send_response(200 if known else 404)
            text = b"[]" if self.command == "GET" else b""
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    def talk(connection: Any) -> None:
        stream = connection.makefile("rw", encoding="latin-1", newline="")
        for line in _lines(stream, fake):
            stream.write(line + "\r\n")
            stream.flush()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with fake_server(talk) as port:
            fake.smtp, fake.webadmin = port, f"http://127.0.0.1:{server.server_port}"
            yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _lines(stream: Any, fake: Fake) -> Iterator[str]:
    yield "220 fake"
    for line in stream:
        word = line.split()[0].upper()
        if word in fake.replies:
            yield fake.replies[word]
        elif word == "EHLO":
            yield "250-fake\r\n250 AUTH PLAIN"
        else:
            yield fake.login(line) if word == "AUTH" else "250 ok"
        if word == "QUIT":
            return


@dataclass
class World:
    """A host in a folder."""

    folder: Path
    fake: Fake

    def plan(self, password: str, *, host: str = "localhost", **sections: Any) -> Plan:
        """Give a plan whose credential step was taken."""
        plan = self.untouched(password, host=host, **sections)
        steps.take(rotation._CREDENTIALS, plan)
        return plan

    def untouched(self, password: str, *, host: str = "localhost", **sections: Any) -> Plan:
        """Give a plan of which no step was taken."""
        auth = {
            "username": "sendmail",
            "password": password,
            "allow_unprivileged_port": True,
            "mechanisms": ["PLAIN"],
        }
        account = {"webadmin": self.fake.webadmin, "timeout": 2}
        pillar = {
            "relay": {"host": host, "port": self.fake.smtp},
            "auth": auth | sections.get("auth", {}),
            "account": account | sections.get("account", {}),
            "lookup": {
                name: str(self.folder / name)
                for name in ("cf", "submit_cf", "mc", "submit_mc", "backups", "state_dir", "lock")
            }
            | {"knobs": []},
        }
        settings = read.load(pillar, DEFAULTS)
        if settings.auth is not None:  # a pillar may not name this folder
            own, programs = map(str, self.secrets())
            mine = replace(settings.auth, file=own, programs_file=programs)
            settings = replace(settings, auth=mine)
        platform = select(PLATFORMS, {"os_family": "Debian"}, settings.lookup)
        return Plan(settings, platform)

    def apply(self, password: str, **sections: Any) -> None:
        """Write what the auth step makes of the stock files."""
        for name, stock in (("cf", "sendmail.cf"), ("submit_cf", "submit.cf")):
            shutil.copy(f"/etc/mail/{stock}", self.folder / name)
        plan = self.untouched(password, **sections)
        steps.credentials(plan)
        steps.auth(plan)
        for one in plan.candidates():
            path, wanted = Path(one.path), one.wanted
            path.write_bytes(wanted.data or b"")
            path.chmod(wanted.mode)
            os.chown(path, wanted.uid, wanted.gid)

    def secrets(self) -> list[Path]:
        """Name the credential files."""
        return [self.folder / name for name in ("auth-info", "msp-auth-info")]


@pytest.fixture
def world() -> Iterator[World]:
    """Give a host whose login is live, and a James who knows it."""
    folder = Path(tempfile.mkdtemp(prefix="test.", dir="/var/lib"))
    with serving(Fake()) as fake:
        found = World(folder, fake)
        found.apply(OLD)
        yield found
    shutil.rmtree(folder)


def agree(plan: Plan, *, test: bool = False, insist: bool = False) -> rotation.Agreed:
    return rotation.agree(plan, OFFLINE, test=test, insist=insist)


MAY = {"account": {"update": True}}


def test_without_a_new_password_nobody_is_asked(world: World) -> None:
    assert agree(world.plan(OLD, **MAY)) == rotation.Agreed()
    assert world.fake.asked == []


def test_what_james_takes_goes_live_as_it_is(world: World) -> None:
    world.fake.password = NEW
    assert agree(world.plan(NEW, **MAY)) == rotation.Agreed(notes=("James takes the login",))
    assert world.fake.asked == ["AUTH yes"]


def test_james_is_told_before_the_host_and_asked_before_and_after(world: World) -> None:
    before = [path.read_bytes() for path in world.secrets()]
    told = agree(world.plan(NEW, **MAY))
    force = "PUT /users/sendmail?force"
    assert world.fake.asked == ["AUTH no", "HEAD /users/sendmail", force, "AUTH yes"]
    assert told.changes == TOLD
    assert [path.read_bytes() for path in world.secrets()] == before


def test_a_test_tells_him_nothing_and_says_the_same(world: World) -> None:
    plan = world.plan(NEW, **MAY)
    foretold = agree(plan, test=True)
    assert plan.told == TOLD, "the state that looks at the account does not say it again"
    assert world.fake.asked == ["AUTH no", "HEAD /users/sendmail"]
    assert agree(world.plan(NEW, **MAY)) == foretold


def test_an_account_that_is_not_there_is_made_first(world: World) -> None:
    world.fake.exists = False
    told = agree(world.plan(NEW, account={"create": True}))
    assert told.changes.keys() == {"account", "domain"}
    assert world.fake.asked[-2:] == ["PUT /users/sendmail", "AUTH yes"]


@pytest.mark.parametrize(
    ("account", "exists", "cure"),
    [
        ({}, True, "account:create: true and sendmail_james:account:update: true"),
        ({"create": True}, True, "with sendmail_james:account:update: true"),
        ({"update": True}, False, "with sendmail_james:account:create: true"),
        ({"webadmin": None}, True, "or put the one that he has into pillar"),
    ],
)
@pytest.mark.parametrize("test", [False, True])
def test_what_he_refuses_and_we_may_not_tell_him_is_refused(
    world: World, account: dict[str, Any], exists: bool, cure: str, test: bool
) -> None:
    world.fake.exists = exists
    with pytest.raises(RunError) as caught:
        agree(world.plan(NEW, account=account), test=test)
    said = str(caught.value)
    assert "535 5.7.8 Authentication Failed" in said and "nothing was changed" in said
    assert cure in said and "PUT /users/sendmail?force" in said
    assert NEW not in said
    assert not any("PUT" in asked for asked in world.fake.asked)


def test_a_webadmin_that_cannot_be_asked_leaves_all_as_it_is(world: World) -> None:
    closed = {"update": True, "webadmin": f"http://127.0.0.1:{world.fake.smtp}"}
    with pytest.raises(JamesError, match=r"refuses the login.*WebAdmin: .*no HTTP server"):
        agree(world.plan(NEW, account=closed))


def test_a_webadmin_that_lies_is_found_out(world: World) -> None:
    world.fake.lies = True
    with pytest.raises(RunError, match=r"James still refuses it .* no file was changed"):
        agree(world.plan(NEW, **MAY))
    assert world.fake.password == OLD


UNSAID = {
    "4xx": {"AUTH": "454 4.7.0 later"},
    "no AUTH": {"EHLO": "250 fake"},
    "busy": {"EHLO": "421 4.3.2 too busy"},
}


@pytest.mark.parametrize("how", UNSAID)
def test_a_james_who_says_nothing_holds_up_no_run_but_a_rotation(world: World, how: str) -> None:
    world.fake.replies = UNSAID[how]
    (note,) = agree(world.plan(NEW, **MAY)).notes
    assert note.startswith("James could not be asked whether he takes the login: ")
    with pytest.raises(JamesError):
        agree(world.plan(NEW, **MAY), insist=True)
    assert not any("PUT" in asked for asked in world.fake.asked)


def test_where_nothing_listens_it_is_the_same(world: World) -> None:
    plan = world.plan(NEW, **MAY)
    plan.settings = replace(plan.settings, relay=replace(plan.settings.relay, port=1))
    assert "nothing listens there" in agree(plan).notes[0]


def test_without_compulsory_auth_nothing_goes_live_unasked(world: World) -> None:
    world.fake.replies = UNSAID["4xx"]
    loose = {"auth": {"required": False}}
    with pytest.raises(JamesError, match=r"454 4\.7\.0 later.* mail would bounce"):
        agree(world.plan(NEW, **loose))
    for path in world.secrets():  # a first run has nothing to put out of order
        path.unlink()
    assert "could not be asked" in agree(world.plan(NEW, **loose)).notes[0]


def test_sendmails_own_port_is_not_taken_for_jamess(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before the first run; a fake look, for sendmail has no other port than 25."""
    real = processes.look

    def look(told_by: Any, ports: Any) -> Any:
        ours = processes.Listener(world.fake.smtp, "0.0.0.0", "sendmail-mta", True, 77)
        return replace(real(told_by, ports), listeners=(ours,))

    monkeypatch.setattr(processes, "look", look)
    held = f"sendmail-mta (pid 77) holds port {world.fake.smtp}"
    assert held in agree(world.plan(NEW, **MAY)).notes[0]
    with pytest.raises(JamesError, match="sendmail-mta"):
        rotation.is_refused(world.untouched(OLD, **MAY), patient=False)
    assert world.fake.asked == []


def test_who_is_not_known_to_be_james_is_told_nothing(world: World) -> None:
    """Two hold his port, the one who is reached is a user: also a highstate stops there."""
    with squatter("127.0.0.7", world.fake.smtp, "smtp", user="nobody") as user:
        plan = world.plan(NEW, host="[127.0.0.7]", **MAY)
        for insist in (False, True):
            with pytest.raises(PeerError, match=r"user nobody .* nothing was sent"):
                agree(plan, insist=insist)
        heard = user.heard()
    assert b"AUTH" not in heard
    assert world.fake.asked == []


def test_mail_that_would_leave_without_a_login_stops_it(world: World) -> None:
    world.apply(OLD, auth={"required": False})
    for test in (True, False):
        with pytest.raises(RunError, match=r"cf: mail leaves without .*auth:required"):
            agree(world.plan(NEW, **MAY), test=test)
    assert world.fake.password == OLD
    world.apply(OLD)  # the twin: with the rules of auth:required
    assert find_required(Cf((world.folder / "cf").read_bytes()))
    assert agree(world.plan(NEW, **MAY)).changes == TOLD


def test_so_does_a_login_of_the_how_tos_form(world: World) -> None:
    for name, stock in (("cf", "sendmail.cf"), ("submit_cf", "submit.cf")):
        text = Path(f"/etc/mail/{stock}").read_bytes()
        (world.folder / name).write_bytes(text + b"O DefaultAuthInfo=/etc/mail/auth-info\n")
    with pytest.raises(RunError, match="mail leaves without a login"):
        agree(world.plan(NEW, **MAY))
    world.apply(OLD)
    shutil.copy("/etc/mail/sendmail.cf", world.folder / "cf")  # no login at all: a first run
    shutil.copy("/etc/mail/submit.cf", world.folder / "submit_cf")
    assert agree(world.plan(NEW, **MAY)).changes == TOLD


def test_a_restart_that_is_owed_comes_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sendmail may still work with a cf in which AUTH is not compulsory."""
    plan = world.plan(NEW, **MAY)
    owed.owe(plan)
    with pytest.raises(RunError, match=r"has not been restarted .* then run this again"):
        agree(plan)
    assert world.fake.password == OLD
    monkeypatch.setattr(service, "restart", lambda *_: world.fake.asked.append("restart"))
    world.fake.asked.clear()
    rotation.agree(plan, {}, test=False)
    told = [asked for asked in world.fake.asked if asked == "restart" or "PUT" in asked]
    assert told == ["restart", "PUT /users/sendmail?force"]


def rotate(plan: Plan, *, test: bool = False) -> Any:
    return rotation.rotate(plan, OFFLINE, test=test)


def test_a_rotation_changes_james_and_both_files(world: World) -> None:
    files = {*map(str, world.secrets())}
    foretold = rotate(world.untouched(NEW, **MAY), test=True)
    done = rotate(world.untouched(NEW, **MAY))
    assert done == foretold and done.keys() == {"password", *files}
    assert world.fake.password == NEW
    wanted = steps.credential_map(world.untouched(NEW).settings.auth)
    assert [path.read_bytes() for path in world.secrets()] == [wanted] * 2
    assert not owed.is_owed(world.untouched(NEW)), "the files are read anew for each login"
    assert rotate(world.untouched(NEW, **MAY)) == {}


def test_a_rotation_goes_live_last(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = rotation.live.go_live

    def go_live(*given: Any, **keywords: Any) -> Any:
        world.fake.asked.append("live")
        return real(*given, **keywords)

    monkeypatch.setattr(rotation.live, "go_live", go_live)
    rotate(world.untouched(NEW, **MAY))
    assert world.fake.asked[-3:] == ["PUT /users/sendmail?force", "AUTH yes", "live"]


def test_a_host_that_cannot_follow_says_that_james_is_ahead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise FilesError("the disk is full")

    monkeypatch.setattr(rotation.live, "go_live", fail)
    with pytest.raises(FilesError, match=r"the disk is full\nJames knows .* run again"):
        rotate(world.untouched(NEW, **MAY))
    with pytest.raises(FilesError, match=r"^the disk is full$"):
        rotate(world.untouched(NEW, **MAY))  # he is not told again
    monkeypatch.undo()
    assert rotate(world.untouched(NEW, **MAY)).keys() == {*map(str, world.secrets())}


def test_two_rotations_leave_the_last(world: World) -> None:
    for password in (NEW, "third-Pa55word", OLD):
        rotate(world.untouched(password, **MAY))
    assert world.fake.password == OLD
    held = [path for path in world.folder.rglob("*") if path.is_file()]
    for gone in (NEW, "third-Pa55word"):
        word = base64.b64encode(gone.encode())
        assert not any(word in path.read_bytes() for path in held)


def test_a_rotation_mends_a_james_who_refuses_the_live_password(world: World) -> None:
    world.fake.password = "another"
    assert rotate(world.untouched(OLD, **MAY)) == TOLD
    assert world.fake.password == OLD


@pytest.mark.parametrize("spoil", ["stock", "another file", "no auth"])
def test_a_host_without_the_login_is_sent_to_the_highstate(world: World, spoil: str) -> None:
    plan, words = world.untouched(NEW), "the highstate first"
    if spoil == "stock":
        shutil.copy("/etc/mail/sendmail.cf", world.folder / "cf")
    elif spoil == "another file":
        other = replace(plan.settings.auth, file=str(world.folder / "other-auth-info"))
        plan.settings = replace(plan.settings, auth=other)
    else:
        plan, words = world.untouched(NEW, auth={"enabled": False}), "expected pillar .*:auth"
    with pytest.raises(RunError, match=words):
        rotate(plan)
    assert world.fake.asked == []


def test_the_live_login_is_mended_and_no_other(world: World) -> None:
    def refused(password: str, **sections: Any) -> bool:
        return rotation.is_refused(world.untouched(password, **sections), patient=False)

    assert not refused(OLD, **MAY)
    world.fake.password = "another"
    assert refused(OLD, **MAY)
    assert not refused(OLD), "account:update is not true"
    world.fake.asked.clear()
    assert not refused(NEW, **MAY), "it is not live: the host would be behind James"
    assert world.fake.asked == []


@pytest.mark.parametrize(
    ("spoil", "is_ours"),
    [
        (lambda data: data, True),
        (lambda data: data.replace(b"P=", b"P=x"), True),
        (lambda data: data.rstrip(b"\n"), True),
        (lambda data: data + b"more\n", False),
        (lambda data: data.replace(b"realm", b"other"), False),
        (lambda _: b"sendmail\nsendmail\npassword\nrealm\n", False),
    ],
)
def test_a_credential_file_is_known_by_its_form(
    world: World, spoil: Callable[[bytes], bytes], is_ours: bool
) -> None:
    auth = world.untouched(OLD).settings.auth
    assert auth is not None
    assert steps.is_credential_map(spoil(steps.credential_map(auth))) is is_ours
