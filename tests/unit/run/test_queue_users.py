"""Who reads a credential file is whom sendmail works as: the cf's RunAsUser says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cf_world import CF, SUBMIT
from james_client.run import service
from james_client.run.plan import Plan
from james_client.run.steps import credential_readers, credentials
from run_world import plan as planned

LOGIN = {"auth": {"username": "sendmail", "password": "Gr33n-Tea&%Pot"}}
RUN_AS = b"O RunAsUser=smmsp\n"


def on(folder: Path, submit: bytes, cf: bytes = CF) -> Plan:
    """Give a plan for a host with these two files."""
    paths = {"cf": folder / "sendmail.cf", "submit_cf": folder / "submit.cf"}
    paths["cf"].write_bytes(cf)
    paths["submit_cf"].write_bytes(submit)
    lookup = {name: str(path) for name, path in paths.items()}
    return planned(LOGIN, submit_user="www-data", backups=str(folder / "backups"), **lookup)


@pytest.mark.parametrize(
    ("line", "user"),
    [
        (b"O RunAsUser=mail\n", "mail"),
        (b"O RunAsUser = mail:daemon  # the queue's\n", "mail"),
        (b"O RunA=mail.daemon\n", "mail"),
        (b"O RunAsUser=8/12\n", "8"),
        (b"O RunAsUser=smmsp\nO runasuser=mail\n", "mail"),
        (b"#O RunAsUser=mail\n", "www-data"),
        (b"O RunAsUser=\n", "www-data"),
    ],
)
def test_the_programs_file_belongs_to_whom_submit_cf_works_as(
    tmp_path: Path, line: bytes, user: str
) -> None:
    """Of a submit.cf that does not say it, the platform's word counts."""
    plan = on(tmp_path, SUBMIT + line)
    auth = plan.settings.auth
    assert auth is not None
    assert credential_readers(plan, auth) == {auth.file: "root", auth.programs_file: user}
    assert service.signs(plan).submit_user == user


def test_the_file_is_made_that_users(tmp_path: Path) -> None:
    plan = on(tmp_path, SUBMIT + b"O RunAsUser=8:12\n", CF + b"O RunAsUser=daemon/daemon\n")
    credentials(plan)
    owners = {one.path: one.uid for one in plan.to_check() if one.secret}
    assert plan.settings.auth is not None
    assert owners == {plan.settings.auth.file: 1, plan.settings.auth.programs_file: 8}


def test_a_submit_cf_that_is_none_stops_nobody_from_seeing_what_runs(tmp_path: Path) -> None:
    """On the way back sendmail is restarted, whatever has become of its files."""
    assert service.signs(on(tmp_path, b"torn")).submit_user == "www-data"
