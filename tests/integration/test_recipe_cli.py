"""What can be asked and done from the command line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import recipe
from salt.output import string_format
from support import james, pristine

CF, MSP = "/etc/mail/sendmail.cf", "/etc/mail/submit.cf"
EDITS = (("relay", CF), ("loop_check", CF), ("client_auth", CF), ("client_auth", MSP))
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def salt(module_call: Call) -> Call:
    """Give a call of the module's functions on a host where the formula was applied."""
    recipe.fresh_host()
    recipe.apply(module_call)

    def call(function: str, *arguments: str, **sections: Any) -> Any:
        return module_call(
            f"sendmail_james.{function}", *arguments, pillar=recipe.pillar(**sections)
        )

    return call


def given(result: Any) -> Any:
    """Give what a call returned, seeing that it did not fail and shows no password."""
    assert result.returncode == 0, result
    assert recipe.leaks(result.stdout + result.stderr, recipe.PASSWORD) == []
    return result.data


def refusal(result: Any) -> str:
    """Give the words of a call that failed, seeing that they are words."""
    said = result.stdout + result.stderr
    assert result.returncode, said
    assert "Traceback" not in said
    assert recipe.leaks(said, recipe.PASSWORD) == []
    return str(said)


@pytest.mark.parametrize(("function", "path"), EDITS)
def test_an_edit_of_a_copy_is_foretold_done_once_and_shown(
    salt: Call, tmp_path: Path, function: str, path: str
) -> None:
    copy = shutil.copy2(pristine.COPY / path.lstrip("/"), tmp_path)
    before = Path(copy).read_bytes()
    live = recipe.digest("/etc/mail")
    lacks = given(salt("settings", f"cf={copy}"))[copy]["missing"]
    assert lacks
    foretold = given(salt(function, f"cf={copy}", "test=True"))
    assert foretold.keys() == {copy}
    assert Path(copy).read_bytes() == before
    assert given(salt(function, f"cf={copy}")) == foretold
    assert Path(copy).read_bytes() != before
    assert given(salt(function, f"cf={copy}")) == {}
    assert given(salt("settings", f"cf={copy}"))[copy]["missing"] != lacks
    assert recipe.digest("/etc/mail") == live
    assert not Path("/var/lib/sendmail_james/restart-pending").exists()


def test_the_live_files_lack_nothing(salt: Call) -> None:
    found = given(salt("settings"))
    assert found.keys() == {CF, MSP}
    assert [found[path]["missing"] for path in found] == [[], []]
    assert "esmtp:localhost" in str(found[CF])


def test_routes_say_where_any_address_goes(salt: Call) -> None:
    found = given(salt("routes", "root", "someone@example.org"))
    assert found[CF].keys() == {"root", "someone@example.org"}
    assert {route["to James"] for path in found for route in found[path].values()} == {"yes"}
    stock = given(salt("routes", "root", f"cf={pristine.COPY}{CF}"))
    assert stock[f"{pristine.COPY}{CF}"]["root"]["to James"] != "yes"


def test_account_says_what_james_takes(salt: Call) -> None:
    found = given(salt("account"))
    assert found["created"] == {}
    told = {what: said for what, said in found["checks"].items() if said != "yes"}
    assert told.keys() == {"aliases are followed"}
    assert told["aliases are followed"].startswith("not seen: ")


def test_an_account_is_created_when_asked_and_not_in_test_mode(salt: Call) -> None:
    auth = {"username": "second"}
    foretold = given(salt("account", "create=True", "test=True", auth=auth))
    assert foretold["created"] == {"account": {"old": None, "new": "second"}}
    assert "second" not in james.users()
    assert given(salt("account", "create=True", auth=auth))["created"] == foretold["created"]
    assert "second" in james.users()
    james.remove_user("second")


def test_account_names_the_james_setting_that_is_in_the_way(salt: Call) -> None:
    recipe.new_james(verify_identity=True)
    found = salt("account")
    recipe.usual_james()
    checks = found.data["checks"]
    assert any("verifyIdentity" in said for said in checks.values()), checks
    assert found.returncode == 1


def test_the_probe_finds_nothing_wrong_and_leaves_nothing(salt: Call) -> None:
    report = given(salt("probe", "verbose=True", verify={"local_user": "alice"}))
    assert report["wrong"] == []
    assert len(report["messages"]) == 12
    logins = [seen for seen in report["messages"].values() if ">>> AUTH" in str(seen)]
    assert logins, report
    assert all(">>> AUTH PLAIN (hidden)" in str(seen) for seen in logins), logins
    assert recipe.queue_files() == []


def test_the_probe_prints_a_line_a_message_and_what_failed_with_its_dialogue(salt: Call) -> None:
    report = given(salt("probe", verify={"local_user": "alice"}))
    assert (len(report["messages"]), report["wrong"], "failed" in report) == (13, [], False)
    printed = string_format({"local": report}, "nested", opts={"color": False})
    assert len(printed.splitlines()) < 40, printed
    found = salt("probe", verify={"local_user": "nosuchuser"})
    assert found.returncode == 1
    assert {name.partition("@")[0].split(" ")[0] for name in found.data["failed"]} == {"nosuchuser"}
    for name, seen in found.data["failed"].items():
        assert "550 5.1.1 Unknown user" in seen["why"], name
    assert ">>> RCPT To:<nosuchuser@" in str(found.data["failed"])
    failed = [line for line in found.data["messages"] if "WRONG: refused" in line]
    assert failed and all(line.startswith("nosuchuser") for line in failed)


