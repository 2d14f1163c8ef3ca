"""What the tests of the whole recipe share: pillar, mail that can be told apart, and eyes."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support import james, pristine

PASSWORD = "Tea & 'Cake' #7: äöü"
FQDN = "mail.example.test"
MAIL = Path("/etc/mail")
PILLAR: Mapping[str, Any] = {
    "daemon": {"queue_interval": "5s", "programs_interval": "5s"},
    "auth": {"username": "sendmail", "password": PASSWORD},
    "account": {"webadmin": "http://127.0.0.1:8000", "create": True, "timeout": 30},
}
PEOPLE = ("alice", "bob", "mailer-daemon", "postmaster", "root")
SENDMAILS = {"sendmail", "sendmail-mta", "sendmail-msp", "m4", "makemap", "make", "newaliases"}
QUEUES = (Path("/var/spool/mqueue"), Path("/var/spool/mqueue-client"))
SENDMAIL = "/usr/sbin/sendmail"
_numbers = itertools.count()
_james: dict[str, Any] = {}  # what James runs with


def pillar(**sections: Any) -> dict[str, Any]:
    """Give the usual pillar with other sections; None takes a section away, a dict goes into it."""
    found = copy.deepcopy(dict(PILLAR))
    for name, section in sections.items():
        if section is None:
            found.pop(name, None)
        else:
            found[name] = {**found.get(name, {}), **section}
    return {"sendmail_james": found}


def fresh_host(**settings: Any) -> None:
    """Put the host back, stop sendmail, and start a fresh James with SETTINGS."""
    pristine.remember()
    pristine.restore(listening=False)
    new_james(**settings)
    james.remove_user("sendmail")


def new_james(**settings: Any) -> None:
    """Start James anew with SETTINGS, its people and sendmail's account."""
    _james.clear()
    _james.update(settings)
    james.start(**settings)
    james.add_user(*PEOPLE)
    james.add_user("sendmail", password=PASSWORD)


def usual_james() -> None:
    """Have a James without SETTINGS, as after `new_james` but for its mails."""
    if _james or not james.running():
        new_james()
    james.add_user(*PEOPLE)
    james.add_user("sendmail", password=PASSWORD)


def states(result: Any) -> dict[str, dict[str, Any]]:
    """Give a state run's states by their IDs, in the order in which they ran."""
    assert isinstance(result.data, dict), result
    ordered = sorted(result.data.values(), key=lambda state: state["__run_num__"])
    return {state["__id__"]: state for state in ordered}


def changes(result: Any) -> dict[str, Any]:
    """Give the changes of each state that has any."""
    return {name: state["changes"] for name, state in states(result).items() if state["changes"]}


def failures(result: Any) -> dict[str, str]:
    """Give the comment of each state that failed."""
    return {
        name: state["comment"] for name, state in states(result).items() if state["result"] is False
    }


def apply(call: Callable[..., Any], *arguments: str, **sections: Any) -> Any:
    """Apply the formula, or one of its SLS files, with the usual pillar and see nothing fail."""
    result = call("state.apply", *(arguments or ("sendmail_james",)), pillar=pillar(**sections))
    assert not failures(result), failures(result)
    return result


