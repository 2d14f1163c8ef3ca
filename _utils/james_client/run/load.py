"""Join Salt to the rest: make a plan from pillar, grains and the formula's data files.

Nothing here knows Salt's dunders; they come as arguments.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any

import salt.pillar
import salt.utils.yaml
from salt.exceptions import CommandExecutionError, SaltInvocationError

from james_client.errors import CallerError, ClientError
from james_client.james.peer import first_unprivileged_port, is_here
from james_client.run.plan import Plan, RunError
from james_client.scrub import scrub_all
from james_client.wishes import read, settings
from james_client.wishes.mistakes import SettingsError
from james_client.wishes.platform import select
from james_client.wishes.secret import Secret
from james_client.wishes.settings import Settings

ERRORS = (ClientError, CommandExecutionError, OSError)
"""Ours, Salt's, and the system's own where it speaks for itself."""

_NAME_SERVER = 0.5  # seconds for a look that must not take long

PLAN = "sendmail_james.plan"
SECRETS = "sendmail_james.secrets"
"""Names in ``__context__``: the plan that a run's states share, and what must not be shown."""
Functions = Mapping[str, Callable[..., Any]]


def load_plan(
    functions: Functions,
    pillar: Mapping[str, Any],
    grains: Mapping[str, Any],
    opts: Mapping[str, Any],
    context: MutableMapping[str, Any],
) -> Plan:
    """Return an empty plan for this host, its pillar checked; ``shown`` will know its secrets.

    Raises SettingsError with all the pillar's mistakes, PlatformError for an unknown platform.
    """
    load_ = _loading(functions, opts)
    return _planned(load_(read.own(pillar)), functions, grains, opts, context)


def load_known(
    functions: Functions,
    pillar: Mapping[str, Any],
    grains: Mapping[str, Any],
    opts: Mapping[str, Any],
    context: MutableMapping[str, Any],
) -> tuple[Plan, tuple[str, ...]]:
    """Return a plan for a look at this host though its pillar may have mistakes, and the mistakes.

    Raises RunError where Salt could not make the pillar, PlatformError for an unknown platform.
    """
    if said := pillar.get("_errors"):
        raise RunError(f"the pillar could not be made: {'; '.join(map(str, said))[:300]}")
    wrong: tuple[str, ...] = ()
    try:
        own = read.own(pillar)
    except SettingsError as err:
        own, wrong = None, err.mistakes
    wishes, mistakes = read.load_known(own, _loading(functions, opts, _is_here_soon))
    return _planned(wishes, functions, grains, opts, context), (*wrong, *mistakes)


def _is_here_soon(host: str) -> bool:
    """Tell whether a host is this very one; no where the name server takes its time."""
    found: list[bool] = []
    asking = threading.Thread(target=lambda: found.append(is_here(host)), daemon=True)
    asking.start()
    asking.join(_NAME_SERVER)
    return bool(found and found[0])


def _loading(
    functions: Functions, opts: Mapping[str, Any], here: Callable[[str], bool] = is_here
) -> Callable[[Any], Settings]:
    """Return what checks a pillar and fills in the defaults."""
    return partial(
        read.load,
        defaults=_data_file(functions, "defaults", opts),
        resolve=functions["sdb.get"],
        unprivileged_from=first_unprivileged_port(),
        is_here=here,
    )


def _planned(
    wishes: Settings,
    functions: Functions,
    grains: Mapping[str, Any],
    opts: Mapping[str, Any],
    context: MutableMapping[str, Any],
) -> Plan:
    context[SECRETS] = wishes.secrets
    platforms = _data_file(functions, "platforms", opts)
    return Plan(wishes, select(platforms, grains, wishes.lookup))


