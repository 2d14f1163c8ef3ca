"""Restart sendmail where its configuration is newer than its processes; see it come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sendmail_processes as processes
from sendmail_live import PENDING, LiveError
from sendmail_plan import Plan


def restart_pending() -> bool:
    """Tell whether files went live that sendmail has not been restarted for."""
    return PENDING.exists()


def why_restart(plan: Plan) -> str | None:
    """Return why sendmail must be restarted, None where it need not be."""
    if restart_pending() or plan.placed:
        return "an older configuration"
    if not plan.queues_only():
        return None
    wrong = processes.look(plan.platform.submit_user).wrong(programs=plan.has_programs_queue())
    return "; ".join(wrong) or None


def restart(plan: Plan, functions: Mapping[str, Callable[..., Any]]) -> None:
    """Enable and restart the platform's services, and wait until the queue runners live.

    Raises LiveError with what is still wrong and the command to type.
    """
    for service in plan.platform.services:
        functions["service.enable"](service)
        if not functions["service.restart"](service):
            raise LiveError(
                f"service {service} did not restart; look at its log, then: {plan.platform.restart}"
            )
    if plan.queues_only():
        wrong = processes.wait_for_runners(
            plan.platform.submit_user, programs=plan.has_programs_queue()
        )
        if wrong:
            raise LiveError(
                f"after a restart: {'; '.join(wrong)}. Look at sendmail's log, then: "
                f"{plan.platform.restart}"
            )
    PENDING.unlink(missing_ok=True)
