"""Name those whose mail James would bounce, sending nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from james_client.james.account import login, server
from james_client.james.dialogue import unknown_recipients
from james_client.mta.aliases import lost, parse
from james_client.run.plan import Plan


def strangers(plan: Plan, senders: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return whose mail would bounce: {"unknown to James": {...}, "aliases without effect": {...}}.

    senders
        asked for beside root, postmaster, MAILER-DAEMON and what the aliases file names

    Raises JamesError when James cannot be talked to.
    """
    try:
        text = Path(plan.platform.aliases).read_text(encoding="utf-8", errors="replace")
        aliases = parse(text)
    except FileNotFoundError:
        aliases = ()
    asked = ["root", "postmaster", "MAILER-DAEMON", *senders]
    asked += [name for entry in aliases for name in (entry.name, *entry.addresses)]
    plain = [name for name in asked if name.isprintable() and not set(name) & set(' <>"\\')]
    unknown = unknown_recipients(server(plan.settings), plain, login(plan.settings))
    return {"unknown to James": unknown, "aliases without effect": lost(aliases)}
