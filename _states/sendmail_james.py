"""Make sendmail hand all mail to the Apache James server, and keep it so.

The steps ``queue_only``, ``relayed``, ``loop_check_off``, ``authenticated`` and ``credentials``
edit candidates in memory. ``live``, which must come after them in the same run, proves the
candidates with sendmail itself and puts them in place; until then nothing on the host has changed.
All values come from the pillar ``sendmail_james``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

# Modules only: Salt's loader would take an imported function for a state.
from james_client.answers import account
from james_client.answers import delivers as answer
from james_client.run import (
    before_us,
    carry,
    load,
    proof,
    rotation,
    service,
    steps,
    told,
    watching,
    way_back,
    whole,
)
from james_client.run.plan import Plan, RunError
from james_client.wishes import mistakes

Ret = dict[str, Any]

__opts__: dict[str, Any]
__salt__: dict[str, Callable[..., Any]]
__states__: dict[str, Callable[..., Any]]
__context__: dict[str, Any]
__pillar__: dict[str, Any]
__grains__: dict[str, Any]
__low__: dict[str, Any]


def _plan(*, anew: bool = False) -> Plan:
    """Return this run's plan, made from the checked pillar by the first state that asks for it.

    anew
        the files have changed since
    """
    if globals().get("__low__", {}).get("parallel"):
        raise RunError(
            "parallel: True is not possible: the steps of a run share their candidates; remove it"
        )
    if anew or load.PLAN not in __context__:
        __context__[load.PLAN] = load.load_plan(
            __salt__, __pillar__, __grains__, __opts__, __context__
        )
    plan: Plan = __context__[load.PLAN]
    return plan


def _state(function: Callable[..., Ret]) -> Callable[..., Ret]:
    @functools.wraps(function)
    def call(name: str, *args: Any, **kwargs: Any) -> Ret:
        return load.state(
            name, functools.partial(function, name, *args, **kwargs), __pillar__, __context__
        )

    return call


def _awaits_package(plan: Plan) -> bool:
    """Tell whether this is a test on a host whose sendmail a real run would install first."""
    wanted = __opts__["test"] and plan.settings.package.install
    return wanted and not load.is_installed(plan)


def _unknown_yet(plan: Plan) -> Ret:
    comment = f"{plan.platform.cf} would come with the package: what would change is known then"
    return {"result": None, "comment": comment}


def _step(state: str) -> Ret:
    """Take one of the recipe's steps on the candidates and report what it changes."""
    plan = _plan()
    if _awaits_package(plan):
        return _unknown_yet(plan)
    step = next(step for step in steps.STEPS if step.state == state)
    changes = told.things(steps.take(step, plan))
    if not changes:
        return {"comment": step.already(plan)}
    if __opts__["test"]:
        return {"result": None, "changes": changes, "comment": step.would}
    return {"changes": changes, "comment": "goes live with this run"}


@_state
def installed(name: str) -> Ret:
    """Install sendmail and the SASL plug-ins for PLAIN and LOGIN, unless another MTA is in the way.

    name
        a sentence; the packages are the platform's

    The first state of every run: it checks the pillar, all of it, before anything is touched. Fails
    where another MTA is installed and pillar ``sendmail_james:package:replace_mta`` is not true.

    .. code-block:: yaml

        Sendmail is installed and no other MTA is:
          sendmail_james.installed
    """
    plan = _plan()
    load.refuse_other_mta(plan, __salt__)
    warnings = load.host_warnings()
    if not plan.settings.package.install:
        load.require_sendmail(plan)
        return warnings | {"comment": "sendmail is here; packages are not ours to install"}
    package = __states__["pkg.installed"](name=name, pkgs=list(plan.platform.packages))
    return warnings | {key: package[key] for key in ("result", "changes", "comment")}


@_state
def queue_only(name: str) -> Ret:
    """Make sendmail run its queues and listen on no port (how-to, step 1).

    name
        a sentence; the intervals come from pillar ``sendmail_james:daemon``

    .. code-block:: yaml

        Sendmail runs its queues and does not listen:
          sendmail_james.queue_only
    """
    return _step("queue_only")


