"""Show the whole recipe on a disposable host: apply the highstate twice, probe, print what
happened.

Runs inside the host, as root. Exits 0 only where every message reached James authenticated, root's
mail reached a person, and the second highstate changed nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support import james

FORMULA = Path(__file__).resolve().parents[2]
PILLAR = {
    "sendmail_james": {
        "auth": {"username": "sendmail", "password": "Demo#only: 42 äöü"},
        "account": {"webadmin": "http://127.0.0.1:8000", "create": True, "aliases": "carry"},
        "verify": {"local_user": "alice"},
    }
}
DEAD = Path("/var/lib/sendmail/dead.letter")
PEOPLE = ("alice", "bob")
ALIASES = "root: alice\npostmaster: root\nMAILER-DAEMON: postmaster\n"


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


def configure(folder: Path) -> None:
    """Write a masterless minion's configuration and its pillar."""
    pillar = folder / "pillar"
    pillar.mkdir(mode=0o700)
    (pillar / "top.sls").write_text("base: {'*': [sendmail_james]}\n")
    (pillar / "sendmail_james.sls").write_text(json.dumps(PILLAR))
    states = folder / "states"
    states.mkdir()
    (states / "top.sls").write_text("base: {'*': [sendmail_james]}\n")
    minion = {
        "id": "demo",
        "file_client": "local",
        "file_roots": {"base": [str(states), str(FORMULA)]},
        "pillar_roots": {"base": [str(pillar)]},
        "root_dir": str(folder),
        "log_level_logfile": "quiet",
    }
    (folder / "minion").write_text(json.dumps(minion))


def salt_call(folder: Path, *arguments: str) -> Any:
    """Run salt-call, masterless, and return what it returns."""
    command = ["salt-call", "--local", f"--config-dir={folder}", "--out=json", "--log-level=quiet"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)["local"]
    except (ValueError, KeyError):
        sys.exit(f"salt-call {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def highstate(folder: Path) -> list[dict[str, Any]]:
    """Apply the highstate and print a line for every state."""
    states = salt_call(folder, "state.highstate")
    if not isinstance(states, dict):
        sys.exit("\n".join(map(str, states)))
    done = sorted(states.values(), key=lambda state: state["__run_num__"])
    for state in done:
        sign = {True: "ok", False: "FAILED"}.get(state["result"], "?")
        changed = f", {len(state['changes'])} changed" if state["changes"] else ""
        print(
            f"          {sign:6} {state['__id__']}{changed}: {state['comment'][:200]}", flush=True
        )
    return done


def table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="demo.") as scratch:
        folder = Path(scratch)
        configure(folder)
        say("James starts in sendmail's place, with two people; /etc/aliases says root: alice")
        subprocess.run(["systemctl", "stop", "sendmail"], check=True)
        james.start()
        james.add_user(*PEOPLE)
        Path("/etc/aliases").write_text(ALIASES)
        say("mail to root before the highstate")
        before = mail_to_root()
        say("first highstate")
        first = highstate(folder)
        say("second highstate")
        second = highstate(folder)
        say("mail to root after the highstate")
        after = mail_to_root()
        say("the how-to's test messages and one from the null sender, as root and as a user")
        report = salt_call(folder, "sendmail_james.probe", "verbose=True")
    root_is_heard = bool(after) and not before
    return verdict(first, second, report) or int(not root_is_heard)


def mail_to_root() -> list[str]:
    """Send root a message as cron does, and print and return who got it at James."""
    subject = f"demo {time.monotonic_ns()}"
    command = ["sendmail", "-oi", "-t"]
    text = f"To: root\nSubject: {subject}\n\nfrom a cron job\n"
    subprocess.run(command, input=text, text=True, check=False, stderr=subprocess.DEVNULL)

    def got() -> list[str]:
        found = [one for one in james.mails("local") if subject in one["headers"]["Subject"]]
        return [name for one in found for name in one["recipients"]]

    def lost() -> bool:
        return DEAD.exists() and subject in DEAD.read_text(errors="replace")

    james.wait_for(lambda: got() or lost(), what="root's mail")
    print(f"          {', '.join(got()) or f'nobody got it: it is in {DEAD}'}", flush=True)
    return got()


def verdict(first: list[dict[str, Any]], second: list[dict[str, Any]], report: Any) -> int:
    """Print the probe's table and what the second highstate changed; 0 where all of it is right."""
    rows = [["ADDRESS (SENDER, SENT BY)", "ROUTE", "AUTHENTICATED", "WHAT JAMES DID WITH IT"]]
    for name, seen in report["messages"].items():
        logged_in = {True: "yes", False: "NO"}.get(seen.get("authenticated"), "not seen")
        did = ", ".join([seen.get("result", "?"), *seen.get("arrived", [])])
        if "returned" in seen:
            did += f"; returned {seen['returned']}"
        rows.append([name, seen.get("route", "?").rpartition("-> ")[2], logged_in, did[:110]])
    print()
    table(rows)
    changed = [state["__id__"] for state in second if state["changes"]]
    failed = [state["__id__"] for state in (*first, *second) if state["result"] is False]
    print(f"\nthe second highstate changed: {', '.join(changed) or 'nothing'}")
    if failed:
        print(f"failed states: {', '.join(failed)}")
    if report["wrong"]:
        print("wrong:", *report["wrong"], sep="\n  ")
    return int(bool(changed or failed or report["wrong"]))


if __name__ == "__main__":
    STARTED = time.monotonic()
    sys.exit(main())
