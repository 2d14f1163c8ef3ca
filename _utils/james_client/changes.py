"""Say in one shape what changes, from a cf's edit up to a state's return."""

from __future__ import annotations

from typing import Any

Change = dict[str, Any]
"""``{"old": …, "new": …}``, None for what is not there; of a whole file ``"diff"`` as well."""

Changes = dict[str, Change]
"""``{thing: change}``: what changes in one file, or which files change; empty means nothing."""

HostChanges = dict[str, Changes]
"""``{path: {thing: change}}``: what a step changes in each of the host's files."""


def note(changes: Changes, thing: str, old: Any, new: Any) -> None:
    """Add one change; a second change of the same thing keeps the first old value."""
    first = changes.get(thing, {}).get("old", old)
    changes[thing] = {"old": first, "new": new}
