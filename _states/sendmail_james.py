"""Make sendmail hand all mail to the Apache James server, and keep it so.

The steps ``queue_only``, ``relayed``, ``loop_check_off``, ``authenticated`` and ``credentials``
edit candidates in memory. ``live``, which must come after them in the same run, proves the
candidates with sendmail itself and puts them in place; until then nothing on the host has changed.
All values come from the pillar ``sendmail_james``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from james_client.answers import status as sendmail_status
from james_client.changes import Changes
from james_client.james import account as james_account
from james_client.run import live as sendmail_live
from james_client.run import load as sendmail_salt
from james_client.run import service as sendmail_service
from james_client.run.load import ERRORS
from james_client.run.plan import Plan, RunError

__opts__: dict[str, Any]
__salt__: dict[str, Callable[..., Any]]
__states__: dict[str, Callable[..., Any]]
__context__: dict[str, Any]
__pillar__: dict[str, Any]
__grains__: dict[str, Any]
__low__: dict[str, Any]

__virtualname__ = "sendmail_james"


def __virtual__() -> str:
    return __virtualname__


def _plan() -> Plan:
    """Return this run's plan, made from the checked pillar by the first state that asks for it."""
    if globals().get("__low__", {}).get("parallel"):
        raise RunError(
            "parallel: True is not possible: the steps of a run share their candidates; remove it"
        )
    if sendmail_salt.CONTEXT_KEY not in __context__:
        plan = sendmail_salt.load_plan(__salt__, __pillar__, __grains__, __opts__)
        __context__[sendmail_salt.CONTEXT_KEY] = plan
    return __context__[sendmail_salt.CONTEXT_KEY]


def _ret(name: str) -> dict[str, Any]:
    return {"name": name, "result": True, "changes": {}, "comment": ""}


def _failed(ret: dict[str, Any], err: Exception) -> dict[str, Any]:
    return ret | {"result": False, "changes": {}, "comment": str(err)}


def _awaits_package(plan: Plan) -> bool:
    """Tell whether this is a test on a host whose sendmail a real run would install first."""
    wanted = __opts__["test"] and plan.settings.package.install
    return wanted and not sendmail_salt.installed(plan)


def _unknown_yet(plan: Plan) -> dict[str, Any]:
    comment = f"{plan.platform.cf} comes with the package: what changes is known then"
    return {"result": None, "comment": comment}


def _step(
    name: str, edit: Callable[[Plan], Changes], already: str | Callable[[Plan], str], would: str
) -> dict[str, Any]:
    """Run one editing step on the candidates and report what it changes."""
    ret = _ret(name)
    try:
        plan = _plan()
        if _awaits_package(plan):
            return ret | _unknown_yet(plan)
        if plan.placed is not None:
            return _failed(
                ret, RunError("sendmail_james.live ran already: this must come before it")
            )
        changes = edit(plan)
    except ERRORS as err:
        return _failed(ret, err)
    if not changes:
        return ret | {"comment": already if isinstance(already, str) else already(plan)}
    ret |= {"changes": changes, "comment": f"{would} as soon as this run goes live"}
    if __opts__["test"]:
        ret |= {"result": None, "comment": f"{would} (test mode: nothing was changed)"}
    return ret


def installed(name: str) -> dict[str, Any]:
    """Install sendmail and the SASL plug-ins for PLAIN and LOGIN, unless another MTA is in the way.

    name
        a sentence; the packages are the platform's

    The first state of every run: it checks the pillar, all of it, before anything is touched. Fails
    where another MTA is installed and pillar ``sendmail_james:package:replace_mta`` is not true.

    .. code-block:: yaml

        Sendmail is installed and no other MTA is:
          sendmail_james.installed
    """
    ret = _ret(name)
    try:
        plan = _plan()
        sendmail_salt.refuse_other_mta(plan, __salt__)
        warnings = sendmail_salt.host_warnings()
        if not plan.settings.package.install:
            sendmail_salt.require_sendmail(plan)
            return ret | {
                "comment": "sendmail is here; packages are not ours to install",
                **warnings,
            }
    except ERRORS as err:
        return _failed(ret, err)
    package = __states__["pkg.installed"](name=name, pkgs=list(plan.platform.packages))
    return ret | {key: package[key] for key in ("result", "changes", "comment")} | warnings


