"""On a stock host, the negative twin: nothing goes to James, and sendmail's words come through."""

from __future__ import annotations

from pathlib import Path

import pytest
import talk_target
from james_client.mta.ask import version
from james_client.mta.process import ProcessError
from james_client.mta.routes import why_not_james
from talk_target import check, reading, routes

CF, MSP = "/etc/mail/sendmail.cf", "/etc/mail/submit.cf"


def test_a_stock_host_keeps_local_mail(pristine_host):
    """The negative twin: without the edits a bare name ends on this host, and none at James."""
    (bob,) = routes(CF, ["bob"])
    assert (bob.mailer, bob.user) == ("local", "bob")
    (nobody,) = routes(CF, ["nosuch"])
    assert nobody.error == "User unknown"
    assert reading(CF, "L").classes["L"] == ()
    reason = why_not_james(routes(CF, ["x@example.org"])[0], talk_target.RELAY, reading(CF).mailers)
    assert reason == "it goes to example.org, not to localhost"


def test_what_sendmail_refuses_is_told_in_its_words(pristine_host, tmp_path):
    """An empty file, a text, a directory, nothing at all: the words, with the path."""
    bad = tmp_path / "bad.cf"
    for text, words in (
        ("", "No local mailer defined"),
        ("<html>\n", 'line 1: unknown configuration line "<html>"'),
        (Path(CF).read_text("latin-1") + "Mbroken, Q=x\n", "line "),
    ):
        bad.write_text(text, "latin-1")
        for ask in (check, reading, lambda cf: routes(cf, ["bob"])):
            with pytest.raises(ProcessError, match=f"{bad}: sendmail refuses it: .*{words}"):
                ask(bad)
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ProcessError, match=f"{path}: cannot be read: (Is a|No such file)"):
            check(path)


def test_both_files_of_a_stock_host_are_good(pristine_host):
    """The negative twin of the refusals, and mailers as the cf has them."""
    check(CF)
    check(MSP)
    assert version(talk_target.SENDMAIL) >= (8, 17)
    found = reading(CF).mailers
    assert found["esmtp"].network
    assert found["esmtp"].args == "TCP $h"
    assert found["local"].path == "/usr/sbin/sensible-mda"
    assert "5" in found["local"].flags
