"""Say whether James lets sendmail's account in, and whose mail he would not take; make it so."""

from __future__ import annotations

from typing import Any

from james_client.answers.names import names
from james_client.answers.preflight import found as preflight
from james_client.changes import Changes
from james_client.james.account import answer, checks, create, in_words, missing
from james_client.james.line import JamesError, NothingListensError
from james_client.run import port, rotation, told
from james_client.run.domains import host_domains
from james_client.run.plan import Plan


def account(plan: Plan, *, make: bool, test: bool) -> dict[str, Any]:
    """Return what was created on James, his answers, and whose mail he would not take.

    make
        create what is missing, where pillar ``account:create`` is true
    test
        say it and create nothing; what is still to be created is not asked about

    Raises JamesError when James cannot be talked to.
    """
    with port.asking(plan):
        changes = missing(plan.settings, host_domains(plan), patient=False) if make else {}
        if not test:
            create(plan.settings, changes)
        report: dict[str, Any] = {"created": changes, "checks": {}}
        if test and changes:
            return report
        found = preflight(plan)
        if found.failure:
            raise found.failure
    report["checks"] = {check.what: answer(check) for check in found.checks}
    if not any(check.ok is False for check in found.smtp):
        report |= names(plan)
    return report


def is_wrong(report: dict[str, Any]) -> bool:
    """Tell whether a report of `account` has anything that James does not do as wanted."""
    refused = any(said.startswith("no, ") for said in report["checks"].values())
    return refused or bool(report.get("unknown to James"))


def present(plan: Plan, *, test: bool) -> dict[str, Any]:
    """Make sendmail's account what the pillar wants, and see that it works; return a state's words.

    test
        say it and change nothing

    A James who is down while nothing has changed is a warning only.
    """
    if plan.settings.auth is None:
        return {"comment": "no login is configured"}
    try:
        with port.asking(plan):
            return _made_so(plan, test=test)
    except JamesError as err:
        if not test and plan.placed == {} and isinstance(err, NothingListensError):
            return {"warnings": [f"the account was not looked at: {err}"], "comment": str(err)}
        # Before the first run sendmail still holds James's port, so a test can't ask.
        said = f"James would be asked; now {err}" if test else str(err)
        return {"result": None if test else False, "comment": said}


def _made_so(plan: Plan, *, test: bool) -> dict[str, Any]:
    settings, patient = plan.settings, bool(plan.placed) and not test
    refused = rotation.is_refused(plan, patient=patient)
    changes = missing(settings, host_domains(plan), patient=patient, refused=refused)
    if test:
        return _foretold({what: one for what, one in changes.items() if what not in plan.told})
    create(settings, changes)
    if wrong := in_words(checks(settings, host_domains(plan), patient=patient)):
        said = "; ".join([*port.strangers(plan), *wrong])
        return {"result": False, "changes": told.files(changes), "comment": said}
    user = settings.auth.username if settings.auth else ""
    return {"changes": told.files(changes), "comment": f"James takes what {user} will send"}


def _foretold(changes: Changes) -> dict[str, Any]:
    if not changes:
        return {"comment": "nothing would be changed on James"}
    comment = f"would be changed on James: {', '.join(changes)}"
    return {"result": None, "changes": told.files(changes), "comment": comment}
