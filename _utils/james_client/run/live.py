"""Prove a plan's candidates with sendmail and m4, and put them in place.

The proof looks at the candidates, never at the live files, so a refused one has cost nothing.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from james_client.cf.facts import facts as cf_facts
from james_client.cf.facts import missing
from james_client.cf.text import Cf
from james_client.changes import Changes, HostChanges
from james_client.files import place as files
from james_client.mta import ask as run
from james_client.run.plan import BACKUPS, LOCK, LOCK_TIMEOUT, STATE_DIR, Plan, RunError, naming
from james_client.scratch import scratch
from james_client.wishes.settings import Settings

# Left before the first rename, taken away after the restart: what a run that dies between them
# still owes, the next one makes good.
PENDING = STATE_DIR / "restart-pending"
M4_TIMEOUT = 60.0  # seconds


def prove(plan: Plan) -> list[str]:
    """Check the candidates that a run would change, and return what was proved, in words.

    Each cf is parsed by sendmail (``-bC``); where the relay step ran, every address form must reach
    James by a mailer that exists (``-bt``); an mc must build a cf that lacks nothing. Raises
    RunError or ProcessError, naming the route.
    """
    plan.refuse_relaying_to_itself()
    changed = {candidate.before.path for candidate in plan.candidates()}
    notes: list[str] = []
    with scratch() as folder:
        for path in plan.cf_paths():
            if path not in changed:
                continue
            copy = Path(folder, Path(path).name)
            copy.write_bytes(plan.rendered(path) or b"")
            try:
                run.check(str(copy), binary=plan.platform.sendmail)
                if "relay" in plan.steps and plan.settings.verify.routes:
                    notes.append(prove_routes(str(copy), plan, path))
            except run.ProcessError as err:
                raise RunError(str(err).replace(str(copy), path)) from None
        for mc, cf in plan.managed_mcs():
            if {mc, cf} & changed:
                _prove_rebuild(plan, mc, cf, folder)
                notes.append(f"{mc} builds the same")
    return [note for note in notes if note]


def address_forms(settings: Settings) -> list[str]:
    """Return the how-to's five address forms and root's, with the pillar's own addresses."""
    name = settings.verify.local_user or "root"
    remote = settings.verify.remote_address or "postmaster@example.net"
    forms = ["root", name, "no-such-user", f"{name}+tag"]
    forms += [f"{name}@localhost", f"{name}@{socket.getfqdn()}", remote]
    return list(dict.fromkeys(forms))


def unproved_routes(cf_path: str, plan: Plan, addresses: Sequence[str]) -> dict[str, str]:
    """Return the addresses that a cf does not take to James, with the reason; send nothing.

    The names of class L are looked at too; those in pillar ``relay:stay_local`` may stay.
    """
    binary, relay = plan.platform.sendmail, plan.settings.relay
    with naming(cf_path):
        msp = Cf(Path(cf_path).read_bytes()).is_msp
    names = () if msp else run.names(cf_path, "L", binary=binary)
    kept = set(relay.stay_local)
    asked = [one for one in dict.fromkeys((*addresses, *names)) if one.split("+")[0] not in kept]
    mailers = run.mailers(cf_path, binary=binary)
    found = run.routes(cf_path, asked, binary=binary)
    reasons = (
        (route.address, run.why_not_james(route, relay, mailers, msp=msp)) for route in found
    )
    return {address: reason for address, reason in reasons if reason}


def prove_routes(cf_path: str, plan: Plan, title: str) -> str:
    """Return in words that a cf takes every address form to James, or raise RunError.

    title
        what to call the file in an error
    """
    forms = address_forms(plan.settings)
    if wrong := unproved_routes(cf_path, plan, forms):
        said = "; ".join(f"{address}: {reason}" for address, reason in wrong.items())
        raise RunError(
            f"{title}: not every address reaches James: {said}. Names that are meant to stay "
            "local belong in pillar sendmail_james:relay:stay_local"
        )
    return f"by {title} {len(forms)} address forms reach James"


def _prove_rebuild(plan: Plan, mc: str, cf: str, folder: Path) -> None:
    """Build the candidate mc with m4, as the platform will, and look for what it lacks."""
    copy = Path(folder, Path(mc).name)
    copy.write_bytes(plan.rendered(mc) or b"")
    built = _m4(str(copy), mc)
    wanted = missing(Cf(plan.rendered(cf) or b""), plan.settings)
    lost = [what for what in missing(Cf(built), plan.settings) if what not in wanted]
    if lost:
        raise RunError(f"{mc}: a rebuilt {cf} would lack: {'; '.join(lost)}")


def _m4(path: str, mc: str) -> bytes:
    """Return what m4 builds from a file that stands for an mc; raise RunError in m4's words."""
    m4 = shutil.which("m4")
    if m4 is None:
        raise RunError(
            f"{mc}: m4 is not installed; expected it, since the mc is kept in step (mc:manage)"
        )
    try:
        built = subprocess.run(
            [m4, path],
            cwd=Path(mc).parent,
            capture_output=True,
            timeout=M4_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"{mc}: m4 did not end within {M4_TIMEOUT:.0f} s") from None
    if built.returncode:
        words = built.stderr.decode(errors="replace").replace(path, mc).strip()
        said = words[-500:] or f"it ended with status {built.returncode}"
        raise RunError(f"{mc}: m4 refuses it: {said}")
    return built.stdout


