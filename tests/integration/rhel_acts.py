"""What is done to the stand-in for RHEL 9, played inside it: python rhel_acts.py ACT."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import recipe
from forked_salt import ForkedSalt
from support import james, pristine, rhel_stand_in

SHARED = Path("/srv/shared")
MAIL = rhel_stand_in.MAIL
CF, MC = MAIL / "sendmail.cf", MAIL / "sendmail.mc"
STOCK_MC, HUB = SHARED / "sendmail.mc", "\nDHesmtp:localhost\n"
EDITED = [CF, MC, MAIL / "submit.cf", MAIL / "submit.mc"]
SECRETS = [MAIL / "james-auth-info", MAIL / "james-msp-auth-info"]
UNITS = Path("/etc/systemd/system")
FOLDERS = ("/etc/mail", "/etc/alternatives", "/etc/sysconfig", "/etc/systemd", "/etc/pki")
LABEL, SELINUX = b"system_u:object_r:etc_mail_t:s0\0", "security.selinux"
INTERVALS = {"queue_interval": "1s", "programs_interval": "1s"}
CONFIG = Path("/srv/minion/minion")
BUILT = re.compile(r"(?m)^#{5}.*\n")  # who built a cf, when and where
WAYS = [(to, by) for to in ("alice", "root@localhost", "x@example.org") for by in ("root", "bob")]

recipe.QUEUES = rhel_stand_in.QUEUES


def write_minion() -> None:
    """Make this host a masterless minion of the Red Hat family, its packages a fake's."""
    modules = Path("/srv/salt/_modules")
    modules.mkdir(parents=True)
    (modules / "rhel_pkg.py").write_text(rhel_stand_in.packages_module())
    pillar = Path("/srv/pillar")
    pillar.mkdir(mode=0o700)
    (pillar / "top.sls").write_text(json.dumps({"base": {"*": ["given"]}}))
    given = recipe.pillar(account={"aliases": "carry"}, daemon=INTERVALS)
    (pillar / "given.sls").write_text("#!json\n" + json.dumps(given))
    CONFIG.parent.mkdir()
    options = {
        "id": "mail",
        "file_client": "local",
        "file_roots": {"base": ["/srv/sendmail_james", "/srv/salt"]},
        "pillar_roots": {"base": [str(pillar)]},
        "root_dir": str(CONFIG.parent),
        "grains": {"os_family": "RedHat"},
    }
    CONFIG.write_text(json.dumps(options))
    pristine.run("salt-call", "--local", f"-c{CONFIG.parent}", "saltutil.sync_all")


def apply(what: str = "sendmail_james") -> dict[str, Any]:
    """Apply the formula, see nothing fail, and give what each state changed."""
    result = ForkedSalt(CONFIG).call("state.apply", what)
    assert isinstance(result, dict), result
    failed = {one["__id__"]: one["comment"] for one in result.values() if not one["result"]}
    assert not failed, failed
    return {one["__id__"]: one["changes"] for one in result.values() if one["changes"]}


