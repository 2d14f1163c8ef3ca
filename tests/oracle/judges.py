"""Judge an edit by m4 and by sendmail itself; every word returned says how a case ended."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from james_client.cf.text import Cf, CfError
from james_client.errors import FaultError
from james_client.files.merge import take_out
from james_client.mc.block import without_block
from james_client.mc.text import McError

from oracle.m4 import Tree, Wishes, apply

ADDRESSES = ("bob", "bob@localhost", "root", "someone@example.net")
MAILER = re.compile(r"(?m)^mailer \d+ \((?P<name>.*?)\): P=(\S+) .* F=(?P<flags>\S*) L.* A=(.*)$")


@dataclass(frozen=True)
class Sendmail:
    """Ask one sendmail about cf files, all written to one path in a folder."""

    binary: str
    folder: Path

    def _ask(self, cf: bytes, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        path = self.folder / "judged.cf"
        path.write_bytes(cf)
        switch = self.folder / "switch"
        switch.write_text("hosts files\n")
        command = [self.binary, "-C", str(path), f"-OServiceSwitchFile={switch}", *arguments]
        return subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )

    def accepts(self, cf: bytes) -> bool:
        """Tell whether sendmail takes a cf (`-bC`)."""
        done = self._ask(cf, "-bC")
        return done.returncode == 0 and not done.stderr.strip()

    def mailers(self, cf: bytes) -> dict[str, tuple[str, str, str]]:
        """Give the mailers in sendmail's own eyes (`=M`): path, sorted flags, arguments."""
        said = self._ask(cf, "-bt", given="=M\n").stdout
        found = {}
        for match in MAILER.finditer(said):
            name, path, flags, arguments = match.groups()
            found[name.lower()] = (path, "".join(sorted(set(flags))), " ".join(arguments.split()))
        return found

    def routes(self, cf: bytes) -> list[str]:
        """Give where addresses go (`-bv`)."""
        said = self._ask(cf, "-bv", *ADDRESSES).stdout
        return sorted(line for line in said.splitlines() if "mailer " in line)

    def where(self, cf: bytes, wishes: Wishes) -> str:
        """Tell whether all addresses go to James; the proof of a run refuses what does not."""
        config = Cf(cf)
        relay = wishes.relay
        host = config.macro("MTAHost") if config.is_msp else relay.host
        james = f"mailer {'relay' if config.is_msp else relay.mailer}, host {host}"
        routes = self.routes(cf)
        return (
            "all to James" if routes and all(james in one for one in routes) else "some elsewhere"
        )


def judge_source(mc: bytes, wishes: Wishes, tree: Tree, sendmail: Sendmail) -> str:
    """Edit what m4 builds from an mc, and compare with m4's own build of the mc with our block."""
    try:
        stock = tree.build(mc)
    except subprocess.CalledProcessError:
        return "m4 refuses the mc"
    try:
        cf, source = apply(stock, mc, wishes)
    except (CfError, McError) as error:
        assert str(error)
        return "refused: " + shape_of(error)
    built = tree.build(source)
    assert apply(cf, source, wishes) == (cf, source), "a second time changes something"
    accepted = sendmail.accepts(stock)
    if accepted:
        assert sendmail.accepts(cf), "sendmail takes the stock cf and not the edited one"
        used = sendmail.mailers(cf)["relay" if Cf(cf).is_msp else wishes.relay.mailer]
        assert set(used[1]) >= ({"k"} if Cf(cf).is_msp else _wanted(wishes)), used
    if cf == built:
        where = sendmail.where(cf, wishes) if accepted else "sendmail refused the stock cf"
        return f"equal to m4's, {where}"
    assert sendmail.mailers(cf) == sendmail.mailers(built)
    assert sendmail.routes(cf) == sendmail.routes(built)
    assert sorted(_told(cf)) == sorted(_told(built))
    return "equal in effect"


def judge_configuration(data: bytes, wishes: Wishes, sendmail: Sendmail) -> str:
    """Edit a cf that no m4 wrote, and ask sendmail before and after."""
    if not sendmail.accepts(data):
        return "sendmail refuses the cf"
    mailer = wishes.relay.mailer
    try:
        cf = Cf(data)
        before = cf.mailer(mailer)
        edited, _ = apply(data, b"MAILER(`smtp')dnl\n", wishes)
    except FaultError as error:
        assert str(error)
        return "refused: " + shape_of(error)
    seen = sendmail.mailers(data)[mailer]
    assert before is not None
    assert ("".join(sorted(set(before.flags))), before.path) == (seen[1], seen[0])
    assert " ".join(before.args.split()) == seen[2]
    assert sendmail.accepts(edited), "sendmail takes the cf and not the edited one"
    after = sendmail.mailers(edited)
    assert set(after[mailer][1]) == set(seen[1]) - {"k", "0"} | _wanted(wishes)
    assert after[mailer][2].split()[2:] in (
        [str(wishes.relay.port)],
        [] if _is_25(wishes) else None,
    )
    others = {name: one for name, one in sendmail.mailers(data).items() if name != mailer}
    assert {name: one for name, one in after.items() if name != mailer} == others
    return "edited as sendmail sees it"


def judge_bytes(data: bytes, wishes: Wishes, other: bytes, is_mc: bool) -> str:
    """Edit a file with anything in it; `other` is the stock file that goes with it."""
    pair = (other, data) if is_mc else (data, other)
    try:
        edited = apply(*pair, wishes)
    except (CfError, McError) as error:
        assert str(error)
        return "refused: " + shape_of(error)
    assert apply(*edited, wishes) == edited, "a second time changes something"
    if is_mc:
        assert without_block(edited[1]) == data
    else:
        assert take_out(data, edited[0], edited[0]) == (data, ())
    return "edited, and taken out again"


def _is_25(wishes: Wishes) -> bool:
    return wishes.relay.port == 25


def _wanted(wishes: Wishes) -> set[str]:
    flags = set() if wishes.loop.check else {"k"}
    return flags if wishes.relay.mx_lookup else flags | {"0"}


def _told(cf: bytes) -> list[bytes]:
    """Give the lines of a cf but those of mailers, whose flags may stand in another order."""
    return [line for line in cf.splitlines() if not line.startswith(b"M")]


def shape_of(error: Exception) -> str:
    """Give an error's words without what differs from case to case."""
    text = re.sub(r"(?:sendmail\.mc|line|lines?) ?\d+(?:, \d+)*|\d+", "N", str(error))
    return re.sub(r"'[^']*'|\"[^\"]*\"", "…", text)[:90]
