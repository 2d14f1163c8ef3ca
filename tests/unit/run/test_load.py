"""No MTA is replaced unasked, whether its name is known or not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from james_client.run.load import SECRETS, refuse_other_mta, shown
from james_client.run.plan import RunError
from james_client.wishes.secret import Secret


def host(tmp_path: Path, *, program: bool, cf: bool, replace_mta: bool = False) -> Any:
    paths = {"sendmail": tmp_path / "sendmail", "cf": tmp_path / "sendmail.cf"}
    for name, wanted in (("sendmail", program), ("cf", cf)):
        if wanted:
            paths[name].touch()
    names = {name: str(path) for name, path in paths.items()}
    return SimpleNamespace(
        platform=SimpleNamespace(other_mtas=("postfix",), **names),
        settings=SimpleNamespace(package=SimpleNamespace(replace_mta=replace_mta)),
    )


def packages(*names: str) -> dict[str, Any]:
    return {"pkg.list_pkgs": lambda: dict.fromkeys(names, "1")}


@pytest.mark.parametrize(
    ("installed", "program", "cf", "named"),
    [
        (["postfix"], True, False, "postfix"),
        (["postfix"], True, True, "postfix"),
        (["some-mta"], True, False, "owner of .*/sendmail"),
    ],
)
def test_another_mta_is_refused(
    tmp_path: Path, installed: list[str], program: bool, cf: bool, named: str
) -> None:
    plan = host(tmp_path, program=program, cf=cf)
    with pytest.raises(RunError, match=f"{named}.*replace_mta: true"):
        refuse_other_mta(plan, packages(*installed))


@pytest.mark.parametrize(
    ("installed", "program", "cf"),
    [
        ([], False, False),
        (["sendmail-bin"], True, True),
        (["sendmail-bin"], True, False),  # its cf was lost: another error names that
        ([], True, True),  # built by hand, or the system's own
    ],
)
def test_sendmail_or_none_is_not(
    tmp_path: Path, installed: list[str], program: bool, cf: bool
) -> None:
    refuse_other_mta(host(tmp_path, program=program, cf=cf), packages(*installed))


def test_the_pillar_may_allow_it(tmp_path: Path) -> None:
    plan = host(tmp_path, program=True, cf=False, replace_mta=True)
    refuse_other_mta(plan, packages("postfix"))


def test_the_pillars_secrets_leave_in_no_value_but_a_returns_own_keys_stay() -> None:
    account = {"token": "sdb://x", "webadmin_password": "header"}
    pillar = {"sendmail_james": {"auth": {"password": "wrong"}, "account": account}}
    said = {"wrong": ["it is wrong", {"wrong": 5}], "next": "sdb://x stays"}
    assert shown(said, pillar, {}) == {
        "wrong": ["it is (hidden)", {"(hidden)": 5}],
        "next": "sdb://x stays",
    }
    assert shown("wrong", pillar, {}) == "(hidden)"
    assert shown("a header", pillar, {}) == "a (hidden)"
    assert shown("behind an address", {}, {SECRETS: [Secret("address")]}) == "behind an (hidden)"


@pytest.mark.parametrize("pillar", [{}, {"sendmail_james": None}, {"sendmail_james": {"auth": []}}])
def test_a_pillar_without_secrets_hides_nothing(pillar: Any) -> None:
    assert shown({"a": ["b"]}, pillar, {}) == {"a": ["b"]}
