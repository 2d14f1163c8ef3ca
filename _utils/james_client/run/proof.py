"""Prove a plan's candidates with sendmail and m4.

The proof looks at the candidates, never at the live files, so a refused one has cost nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from james_client.cf.facts import facts as cf_facts
from james_client.cf.facts import missing
from james_client.cf.text import Cf
from james_client.files.candidate import Candidate
from james_client.mta import ask, m4
from james_client.mta.process import ProcessError
from james_client.mta.reading import CfReading, reading, senders
from james_client.mta.routes import cures, routes, why_not_james
from james_client.mta.trace import Route
from james_client.run import other_tools
from james_client.run.doubts import doubts
from james_client.run.plan import Plan, RunError, naming
from james_client.scratch import scratch
from james_client.wishes.settings import Settings

_NOBODY = "no-such-user"


def prove(plan: Plan) -> list[str]:
    """Check the candidates that a run would change, and return what was proved, in words.

    Each cf is parsed by sendmail (``-bC``), which must read in it what we read (``-bt``); where the
    relay step ran, every address form must reach James by a mailer that exists, from senders of the
    wanted domain; an mc must build a cf that lacks nothing. Raises RunError or ProcessError, naming
    the route.
    """
    plan.refuse_relaying_to_itself()
    changed = {candidate.before.path: candidate.before for candidate in plan.candidates()}
    notes: list[str] = []
    routed: list[str] = []
    built: list[str] = []
    with scratch() as folder:
        for path in plan.cf_paths():
            if path not in changed:
                continue
            found = changed[path]
            ask.require_roots(path, found.uid, found.gid, found.mode)
            copy = Path(folder, Path(path).name)
            copy.write_bytes(plan.rendered(path) or b"")
            notes += _prove_candidate(str(copy), plan, path, routed)
        for mc, cf in plan.managed_mcs():
            if {mc, cf} & changed.keys():
                _prove_rebuild(plan, mc, cf)
                built.append(mc)
    if routed:
        notes.insert(0, f"all address forms to James by {', '.join(routed)}")
    if built:
        notes.append(f"the same built from {', '.join(built)}")
    notes += [*plan.said(), *other_tools.in_words(plan, changed)]
    return [note for note in notes if note]


def _prove_candidate(copy: str, plan: Plan, path: str, routed: list[str]) -> list[str]:
    """Prove one candidate, and return what was proved; add its path to those whose routes were."""
    warned = ""
    try:
        warned = ask.check(copy, binary=plan.platform.sendmail).replace(copy, path)
        seen, notes = _read_alike(copy, plan, path), []
        if "relayed" in plan.taken and plan.settings.verify.routes:
            _prove_routes(copy, plan, path, seen)
            routed.append(path)
            notes.append(prove_senders(copy, plan, path, seen))
    except (ProcessError, RunError) as err:
        also = f"; sendmail warns of it: {warned}" if warned else ""
        raise RunError(f"{str(err).replace(copy, path)}{also}") from None
    return [*notes, f"sendmail says of {path}: {warned}" if warned else ""]


def prove_cf(plan: Plan, candidates: Sequence[Candidate]) -> None:
    """See that sendmail can read what a way back makes of its cf files, or raise RunError.

    candidates
        of any files; those that are no cf, or are removed, are not looked at

    Where sendmail's program went with its package, there is nobody to ask.
    """
    binary = plan.platform.sendmail
    if not Path(binary).exists():
        return
    with scratch() as folder:
        for one in candidates:
            if one.path not in (plan.platform.cf, plan.platform.submit_cf) or one.after is None:
                continue
            copy = Path(folder, Path(one.path).name)
            copy.write_bytes(one.after)
            try:
                ask.check(str(copy), binary=binary)
            except ProcessError as err:
                raise RunError(str(err).replace(str(copy), one.path)) from None


def address_forms(settings: Settings) -> list[str]:
    """Return the how-to's five address forms and root's, with the pillar's own addresses."""
    name, remote = settings.verify.local_user, settings.verify.remote_address
    forms = ["root", name, _NOBODY, f"{name}+tag"]
    forms += [f"{name}@localhost", f"{name}@{socket.getfqdn()}", remote]
    return list(dict.fromkeys(forms))


def judged(cf_path: str, plan: Plan, addresses: Sequence[str]) -> list[tuple[Route, str | None]]:
    """Return each address's route by a cf, with the reason where James does not get it.

    Asks sendmail; sends nothing.
    """
    return _judged(cf_path, plan, addresses, _reading(cf_path, plan))


def _judged(
    cf_path: str, plan: Plan, addresses: Sequence[str], seen: CfReading
) -> list[tuple[Route, str | None]]:
    relay, msp = plan.settings.relay, _cf(cf_path).is_msp
    flag_wanted = msp and not plan.settings.loop.check
    judged = []
    for route in routes(cf_path, addresses, binary=plan.platform.sendmail):
        why = why_not_james(route, relay, seen.mailers, msp=msp)
        if why is None and flag_wanted and "k" not in seen.mailers[route.mailer].flags:
            why = (
                "there is no flag k, as FEATURE(`msp') sets it, and so nothing goes to a James who "
                f"greets with this host's name (F= of mailer {route.mailer})"
            )
        judged.append((route, why))
    return judged


def _reading(cf_path: str, plan: Plan) -> CfReading:
    _cf(cf_path)  # of what is no cf, a planted credential file, sendmail would quote each line
    return reading(cf_path, "LwEN", binary=plan.platform.sendmail)


def _cf(cf_path: str) -> Cf:
    with naming(cf_path):
        return Cf(Path(cf_path).read_bytes())


