"""Say what each of sendmail's files would be without us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from james_client.files import theirs as files_theirs
from james_client.files.ledger import Record, Theirs
from james_client.files.snapshot import Snapshot
from james_client.mc.block import McError, without_block, without_quoted_block
from james_client.mta import m4
from james_client.mta.process import ProcessError
from james_client.run.plan import Plan
from james_client.wishes.platform import Platform


def without_us(now: Snapshot, record: Record | None, platform: Platform) -> Theirs:
    """Return what a file would be without us; what is ours in an mc is known by its marks.

    now
        the file as it is
    record
        what we know of its path, None where we never touched it
    """
    found = files_theirs.without_us(now, record)
    is_mc = now.path in (platform.mc, platform.submit_mc)
    if record is None or now.data is None or not is_mc or _is_exact(found, now, record):
        return found
    try:
        data = without_block(now.data)
    except McError:
        return found
    theirs = record.at(now.fingerprint).theirs
    time = theirs.mtime_ns if data == theirs.data else 0
    return Theirs(now if data == now.data else replace(now, data=data, mtime_ns=time))


def _is_exact(found: Theirs, now: Snapshot, record: Record) -> bool:
    theirs = record.at(now.fingerprint).theirs
    return found.known and not found.lost and found.file in (now, theirs)


def for_the_way_back(plan: Plan) -> Callable[[Snapshot, Record], Theirs]:
    """Return what tells a file without us on the way back, where m4 may be asked.

    What the platform's tools make of our files is nobody's work: such a file is what it was before.
    """
    facts = plan.platform
    behind = {cf: mc for mc, cf in plan.rebuildable_mcs()}

    def theirs(now: Snapshot, record: Record) -> Theirs:
        version = record.at(now.fingerprint)
        before = Theirs(version.theirs)
        if now.path in facts.generated:
            return before
        known = (version.fingerprint, version.theirs.fingerprint)
        mc = behind.get(now.path) if now.fingerprint not in known else None
        if mc and now.data is not None and _is_rebuilt(plan, now.data, mc):
            return before
        found = without_us(now, record, facts)
        return _without_quote(found) if now.path in (facts.cf, facts.submit_cf) else found

    return theirs


def _without_quote(found: Theirs) -> Theirs:
    # Also of a file that is known: a run after a rebuild has noted the quote among what is theirs.
    data = found.file.data and without_quoted_block(found.file.data)
    if data == found.file.data:
        return found
    return replace(found, file=replace(found.file, data=data, mtime_ns=0))


def _is_rebuilt(plan: Plan, cf: bytes, mc: str) -> bool:
    """Tell whether m4 has built a cf from an mc in which nothing has changed but our block."""
    source, record = plan.before(mc), plan.ledger().get(mc)
    if record is None or source.data is None:
        return False
    theirs = record.at(source.fingerprint).theirs
    if without_us(source, record, plan.platform).file.data != theirs.data:
        return False
    try:
        return m4.is_build_of(cf, source.data, mc, plan.platform.cf_dir)
    except ProcessError:
        return False
