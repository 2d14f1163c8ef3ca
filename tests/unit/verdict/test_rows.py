"""Each row of the table finds its cause in what was seen, and nothing on a host that is well."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import run_world
from james_client.james.dialogue import Login
from james_client.james.line import JamesError, NothingListensError, PeerError, SlowError
from james_client.james.pulse import Pulse
from james_client.james.smtp import Reply
from james_client.mta.attempts import Attempt, Lately
from james_client.mta.processes import Listener, Processes
from james_client.mta.queue import Aged, Glimpse, Held
from james_client.run import port
from james_client.run.reach import Reach
from james_client.verdict.causes import CAUSES
from james_client.verdict.evidence import NotSeenError
from james_client.verdict.figures import figures
from james_client.verdict.finding import Finding, Level
from james_client.verdict.queues import SeenQueue
from james_client.verdict.unread import Box, Unread
from james_client.wishes.secret import Secret

NOW = 1_800_000_000.0
DAY, HOUR = 86400, 3600
PILLAR = {
    "auth": {"username": "sendmail", "password": "s3cret"},
    "account": {"webadmin": "http://127.0.0.1:8000", "create": True},
}
FILE = "/etc/mail/james-auth-info"
LOGIN = Login("sendmail", Secret("s3cret"))
OTHER = replace(LOGIN, password=Secret("older"))
OFFERS = ("PLAIN", "LOGIN")
YES, NO = Reply(235, "in"), Reply(535, "Authentication Failed")
LATER = Reply(454, "4.7.0 not now")
GOOD = Pulse(OFFERS, {"PLAIN": YES}, {"": Reply(250, "ok"), "root@x.y": Reply(250, "ok")})
REFUSED = Pulse(OFFERS, {"PLAIN": NO, "LOGIN": NO})
LIMITS = dict.fromkeys(("normal", "urgent", "non-urgent", "dsn"), 5 * DAY)
BOX = Box(run_world.FORMULA / "dead.letter", 31, NOW)
RUNNERS = SimpleNamespace(
    listeners=(),
    daemons=(),
    runners=(),
    unseen=(),
    queue_runner=True,
    programs_runner=True,
    strays=list,
)


class Seen(SimpleNamespace):
    """Show a host that is well, but for what is given; an exception is raised when asked for."""

    def __init__(self, pillar: Any = None, **given: Any) -> None:
        plan = run_world.plan({**PILLAR, **(pillar or {})})
        plan.runs_queues_only = lambda: True  # type: ignore[method-assign]
        plan.has_programs_queue = lambda: True  # type: ignore[method-assign]
        well = {
            "mistakes": (),
            "processes": RUNNERS,
            "restart_owed": False,
            "run_under_way": False,
            "service_restarts": False,
            "has_time_for_names": True,
            "processes_again": RUNNERS,
            "logins": {FILE: LOGIN},
            "pulses": {FILE: GOOD},
            "account_exists": True,
            "reach": Reach(3, (), ()),
            "drift": {},
            "domains": ("localhost",),
            "health": {},
            "queues": [queue(0), queue(0, programs=False)],
            "lately": Lately(None, None, "journal", False, ()),
            "unread": Unread((), (BOX,), ()),
        }
        super().__init__(plan=plan, now=NOW, known=well | given)

    def __getattr__(self, name: str) -> Any:
        known = self.__dict__["known"]
        if name not in known:
            raise AttributeError(name)
        if isinstance(known[name], Exception):
            raise known[name]
        return known[name]


def queue(total: int, age: float = 60, *, programs: bool = True, kind: str = "normal") -> SeenQueue:
    """Give a queue of messages of an age in seconds."""
    held = Held("6AxAAAAA000001", Aged(int(NOW - age), kind, True), "Deferred: so", 1)
    return SeenQueue(programs, Glimpse(total, (held,) * total, True), LIMITS, 600)


def aside(*, programs: bool = True, **paths: tuple[str, ...]) -> SeenQueue:
    """Give a queue in which nothing waits and some messages were set aside."""
    return SeenQueue(programs, Glimpse(0, (), True, **paths), LIMITS, 600)


def runners(**given: Any) -> SimpleNamespace:
    """Give what lives, but for what is given."""
    return SimpleNamespace(**{**vars(RUNNERS), **given})


def attempt(age: float, why: str, dsn: str = "4.7.0") -> Attempt:
    """Give an attempt so many seconds ago."""
    return Attempt(NOW - age, "x", "alice", "", "esmtp", "localhost", dsn, why)


BOUNCED = attempt(HOUR, "550 5.7.1 no", "5.7.1")


def found(name: str, seen: Any) -> list[Finding]:
    """Ask one row."""
    (cause,) = [cause for cause in CAUSES if cause.name == name]
    return list(cause.look(seen))


NO_RUNNERS = runners(queue_runner=False, programs_runner=False)
# What of the host itself only a broken one shows: test_verdict_causes and test_verdict_host.
ON_A_HOST = {
    *("old-runner", "restart-fails", "spool-full", "james-disk-full", "load-too-high", "dns-dead"),
    *("credentials-readable", "password-exposed", "map-missing"),
    "cf-not-roots",  # test_cf_causes
}
WEBADMIN = {"webadmin-denies", "james-ill"}  # test_webadmin_causes
LISTENS = Listener(25, "127.0.0.1", "sendmail-mta", True, 7)
OWED = "salt-call state.apply sendmail_james"
ROWS: list[tuple[str, dict[str, Any], Level, str, str]] = [
    ("pillar-mistake", {"mistakes": ("a:b: expected 1, got 2",)}, Level.CRITICAL, "got 2", "a:b"),
    (
        "sendmail-in-place-of-james",
        {"processes": runners(listeners=(LISTENS,))},
        Level.CRITICAL,
        "pid 7",
        "kill 7",
    ),
    (
        "sendmail-listens",
        {"processes": runners(listeners=(replace(LISTENS, port=587),))},
        Level.WARNING,
        "port 587",
        "kill 7",
    ),
    (
        "sendmail-listens",
        {
            "processes": runners(
                daemons=(SimpleNamespace(waits=True, process=SimpleNamespace(pid=8)),)
            )
        },
        Level.WARNING,
        "waits for a port",
        "kill -9 8",
    ),
    ("restart-owed", {"restart_owed": True}, Level.WARNING, "not restarted", OWED),
    (
        "no-runner",
        {"processes": NO_RUNNERS, "processes_again": NO_RUNNERS},
        Level.CRITICAL,
        "for the queue and programs' mail",
        "service sendmail restart",
    ),
    (
        "stray-runner",
        {"processes": runners(strays=lambda: ["queue runner 9 works beside another: kill 9"])},
        Level.WARNING,
        "queue runner 9",
        "kill 9",
    ),
    (
        "james-down",
        {"pulses": NothingListensError("localhost:25: nothing")},
        Level.CRITICAL,
        "nothing listens on localhost:25",
        "james",
    ),
    (
        "james-slow",
        {"pulses": SlowError("localhost:25: no answer within 4 s")},
        Level.WARNING,
        "no answer within 4 s, though James listens",
        "ames",
    ),
    (
        "james-silent",
        {"pulses": JamesError("localhost:25: no answer within 2 s")},
        Level.CRITICAL,
        "no answer within 2 s",
        "james",
    ),
    (
        "james-stranger",
        {"pulses": PeerError("localhost:25: uid 7 listens")},
        Level.CRITICAL,
        "uid 7",
        "sendmail_james:relay:port",
    ),
    ("no-credentials", {"logins": {FILE: None}}, Level.CRITICAL, FILE, OWED),
    (
        "login-not-offered",
        {"pulses": {FILE: Pulse(())}},
        Level.CRITICAL,
        "no AUTH",
        "salt-call sendmail_james.preflight",
    ),
    (
        "account-gone",
        {"pulses": {FILE: REFUSED}, "account_exists": False},
        Level.CRITICAL,
        "no account sendmail",
        "salt-call sendmail_james.account create=True",
    ),
    (
        "wrong-password",
        {"pulses": {FILE: REFUSED}, "queues": [queue(2)]},
        Level.CRITICAL,
        "535 Authentication Failed' to the login in /etc/mail/james-auth-info, and 2 messages",
        "sendmail_james:auth:password",
    ),
    (
        "wrong-password",
        {"pulses": {FILE: REFUSED}, "logins": {FILE: OTHER}},
        Level.CRITICAL,
        "535",
        OWED,
    ),
    (
        "verify-identity",
        {"pulses": {FILE: replace(GOOD, senders={"": Reply(503, "5.7.1 Incorrect")})}},
        Level.CRITICAL,
        "the null sender",
        "<verifyIdentity>false</verifyIdentity>",
    ),
    (
        "senders-refused",
        {"pulses": {FILE: replace(GOOD, senders={"a@b": Reply(501, "no MX")})}},
        Level.CRITICAL,
        "a@b",
        "salt-call sendmail_james.preflight",
    ),
    (
        "james-defers",
        {"pulses": {FILE: Pulse(OFFERS, {"PLAIN": LATER})}, "queues": [queue(1)]},
        Level.CRITICAL,
        f"'454 4.7.0 not now' to the login in {FILE}, and 1 messages wait",
        "ames",
    ),
    (
        "james-defers",
        {"pulses": {FILE: replace(GOOD, senders={"": Reply(451, "busy")})}},
        Level.WARNING,
        "'451 busy' to mail from the null sender",
        "ames",
    ),
    (
        "james-defers",
        {"reach": Reach(3, (), (), "451 4.3.0 later"), "queues": [queue(1)]},
        Level.CRITICAL,
        "'451 4.3.0 later' to each recipient",
        "ames",
    ),
    ("names-unknown", {"reach": Reach(1, ("root dies",), ())}, Level.CRITICAL, "root", "people"),
    ("drift", {"drift": {"/etc/x": {}}}, Level.WARNING, "/etc/x", OWED),
    (
        "mail-lost",
        {"queues": [aside(lost=("/q/Qf1", "/q/Qf2"))]},
        Level.CRITICAL,
        "2 messages, which it neither delivers nor returns (/q/Qf1, /q/Qf2)",
        "sendmail -Ac -bp -qL",
    ),
    (
        "mail-quarantined",
        {"queues": [aside(programs=False, quarantined=("/q/hf1",))]},
        Level.WARNING,
        "1 messages are quarantined (/q/hf1)",
        "sendmail -bp -qQ",
    ),
    (
        "queue-near-return",
        {"queues": [queue(3, 4 * DAY)]},
        Level.WARNING,
        "returned to its sender in 1 d, and 2 more",
        "sendmail -Ac -q",
    ),
    (
        "queue-near-return",
        {"queues": [queue(1, 6 * DAY, programs=False)]},
        Level.CRITICAL,
        "after the next try that fails",
        "sendmail -q",
    ),
    (
        "queue-late",
        {"queues": [queue(1, HOUR)]},
        Level.WARNING,
        "waits 1 h, expected less than 30 min",
        "sendmail -Ac -q",
    ),
    ("queue-late", {"queues": [queue(1, 5 * HOUR)]}, Level.CRITICAL, "Deferred: so", ""),
    ("queue-many", {"queues": [queue(100)]}, Level.WARNING, "100 messages", "sendmail -Ac -q"),
    ("queue-many", {"queues": [queue(1000)]}, Level.CRITICAL, "less than 100", ""),
    (
        "last-refused",
        {
            "queues": [queue(1)],
            "lately": Lately(
                attempt(90, "Sent", "2.0.0"), attempt(60, "454 535 "), "journal", False, ()
            ),
        },
        Level.WARNING,
        "1 min ago",
        "sendmail -Ac -q",
    ),
    (
        "refused-lately",
        {"lately": Lately(None, BOUNCED, "journal", False, (), BOUNCED)},
        Level.WARNING,
        "1 h ago James refused for good mail to alice, which went back to its sender: 550 5.7.1 no",
        "salt-call sendmail_james.trace x",
    ),
    (
        "dead-letter",
        {"unread": Unread((BOX,), (), ())},
        Level.WARNING,
        "31 bytes",
        f"mv --backup=numbered {BOX.path} {BOX.path}.read && cp -p --attributes-only ",
    ),
    (
        "mail-stays-here",
        {"unread": Unread((), (BOX,), (BOX,))},
        Level.WARNING,
        "after James took over",
        "sendmail_james:relay:stay_local",
    ),
]


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have James's port be James's, whoever has it on the tests' own host."""
    monkeypatch.setattr(port, "strangers", lambda _: [])
    monkeypatch.setattr(port, "starting", lambda _: "")


