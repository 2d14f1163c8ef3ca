"""What a command line gives: addresses to ask about, ids of backups."""

from __future__ import annotations

import re

import pytest
from james_client.wishes import checks as allowed
from james_client.wishes.mistakes import SettingsError


@pytest.mark.parametrize("text", ["root", "a+b@example.org", "host!user", "a%b@c", "x@[192.0.2.1]"])
def test_addresses_to_ask_about(text: str) -> None:
    assert allowed.check_address(text, "address") == text


@pytest.mark.parametrize(
    "text", ["", "a\n3,0 b", "/quit", "-bd", "a@b@c", "a,b", "a b", "=M", "x@[1]"]
)
def test_addresses_that_would_be_something_else(text: str) -> None:
    with pytest.raises(SettingsError, match=re.escape("address: expected")):
        allowed.check_address(text, "address")


@pytest.mark.parametrize("text", ["", "../x", "a/b", ".x", "-x", "a\n"])
def test_backup_ids(text: str) -> None:
    assert allowed.check_backup("20260101T000000.000001-first", "id")
    with pytest.raises(SettingsError, match="id: expected a backup's id"):
        allowed.check_backup(text, "id")