def queue_only(name: str) -> dict[str, Any]:
    """Make sendmail run its queues and listen on no port (how-to, step 1).

    name
        a sentence; the intervals come from pillar ``sendmail_james:daemon``

    .. code-block:: yaml

        Sendmail runs its queues and does not listen:
          sendmail_james.queue_only
    """
    return _step(
        name, Plan.queue_only, "sendmail only runs its queues", "sendmail only runs its queues"
    )


def relayed(name: str) -> dict[str, Any]:
    """Hand every form of address to James: smart host, local relay and mail hub (how-to, step 2).

    name
        a sentence; mailer, host and port come from pillar ``sendmail_james:relay``

    .. code-block:: yaml

        All mail is relayed to James:
          sendmail_james.relayed
    """
    return _step(name, Plan.relayed, "all mail is relayed to James", "all mail is relayed to James")


def loop_check_off(name: str) -> dict[str, Any]:
    """Set mailer flag k: James may greet with this host's own name (how-to, step 3).

    name
        a sentence

    .. code-block:: yaml

        Sendmail does not take James for itself:
          sendmail_james.loop_check_off
    """
    already = "the loop check is as the pillar wants it"
    return _step(name, Plan.loop_check_off, already, "sendmail does not take James for itself")


def credentials(name: str) -> dict[str, Any]:
    """Write the credential files, mode 0600, one for root and one for the submission program.

    name
        a sentence; user, password and realm come from pillar ``sendmail_james:auth`` and are never
        shown

    .. code-block:: yaml

        James's credentials are readable by sendmail alone:
          sendmail_james.credentials
    """
    already = "the credential files are as the pillar wants them"
    return _step(name, Plan.credentials, already, "the credential files are written")


def authenticated(name: str) -> dict[str, Any]:
    """Log in to James with SMTP AUTH; where that fails, mail stays queued (how-to, step 4).

    name
        a sentence; everything else comes from pillar ``sendmail_james:auth``

    .. code-block:: yaml

        Sendmail logs in to James:
          sendmail_james.authenticated
    """
    would = "sendmail logs in to James"
    return _step(name, Plan.authenticated, Plan.login_in_words, would)


def live(name: str) -> dict[str, Any]:
    """Prove the run's candidates with sendmail and put them in place, each by one rename.

    name
        a sentence

    Fails, with every file as it was, where sendmail refuses a candidate, an address form does not
    reach James, or a file changed meanwhile.

    .. code-block:: yaml

        The configuration is proved and live:
          sendmail_james.live
    """
    ret = _ret(name)
    try:
        plan = _plan()
        if _awaits_package(plan):
            return ret | _unknown_yet(plan)
        notes = sendmail_live.prove(plan)
        changes = sendmail_live.go_live(plan, holder="state.apply", test=__opts__["test"])
    except ERRORS as err:
        return _failed(ret, err)
    if not changes:
        return ret | {"comment": "nothing to put in place"}
    ret |= {"changes": changes, "comment": "; ".join(["proved and put in place", *notes])}
    if __opts__["test"]:
        ret |= {"result": None, "comment": "; ".join(["proved; would be put in place", *notes])}
    return ret


def _is_offline() -> bool:
    # systemctl does nothing, and says that it went well, where this variable is set
    wished = os.environ.get("SYSTEMD_OFFLINE", "").lower() in ("1", "yes", "y", "true", "t", "on")
    return wished or ("service.offline" in __salt__ and __salt__["service.offline"]())


def _offline(plan: Plan) -> str:
    return f"NOT restarted, no service manager runs here: {plan.platform.restart}"


def running(name: str) -> dict[str, Any]:
    """Restart sendmail once where something went live, and see its queue runners live.

    name
        a sentence; the services are the platform's

    Makes good a restart that an interrupted run still owes. Where no service manager runs (a
    container, an image being built), nothing is restarted and the result says so, with the command
    to type.

    .. code-block:: yaml

        The queue runners work with the live configuration:
          sendmail_james.running
    """
    ret = _ret(name)
    try:
        plan = _plan()
        if _awaits_package(plan):
            return ret | _unknown_yet(plan)
        reason = sendmail_service.why_restart(plan, __salt__)
        if not reason:
            lives = "the queue runners live, and sendmail listens on no port"
            return ret | {"comment": lives if plan.queues_only() else "no restart is owed"}
        if not __opts__["test"] and _is_offline():
            return ret | {"comment": _offline(plan)}
        ret["changes"] = {"sendmail": {"old": reason, "new": "restarted"}}
        if __opts__["test"]:
            return ret | {"result": None, "comment": "sendmail would be restarted"}
        sendmail_service.restart(plan, __salt__)
    except ERRORS as err:
        return _failed(ret, err)
    return ret | {"comment": "sendmail was restarted"}