def test_the_probe_tells_of_messages_that_a_refused_login_keeps_here(salt: Call) -> None:
    james.add_user("sendmail", password="another")
    found = salt("probe", verify={"local_user": "alice"})
    james.add_user("sendmail", password=recipe.PASSWORD)
    assert found.returncode == 1
    assert len(found.data["failed"]) == 12
    assert "refuses the login: 535" in found.data["wrong"][-1]
    printed = string_format({"local": found.data}, "nested", opts={"color": False})
    assert len(re.findall(r"^ *>>> EHLO", printed, re.MULTILINE)) <= 2, printed
    assert recipe.queue_files() == []


def test_status_is_a_few_lines_with_nothing_wrong_and_shows_all_when_asked(salt: Call) -> None:
    short = {"verdict": "OK", "wrong": [], "next": "nothing to do"}
    assert given(salt("status")) == short
    page = given(salt("status", "verbose=True"))
    assert {key: page[key] for key in short} == short
    assert page["listeners"] == {"127.0.0.1:25": "java"}
    assert page["queue runners"] == {"queue": True, "programs' queue": True}


def test_drift_is_empty_until_pillar_or_host_differ(salt: Call) -> None:
    assert given(salt("drift")) == {}
    other = salt("drift", relay={"port": 525})
    assert (CF in other.data, other.returncode) == (True, 1)
    aside = Path("/etc/mail/james-auth-info").rename("/etc/mail/aside")
    assert "/etc/mail/james-auth-info" in salt("drift").data
    aside.rename("/etc/mail/james-auth-info")
    assert given(salt("drift")) == {}


def test_credentials_are_written_without_being_shown(salt: Call) -> None:
    before = recipe.digest("/etc/mail")
    other = {"password": "for-a-moment"}
    james.add_user("sendmail", password="for-a-moment")
    foretold = given(salt("credentials", "test=True", auth=other))
    assert recipe.digest("/etc/mail") == before
    assert given(salt("credentials", auth=other)) == foretold
    assert recipe.leaks(Path("/etc/mail/james-auth-info").read_bytes(), "for-a-moment")
    assert "for-a-moment" not in str(foretold)
    james.add_user("sendmail", password=recipe.PASSWORD)
    assert given(salt("credentials")).keys() == foretold.keys()
    assert given(salt("credentials")) == {}


def test_a_backup_is_listed_and_brings_its_files_back(salt: Call) -> None:
    with_k = Path(CF).read_bytes()
    assert given(salt("loop_check", loop={"check": True}))
    changed = Path(CF).read_bytes()
    assert changed != with_k
    newest = given(salt("backups"))[0]
    assert newest["by"] == "salt-call"
    assert CF in newest["files"]
    foretold = given(salt("restore", newest["id"], "test=True"))
    assert Path(CF).read_bytes() == changed
    assert given(salt("restore", newest["id"])).keys() == foretold.keys()
    assert Path(CF).read_bytes() == with_k


@pytest.mark.parametrize("function", ["settings", "relay", "status", "drift", "probe", "account"])
def test_a_pillar_with_mistakes_is_refused_by_every_function(salt: Call, function: str) -> None:
    said = refusal(salt(function, relay={"port": "smtp"}, auth={"pasword": "x"}))
    assert "sendmail_james:relay:port: expected" in said
    assert (
        "sendmail_james:auth: expected a known key, got 'pasword': did you mean password?" in said
    )


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        ("settings", ("cf=/etc/no-such.cf",), "/etc/no-such.cf"),
        ("relay", ("cf=/etc/mail",), "/etc/mail"),
        ("relay", ("cf=/etc/hosts",), "/etc/hosts"),
        ("routes", ("root", "cf=/etc/hosts"), "/etc/hosts"),
        ("client_auth", ("cf=/dev/null",), "/dev/null"),
        ("restore", ("no-such-backup",), "no-such-backup"),
    ],
)
def test_what_cannot_be_done_is_said_in_plain_words(
    salt: Call, function: str, arguments: tuple[str, ...], words: str
) -> None:
    before = recipe.digest("/etc")
    assert words in refusal(salt(function, *arguments))
    assert recipe.digest("/etc") == before


def test_a_james_that_is_down_is_said_in_plain_words(salt: Call, module_call: Call) -> None:
    james.stop()
    assert "nothing listens on port 25: James is down" in refusal(salt("account"))
    down = {one: salt(one) for one in ("check", "status")}
    passed = module_call("--retcode-passthrough", "sendmail_james.check")
    recipe.new_james()
    assert [one.returncode for one in (*down.values(), passed)] == [1, 1, 2]
    assert all("systemctl restart james" in str(one.data) for one in down.values()), down
