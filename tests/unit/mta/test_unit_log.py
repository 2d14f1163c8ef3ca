"""A restart that fails is told in the words of who failed, short and clean."""

from __future__ import annotations

import pytest
from james_client.mta.unit_log import reason

BROKEN = """\
Stopping sendmail.service - LSB: powerful, efficient, and scalable Mail Transport Agent...
Deactivated successfully.
(to smmsp) root on none
pam_env(su:session): Unable to open env file: /etc/default/locale: No such file or directory
Starting Mail Transport Agent (MTA): sendmail
/etc/mail/sendmail.cf: line 2086: readcf: unknown option name Nonsense
NOQUEUE: SYSERR(root): /etc/mail/sendmail.cf: line 2086: readcf: unknown option name Nonsense
/etc/mail/sendmail.cf: line 2087: invalid rewrite line "R broken" (tab expected)
sendmail.service: Control process exited, code=exited, status=78/CONFIG
sendmail.service: Failed with result 'exit-code'.
Failed to start sendmail.service - LSB: powerful, efficient, and scalable Mail Transport Agent.
"""


def test_each_reason_is_said_once_and_nothing_else() -> None:
    assert reason(BROKEN) == (
        "/etc/mail/sendmail.cf: line 2086: readcf: unknown option name Nonsense; "
        '/etc/mail/sendmail.cf: line 2087: invalid rewrite line "R broken" (tab expected)'
    )


@pytest.mark.parametrize(
    "text, said",
    [
        ("Started sendmail.service - LSB: an MTA.\nstarting daemon (8.17.1.9): queueing@5s\n", ""),
        ("", ""),
        ("env: '/usr/sbin/sendmail': No such file or directory", "env: '/usr/sbin/sendmail'"),
        ("cannot open \x1b[31mred\x07\n", "cannot open  [31mred"),
        ("fail " + "x" * 900, "fail " + "x" * 195),
    ],
)
def test_what_is_no_reason_is_left_out_and_what_is_moves_no_terminal(text: str, said: str) -> None:
    found = reason(text)
    assert found.startswith(said) and (found.isprintable() or not found)
    assert len(found) <= 200


def test_only_the_last_reasons_are_said() -> None:
    text = "".join(f"file {number}: not found\n" for number in range(50))
    assert reason(text) == "file 47: not found; file 48: not found; file 49: not found"
