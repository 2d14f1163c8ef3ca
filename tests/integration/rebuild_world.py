"""A host that the formula was applied to, and what tests ask of it after somebody rebuilds it."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import uuid
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from support import james, pristine

MAIL = Path("/etc/mail")
CF, MC, MSP_CF = MAIL / "sendmail.cf", MAIL / "sendmail.mc", MAIL / "submit.cf"
PASSWORD = "s3cret"  # of the account sendmail, as the fixture james_server makes it
PILLAR: dict[str, Any] = {
    "auth": {"username": "sendmail", "password": PASSWORD},
    "daemon": {"programs_interval": "1s"},
}
# all that needs no James: he may not even be there yet
STEPS = "sendmail_james.relay,sendmail_james.loop,sendmail_james.auth"
RUNNERS = "The queue runners work with the live configuration"
UNKNOWN = "no-such-user"
FORMS = ("bob", UNKNOWN, "bob@localhost", "bob@mail.example.test", "somebody@example.net")
SENDERS = {"root": ("sendmail", "-Am"), "bob": ("runuser", "-u", "bob", "--", "sendmail")}
Call = Callable[..., Any]
Tree = dict[str, tuple[Any, ...]]


def fresh_james() -> None:
    """Do what the fixture james_server does, for a host that several tests share."""
    pristine.remember()
    pristine.restore(listening=False)
    james.start()
    james.add_user("alice", "bob", "mailer-daemon", "postmaster", "root", "sendmail")


def formula(**changes: Any) -> dict[str, Any]:
    """Give the pillar of these tests, with whole sections changed."""
    return {"sendmail_james": PILLAR | changes}


def tree(
    folder: str = "/etc", *, but: Collection[str] = (), times: bool = True, inodes: bool = False
) -> Tree:
    """Give kind, mode, owner, time and content of everything in a folder but some paths."""
    paths = (path for path in Path(folder).rglob("*") if str(path) not in but)
    return {str(path): _entry(path, times, inodes) for path in paths}


def _entry(path: Path, times: bool, inodes: bool) -> tuple[Any, ...]:
    seen = path.lstat()
    content: Any = None
    if stat.S_ISREG(seen.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(seen.st_mode):
        content = path.readlink()
    # A folder's time tells that something in it was renamed, which is no difference to its users.
    time = seen.st_mtime_ns if times and not stat.S_ISDIR(seen.st_mode) else None
    return (oct(seen.st_mode), seen.st_uid, seen.st_gid, time, content, inodes and seen.st_ino)


def differences(before: Tree, after: Tree) -> list[str]:
    """Name what differs between two trees, with both entries."""
    paths = sorted(before.keys() | after.keys())
    return [
        f"{path}: {before.get(path)} -> {after.get(path)}"
        for path in paths
        if before.get(path) != after.get(path)
    ]


def results(returned: Any) -> dict[str, tuple[Any, Any, str]]:
    """Give result, changes and comment of each state of a run, by its ID."""
    assert isinstance(returned.data, dict), returned
    return {
        tag.split("_|-")[1]: (one["result"], one["changes"], one["comment"])
        for tag, one in returned.data.items()
    }


def apply(call: Call, what: str = "sendmail_james", **keywords: Any) -> Any:
    """Apply the formula and see that all of its states succeed; give what they changed, by ID."""
    found = results(call("state.apply", what, **keywords))
    wrong = {name: comment for name, (result, _, comment) in found.items() if result is False}
    assert not wrong, wrong
    return {name: changes for name, (_, changes, _) in found.items() if changes}


def refused(call: Call, what: str = "sendmail_james", **keywords: Any) -> str:
    """Apply the formula, see that it fails, and give all that it says."""
    returned = call("state.apply", what, **keywords)
    assert returned.returncode != 0, returned
    if not isinstance(returned.data, dict):
        return str(returned.data)
    failed = [comment for result, _, comment in results(returned).values() if result is False]
    assert failed, returned
    return "\n".join(failed)


def send_all_forms() -> str:
    """Send every form of address as root and as an ordinary user; give the subject of them all."""
    subject = uuid.uuid4().hex
    for sender, command in SENDERS.items():
        for to in FORMS:
            text = f"From: {sender}\nTo: {to}\nSubject: {subject}\n\nhello\n"
            subprocess.run([*command, "-i", to], input=text, text=True, check=True)
    return subject


def arrived(subject: str, repository: str) -> list[str]:
    """Give who got the messages with this subject that James put somewhere, without the domain."""
    return sorted(
        to.split("@")[0]
        for mail in james.mails(repository)
        if mail["headers"].get("Subject") == [subject]
        for to in mail["recipients"]
    )


def all_mail_reaches_james() -> None:
    """Send every form, as root and as a user, and wait until James has each, authenticated."""
    james.forget_mails()
    subject = send_all_forms()
    wanted = {
        "local": [form.split("@")[0] for form in FORMS if form.startswith("bob")] * len(SENDERS),
        "relay": ["somebody"] * len(SENDERS),
        "returned": sorted(SENDERS),
    }

    def seen() -> bool:
        found = {name: arrived(subject, name) for name in ("local", "relay")}
        return found | {"returned": returned()} == wanted

    james.wait_for(seen, what="every form of address at James, and the bounces")
    assert james.mails("unauthenticated") == []


def returned() -> list[str]:
    """Give who got a message back, through James."""
    bounces = [mail for mail in james.mails("local") if mail["sender"] in (None, "", "<>")]
    return sorted(to.split("@")[0] for mail in bounces for to in mail["recipients"])


class Applied:
    """A host whose files are put back, after each test, to what the first highstate made them."""

    copy = Path("/srv/applied")

    def __init__(self) -> None:
        shutil.rmtree(self.copy, ignore_errors=True)
        for folder in pristine.FOLDERS:
            (self.copy / folder).mkdir(parents=True)
            pristine.run(*pristine.SAME, f"/{folder}/", f"{self.copy / folder}/")

    def files(self) -> list[str]:
        """Bring back the files, and name those that differed."""
        changed: list[str] = []
        for folder in pristine.FOLDERS:
            said = pristine.run(*pristine.SAME, f"{self.copy / folder}/", f"/{folder}/")
            changed += [line for line in said.splitlines() if line[1] == "f"]
        return changed

    def put_back(self) -> None:
        """Bring back the files, and restart sendmail where one differed."""
        if self.files():
            pristine.run("systemctl", "daemon-reload")
            pristine.run("systemctl", "restart", "sendmail.service")
