"""Everything that would be written on SUSE and FreeBSD is what the golden files say.

The mc files are in our own words, with what those platforms' own ones say, and built with this
host's m4 files, or those of CF_DIR. `make golden` writes the golden files anew.
"""

from __future__ import annotations

import difflib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
PLATFORMS = yaml.safe_load((REPOSITORY / "sendmail_james/platforms.yaml").read_text())
CF_DIR = os.environ.get("CF_DIR", "/usr/share/sendmail/cf")
STEPS = ("queue_only", "relayed", "loop_check_off", "authenticated", "credentials", "live")
INCLUDE = f"include(`{CF_DIR}/m4/cf.m4')dnl\n"
# a folder of this host, for sendmail goes to its queue before it judges a submit.cf
SUBMIT = (
    "define(`confCF_VERSION', `Submit')dnl\ndefine(`__OSTYPE__', `')dnl\n"
    "define(`MSP_QUEUE_DIR', `/var/mail')dnl\n"
)
FREEBSD_MTA = """OSTYPE(freebsd6)
DOMAIN(generic)
FEATURE(access_db, `hash -o -T<TMPF> /etc/mail/access')
FEATURE(blocklist_recipients)
FEATURE(local_lmtp)
FEATURE(mailertable, `hash -o /etc/mail/mailertable')
FEATURE(virtusertable, `hash -o /etc/mail/virtusertable')
define(`confCW_FILE', `-o /etc/mail/local-host-names')
DAEMON_OPTIONS(`Name=IPv4, Family=inet')
define(`confBIND_OPTS', `WorkAroundBrokenAAAA')
define(`confPRIVACY_FLAGS', `authwarnings,noexpn,novrfy')
MAILER(local)
MAILER(smtp)
"""
SUSE_MTA = """OSTYPE(`linux')dnl
define(`confDEF_USER_ID', `daemon:daemon')dnl
define(`confPRIVACY_FLAGS', `authwarnings,noexpn,novrfy')dnl
FEATURE(`access_db', `hash -o -T<TMPF> /etc/mail/access')dnl
FEATURE(`always_add_domain')dnl
FEATURE(`mailertable', `hash -o /etc/mail/mailertable')dnl
FEATURE(`local_procmail')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
MAILER(`procmail')dnl
"""
#: mc, submit mc, and knob files as an administrator may have them
STOCK = {
    "FreeBSD": (
        FREEBSD_MTA,  # its Makefile puts cf.m4 before it
        SUBMIT + "define(`confTIME_ZONE', `USE_TZ')dnl\nFEATURE(`msp', `[127.0.0.1]')dnl\n",
        {"etc/rc.conf": 'hostname="box.example.org"\nsendmail_enable="NONE"  # for now\n'},
    ),
    "Suse": (
        INCLUDE + SUSE_MTA,
        INCLUDE
        + SUBMIT
        + "define(`confRUN_AS_USER', `mail')dnl\nFEATURE(`msp', `[127.0.0.1]')dnl\n",
        {"etc/sysconfig/mail": '# Path: Network/Mail\nMAIL_CREATE_CONFIG="yes"\n'},
    ),
}