def send(
    address: str, *, by: str = "root", sender: str | None = None, options: tuple[str, ...] = ()
) -> str:
    """Send a message as root by -Am, or as another user as programs do; give its subject.

    With OPTIONS root, too, sends as programs do.
    """
    subject = f"test {uuid.uuid4().hex} {next(_numbers)}"
    argv = [SENDMAIL, "-oi", "-oem", *(options or ["-Am"] * (by == "root"))]
    argv += [] if sender is None else ["-f", sender or "<>"]
    done = subprocess.run(
        argv if "-t" in options else [*argv, "--", address],
        input=f"To: {address}\nSubject: {subject}\n\nhello\n",
        capture_output=True,
        text=True,
        check=False,
        user=by,
        group=by,
        extra_groups=[],
        env={"PATH": os.environ["PATH"], "LOGNAME": by, "HOME": "/tmp"},
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return subject


@cache
def _mail(repository: str, key: str) -> dict[str, Any]:
    return james.mail(repository, key)


def mails(*repositories: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give repository and content of James's mails, each asked for only once."""
    for name in repositories or james.REPOSITORIES:
        for key in james.keys(name):
            yield name, _mail(name, key)


def found(subject: str) -> list[str]:
    """Give the James repositories that hold a message, once for each copy."""
    return [name for name, mail in mails() if subject in mail["headers"].get("Subject", ())]


def returned(to: str) -> list[dict[str, Any]]:
    """Give the reports of failure that James has for a local name."""
    wanted = ([f"{to}@{FQDN}"], [f"{to}@localhost"])
    return [
        mail
        for _, mail in mails("local", "unauthenticated", "address-error")
        if mail["recipients"] in wanted
        and "failure" in " ".join(mail["headers"].get("Auto-Submitted", ()))
    ]


def arrives(subject: str, timeout: float = james.EVENT_SECONDS) -> list[str]:
    """Wait until a message is at James, and give the repositories that hold it."""
    return james.wait_for(lambda: found(subject), timeout, f"{subject!r} at James")


def queued() -> str:
    """Give what mailq says of both queues."""
    return pristine.run("mailq")


def queue_files() -> list[Path]:
    """Give the control files of all waiting messages."""
    return [path for queue in QUEUES for path in queue.rglob("[qhQ]f*")]


def all_gone() -> None:
    """Wait until no message waits in any queue."""
    james.wait_for(lambda: not queue_files(), what="empty queues")


def forget_mail() -> None:
    """Empty the queues and then James's repositories of what an earlier test left."""
    all_gone()
    james.forget_mails()


def digest(*folders: str) -> dict[str, str]:
    """Give content, mode, owner and time of every file below folders."""
    return {str(path): _seen(path) for folder in folders for path in _files(Path(folder))}


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*"))


def _seen(path: Path) -> str:
    status = path.lstat()
    content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    facts = f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {status.st_mtime_ns}"
    return f"{facts} {hashlib.sha256(content).hexdigest()}"


def traced(minion: Any, folder: Path, *arguments: str) -> tuple[Any, set[str]]:
    """Run salt-call under strace; give its result, and the names of all programs it started."""
    cli, trace = minion.salt_call_cli(timeout=180), folder / "execve"
    command = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", str(trace)]
    command += cli.cmdline(*arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    started = re.findall(r'execve\("([^"]+)".*\) = 0$', trace.read_text(), re.MULTILINE)
    return SimpleNamespace(data=json.loads(done.stdout)["local"]), {Path(p).name for p in started}


def reasons(count: int, timeout: float = james.EVENT_SECONDS) -> str:
    """Wait until COUNT messages wait with a reason in the queues, and give what mailq says."""
    waiting = re.compile(r"^ +\(.+\)$", re.MULTILINE)
    return james.wait_for(
        lambda: text if len(waiting.findall(text := queued())) >= count else "",
        timeout,
        f"{count} reasons in mailq",
    )


def queue_text() -> str:
    """Give all that waiting messages' control files say."""
    return "".join(path.read_text(errors="replace") for path in queue_files())


def encoded(password: str) -> list[bytes]:
    """Give a password raw, as JSON and repr show it, and in base64, alone and as AUTH sends it."""
    raw = password.encode()
    plain = b"sendmail\0sendmail\0" + raw
    aligned = [base64.b64encode(b"\0" * shift + raw)[4:-4] for shift in range(3)]
    shown = [json.dumps(password)[1:-1].encode(), repr(password)[1:-1].encode()]
    return [raw, *shown, base64.b64encode(raw), base64.b64encode(plain), *aligned]


def leaks(text: str | bytes, password: str) -> list[bytes]:
    """Give those forms of a password that a text holds."""
    data = text.encode() if isinstance(text, str) else text
    return [form for form in encoded(password) if form in data]


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """Give what differs in the files that either digest has below the other's folders."""
    top = {path.split("/")[1] for path in after}
    paths = {path for path in {*before, *after} if path.split("/")[1] in top}
    return {
        path: (before.get(path), after.get(path))
        for path in paths
        if before.get(path) != after.get(path) and not Path(path).is_dir()
    }
