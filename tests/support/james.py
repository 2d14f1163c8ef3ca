"""Drive the Apache James of a disposable host: its unit, users, domains and mail."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

WEBADMIN = "http://127.0.0.1:8000"
SETTINGS = Path("/etc/default/james")
REPOSITORIES = ("local", "relay", "address-error", "unauthenticated", "error")
EVENT_SECONDS = 300  # until something that comes in a second is given up, on a busy machine, too
PAUSES = (0.05, 0.3)  # seconds between two looks, at first and at last: a look costs, too
T = TypeVar("T")


def wait_for(look: Callable[[], T], timeout: float = EVENT_SECONDS, what: str = "it") -> T:
    """Call LOOK until it gives something true, and return that; TimeoutError after TIMEOUT s."""
    deadline, (pause, longest) = time.monotonic() + timeout, PAUSES
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s for {what}; the last look gave {found!r}")
        time.sleep(pause)
        pause = min(pause * 1.3, longest)
    return found


def start(**settings: str | int | bool) -> None:
    """Start James, or start it anew, and return when it answers.

    SETTINGS are those of james-server/run in lower case: `smtp_port=2525`, `verify_identity=True`,
    `announce="never"`, `hello_name=...`. What is not given is as usual. Mail and users are gone.
    """
    lines = [f"{name.upper()}={str(value).lower()}\n" for name, value in settings.items()]
    SETTINGS.write_text("".join(lines))
    subprocess.run(["systemctl", "restart", "james.service"], check=True)
    wait_for(healthy, what="James's health check")


def stop() -> None:
    """Stop James and return when it is gone."""
    subprocess.run(["systemctl", "stop", "james.service"], check=True)


def running() -> bool:
    """Say whether James's unit is active."""
    asked = subprocess.run(["systemctl", "is-active", "--quiet", "james.service"], check=False)
    return asked.returncode == 0


def healthy() -> bool:
    """Say whether WebAdmin answers that all is well; RuntimeError where the unit has failed."""
    failed = subprocess.run(["systemctl", "is-failed", "--quiet", "james.service"], check=False)
    if failed.returncode == 0:
        raise RuntimeError("james.service failed:\n" + journal(40))
    try:
        return bool(ask("GET", "/healthcheck")["status"] == "healthy")
    except OSError:
        return False


def journal(lines: int = 200) -> str:
    """Give the last LINES lines that James logged."""
    command = ["journalctl", "-u", "james.service", "-o", "cat", "-n", str(lines)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def ask(verb: str, path: str, body: Mapping[str, object] | None = None) -> object:
    """Send one request to WebAdmin, give the JSON answer, None where it is empty; URLError."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        WEBADMIN + path, data, {"Content-Type": "application/json"}, method=verb
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def add_user(*names: str, password: str = "s3cret") -> None:
    """Make users, or give them the password."""
    for name in names:
        ask("PUT", f"/users/{urllib.parse.quote(name)}?force", {"password": password})


def remove_user(*names: str) -> None:
    """Remove users."""
    for name in names:
        ask("DELETE", f"/users/{urllib.parse.quote(name)}")


def users() -> list[str]:
    """Give the names of all users."""
    return sorted(entry["username"] for entry in ask("GET", "/users"))


def add_domain(name: str) -> None:
    """Make James feel responsible for a domain."""
    ask("PUT", f"/domains/{urllib.parse.quote(name)}")


def remove_domain(name: str) -> None:
    """Make James forget a domain."""
    ask("DELETE", f"/domains/{urllib.parse.quote(name)}")


def domains() -> list[str]:
    """Give the names of all domains."""
    return sorted(ask("GET", "/domains"))


def _repository(name: str) -> str:
    return "/mailRepositories/" + urllib.parse.quote(f"var/mail/{name}", safe="")


def keys(repository: str) -> list[str]:
    """Give the keys of the mails in one of REPOSITORIES."""
    try:
        return ask("GET", f"{_repository(repository)}/mails")
    except urllib.error.HTTPError as error:
        if error.code == 404:  # made when the first mail comes
            return []
        raise


def mail(repository: str, key: str) -> dict[str, object]:
    """Give one mail: sender, recipients, headers, remoteHost and so on."""
    folder, wanted = f"{_repository(repository)}/mails", "?additionalFields=headers"
    return ask("GET", f"{folder}/{urllib.parse.quote(key, safe='')}{wanted}")


def mails(repository: str) -> list[dict[str, object]]:
    """Give the mails in one of REPOSITORIES."""
    return [mail(repository, key) for key in keys(repository)]


def counts() -> dict[str, int]:
    """Give the number of mails in each of REPOSITORIES."""
    return {name: len(keys(name)) for name in REPOSITORIES}


def forget_mails() -> None:
    """Empty all repositories, and return when they are empty."""
    for name in REPOSITORIES:
        if keys(name):
            task = ask("DELETE", f"{_repository(name)}/mails")
            ask("GET", f"/tasks/{task['taskId']}/await")
