"""What sendmail makes of a candidate wins over what we read in it: a difference is a refusal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from james_client.run.plan import Plan, RunError
from james_client.run.proof import lost, prove
from james_client.run.steps import STEPS, take
from run_world import plan as planned

STOCK = Path("/etc/mail/sendmail.cf").read_bytes()
SUBMIT = Path("/etc/mail/submit.cf").read_bytes()


def client(
    folder: Path, cf: bytes, submit: bytes | None = None, *, loop: bool = False, **verify: bool
) -> Plan:
    """Give a plan in which all steps have made a cf, or two, James's client."""
    files = {name: folder / name for name in ("sendmail.cf", "submit.cf")}
    for path, data in zip(files.values(), (cf, submit), strict=True):
        if data is not None:
            path.write_bytes(data)
            path.chmod(0o644)
    lookup = {"cf": str(files["sendmail.cf"]), "submit_cf": str(files["submit.cf"])}
    pillar = {
        "mc": {"manage": False},
        "verify": {"routes": True, **verify},
        "loop": {"check": loop},
        "auth": {"username": "sendmail", "password": "Gr33n-Tea&%Pot"},
    }
    plan = planned(pillar, **lookup, backups=str(folder / "backups"))
    for step in STEPS:
        take(step, plan)
    return plan


def test_a_stock_cf_is_proved(tmp_path: Path) -> None:
    """The negative twin of all below: what sendmail reads is what we read."""
    assert prove(client(tmp_path, STOCK)) == [
        f"all address forms to James by {tmp_path}/sendmail.cf"
    ]


def test_what_sendmail_warns_of_is_told(tmp_path: Path) -> None:
    """It names the version that it finds in a cf, and the one that it wants."""
    notes = prove(client(tmp_path, STOCK.replace(b"V10/", b"V9/", 1)))
    (said,) = (note for note in notes if "sendmail says of" in note)
    assert f"{tmp_path}/sendmail.cf" in said
    assert "supports version 10, .cf file is version 9" in said


def test_a_refusal_has_what_sendmail_warns_of(tmp_path: Path) -> None:
    """Whatever a cf lacks, that it is old may be why."""
    old = STOCK.replace(b"V10/", b"V8/", 1) + b"O ConnectOnlyTo=127.0.0.9\n"
    with pytest.raises(RunError, match=r"ConnectOnlyTo.*\.cf file is version 8"):
        prove(client(tmp_path, old))


@pytest.mark.parametrize("tool", [b"", b"# Managed by Puppet, do not edit\n"])
def test_that_another_tool_writes_a_file_is_told_and_no_fault(tmp_path: Path, tool: bytes) -> None:
    """It will write over what we edit; whether that is wanted only the site knows."""
    notes = prove(client(tmp_path, tool + STOCK))
    said = [note for note in notes if f"{tmp_path}/sendmail.cf says 'Managed by Puppet" in note]
    assert bool(said) == bool(tool)


@pytest.mark.parametrize("routes", [True, False])
@pytest.mark.parametrize(
    ("line", "both"),
    [
        # to sendmail a dollar sign, and a comment behind it
        (
            b"O DeadLetterDrop=/var/dead$$# or alive",
            r"option DeadLetterDrop: sendmail reads /var/dead\$, this formula /var/dead\$\$# or",
        ),
    ],
)
def test_what_sendmail_reads_wins(tmp_path: Path, line: bytes, both: str, *, routes: bool) -> None:
    """Both are named, whatever the routes say."""
    plan = client(tmp_path, STOCK + line + b"\n", routes=routes)
    with pytest.raises(RunError, match=rf"sendmail\.cf: {both}"):
        prove(plan)


@pytest.mark.parametrize(
    "line", [b"O AuthMechanisms.first=GSSAPI", b"O FallbackSmartHost.x y = other.example.org"]
)
def test_what_follows_the_dot_of_an_option_without_parts_does_not_count(
    tmp_path: Path, line: bytes
) -> None:
    """Sendmail passes over it, so these are the options that the steps set."""
    assert prove(client(tmp_path, STOCK + line + b"\n"))


@pytest.mark.parametrize(
    ("to", "refused"),
    [("127.0.0.9", True), ("2525@127.0.0.1", True), ("127.0.0.1", False), ("25@127.0.0.1", False)],
)
def test_a_cf_that_connects_elsewhere_whatever_the_route_says(
    tmp_path: Path, to: str, *, refused: bool
) -> None:
    """Option ConnectOnlyTo takes all mail, and the login, to one address."""
    plan = client(tmp_path, STOCK + f"O ConnectOnlyTo={to}\n".encode())
    if refused:
        with pytest.raises(RunError, match=f"ConnectOnlyTo={to} takes all mail there"):
            prove(plan)
        assert f"ConnectOnlyTo={to}" in lost(plan.platform.cf, plan, ["root"])["all mail"]
    else:
        assert prove(plan)


FLAGS = re.compile(rb"(?m)^(M\w+,.*?F=\w*)k(\w*)")


@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("flagged", [True, False])
def test_programs_mail_needs_a_mailer_that_checks_for_no_loop(
    tmp_path: Path, *, flagged: bool, loop: bool
) -> None:
    """FEATURE(`msp') sets flag k; where a site took it away, a James of this name gets nothing."""
    submit = SUBMIT if flagged else FLAGS.sub(rb"\1\2", SUBMIT)
    assert flagged == (submit == SUBMIT)
    plan = client(tmp_path, STOCK, submit, loop=loop)
    if flagged or loop:
        assert prove(plan)[0].endswith(f"{tmp_path}/submit.cf")
    else:
        with pytest.raises(RunError, match=r"submit\.cf: .*root: .*no flag k.*F= of mailer"):
            prove(plan)