@pytest.fixture
def platform_root() -> Iterator[Callable[[str], Path]]:
    """Give `platform_root(platform)`: a folder that holds the platform's stock files.

    It is at the top, since below /tmp, /var/lib and the like the pillar may put no credentials.
    """
    home = Path(tempfile.mkdtemp(dir="/", prefix="golden-"))
    home.chmod(0o755)  # m4 is run as a stranger

    def build(mc: bytes) -> bytes:
        start = b"" if b"cf.m4" in mc else INCLUDE.encode()
        done = subprocess.run(["m4"], input=start + mc, capture_output=True, check=True)
        return done.stdout

    def platform_root(platform: str) -> Path:
        root, facts = home / "root", PLATFORMS[platform]
        mta, msp, others = STOCK[platform]
        files = {facts["mc"]: mta.encode(), facts["submit_mc"]: msp.encode()}
        files |= {facts["cf"]: build(mta.encode()), facts["submit_cf"]: build(msp.encode())}
        files |= {name: text.encode() for name, text in others.items()}
        for name, data in files.items():
            path = root / name.replace("{host}", "box.example.org").lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for knob in facts["knobs"]:
            (root / knob["file"].lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        return root

    yield platform_root
    shutil.rmtree(home)


def pillar(root: Path, platform: str) -> dict[str, Any]:
    """Give a pillar with a login, with all paths below a root."""
    facts = PLATFORMS[platform]
    moved = {key: str(root) + facts[key] for key in ("cf", "mc", "submit_cf", "submit_mc")}
    own = {key: str(root.parent / key) for key in ("state_dir", "backups", "lock")}
    knobs = [knob | {"file": str(root) + knob["file"]} for knob in facts["knobs"]]
    mail = f"{root}/etc/mail"
    return {
        "lookup": moved | own | {"knobs": knobs, "cf_dir": CF_DIR},
        "mc": {"manage": True},
        "relay": {"dns": False, "switch_file": f"{mail}/james-service.switch"},
        "auth": {
            "username": "sendmail",
            "password": "not-a-secret",
            "file": f"{mail}/james-auth-info",
            "programs_file": f"{mail}/james-msp-auth-info",
        },
    }


def snapshot(root: Path) -> dict[str, tuple[str, list[str]]]:
    """Give mode and owner, and the lines, of each file below a root."""
    found = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        seen = path.stat()
        mode = f"{stat.S_IMODE(seen.st_mode):04o} {path.owner()}"
        text = path.read_text().replace(str(root), "")
        found[f"/{path.relative_to(root)}"] = (mode, text.splitlines())
    return found


def written(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Give what changed, as diffs without the lines around and their numbers."""
    parts = []
    for name, (mode, lines) in after.items():
        old_mode, old = before.get(name, ("absent", []))
        if (old_mode, old) == (mode, lines):
            continue
        diff = list(difflib.unified_diff(old, lines, lineterm="", n=0))[2:]
        body = [line for line in diff if not line.startswith("@@")]
        modes = mode if mode == old_mode else f"{old_mode} -> {mode}"
        parts.append("\n".join([f"=== {name} ({modes})", *body]))
    return "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("platform", STOCK)
def test_what_is_written_is_the_golden_file(
    load: Callable[..., SimpleNamespace],
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    platform_root: Callable[[str], Path],
    platform: str,
) -> None:
    grains = {"os_family": platform, "init": "other", "nodename": "box.example.org"}
    for key, value in grains.items():
        monkeypatch.setitem(options["grains"], key, value)
    root = platform_root(platform)
    before = snapshot(root)
    states = load(pillar(root, platform)).states
    rets = [states[f"sendmail_james.{step}"](name=step) for step in STEPS]
    assert [ret["result"] for ret in rets] == [True] * len(STEPS), rets
    found = written(before, snapshot(root))
    golden = f"{platform}.diff"
    if folder := os.environ.get("GOLDEN"):
        (Path(folder) / golden).write_text(found)
        return
    expected = (GOLDEN / golden).read_text()
    difference = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), f"golden/{golden}", "what is written now", n=1
    )
    assert found == expected, "\n".join(difference) + "\nIf that is meant: make golden"
    # a run that is up to date writes nothing
    again = snapshot(root)
    states = load(pillar(root, platform)).states
    assert [states[f"sendmail_james.{step}"](name=step)["changes"] for step in STEPS] == [{}] * 6
    assert snapshot(root) == again


def test_a_golden_file_shows_what_differs() -> None:
    before = {"/a": ("0644 root", ["one", "two"]), "/b": ("0644 root", ["same"])}
    after = {"/a": ("0600 root", ["one", "2"]), "/b": ("0644 root", ["same"])}
    after["/c"] = ("0600 mail", ["new"])
    text = "=== /a (0644 root -> 0600 root)\n-two\n+2\n\n=== /c (absent -> 0600 mail)\n+new\n"
    assert written(before, after) == text
