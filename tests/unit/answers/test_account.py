"""What of an account's report makes its exit code 1."""

from __future__ import annotations

from typing import Any

import pytest
from james_client.answers.account import is_wrong

NOT_SEEN = "not seen: James has no request for it"


@pytest.mark.parametrize(
    ("report", "wrong"),
    [
        ({"checks": {}}, False),
        ({"checks": {"login": "yes", "aliases are followed": NOT_SEEN}}, False),
        ({"checks": {"login": "yes"}, "unknown to James": []}, False),
        ({"checks": {"login": "yes", "any sender": "no, James says 503; change …"}}, True),
        ({"checks": {"login": "yes"}, "unknown to James": ["mail dies"]}, True),
    ],
)
def test_only_a_no_of_his_and_a_name_he_refuses_are_wrong(
    report: dict[str, Any], wrong: bool
) -> None:
    assert is_wrong(report) is wrong