def current_pillar(opts: Mapping[str, Any], pillar: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the pillar as it is now, for a job of Salt's schedule.

    A minion without a master (``master_type: disable``) keeps the one that it was started with, and
    takes no order to read it anew; another one's is made anew by ``run.watching``.
    """
    if opts.get("master_type") != "disable":
        return pillar
    saltenv, pillarenv = opts.get("saltenv"), opts.get("pillarenv")
    made = salt.pillar.get_pillar(
        opts, opts.get("grains", {}), opts["id"], saltenv, pillarenv=pillarenv
    )
    return dict(made.compile_pillar())


def shown(value: Any, pillar: Mapping[str, Any], context: Mapping[str, Any]) -> Any:
    """Return what may leave the process of a return or an error: no secret, no AUTH exchange.

    value
        strings, in dicts, lists and tuples at any depth; a dict's own keys stay as they are: they
        are our words, which Salt and its callers read, and a password may be one of them
    """
    secrets = (*context.get(SECRETS, ()), *_given_secrets(pillar))
    if isinstance(value, dict):
        return {key: scrub_all(one, secrets) for key, one in value.items()}
    return scrub_all(value, secrets)


def answer(call: Callable[[], Any], pillar: Mapping[str, Any], context: Mapping[str, Any]) -> Any:
    """Return what a command does: our errors become Salt's, and nothing secret leaves.

    Raises SaltInvocationError for a caller's mistake, CommandExecutionError for all else.
    """
    try:
        return shown(call(), pillar, context)
    except CallerError as err:
        raise SaltInvocationError(shown(str(err), pillar, context)) from None
    except ERRORS as err:
        raise CommandExecutionError(shown(str(err), pillar, context)) from None


def state(
    name: str,
    call: Callable[[], dict[str, Any]],
    pillar: Mapping[str, Any],
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a state does: what it says wins over "nothing changed, all is well".

    Errors become its failure, and nothing secret leaves: this is the one way out.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    try:
        ret |= call()
    except ERRORS as err:
        ret |= {"result": False, "comment": str(err)}
    return dict(shown(ret, pillar, context))


def send(
    functions: Functions,
    pillar: Mapping[str, Any],
    context: Mapping[str, Any],
    tag: str,
    data: dict[str, Any],
) -> bool:
    """Send an event without anything secret, and tell whether Salt took it."""
    return bool(functions["event.send"](tag, shown(data, pillar, context)))


def _given_secrets(pillar: Mapping[str, Any]) -> Iterator[Secret]:
    """Give the secrets as the pillar spells them, which may be wrong as a whole."""
    given = pillar.get(settings.ROOT)
    for section, keys in settings.SECRETS.items():
        part = given.get(section) if isinstance(given, Mapping) else None
        for value in [part.get(key) for key in keys] if isinstance(part, Mapping) else []:
            if isinstance(value, str) and not value.startswith("sdb://"):
                yield Secret(value)


def _data_file(functions: Functions, name: str, opts: Mapping[str, Any]) -> dict[str, Any]:
    saltenv = opts.get("saltenv") or "base"
    url = f"salt://sendmail_james/{name}.yaml"
    text = functions["cp.get_file_str"](url, saltenv=saltenv)
    if not text:
        raise RunError(
            f"{url}: not found in saltenv {saltenv}; expected the formula in file_roots or gitfs"
        )
    return dict(salt.utils.yaml.safe_load(text))


def is_installed(plan: Plan) -> bool:
    """Tell whether sendmail's program and cf are on the host."""
    return Path(plan.platform.sendmail).exists() and Path(plan.platform.cf).exists()


def require_sendmail(plan: Plan) -> None:
    """Refuse a host without sendmail."""
    for path in (plan.platform.sendmail, plan.platform.cf):
        if not Path(path).exists():
            raise RunError(
                f"{path}: does not exist; expected sendmail to be installed "
                "(or set sendmail_james:package:install: true)"
            )


def refuse_other_mta(plan: Plan, functions: Functions) -> None:
    """Refuse a host on which another MTA would have to go, unless the pillar says that it may."""
    if plan.settings.package.replace_mta:
        return
    packages = functions["pkg.list_pkgs"]()
    found = sorted(set(packages) & set(plan.platform.other_mtas))
    ours = any(name.startswith("sendmail") for name in packages)
    if not ours and Path(plan.platform.sendmail).exists() and not Path(plan.platform.cf).exists():
        found.append(f"the owner of {plan.platform.sendmail}")
    if found:
        raise RunError(
            f"another MTA is installed: {', '.join(found)}; expected sendmail or none. To have it "
            "replaced set sendmail_james:package:replace_mta: true"
        )


def host_warnings() -> dict[str, list[str]]:
    """Return Salt's ``warnings`` for a host without a full name."""
    if "." in socket.getfqdn():
        return {}
    host = socket.gethostname()
    said = (
        f"host {host!r} has no full name: every sendmail call sleeps 60 s. Give it one in "
        f"/etc/hosts, such as '127.0.1.1 {host}.example.org {host}'"
    )
    return {"warnings": [said]}
