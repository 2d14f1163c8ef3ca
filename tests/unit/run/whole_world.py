"""A host in a folder, its files as without us, and what a fresh apply makes of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cf_world import AUTH, CF, LOOP, RELAY, SUBMIT
from james_client.changes import Changes, HostChanges
from james_client.files import back
from james_client.files.snapshot import Snapshot
from james_client.run import live
from james_client.run.plan import Plan
from james_client.run.steps import STEPS, take
from james_client.run.theirs import for_the_way_back
from james_client.run.whole import drift, whole
from james_client.wishes.platform import Knob, Platform
from james_client.wishes.secret import Secret
from james_client.wishes.settings import Daemon, Mc, Package, Settings, Verify, Watch

ALL = tuple(step.state for step in STEPS)
STOCK = {
    "sendmail.cf": b"##### built by root on Monday\n" + CF,
    "submit.cf": b"##### built by root on Monday\n" + SUBMIT,
    "sendmail.mc": b"divert(0)dnl\nOSTYPE(`linux')dnl\nMAILER(`local')dnl\nMAILER(`smtp')dnl\n",
    "submit.mc": b"divert(0)dnl\nOSTYPE(`linux')dnl\nFEATURE(`msp')dnl\n",
    "sendmail.conf": b'# mine\nDAEMON_MODE="Daemon";\nother="kept"\n',
}
KNOBS = {"DAEMON_MODE": "None", "QUEUE_INTERVAL": "{queue_interval}"}
OURS = ("switch", "other.switch", "auth", "other.auth", "programs", "other.programs")


@dataclass
class Host:
    """Hold the folder, and in ``theirs`` what each file would be without us: the model."""

    root: Path
    theirs: dict[str, bytes | None] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)

    def build(self) -> Host:
        """Write the stock files."""
        self.root.mkdir()
        for name, data in STOCK.items():
            self.path(name).write_bytes(data)
            self.theirs[name] = data
        self.theirs |= dict.fromkeys(OURS)
        return self

    def path(self, name: str) -> Path:
        """Give the path of a file."""
        return self.root / name

    @property
    def platform(self) -> Platform:
        """Give the facts of this host."""
        return Platform(
            packages=(),
            other_mtas=(),
            services=(),
            restart="",
            sendmail="/nowhere/sendmail",
            cf=str(self.path("sendmail.cf")),
            mc=str(self.path("sendmail.mc")),
            submit_cf=str(self.path("submit.cf")),
            submit_mc=str(self.path("submit.mc")),
            submit_user="daemon",
            mail_owner="root",
            mail_logs=(),
            cf_dir=str(self.root),
            rebuilds=True,
            generated=(),
            knobs=(Knob(str(self.path("sendmail.conf")), assign=KNOBS),),
            state_dir=str(self.root / "state"),
            backups=str(self.root / "backups"),
            lock=str(self.root / "lock"),
        )

    def settings(self, **wishes: Any) -> Settings:
        """Give a checked pillar; ``auth`` None for none, else what differs from the usual login."""
        login, interval = wishes.pop("auth", None), wishes.pop("interval", "10m")
        files = {"file": "auth", "programs_file": "programs"}
        changed = {key: value for key, value in (login or {}).items() if key not in files}
        for key, name in files.items():
            changed[key] = str(self.path((login or {}).get(key, name)))
        relay = {"switch_file": "switch"} | wishes.pop("relay", {})
        relay["switch_file"] = str(self.path(relay["switch_file"]))
        return Settings(
            package=Package(install=False, replace_mta=False),
            daemon=Daemon(interval, "5s", *wishes.pop("patience", (None, None))),
            relay=replace(RELAY, **relay),
            loop=replace(LOOP, check=wishes.pop("check", False)),
            auth=None if login is None else replace(AUTH, **changed),
            account=None,
            verify=Verify(False, False, False, False, "root", "postmaster@example.net"),
            watch=Watch("30m", "4h", 100, 1000, 5, None, None, "never"),
            mc=Mc(wishes.pop("manage", "auto")),
            lookup={},
        )

    def run(self, settings: Settings, steps: Collection[str] = ALL) -> Changes:
        """Take steps, see that a test foretells what goes live, and put it there."""
        plan = self._candidates(settings, steps)
        foretold = live.go_live(plan, holder="test", test=True)
        changes = live.go_live(plan, holder="test", test=False)
        assert changes == foretold
        return changes

    def _candidates(self, settings: Settings, steps: Collection[str]) -> Plan:
        plan = Plan(settings, self.platform)
        for step in STEPS:
            if step.state in steps:
                take(step, plan)
        return whole(plan)

    def drift(self, settings: Settings) -> HostChanges:
        """Give what drift says."""
        return drift(Plan(settings, self.platform))

    def fresh(self, settings: Settings, steps: Collection[str] = ALL) -> dict[str, bytes | None]:
        """Give what a first apply would make of the files as they would be without us."""
        plan = Fresh(self, settings)
        for step in STEPS:
            if step.state in {*steps, *self.live}:
                plan.take(step.state, step.edit)
        self.live = set().union(*plan.made_by.values())
        return {name: plan.rendered(str(self.path(name))) for name in self.theirs}

    def files(self) -> dict[str, bytes | None]:
        """Give what is there."""
        paths = {name: self.path(name) for name in self.theirs}
        return {name: p.read_bytes() if p.exists() else None for name, p in paths.items()}

    def clean(self, **more: Any) -> Changes:
        """Take the way back."""
        facts = self.platform
        theirs = for_the_way_back(Plan(self.settings(), facts))
        call: dict[str, Any] = {"lock": facts.lock, "holder": "test", "theirs": theirs} | more
        done = back.restore_first(facts.backups, **call)
        if not more.get("test"):
            self.live = set()
        return done

    def edit(self, name: str, change: Callable[[bytes], bytes], *, model: bool = True) -> None:
        """Change a file as somebody else would, in the model too."""
        self.path(name).write_bytes(change(self.path(name).read_bytes()))
        if model:
            self.theirs[name] = change(self.theirs[name] or b"")


class Fresh(Plan):
    """Hold a plan of a host that has the model's files and that we never touched."""

    def __init__(self, host: Host, settings: Settings) -> None:
        nothing = replace(host.platform, backups=str(host.root / "none"))
        super().__init__(settings, nothing)
        self.host = host

    def before(self, path: str) -> Snapshot:
        """Give a file of the model."""
        data = self.host.theirs[Path(path).name]
        return Snapshot(path) if data is None else Snapshot(path, data, 0o644)


def after(anchor: bytes, line: bytes) -> Callable[[bytes], bytes]:
    """Give an edit that adds a line behind the first line that begins so, which has to be there."""
    place = re.compile(rb"(?m)^%s[^\n]*\n" % re.escape(anchor))

    def edit(data: bytes) -> bytes:
        edited, found = place.subn(lambda match: match[0] + line + b"\n", data, count=1)
        assert found, f"no line begins with {anchor!r}"
        return edited

    return edit


def password(text: str) -> Secret:
    """Give a secret."""
    return Secret(text)
