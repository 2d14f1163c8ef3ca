"""Look at a host: each thing once, only when a row of the table asks for it, changing nothing.

Nothing here starts a process, so that ``check`` may look every minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, overload

from james_client.changes import HostChanges
from james_client.errors import FaultError
from james_client.james import account
from james_client.james.dialogue import Login
from james_client.james.pulse import Pulse, pulse
from james_client.mta import processes
from james_client.mta.attempts import Lately
from james_client.mta.processes import Processes
from james_client.run import mail_log, owed, proof, reach, service, whole
from james_client.run.load import ERRORS
from james_client.run.plan import Plan
from james_client.run.steps import credential_readers, read_credentials
from james_client.verdict import applied, queues, unread
from james_client.wishes.settings import Settings

T = TypeVar("T")
_MOMENT = 1.5  # seconds
_PULSE = 0.8  # of the time that is left, for James himself: slow is not dead
PATIENCE = 0.5  # of the time that is left, for a server's answers


class NotSeenError(FaultError):
    """Say why something could not be looked at."""


@dataclass
class _Known:
    """What a look has given: a value or an error; neither while it is still looking."""

    value: Any = None
    error: Exception | None = None
    ended: bool = False


class seen(Generic[T]):  # noqa: N801 - it is used as a decorator
    """Make of a look a property that is looked at once, its error included.

    A row that was given up on may still be looking when the next one asks for the same.
    """

    def __init__(self, look: Callable[[Any], T]) -> None:
        self._look = look
        self.__doc__ = look.__doc__

    @overload
    def __get__(self, evidence: None, owner: type) -> seen[T]: ...
    @overload
    def __get__(self, evidence: Evidence, owner: type) -> T: ...
    def __get__(self, evidence: Evidence | None, owner: type) -> seen[T] | T:
        if evidence is None:
            return self
        name = self._look.__name__
        known: _Known | None = evidence.known.get(name)
        if known is None:
            known = evidence.known[name] = _Known()
            try:
                known.value = self._look(evidence)
            except ERRORS as err:
                known.error = err
            known.ended = True
        if not known.ended:
            raise NotSeenError(f"{name.replace('_', ' ')}: no answer yet")
        if known.error:
            raise known.error
        value: T = known.value
        return value


class Evidence:
    """Show a host, as far as it is asked for.

    plan
        of which no step was taken: it shows what is there
    seconds
        for all looks together
    mistakes
        of the pillar, whose keys the plan has at their defaults

    A look raises ClientError or OSError where it can't be made.
    """

    def __init__(self, plan: Plan, seconds: float = 5.0, mistakes: Sequence[str] = ()) -> None:
        self.plan = plan
        self.mistakes = tuple(mistakes)
        self.now = time.time()
        self.until = time.monotonic() + seconds
        self.pulse_took = 0.0
        self.known: dict[str, _Known] = {}

    @property
    def left(self) -> float:
        """Give the seconds that are left for all further looks."""
        return max(self.until - time.monotonic(), 0.0)

    # -- sendmail ------------------------------------------------------------------------------

    @seen
    def processes(self) -> processes.Processes:
        """See which of sendmail's processes live, and who listens on the mail ports and James's."""
        ports = {*processes.PORTS, self.plan.settings.relay.port}
        return processes.look(service.signs(self.plan), ports)

    @seen
    def restart_owed(self) -> bool:
        """Tell whether files went live that sendmail was not restarted for."""
        return owed.is_owed(self.plan)

    @seen
    def run_under_way(self) -> bool:
        """Tell whether a run is between its files and the restart that it owes."""
        return owed.is_under_way(self.plan)

    @seen
    def service_restarts(self) -> bool:
        """Tell whether the service is being restarted, by whomever."""
        return service.restarts(self.plan)

    @seen
    def processes_again(self) -> Processes:
        """See them once more, when a restart that was under way has had a moment."""
        time.sleep(min(_MOMENT, self.left / 4))
        return processes.look(service.signs(self.plan), ())

    @seen
    def queues(self) -> list[queues.SeenQueue]:
        """Read the queues: sendmail's, then programs'."""
        return queues.look(self.plan, self.left * PATIENCE / 2)

    @seen
    def lately(self) -> Lately:
        """Read from sendmail's log which message James took last, and which he refused."""
        return mail_log.lately(self.plan)

    @seen
    def unread(self) -> unread.Unread:
        """Find mail on this host that nobody reads."""
        return unread.unread(self.plan)

    @seen
    def drift(self) -> HostChanges:
        """Compare the files with the pillar."""
        return whole.drift(self.plan)

    @seen
    def rebuilds(self) -> dict[str, list[str]]:
        """Have m4 build each cf and see what it would lack."""
        return proof.lost_by_rebuild(self.plan)

    # -- James ---------------------------------------------------------------------------------

    @seen
    def logins(self) -> dict[str, Login | None]:
        """Read the logins that sendmail has, by their files; None of what is no such file."""
        auth = self.plan.settings.auth
        if auth is None:
            return {}
        found: dict[str, Login | None] = {}
        for path in credential_readers(self.plan, auth):
            given = read_credentials(self.plan.data(path) or b"")
            found[path] = Login(*given, auth.mechanisms) if given else None
        return found

    @seen
    def pulses(self) -> dict[str, Pulse]:
        """Ask James with each login that sendmail has, by its file; by "" where it has none."""
        logins: dict[str, Login | None] = {p: one for p, one in self.logins.items() if one}
        if logins and (why := applied.elsewhere(self.plan)):
            raise NotSeenError(f"James is not asked: {why}")
        logins = logins or {"": None}
        asked: dict[Login | None, Pulse] = {}
        found, begun = {}, time.monotonic()
        for path, login in logins.items():
            if login not in asked:
                james = replace(account.server(self.plan.settings), timeout=self.left * _PULSE)
                asked[login] = pulse(james, login)
            found[path] = asked[login]
        self.pulse_took = time.monotonic() - begun
        return found

    @property
    def has_time_for_names(self) -> bool:
        """Tell whether James, as fast as he is, could be asked for all names in what is left."""
        _ = self.pulses
        return self.left > 2 * self.pulse_took

    @seen
    def account_exists(self) -> bool | None:
        """Ask WebAdmin whether the account is there; None where the pillar names no WebAdmin."""
        settings = self.hurried
        admin = account.webadmin(settings)
        if settings.auth is None or admin is None:
            return None
        return admin.user_exists(settings.auth.username)

    @seen
    def health(self) -> dict[str, str]:
        """Ask James for his components that are not well; none where the pillar has no WebAdmin."""
        admin = account.webadmin(self.hurried)
        return admin.health() if admin else {}

    @seen
    def domains(self) -> tuple[str, ...]:
        """Ask WebAdmin for James's domains, which it tells to nobody whom it does not let in."""
        admin = account.webadmin(self.hurried)
        return admin.domains() if admin else ()

    @seen
    def reach(self) -> reach.Reach:
        """Ask James for each name that gets mail here."""
        return reach.reach(self.plan)

    @property
    def hurried(self) -> Settings:
        """Give the settings with no more patience than is left."""
        settings = self.plan.settings
        if settings.account is None:
            return settings
        seconds = min(settings.account.timeout, max(1, int(self.left * PATIENCE)))
        return replace(settings, account=replace(settings.account, timeout=seconds))
