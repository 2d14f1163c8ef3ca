"""A raw line of the site's in an mc is named exactly where it would win over our block: m4 judges.

What wins is seen in the cf that m4 builds with the block and the line, as if nobody had looked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from james_client.cf.facts import missing
from james_client.cf.text import Cf
from james_client.mc import block
from james_client.mc.text import McError

from oracle.m4 import DAEMON, RELAY, Tree, Wishes, apply
from oracle.variants import MAILERS

WISHES = Wishes(
    replace(RELAY, masquerade="example.org", dns=False),
    daemon=replace(DAEMON, give_up_after="10d", warn_after="1h"),
)
#: About what the block says, in the spellings that sendmail takes.
OURS = (
    b"O AuthM = GSSAPI",
    b"O AuthMechanisms.x=GSSAPI",
    b"O authoptions=p",
    b"O ServiceSwitchFile=/etc/other",
    b"O FallbackMXhost=other.example.org",
    b"OVother.example.org",
    b"O FallbackSmartHost=other.example.org",
    b"O Timeout.queuereturn=1d",
    b"O Timeout.QueueWarn.urgent=2h",
    b"Orqueuewarn=2h",
    b"DSother.example.org",
    b"D{S}other.example.org",
    b"DR other.example.org",
    b"DHother.example.org",
    b"DMother.example.org",
)
#: About nothing of ours, all of them in one mc.
OTHERS = (
    b"O Timeout.connect=1m",
    b"O Timeout.iconnect = 30s",
    b"O DeliveryMode=q",
    b"O MaxMessageSize=1000",
    b"D{SMyMacro}x",
    b"D{H1}x",
    b"Dxyz",
    b"CWother.example.org",
)
SECTIONS = [
    *("", "LOCAL_CONFIG", "LOCAL_NET_CONFIG", "LOCAL_RULESETS", "MAILER_DEFINITIONS"),
    *(f"LOCAL_RULE_{number}" for number in range(4)),
]
#: Here it is up to the features whether a rule above has used $S already.
EITHER = {
    ("LOCAL_NET_CONFIG", b"DSother.example.org"),
    ("LOCAL_NET_CONFIG", b"D{S}other.example.org"),
}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_raw_line_is_named_where_it_wins(
    tree: Tree, section: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tree.debian("sendmail")
    edited = partial(apply, tree.build(plain), wishes=WISHES)
    found: dict[bytes, tuple[bool, bool]] = {}
    for line in (*OURS, b"\n".join(OTHERS)):
        raw = section.encode() + b"\n" + line + b"\nLOCAL_CONFIG\n"
        text = plain.replace(MAILERS, raw + MAILERS, 1)
        with monkeypatch.context() as blind:
            blind.setattr(block, "refuse_overrides", lambda *_: None)
            built = tree.build(edited(text)[1])
        wins = bool(missing(Cf(built), WISHES))
        number = 1 + text[: text.index(line)].count(b"\n")
        found[line] = (wins, named(partial(edited, text), number))
    assert any(wins for wins, _ in found.values())
    odd = [line for line, (wins, told) in found.items() if wins != told]
    assert [line for line in odd if (section, line) not in EITHER] == []


def named(edit: Callable[[], object], number: int) -> bool:
    """Tell whether an edit is refused, which must be for that line."""
    try:
        edit()
    except McError as err:
        assert str(err).startswith(f"line {number}: ")
        return True
    return False