def apply_again() -> None:
    """See that one more run changes nothing and starts no program of sendmail's."""
    trace = Path("/srv/trace")
    command = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", str(trace), "salt-call"]
    command += ["--local", f"-c{CONFIG.parent}", "--out=json", "state.apply", "sendmail_james"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    states = json.loads(done.stdout)["local"].values()
    assert {one["result"] for one in states} == {True}
    assert [one["changes"] for one in states if one["changes"]] == []
    started = re.findall(r'execve\("([^"]+)".*\) = 0$', trace.read_text(), re.MULTILINE)
    assert started, "the trace is empty"
    names = recipe.SENDMAILS | {rhel_stand_in.PROGRAM.name}
    assert not {Path(path).name for path in started} & names


def start_james() -> None:
    """Start James, whose own all domains are that RHEL's sendmail.mc calls this host."""
    recipe.new_james()
    james.add_domain("localhost.localdomain")


def mail_arrives() -> None:
    """See each form of address arrive at James with a login, from root and from a user."""
    subjects = [recipe.send(to, by=by) for to, by in WAYS]
    found = [recipe.arrives(subject) for subject in subjects]
    assert found == [["local"]] * 4 + [["relay"]] * 2, found
    assert james.counts()["unauthenticated"] == 0


def queues_only() -> None:
    """See one runner for each queue, each the one that systemd knows, and no daemon."""

    def runners() -> list[str]:
        found = pristine.sendmail_daemons()
        right = len(found) == 2 and all("Queue runner@00:00:01" in one for one in found)
        return found if right else []

    daemons = james.wait_for(runners, what="two queue runners and nothing else")
    shown = [
        pristine.run("systemctl", "show", "--value", "--property=MainPID", unit).strip()
        for unit in ("sendmail", "sm-client")
    ]
    assert sorted(shown) == sorted(one.split()[0] for one in daemons)


def listens() -> bool:
    """Say whether a sendmail accepts mail."""
    return any("accepting connections" in one for one in pristine.sendmail_daemons())


def labels() -> dict[str, bytes | None]:
    """Give what SELinux would find as the label of each file that the formula edits."""
    return {
        path.name: os.getxattr(path, SELINUX) if SELINUX in os.listxattr(path) else None
        for path in EDITED
    }


def lay_out() -> None:
    """Lay the host out, and see that sendmail listens there whatever sysconfig says."""
    rhel_stand_in.lay_out()
    write_minion()
    sysconfig = Path("/etc/sysconfig/sendmail")
    stock = sysconfig.read_text()
    sysconfig.write_text(f"{stock}DAEMON=no\n")  # the old how-to's switch: no unit reads it
    pristine.run("systemctl", "restart", "sendmail.service")
    james.wait_for(listens, what="sendmail, which listens")
    sysconfig.write_text(stock)


def first_apply() -> None:
    """Apply the formula, and again; labels stay, mail arrives."""
    for path in EDITED:
        os.setxattr(path, SELINUX, LABEL)
    (SHARED / "before").write_text(json.dumps(recipe.digest(*FOLDERS)))
    shutil.copy(MC, STOCK_MC)
    pristine.run("systemctl", "stop", "sendmail.service")
    start_james()
    assert "The queue runners work with the live configuration" in apply()
    assert set(labels().values()) == {LABEL}
    assert [path.stat().st_mode & 0o777 for path in SECRETS] == [0o600] * 2
    queues_only()
    mail_arrives()
    apply_again()


def rebuild() -> None:
    """Have /etc/mail/make build both cf files anew at a restart, and see that nothing changes."""
    applied = {path: BUILT.sub("", path.read_text()) for path in EDITED}
    assert HUB in applied[CF]
    assert HUB not in pristine.run("m4", str(STOCK_MC)), "any mc would do"
    for path in (MC, MAIL / "submit.mc"):
        path.touch()
    pristine.run("systemctl", "restart", "sendmail.service")
    assert (MAIL / "sendmail.cf.bak").exists(), "nothing was built"
    assert {path: BUILT.sub("", path.read_text()) for path in EDITED} == applied
    # this kernel has no SELinux, so what others write anew has no label: ours kept theirs above
    assert labels() == {path.name: None if path.suffix == ".cf" else LABEL for path in EDITED}
    queues_only()
    mail_arrives()
    assert ForkedSalt(CONFIG).call("sendmail_james.drift") == {}


def after_boot() -> None:
    """See the runners live after a boot, before James does, and mail go on."""
    queues_only()
    start_james()
    changed = apply()
    assert set(changed) == {"James knows this host's aliases"}, changed  # this James is a new one
    mail_arrives()


def clean() -> None:
    """Take the way back, and see everything as it was."""
    james.start(smtp_port=2525)  # sendmail needs his port, and WebAdmin is asked for the mappings
    apply("sendmail_james.clean")
    james.wait_for(listens, what="sendmail, which listens")
    before = json.loads((SHARED / "before").read_text())
    assert set(labels().values()) == {LABEL}, "a label was lost on the way back"
    found = recipe.differences(before, recipe.digest(*FOLDERS))
    assert found == {}, found
    assert not list(UNITS.glob("s*.service.d")), "a folder of ours is left"
    assert "sendmail_james" not in pristine.run("systemctl", "cat", "sendmail", "sm-client")


ACTS = (lay_out, first_apply, rebuild, after_boot, clean)

if __name__ == "__main__":
    {act.__name__: act for act in ACTS}[sys.argv[1]]()
