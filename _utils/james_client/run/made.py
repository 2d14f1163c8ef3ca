"""Remember which mappings were made on James, from before they are made until they are gone.

A run that dies in between has remembered too many rather than too few.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from james_client.james.mappings import JamesMapping, Mappings
from james_client.run.owed import state_file
from james_client.run.plan import Plan, RunError

_NAME = "mappings-made"


def made(plan: Plan) -> dict[str, Mappings]:
    """Return the mappings that were made, by WebAdmin's address."""
    path = Path(plan.platform.state_dir, _NAME)
    try:
        found = json.loads(path.read_bytes())
        return {
            url: frozenset(_ours(JamesMapping(*map(str, one))) for one in some)
            for url, some in found.items()
        }
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        raise RunError(
            f"{path}: expected what this formula noted, the mappings that it made on James; found "
            "something else. Look at James's mappings (WebAdmin, GET /mappings), then remove it"
        ) from None


def _ours(mapping: JamesMapping) -> JamesMapping:
    if not mapping.ours:
        raise ValueError(mapping)
    return mapping


def remember(plan: Plan, url: str, mappings: Iterable[JamesMapping]) -> None:
    """Note which mappings are ours on one James, in the place of what was noted of him."""
    noted = {**made(plan), url: frozenset(mappings)}
    rows = {
        where: [[one.source, one.kind, one.target] for one in sorted(some)]
        for where, some in sorted(noted.items())
        if some
    }
    path = state_file(plan, _NAME)
    if not rows:
        path.unlink(missing_ok=True)
        return
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    with new.open("w") as file:
        json.dump(rows, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