@pytest.mark.parametrize(
    ("name", "given", "level", "said", "cure"), ROWS, ids=[f"{row[0]} {row[3]}" for row in ROWS]
)
def test_a_row_finds_its_cause(
    name: str, given: dict[str, Any], level: Level, said: str, cure: str
) -> None:
    one = found(name, Seen(**given))[0]
    assert (one.cause, one.level) == (name, level)
    assert said in one.said
    assert cure in one.cure
    assert "s3cret" not in str(one)


@pytest.mark.parametrize("cause", [one for one in CAUSES if not one.deep], ids=lambda one: one.name)
def test_no_row_finds_anything_on_a_host_that_is_well(cause: Any) -> None:
    assert list(cause.look(Seen())) == []
    fresh = queue(99, 60)
    assert list(cause.look(Seen(queues=[fresh, fresh]))) == []


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ({"account": {"webadmin": "http://127.0.0.1:8000", "update": True}}, "rotate"),
        ({"account": {"webadmin": "http://127.0.0.1:8000"}}, "sendmail_james:auth:password"),
    ],
)
def test_a_wrong_password_is_cured_where_it_may_be(given: dict[str, Any], cure: str) -> None:
    (one,) = found("wrong-password", Seen(given, pulses={FILE: REFUSED}))
    assert cure in one.cure