@_state
def relayed(name: str) -> Ret:
    """Hand every form of address to James: smart host, local relay and mail hub (how-to, step 2).

    name
        a sentence; mailer, host and port come from pillar ``sendmail_james:relay``

    .. code-block:: yaml

        All mail is relayed to James:
          sendmail_james.relayed
    """
    return _step("relayed")


@_state
def loop_check_off(name: str) -> Ret:
    """Set mailer flag k: James may greet with this host's own name (how-to, step 3).

    name
        a sentence

    .. code-block:: yaml

        Sendmail does not take James for itself:
          sendmail_james.loop_check_off
    """
    return _step("loop_check_off")


@_state
def credentials(name: str) -> Ret:
    """Write the credential files, mode 0600, one for root and one for the submission program.

    name
        a sentence; user, password and realm come from pillar ``sendmail_james:auth`` and are never
        shown

    .. code-block:: yaml

        James's credentials are readable by sendmail alone:
          sendmail_james.credentials
    """
    return _step("credentials")


@_state
def authenticated(name: str) -> Ret:
    """Log in to James with SMTP AUTH; where that fails, mail stays queued (how-to, step 4).

    name
        a sentence; everything else comes from pillar ``sendmail_james:auth``

    .. code-block:: yaml

        Sendmail logs in to James:
          sendmail_james.authenticated
    """
    return _step("authenticated")


@_state
def live(name: str) -> Ret:
    """Prove the run's candidates with sendmail and put them in place, each by one rename.

    name
        a sentence

    Tells each file with its old and new size, and with pillar ``verify:diff`` as a unified diff.
    Fails, with every file as it was, where sendmail refuses a candidate, an address form does not
    reach James, or a file changed meanwhile. A password that is not live yet is tried at James
    first, sending nothing: where he refuses it, nothing goes live, unless pillar
    ``sendmail_james:account`` lets the formula give it to him (``update``, ``create``).

    .. code-block:: yaml

        The configuration is proved and live:
          sendmail_james.live
    """
    plan = _plan()
    if _awaits_package(plan):
        return _unknown_yet(plan)
    load.require_sendmail(plan)
    plan = __context__[load.PLAN] = whole.whole(plan)
    notes = proof.prove(plan)
    changes, said = rotation.go_live(plan, __salt__, holder="state.apply", test=__opts__["test"])
    notes += said
    if not changes:
        return {"comment": "nothing to put in place"}
    changes = told.files(changes)
    if __opts__["test"]:
        comment = _proved("would be put in place", notes)
        return {"result": None, "changes": changes, "comment": comment}
    return {"changes": changes, "comment": _proved("in place", notes)}


def _proved(said: str, notes: list[str]) -> str:
    return f"{said}; proved: {', '.join(notes) or 'each cf, by sendmail'}"


@_state
def running(name: str) -> Ret:
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
    plan = _plan()
    if _awaits_package(plan):
        return _unknown_yet(plan)
    reason = service.why_restart(plan, __salt__)
    if not reason:
        lives = "they live, and sendmail listens on no port"
        return {"comment": lives if plan.runs_queues_only() else "no restart is owed"}
    if service.is_offline(__salt__):
        return {"comment": service.not_restarted(plan, test=__opts__["test"])}
    changes = {"sendmail": f"restarted, was: {reason}"}
    if __opts__["test"]:
        return {"result": None, "changes": changes, "comment": "sendmail would be restarted"}
    late = service.restart(plan, __salt__)
    return {"changes": changes, "comment": "; ".join(["sendmail was restarted", *late])}


