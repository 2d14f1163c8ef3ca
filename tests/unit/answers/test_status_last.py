"""Status shows the last mail to James where the log is a proof of it, and says where it is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import run_world
from james_client.answers import status
from james_client.mta import journal
from james_client.mta.attempts import Attempt, Lately

SENT = (
    "Jan  2 10:00:00 mail sm-msp[7]: 6AOEXhUO000526: to=alice, delay=00:00:25, xdelay=00:00:00, "
    "mailer=relay, pri=1, relay=localhost [127.0.0.1], dsn=2.6.0, stat=Sent (Message received)\n"
)


def test_a_log_file_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FOLDERS", (str(tmp_path / "none"),))
    tmp_path.chmod(0o755)
    log = tmp_path / "mail.log"
    log.write_text(SENT)
    plan = run_world.plan({}, mail_logs=[str(log)], cf=str(tmp_path / "sendmail.cf"))
    said = status.PARTS["last mail to James"](plan)
    assert said == f"not told: any user of this host can add lines to {log}"


def test_the_journal_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Attempt(0.0, "6AOEXhUO000526", "alice", "", "relay", "localhost", "2.6.0", "Sent")
    read = {"last": Lately(taken, None, "journal", False, ())}
    monkeypatch.setattr(status.mail_log, "lately", lambda _: read["last"])
    shown = status.PARTS["last mail to James"](run_world.plan({}))
    assert list(shown) == ["taken"]
    assert shown["taken"].endswith(" ago")
    read["last"] = Lately(None, None, "journal", False, ("the journal before noon",))
    shown = status.PARTS["last mail to James"](run_world.plan({}))
    assert shown == "the journal before noon"