def test_a_run_that_restarts_sendmail_and_a_restart_of_the_service_are_no_fault() -> None:
    gone = {"processes": NO_RUNNERS, "processes_again": NO_RUNNERS}
    run = Seen(restart_owed=True, run_under_way=True, **gone)
    assert found("restart-owed", run) == found("no-runner", run) == []
    assert found("no-runner", Seen(processes=NO_RUNNERS)) == [], "it has come meanwhile"
    assert found("no-runner", Seen(service_restarts=True, **gone)) == []


def test_an_account_that_may_not_be_created_needs_the_pillar_first() -> None:
    account = {"account": {"webadmin": "http://127.0.0.1:8000"}}
    (one,) = found("account-gone", Seen(account, pulses={FILE: REFUSED}, account_exists=False))
    assert one.cure.startswith("sendmail_james:account:create: true, then: salt-call ")


def test_a_login_that_is_refused_for_now_is_no_wrong_password() -> None:
    later = Pulse(OFFERS, {"PLAIN": LATER})
    assert found("wrong-password", Seen(pulses={FILE: later})) == []
    assert found("james-defers", Seen(pulses={FILE: replace(later, logins={"PLAIN": NO})})) == []


def test_a_james_who_is_slow_is_neither_silent_nor_asked_for_names() -> None:
    slow = Seen(pulses=SlowError("localhost:25: no answer within 4 s"))
    assert found("james-silent", slow) == []
    asked = Reach(1, ("root dies",), (), "451 later")
    hurried = Seen(has_time_for_names=False, pulse_took=2.04, reach=asked)
    assert found("james-defers", hurried) == []
    (told,) = found("names-unknown", hurried)  # well, as far as it was looked at: which is said
    assert told.level is Level.OK
    assert told.said.startswith("James took 2.0 s to answer: his names were not asked for")


