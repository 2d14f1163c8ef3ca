"""The owner of /etc/mail can't read the password, and no file that he plants makes Salt show it."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import recipe
from forked_salt import ForkedSalt
from james_client.run import service
from safety_host import PILLAR, STEPS, failed, write_pillar
from support import leaks, pristine

OWN = "/etc/mail/james-auth-info"
PROGRAMS = "/etc/mail/james-msp-auth-info"
OWN_SWAPPED = ("james-auth-info", PROGRAMS)
ASKED = ("drift", "status")
PUBLIC = ("sendmail.conf", "sendmail.mc", "sendmail.cf", "submit.cf")
NEXT = copy.deepcopy(PILLAR)  # the planted password is an earlier pillar's: nobody knows it now
NEXT["sendmail_james"]["auth"]["password"] = "another, of today"
NEXT["sendmail_james"]["verify"] = {"diff": True}


@pytest.fixture(scope="module")
def salt(minion: Any, pillar_folder: Path) -> ForkedSalt:
    """Give a masterless Salt in forks, on a host where the formula is applied."""
    pristine.remember()
    pristine.restore()
    write_pillar(pillar_folder, PILLAR)
    salt = ForkedSalt(minion.config_file)
    result = salt.call("state.apply", STEPS)
    assert not failed(result), failed(result)
    pristine.run("rsync", "-aAX", "--delete", "/etc/mail/", "/srv/applied/")
    return salt


@pytest.fixture(autouse=True)
def applied(salt: ForkedSalt, pillar_folder: Path) -> Iterator[None]:
    """Begin with what the run left, and with a new password in the pillar."""
    pristine.run("rsync", "-aAX", "--delete", "/srv/applied/", "/etc/mail/")
    write_pillar(pillar_folder, NEXT)
    yield
    pristine.run("rsync", "-aAX", "--delete", "/srv/applied/", "/etc/mail/")


def as_smmta(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the owner of /etc/mail."""
    who = ("setpriv", "--reuid=smmta", "--regid=smmta", "--clear-groups")
    return subprocess.run((*who, *command), check=False, capture_output=True, text=True)


def plant(source: str, name: str) -> Path:
    """Rename a credential file over a public one, as the folder's owner may."""
    path = Path("/etc/mail", name)
    assert as_smmta("cat", source).returncode != 0, "the owner of the folder can't read it"
    moved = as_smmta("mv", "-f", source, str(path))
    assert moved.returncode == 0, moved
    assert leaks.shown(path.read_bytes())
    return path


def shown(salt: ForkedSalt, *call: str, **keywords: Any) -> list[str]:
    """Name what shows the planted password: the return, in any shape, or what Salt stores."""
    cache = Path(salt.options["cachedir"])
    shutil.rmtree(cache / "minion_jobs", ignore_errors=True)
    for stored in cache.glob("*.p"):
        stored.unlink()
    data = salt.call(*call, first=_no_restart, **keywords)
    said = f"{json.dumps(data)}\n{json.dumps(data, ensure_ascii=False)}\n{data}"

    return leaks.shown(said) + list(leaks.files([str(cache)], private=True))


def _no_restart() -> None:
    # Debian's start script sources sendmail.conf: with a planted one it runs what nobody stops.
    service.restart = lambda *_: []


@pytest.mark.parametrize(
    ("name", "source"),
    [*((name, OWN) for name in PUBLIC), ("sendmail.conf", PROGRAMS), OWN_SWAPPED],
)
def test_a_planted_credential_file_is_not_shown(salt: ForkedSalt, name: str, source: str) -> None:
    plant(source, name)
    wrong = {call: found for call in ASKED if (found := shown(salt, f"sendmail_james.{call}"))}
    for test in (True, False):
        if found := shown(salt, "state.apply", STEPS, test=test):
            wrong[f"state.apply test={test}"] = found
    assert wrong == {}


def test_what_others_can_read_is_shown_and_stored(salt: ForkedSalt) -> None:
    """The twin: the search sees a diff in the return, and what Salt keeps of it."""
    Path("/etc/mail/sendmail.conf").write_bytes(leaks.SHAPES["raw of its core"] + b"\n")
    found = shown(salt, "state.apply", STEPS, test=True)
    assert "raw of its core" in found
    assert any(one.startswith("/") for one in found), "nothing is stored: nothing would be found"


def test_a_password_that_is_a_word_of_salts_breaks_no_return(
    salt: ForkedSalt, pillar_folder: Path
) -> None:
    """What is taken out of a return is never the frame that Salt reads."""
    pillar = copy.deepcopy(NEXT)
    pillar["sendmail_james"]["auth"]["password"] = "comment"
    write_pillar(pillar_folder, pillar)
    result = salt.call("state.apply", STEPS, test=True)
    frame = {"comment", "changes", "result"}
    wrong = [
        one for one in result.values() if one.get("result") is False or not frame <= one.keys()
    ]
    assert wrong == []


@pytest.fixture
def elsewhere(salt: ForkedSalt, pillar_folder: Path) -> Iterator[Path]:
    """Give a folder of root's that the credential file has been moved to by the pillar."""
    folder = Path("/etc/james")
    folder.mkdir(mode=0o755)
    pillar = copy.deepcopy(NEXT)
    pillar["sendmail_james"]["auth"]["file"] = f"{folder}/james-auth-info"
    write_pillar(pillar_folder, pillar)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_others_write_to_is_refused_before_anything_is_written(
    salt: ForkedSalt, elsewhere: Path
) -> None:
    elsewhere.chmod(0o777)
    before = recipe.digest("/etc/mail", "/etc/james")
    for test in (True, False):
        said = "".join(map(str, failed(salt.call("state.apply", STEPS, test=test)).values()))
        assert f"{elsewhere} has owner uid 0 and mode 0777; wanted" in said
        assert f"chmod go-w {elsewhere}" in said
    assert recipe.digest("/etc/mail", "/etc/james") == before


def test_one_that_others_write_to_later_is_refused_too_and_the_cure_cures(
    salt: ForkedSalt, elsewhere: Path
) -> None:
    assert unsuccessful(salt) == {}
    elsewhere.chmod(0o777)
    (said,) = unsuccessful(salt).values()
    assert f"chmod go-w {elsewhere}" in said
    pristine.run("chmod", "go-w", str(elsewhere))
    assert unsuccessful(salt) == {}


def unsuccessful(salt: ForkedSalt) -> dict[str, str]:
    """Apply, and give the states that went wrong themselves, with their comments."""
    found = failed(salt.call("state.apply", STEPS))
    return {name: said for name, said in found.items() if "requisite" not in said}
