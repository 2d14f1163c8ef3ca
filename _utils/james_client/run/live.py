"""Put a plan's proved candidates in place, and go back, always owing a restart in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from james_client.changes import Changes
from james_client.files import back, old_secrets, place
from james_client.files.candidate import changes as changes_of
from james_client.files.candidate import check
from james_client.files.renames import NotPutBack
from james_client.mta import m4
from james_client.run import exposure, owed, proof, service
from james_client.run.plan import Plan
from james_client.run.steps import is_credential_map
from james_client.run.theirs import for_the_way_back

FORCE = "salt-call state.single sendmail_james.restored 'as before James' force=True"


def go_live(plan: Plan, *, holder: str, test: bool) -> Changes:
    """Put the proved candidates in place and return what changed, ``{path: {…}}``.

    holder
        who holds the lock meanwhile, for others' error messages
    test
        say it and touch nothing
    """
    candidates, facts = plan.candidates(), plan.platform
    changes = changes_of(candidates, diff=plan.settings.verify.diff)
    check(plan.to_check(), (facts.backups,))
    plan.placed = changes
    if test:
        return changes
    if not candidates:
        place.sweep(plan.paths(), facts.backups, lock=facts.lock, holder=holder)
    else:
        restarts = plan.needs_restart() and not plan.edits_a_copy()
        with _restart_owed(plan) if restarts else nullcontext():
            exposure.note(plan, candidates)
            also = plan.generated() if restarts else []
            place.place(candidates, facts.backups, lock=facts.lock, holder=holder, also=also)
    _drop_old_secrets(plan, holder)
    return changes


def _drop_old_secrets(plan: Plan, holder: str) -> None:
    facts = plan.platform
    old_secrets.drop(facts.backups, is_credential_map, lock=facts.lock, holder=holder)


def go_back(plan: Plan, *, holder: str, test: bool, force: bool = False) -> Changes:
    """Give every file back as it was before this formula first touched it; return what changed.

    force
        also where somebody else has changed a file since; what that overwrites is in a new backup

    What nobody else has changed is as before; of the rest, what is ours is taken out. Raises
    FilesError where others have changed our own lines, RunError where sendmail refuses a cf.
    """
    first = partial(
        back.restore_first,
        plan.platform.backups,
        force=force,
        theirs=for_the_way_back(plan),
        prove=partial(proof.prove_cf, plan),
        cure=f"look at it, then: {FORCE}",
    )
    return _back(plan, first, holder, test)


def restore(plan: Plan, backup: str, *, holder: str, test: bool, force: bool = False) -> Changes:
    """Bring back every file of a backup, and of all later ones; return what changed."""
    force_ = force or _nobodys_work(plan)
    way = partial(back.restore, plan.platform.backups, backup, force=force_)
    return _back(plan, way, holder, test)


def _nobodys_work(plan: Plan) -> list[str]:
    """Return the files that the platform's tools have made from ours: nobody's edits."""
    built = [
        cf
        for mc, cf in plan.managed_mcs()
        if m4.is_build_of(
            plan.before(cf).data or b"", plan.before(mc).data or b"", mc, plan.platform.cf_dir
        )
    ]
    return [*plan.generated(), *built]


def _back(plan: Plan, way: Callable[..., Changes], holder: str, test: bool) -> Changes:
    say = partial(way, lock=plan.platform.lock, holder=holder)
    changes = say(test=True)
    if not test:
        # Where nothing changes any more, it still sweeps what a killed one left.
        changing = any("kept" not in change for change in changes.values())
        with _restart_owed(plan) if changing else nullcontext():
            say(test=False)
        _drop_old_secrets(plan, holder)
    return changes


def backups(plan: Plan) -> list[dict[str, object]]:
    """Return the backups, newest first."""
    found = reversed(back.backups(plan.platform.backups))
    return [{"id": b.id, "when": b.when, "by": b.reason, "files": list(b.paths)} for b in found]


@contextmanager
def _restart_owed(plan: Plan) -> Iterator[None]:
    """Remember, before files change, that a restart is owed; forget it where none changed."""
    service.remember_listeners(plan)
    was_owed = owed.is_owed(plan)
    owed.owe(plan)
    try:
        yield
    except NotPutBack:
        raise
    except Exception:
        if not was_owed:
            owed.settle(plan)
        raise