def test_a_stranger_who_says_nothing_is_no_slow_james(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "strangers", lambda _: ["cat (pid 7) holds port 25"])
    slow = Seen(pulses=SlowError("localhost:25: no answer within 4 s"))
    assert found("james-slow", slow) == []
    assert [one.level for one in found("james-silent", slow)] == [Level.CRITICAL]


@pytest.mark.parametrize(
    ("row", "error"), [("james-down", NothingListensError), ("james-slow", SlowError)]
)
def test_a_james_who_is_starting_needs_no_other_restart(
    monkeypatch: pytest.MonkeyPatch, row: str, error: type[JamesError]
) -> None:
    monkeypatch.setattr(port, "starting", lambda _: "he is starting")
    (one,) = found(row, Seen(pulses=error("localhost:25: no")))
    assert "he is starting" in one.said and "restart" not in one.cure


def test_where_james_puts_off_the_login_names_are_not_asked_for_at_all() -> None:
    unasked = JamesError("James refuses the login: 454 4.7.0 not now")
    seen = Seen(pulses={FILE: Pulse(OFFERS, {"PLAIN": LATER})}, reach=unasked)
    assert found("names-unknown", seen) == []
    assert [one.level for one in found("james-defers", seen)] == [Level.WARNING]


def test_thresholds_never_blame_a_slow_runner() -> None:
    hourly = replace(queue(1, 100 * 60), interval=3600)
    assert found("queue-late", Seen(queues=[hourly])) == []


