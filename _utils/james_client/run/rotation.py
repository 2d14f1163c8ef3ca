"""Let a new password go live once James takes it, so that mail waits at worst.

James gets it first, where pillar ``account:update`` lets us tell him; then the host's files follow.
In between sendmail's login is refused, and mail waits, for AUTH is compulsory. A run that dies
there leaves files that differ from the pillar: the next one finds that James takes the password,
and goes on. In the other order nothing would tell it that James's part is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from james_client.cf.login import find_offer, find_required
from james_client.cf.text import Cf
from james_client.changes import Changes
from james_client.errors import ClientError
from james_client.files.candidate import check
from james_client.files.snapshot import read_or_absent
from james_client.james import account
from james_client.james.line import JamesError, PeerError
from james_client.run import live, owed, port, proof, service, steps
from james_client.run.domains import host_domains
from james_client.run.plan import Plan, RunError, naming
from james_client.run.service import Functions
from james_client.run.whole import whole
from james_client.wishes.settings import Account, Auth

_CREDENTIALS = next(step for step in steps.STEPS if step.command == "credentials")


@dataclass(frozen=True)
class Agreed:
    """Hold what was changed on James before a password goes live, and what he said, in words."""

    changes: Changes = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def agree(plan: Plan, functions: Functions, *, test: bool, insist: bool = False) -> Agreed:
    """See that James takes the password that is about to go live; tell him where we may.

    test
        ask him, and change nothing
    insist
        ask also where no file changes, and refuse to go on where he cannot be asked

    Without a credential file that changes nothing is asked. A James who is down, or who still
    waits for sendmail's port, does not hold up the run, unless mail could bounce. Raises RunError
    where he refuses the password and we may not tell him, PeerError where it is not James who
    listens.
    """
    if not (insist or _is_new(plan)):
        return Agreed()
    if not insist and (held := port.sendmails(plan)):
        return Agreed(notes=(_go_on_without(plan, JamesError(held)),))
    try:
        refused = _refusal(plan)
    except JamesError as err:
        if insist or isinstance(err, PeerError):
            raise
        return Agreed(notes=(_go_on_without(plan, err),))
    if refused is None:
        return Agreed(notes=("James takes the login",))
    changes = plan.told = _what_to_tell(plan, refused)
    if not test:
        _tell(plan, functions, changes)
    return Agreed(changes, ("James takes the login once it is told him",))


def go_live(
    plan: Plan, functions: Functions, *, holder: str, test: bool, insist: bool = False
) -> tuple[Changes, tuple[str, ...]]:
    """Put the proved candidates in place once James agrees; return what changed, and his words.

    holder
        who holds the lock meanwhile, for others' error messages
    test, insist
        as in `agree`

    What changed on James stands beside the files. Raises what `agree` and `live.go_live` raise.
    """
    agreed = agree(plan, functions, test=test, insist=insist)
    try:
        placed = live.go_live(plan, holder=holder, test=test)
    except ClientError as err:
        if not agreed.changes or test:
            raise
        ahead = "James knows the new password already: mail waits until this has been run again"
        raise type(err)(f"{err}\n{ahead}") from err
    return agreed.changes | placed, agreed.notes


def rotate(plan: Plan, functions: Functions, *, test: bool) -> Changes:
    """Bring the pillar's password to James and to this host; return what changed.

    test
        say it and change nothing

    Raises RunError, JamesError or FilesError; then mail flows as before, or waits until the next
    run.
    """
    auth = plan.settings.auth
    if auth is None:
        raise RunError(
            "expected pillar sendmail_james:auth, whose password is to be brought to James and to "
            "this host; there is none"
        )
    steps.take(_CREDENTIALS, plan)
    plan = whole(plan)
    _require_readers(plan, auth)
    proof.prove(plan)
    return go_live(plan, functions, holder="salt-call", test=test, insist=True)[0]


def is_refused(plan: Plan, *, patient: bool) -> bool:
    """Tell whether James refuses the login that is live, and pillar account:update may cure that.

    patient
        wait for a James that is just starting

    A password that is not live yet is `agree`'s. Raises JamesError.
    """
    auth, wish = plan.settings.auth, plan.settings.account
    if auth is None or wish is None or not wish.update or not _is_live(plan, auth):
        return False
    port.refuse_sendmail(plan)
    return account.refusal(plan.settings, patient=patient) is not None


def _is_new(plan: Plan) -> bool:
    return any(
        one.secret and one.after is not None and one.after != one.before.data
        for one in plan.candidates()
    )


def _go_on_without(plan: Plan, err: JamesError) -> str:
    """Say why James was not asked, or raise where mail might leave without a login for that."""
    auth = plan.settings.auth
    replaced = any(one.secret and one.before.data is not None for one in plan.candidates())
    if replaced and auth is not None and not auth.required:
        raise type(err)(
            f"{err}. The new password was not put in place, nothing was changed: with "
            "sendmail_james:auth:required: false mail would bounce if James refused it"
        )
    return f"James could not be asked whether he takes the login: {err}"


def _is_live(plan: Plan, auth: Auth) -> bool:
    wanted = steps.credential_map(auth)
    files = steps.credential_readers(plan, auth)
    return all(read_or_absent(path).data == wanted for path in files)


def _refusal(plan: Plan) -> str | None:
    port.refuse_sendmail(plan)
    return account.refusal(plan.settings)


def _no_way(plan: Plan, refused: str) -> str:
    auth, wish, relay = plan.settings.auth, plan.settings.account, plan.settings.relay
    user = "" if auth is None else auth.username
    return (
        f"{relay.host}:{relay.port}: James refuses the login as {user} with the pillar's password "
        f"({refused}): nothing was changed. {_cure(wish, user)}"
    )


def _cure(wish: Account | None, user: str) -> str:
    by_hand = f"Give James that password (WebAdmin: PUT /users/{user}?force)"
    if wish is None or wish.webadmin is None:
        return f"{by_hand}, or put the one that he has into pillar sendmail_james:auth:password"
    missing = [key for key in ("create", "update") if not getattr(wish, key)]
    keys = " and ".join(f"sendmail_james:account:{key}: true" for key in missing)
    return f"{by_hand}, or let the formula do it with {keys}"


def _what_to_tell(plan: Plan, refused: str) -> Changes:
    """Return what James is to be told, once all is known to be well for that; change nothing."""
    try:
        changes = account.missing(plan.settings, host_domains(plan), patient=False, refused=True)
    except JamesError as err:
        raise type(err)(f"{_no_way(plan, refused)}. WebAdmin: {err}") from None
    if not {"account", "password"} & changes.keys():
        raise RunError(_no_way(plan, refused))
    check(plan.to_check(), (plan.platform.backups,))
    if "password" in changes:
        _require_waiting(plan)
    return changes


def _tell(plan: Plan, functions: Functions, changes: Changes) -> None:
    """Change James, and see by a login that he has changed."""
    if "password" in changes and owed.is_owed(plan):
        # Sendmail may still work with a configuration in which AUTH is not compulsory.
        if service.is_offline(functions):
            raise RunError(
                "sendmail has not been restarted for its configuration, and no service manager "
                f"runs here: {plan.platform.restart}, then run this again"
            )
        service.restart(plan, functions)
    account.create(plan.settings, changes)
    if refused := _refusal(plan):
        where = plan.settings.account.webadmin if plan.settings.account else None
        relay = plan.settings.relay
        raise RunError(
            f"{where} says that it has the new password, and James still refuses it ({refused}): "
            f"no file was changed. Is that the WebAdmin of the James at {relay.host}:{relay.port}?"
        )


def _live_cfs(plan: Plan) -> dict[str, Cf]:
    found = {}
    for path in plan.cf_paths():
        with naming(path):
            found[path] = Cf(plan.before(path).data or b"")
    return found


def _require_waiting(plan: Plan) -> None:
    """Refuse a live cf that logs in and lets mail leave without a login all the same."""
    for path, cf in _live_cfs(plan).items():
        logs_in = find_offer(cf)[0] or cf.option("DefaultAuthInfo") is not None
        if logs_in and not find_required(cf):
            raise RunError(
                f"{path}: mail leaves without a login where James refuses it, and would bounce "
                "until the new password is live here; nothing was changed. Apply "
                "sendmail_james:auth:required: true with the old password first"
            )


def _require_readers(plan: Plan, auth: Auth) -> None:
    """Refuse a host whose sendmail does not read the credential files that the pillar wants."""
    read = {login.file for cf in _live_cfs(plan).values() if (login := find_offer(cf)[0])}
    wanted = set(steps.credential_readers(plan, auth))
    if read != wanted:
        raise RunError(
            f"sendmail reads its login from {', '.join(sorted(read)) or 'no file of ours'}, "
            f"expected {', '.join(sorted(wanted))}: apply the highstate first"
        )