def lost(cf_path: str, plan: Plan, addresses: Sequence[str]) -> dict[str, str]:
    """Return the addresses that a cf does not take to James, with the reason.

    The names of class L are looked at too; those in pillar ``relay:stay_local`` may stay. What
    sendmail reads otherwise than we do stands under "all mail".
    """
    seen = _reading(cf_path, plan)
    odd = doubts(_cf(cf_path), seen, plan.settings.relay)
    return _astray(cf_path, plan, addresses, seen) | ({"all mail": "; ".join(odd)} if odd else {})


def _astray(cf_path: str, plan: Plan, addresses: Sequence[str], seen: CfReading) -> dict[str, str]:
    names = () if _cf(cf_path).is_msp else seen.classes["L"]
    kept = set(plan.settings.relay.stay_local)
    asked = [one for one in dict.fromkeys((*addresses, *names)) if one.split("+")[0] not in kept]
    return {
        route.address: why for route, why in _judged(cf_path, plan, asked, seen) if why is not None
    }


def _read_alike(cf_path: str, plan: Plan, title: str) -> CfReading:
    """Return what sendmail reads in a cf, or raise RunError where we read something else."""
    seen = _reading(cf_path, plan)
    if odd := doubts(_cf(cf_path), seen, plan.settings.relay):
        raise RunError(f"{title}: {'; '.join(odd)}")
    return seen


def prove_routes(cf_path: str, plan: Plan, title: str) -> None:
    """Return if a cf is as it seems and takes every address form to James, or raise RunError.

    title
        what to call the file in an error
    """
    _prove_routes(cf_path, plan, title, _read_alike(cf_path, plan, title))


def _prove_routes(cf_path: str, plan: Plan, title: str, seen: CfReading) -> None:
    forms = address_forms(plan.settings)
    if wrong := _astray(cf_path, plan, forms, seen):
        said = "; ".join(f"{address}: {reason}" for address, reason in wrong.items())
        todo = [f"{cure[0].upper()}{cure[1:]}" for cure in cures(list(wrong.values()))]
        raise RunError(". ".join([f"{title}: not every address reaches James: {said}", *todo]))


def prove_senders(cf_path: str, plan: Plan, title: str, seen: CfReading) -> str:
    """Return in words that a cf gives this host's senders their domain, or raise RunError.

    Empty where the pillar wants no such domain.

    title
        what to call the file in an error
    seen
        what sendmail reads in it
    """
    relay, binary = plan.settings.relay, plan.platform.sendmail
    if relay.masquerade is None:
        return ""
    local, exposed, kept = (seen.classes[letter] for letter in "wEN")
    # "[192.0.2.1]" is an address and no name; one process answers for many, not for any number.
    hosts = [host for host in local if host[:1] != "[" and not f".{host}".endswith(_dotted(kept))]
    ours = [_NOBODY, *(f"{_NOBODY}@{host}" for host in hosts[:100])]
    wanted: dict[str, Sequence[str]] = dict.fromkeys(ours, (relay.masquerade,))
    wanted |= dict.fromkeys(exposed[:100], local)
    mailer = "relay" if _cf(cf_path).is_msp else relay.mailer
    found = senders(cf_path, mailer, list(wanted), binary=binary)
    for (sender, right), said in zip(wanted.items(), found, strict=True):
        if wrong := [one for one in said if one.rpartition("@")[2].lower() not in right]:
            raise RunError(
                f"{title}: sender {sender} would leave as {wrong[0]}, expected one at "
                f"{' or '.join(right)}: look for what else rewrites it (genericstable), or set "
                "sendmail_james:verify:routes to false"
            )
    return f"by {title} senders at {len(hosts)} names of this host are at {relay.masquerade}"


def _dotted(hosts: Sequence[str]) -> tuple[str, ...]:
    return tuple(f".{host}" for host in hosts)


def _prove_rebuild(plan: Plan, mc: str, cf: str) -> None:
    """Build the candidate mc with m4, as the platform will, and look for what it lacks."""
    built = m4.build(plan.rendered(mc) or b"", mc, plan.platform.cf_dir)
    if gone := _lost(plan, mc, cf, built):
        raise RunError(f"{mc}: a rebuilt {cf} would lack: {'; '.join(gone)}")


def verify(plan: Plan) -> list[str]:
    """Prove the routes of the live files, where the pillar wants that, or raise RunError."""
    if not plan.settings.verify.routes or not plan.hands_over():
        return []
    for path in plan.cf_paths():
        prove_routes(path, plan, path)
    return [f"all address forms reach James by {', '.join(plan.cf_paths())}"]


def facts(plan: Plan) -> dict[str, object]:
    """Return what each cf says now, and what it lacks for James."""
    found: dict[str, object] = {}
    for path in plan.cf_paths():
        cf = plan.cf(path)
        found[path] = cf_facts(cf) | {"missing": missing(cf, plan.settings)}
    return found


def lost_by_rebuild(plan: Plan) -> dict[str, list[str]]:
    """Return what each cf would lose in the platform's next rebuild, in words.

    Empty where nothing rebuilds it, because there is no mc or no m4.
    """
    return {
        cf: _lost(plan, mc, cf, m4.build(plan.before(mc).data or b"", mc, plan.platform.cf_dir))
        for mc, cf in plan.rebuildable_mcs()
    }


def _lost(plan: Plan, mc: str, cf: str, built: bytes) -> list[str]:
    """Say what a cf built from an mc lacks for James and the cf of this run has."""
    wanted = missing(Cf(plan.rendered(cf) or b""), plan.settings)
    return [what for what in missing(Cf(built), plan.settings) if what not in wanted]