def test_a_threshold_of_critical_below_warning_leaves_no_warning() -> None:
    seen = Seen({"watch": {"count_critical": 2}}, queues=[queue(2)])
    assert [one.level for one in found("queue-many", seen)] == [Level.CRITICAL]


def test_a_returned_message_or_one_taken_since_is_no_refused_login() -> None:
    bounced = Lately(None, attempt(60, "550 5.1.1 Unknown user", "5.1.1"), "journal", False, ())
    since = Lately(attempt(30, "Sent", "2.0.0"), attempt(60, "454 535 "), "journal", False, ())
    for lately in (bounced, since):
        assert found("last-refused", Seen(queues=[queue(1)], lately=lately)) == []
    assert found("last-refused", Seen(lately=replace(since, taken=None))) == []


@pytest.mark.parametrize("login_is_refused", [True, False])
def test_a_log_that_any_user_can_write_neither_blames_nor_proves(login_is_refused: bool) -> None:
    taken, refused = attempt(30, "Sent", "2.0.0"), attempt(10, "535 no")
    for log, forgeable in (("journal", False), ("/var/log/mail.log", True)):
        last = Lately(taken, refused if login_is_refused else None, log, forgeable, ())
        seen = Seen(queues=[queue(1)], lately=last)
        assert bool(found("last-refused", seen)) is (login_is_refused and not forgeable)
        assert ("last_taken" in figures(seen)) is not forgeable


def test_a_journal_whose_end_is_all_that_was_seen_is_said_where_mail_waits() -> None:
    cut = Lately(None, None, "journal", False, ("the journal before noon",))
    with pytest.raises(NotSeenError, match="the journal before noon"):
        found("last-refused", Seen(queues=[queue(1)], lately=cut))
    assert found("last-refused", Seen(lately=cut)) == []
    taken = replace(cut, taken=attempt(30, "Sent", "2.0.0"))
    assert found("last-refused", Seen(queues=[queue(1)], lately=taken)) == []


def test_a_host_that_keeps_no_log_is_not_warned_of() -> None:
    none = Lately(None, None, "", False, ("no line of sendmail's in the journal",))
    assert found("last-refused", Seen(queues=[queue(1)], lately=none)) == []


def test_a_message_that_was_refused_long_ago_or_in_anybodys_log_is_no_news() -> None:
    lately = Lately(None, BOUNCED, "journal", False, (), BOUNCED)
    old = attempt(7 * HOUR, "550 5.7.1 no", "5.7.1")
    for other in (replace(lately, returned=old), replace(lately, forgeable=True)):
        assert found("refused-lately", Seen(lately=other)) == []


def test_the_table_is_in_causal_order_and_names_each_cause_once() -> None:
    names = [cause.name for cause in CAUSES]
    assert len(set(names)) == len(names)
    for place, cause in enumerate(CAUSES):
        assert set(cause.explains) <= set(names[place + 1 :]), cause.name


def test_each_row_is_tried_here() -> None:
    rows = {cause.name for cause in CAUSES if not cause.deep}
    assert rows - ON_A_HOST - WEBADMIN == {row[0] for row in ROWS}
    assert Processes((), (), ()).strays() == []