@_state
def restored(name: str, force: bool = False, timeout: int = before_us.TIMEOUT) -> Ret:
    """Take what is ours out of every file, and restart sendmail.

    name
        a sentence
    force
        give back even where somebody else has changed our own lines; a backup keeps what that
        overwrites
    timeout
        whole seconds to wait until James has given sendmail's ports back

    A file that nobody else has changed is as it was before this formula first touched it; in one
    that somebody has, what is his stays. Where he has changed our own lines, or sendmail refuses
    what would be left, all files stay as they are and the comment names them and the command that
    forces it: nothing is guessed. Where James keeps the ports that sendmail listened on before us,
    nothing is changed; the state fails and says what to type. Then what was made on James for
    aliases is taken away; where he is down the comment names what remains.

    .. code-block:: yaml

        All files are as they were before James:
          sendmail_james.restored
    """
    mistakes.integer(0, 3600)(timeout, "timeout")
    fresh = functools.partial(_plan, anew=True)
    wish = way_back.WayBack(test=__opts__["test"], force=force, timeout=timeout)
    return way_back.give_back(_plan(), fresh, __salt__, wish)


@_state
def account_present(name: str) -> Ret:
    """See that James lets sendmail's account in; make it so through WebAdmin if the pillar says so.

    name
        a sentence; the account is pillar ``sendmail_james:auth:username``

    An account that exists keeps its password, unless James refuses the one that is live here and
    pillar ``sendmail_james:account:update`` is true. After a restart of sendmail, waits up to
    ``account:timeout`` seconds for a James that has just got its port. Then a dialogue that sends
    nothing asks for all that sendmail needs, and names the James setting to change where it is not.

    .. code-block:: yaml

        James takes mail from sendmail's account:
          sendmail_james.account_present
    """
    plan = _plan()
    if _awaits_package(plan):
        return _unknown_yet(plan)
    return account.present(plan, test=__opts__["test"])


@_state
def aliases_carried(name: str) -> Ret:
    """Have James do what this host's aliases say, as forwards and groups, or say what is lost.

    name
        a sentence; pillar ``sendmail_james:account:aliases`` says whether the alias files of the cf
        are carried, reported or ignored, ``account:people`` which names James knows besides

    What was made is remembered: it goes when the alias or the wish goes, and with ``clean``. What
    James has nothing for is named in ``warnings``, unless ``account:acknowledged`` names it.

    .. code-block:: yaml

        James knows this host's aliases:
          sendmail_james.aliases_carried
    """
    plan, test = _plan(), __opts__["test"]
    if _awaits_package(plan):
        return _unknown_yet(plan)
    found = carry.look(plan, patient=bool(plan.placed) and not test)
    said: Ret = {"comment": found.summary(test=test)} | found.warnings
    if found.down and not test and plan.placed == {}:
        return said | {"warnings": [*said.get("warnings", ()), f"not looked at: {found.unasked}"]}
    if found.blocked:
        # Before the first run sendmail still holds James's port, so a test can't ask.
        return said | {"result": None if test and found.unasked else False}
    if test or not (found.changes or found.stale):
        return said | {"result": None if found.changes else True, "changes": found.changes}
    refused = carry.carry_out(plan, found, holder="state.apply")
    said["changes"] = found.changes
    return said | ({"result": False, "comment": "; ".join(refused)} if refused else {})


@_state
def delivers(name: str) -> Ret:
    """Show that all mail reaches James, and that he takes each name in each form in which it comes.

    name
        a sentence; pillar ``sendmail_james:verify`` says how: by routes, by names, by test messages
        (``live``), or not at all

    James is asked for the names in every run, in one dialogue that sends nothing; a name whose mail
    would die fails the run, with the cure. Routes and test messages are proved after a change, and
    then in each run until they have passed. Where nothing has changed and James is down, a warning
    says so.

    .. code-block:: yaml

        All mail reaches James:
          sendmail_james.delivers
    """
    plan = _plan()
    if _awaits_package(plan):
        return _unknown_yet(plan)
    return answer.foretold(plan) if __opts__["test"] else answer.delivers(plan)


@_state
def watched(name: str) -> Ret:
    """Have Salt's schedule check this host and tell monitors, as pillar ``watch`` says.

    name
        a sentence

    What an earlier pillar asked for, and this one does not, is taken away: the schedule's job, the
    textfile. Warns where no salt-minion runs that would keep the schedule.

    .. code-block:: yaml

        This host is watched as the pillar says:
          sendmail_james.watched
    """
    return watching.keep(_plan(), __salt__, test=__opts__["test"])
