"""A cf that was edited by hand along the old how-to is recognised and completed, not doubled."""

from __future__ import annotations

import re
from typing import Any

import pytest
import rebuild_world as world
from rebuild_world import CF, MC
from support import james, pristine

OWN_FILE = "/etc/mail/my-auth-info"


def by_hand() -> None:
    """Edit sendmail.cf as the how-to says, and lock Debian's rebuild out by its newer time."""
    text = CF.read_text("latin-1")
    for found, wanted in (
        (r"^DS$", "DSesmtp:localhost"),
        (r"^(DSesmtp:localhost)$", r"\1\nDResmtp:localhost\nDHesmtp:localhost"),
        (r"^(Mesmtp,.*F=)", r"\1k"),
        (r"^#O AuthMechanisms=.*", "O AuthMechanisms=LOGIN PLAIN DIGEST-MD5"),
        (r"^#O DefaultAuthInfo=.*", f"O DefaultAuthInfo={OWN_FILE}"),
        (r"^#O AuthOptions.*", "O AuthOptions=A"),
    ):
        text, times = re.subn(found, wanted, text, count=1, flags=re.MULTILINE)
        assert times == 1, found
    CF.write_text(text, "latin-1")


def lines(pattern: str) -> list[str]:
    return re.findall(rf"(?m)^{pattern}.*", CF.read_text("latin-1"))


@pytest.mark.usefixtures("james_server")
def test_what_was_done_by_hand_is_told_and_completed(minion_call: Any) -> None:
    by_hand()
    pillar = world.formula()
    pillar["sendmail_james"]["auth"] = world.PILLAR["auth"] | {"file": OWN_FILE}
    told = minion_call("sendmail_james.settings", pillar=pillar).data[str(CF)]
    assert told["smart host"] == told["local relay"] == told["mail hub"] == "esmtp:localhost"
    assert told["flags"].startswith("k")
    assert told["DefaultAuthInfo"] == OWN_FILE
    assert told["hub rule"] is False
    assert told["authinfo ruleset"] is True
    missing = "\n".join(told["missing"])
    for word in ("hub rule", "relay rule", "authinfo rules", "DefaultAuthInfo", "compulsory AUTH"):
        assert word in missing
    for word in ("smart host", "mail hub:", "AuthOptions"):
        assert word not in missing
    bob = minion_call("sendmail_james.routes", "bob").data[str(CF)]["bob"]
    assert bob["to James"] != "yes", "the how-to alone is enough here: the test shows nothing"

    changed = world.apply(minion_call)["All mail is relayed to James"]
    assert "hub rule" in changed
    assert "smart host" not in changed
    for pattern in ("D[S]", "D[R]", "D[H]", "O AuthMechanisms", "#O DefaultAuthInfo", "Mesmtp,"):
        assert len(lines(pattern)) == 1, pattern
    (mailer,) = lines("Mesmtp,")
    assert re.search(r"F=(\w+)", mailer)[1].count("k") == 1
    assert lines("O AuthMechanisms") == ["O AuthMechanisms=LOGIN PLAIN DIGEST-MD5"]
    told = minion_call("sendmail_james.settings").data[str(CF)]
    assert told["missing"] == []
    world.all_mail_reaches_james()
    assert world.apply(minion_call) == {}

    pristine.run("touch", str(MC))
    pristine.run("systemctl", "restart", "sendmail.service")
    assert minion_call("sendmail_james.settings").data[str(CF)]["missing"] == []
    assert james.running()