def go_live(plan: Plan, *, holder: str, test: bool) -> Changes:
    """Put the proved candidates in place and return what changed, ``{path: {…}}``.

    holder
        who holds the lock meanwhile, for others' error messages
    test
        say it and touch nothing
    """
    candidates = plan.candidates()
    changes = files.changes(candidates)
    plan.placed = changes
    if test:
        return changes
    if not candidates:
        files.sweep(plan.paths(), BACKUPS, lock=LOCK, holder=holder, timeout=LOCK_TIMEOUT)
        return changes
    with _restart_owed() if plan.is_live() else nullcontext():
        files.place(
            candidates,
            BACKUPS,
            lock=LOCK,
            holder=holder,
            timeout=LOCK_TIMEOUT,
            also=plan.generated(),
        )
    return changes


def go_back(plan: Plan, *, holder: str, test: bool, force: bool = False) -> Changes:
    """Give every file back as it was before this formula first touched it; return what changed.

    force
        also where somebody else has changed a file since; what that overwrites is in a new backup

    A cf that m4 has rebuilt from our mc meanwhile holds nobody's work and is given back too. Raises
    FilesError where a file was changed by others.
    """
    first = partial(files.restore_first, BACKUPS, force=force or _nobodys_work(plan))
    return _back(first, holder, test)


def restore(plan: Plan, backup: str, *, holder: str, test: bool, force: bool = False) -> Changes:
    """Bring back every file of a backup, and of all later ones; return what changed."""
    way = partial(files.restore, BACKUPS, backup, force=force or _nobodys_work(plan))
    return _back(way, holder, test)


def _nobodys_work(plan: Plan) -> list[str]:
    """Return the files that the platform's tools have made from ours: nobody's edits."""
    built = [cf for mc, cf in plan.managed_mcs() if _is_build_of(mc, cf)]
    return [*plan.generated(), *built]


def _back(way: Callable[..., Changes], holder: str, test: bool) -> Changes:
    say = partial(way, lock=LOCK, holder=holder, timeout=LOCK_TIMEOUT)
    changes = say(test=True)
    if changes and not test:
        with _restart_owed():
            say(test=False)
    return changes


def backups() -> list[dict[str, object]]:
    """Return the backups, newest first."""
    found = reversed(files.backups(BACKUPS))
    return [{"id": b.id, "when": b.when, "by": b.reason, "files": list(b.paths)} for b in found]


@contextmanager
def _restart_owed() -> Iterator[None]:
    """Remember, before files change, that a restart is owed; forget it where none changed."""
    was_owed = PENDING.exists()
    STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    PENDING.touch(mode=0o600)
    try:
        yield
    except files.NotPutBack:
        raise
    except Exception:
        if not was_owed:
            PENDING.unlink(missing_ok=True)
        raise


def _is_build_of(mc: str, cf: str) -> bool:
    """Tell whether a cf on the disk is what m4 builds from its mc, its date and place apart.

    Debian's tools write the mc as a comment at the end.
    """
    built, found = _undated(_m4(mc, mc)), _undated(files.read(cf).data or b"")
    quoted = {b"# " + line for line in (files.read(mc).data or b"").splitlines()}
    quoted |= {f"### {mc} ###".encode(), b"# "}
    return found[: len(built)] == built and quoted.issuperset(found[len(built) :])


def _undated(cf: bytes) -> list[bytes]:
    dated = (b"##### built by ", b"##### in ", b"##### using ")
    return [line for line in cf.splitlines() if not line.startswith(dated)]


def verify(plan: Plan) -> list[str]:
    """Prove the routes of the live files, where the pillar wants that, or raise RunError."""
    if not plan.settings.verify.routes or not plan.relays():
        return []
    return [prove_routes(path, plan, path) for path in plan.cf_paths()]


def facts(plan: Plan) -> dict[str, object]:
    """Return what each cf says now, and what it lacks for James."""
    found: dict[str, object] = {}
    for path in plan.cf_paths():
        cf = plan.cf(path)
        found[path] = cf_facts(cf) | {"missing": missing(cf, plan.settings)}
    return found


def drift(plan: Plan) -> HostChanges:
    """Return what all steps would change, ``{path: {thing: {old, new}}}``; empty means none."""
    plan = Plan(plan.settings, plan.platform)  # the caller's goes on showing what is there
    changes: HostChanges = {}
    for step in (plan.queue_only, plan.relayed, plan.loop_check_off, plan.credentials):
        for path, what in step().items():
            changes.setdefault(path, {}).update(what)
    for path, what in plan.authenticated().items():
        changes.setdefault(path, {}).update(what)
    return changes


def after_rebuild(plan: Plan) -> dict[str, str]:
    """Return what the platform's next rebuild would do to each cf: "the same", or what it would
    lose.

    Empty where nothing rebuilds it, because there is no mc or no m4.
    """
    found: dict[str, str] = {}
    for mc, cf in plan.rebuildable_mcs():
        now = missing(Cf(plan.rendered(cf) or b""), plan.settings)
        then = missing(Cf(_m4(mc, mc)), plan.settings)
        found[cf] = "; ".join(what for what in then if what not in now) or "the same"
    return found