def restored(name: str, force: bool = False) -> dict[str, Any]:
    """Give every file back as it was before this formula first touched it, and restart sendmail.

    name
        a sentence
    force
        give back even what somebody else has changed since; a backup keeps what that overwrites

    Where somebody else has changed a file since, all files stay as they are and the comment names
    it: nothing is guessed.

    .. code-block:: yaml

        All files are as they were before James:
          sendmail_james.restored
    """
    ret = _ret(name)
    test = __opts__["test"]
    try:
        plan = _plan()
        changes = sendmail_live.go_back(plan, test=test, force=force, holder="state.apply")
        if not changes and not sendmail_service.restart_pending():
            return ret | {"comment": "nothing to give back"}
        ret["changes"] = changes
        if test:
            return ret | {"result": None, "comment": "every file would be given back"}
        if _is_offline():
            return ret | {"comment": f"given back; {_offline(plan)}"}
        plan = sendmail_salt.load_plan(__salt__, __pillar__, __grains__, __opts__)
        blocked = sendmail_service.restart_as_before(plan, __salt__)
    except ERRORS as err:
        return _failed(ret, err)
    said = ["every file was given back, and sendmail restarted", *blocked]
    return ret | {"comment": "; ".join(said)}


def account_present(name: str) -> dict[str, Any]:
    """See that James lets sendmail's account in; create it through WebAdmin if the pillar says so.

    name
        a sentence; the account is pillar ``sendmail_james:auth:username``

    An account that exists keeps its password. After a restart of sendmail, waits up to
    ``account:timeout`` seconds for a James that has just got its port. Then a dialogue that sends
    nothing asks for all that sendmail needs, and names the James setting to change where it is not.

    .. code-block:: yaml

        James takes mail from sendmail's account:
          sendmail_james.account_present
    """
    ret = _ret(name)
    try:
        plan = _plan()
        settings = plan.settings
        if settings.auth is None:
            return ret | {"comment": "no login is configured"}
        patient = bool(plan.placed) and not __opts__["test"]
        changes = james_account.missing(settings, patient=patient)
        if __opts__["test"]:
            said = "would be created" if changes else "nothing to create"
            return ret | {"result": None if changes else True, "changes": changes, "comment": said}
        james_account.create(settings, changes)
        ret["changes"] = changes
        wrong = james_account.in_words(james_account.checks(settings, patient=patient))
    except james_account.UNREACHABLE as err:
        # Before the first run sendmail still holds James's port, so a test can't ask.
        return ret | {"result": None if __opts__["test"] else False, "comment": str(err)}
    except ERRORS as err:
        return _failed(ret, err)
    if wrong:
        return ret | {"result": False, "comment": "; ".join(wrong)}
    return ret | {"comment": f"James takes what {settings.auth.username} will send"}


def delivers(name: str) -> dict[str, Any]:
    """Show that the live configuration takes every address form to James.

    name
        a sentence; pillar ``sendmail_james:verify`` says how: by routes, by test messages
        (``live``), or not at all

    .. code-block:: yaml

        All mail reaches James:
          sendmail_james.delivers
    """
    ret = _ret(name)
    try:
        plan = _plan()
        if __opts__["test"]:
            return ret | {"comment": "would be looked at after a change"}
        said = sendmail_live.verify(plan)
        if plan.settings.verify.live:
            wrong = sendmail_status.probe(plan)["wrong"]
            if wrong:
                return ret | {"result": False, "comment": "; ".join(wrong)}
            said.append("test messages of every form arrived")
    except ERRORS as err:
        return _failed(ret, err)
    return ret | {"comment": "; ".join(said) or "nothing to look at"}
