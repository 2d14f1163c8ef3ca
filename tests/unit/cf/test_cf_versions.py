"""A cf that an old sendmail's m4 wrote is no better for being built again: its version is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cf_world import AUTH, CF, RELAY
from james_client.cf import auth, masquerade, relay
from james_client.cf.text import Cf, CfError

MASQUERADED = replace(RELAY, masquerade="example.org")
AGAIN = r"build the (submit\.)?cf from its mc again"


def lacking(line: bytes, version: bytes) -> Cf:
    """Give a cf of another version, without one line."""
    text = CF.replace(b"DZ8.17.1\n", b"", 1).replace(b"V10/Berkeley\n", version, 1)
    assert line in text
    return Cf(text.replace(line, b"", 1))


# What no step can do without, and the step.
LACKS: dict[str, tuple[bytes, Callable[[Cf], object]]] = {
    "hub": (b"R$+\t\t\t$: <> $1\n", lambda cf: relay.edit(cf, RELAY)),
    "login": (b"Sauthinfo\n", lambda cf: auth.edit(cf, AUTH, RELAY)),
    "compulsory": (b"Stls_rcpt\n", lambda cf: auth.edit(cf, AUTH, RELAY)),
    "masquerade": (b"SMasqHdr=93\n", lambda cf: masquerade.edit(cf, MASQUERADED)),
}


@pytest.mark.parametrize("lacks", LACKS)
@pytest.mark.parametrize(
    ("version", "found"),
    [
        (b"V8/Berkeley\nDZ8.9.3\n", r"version level 8 \(V8/Berkeley, of sendmail 8\.9\.3\)"),
        (b"V7\nDZ8.8.8/SuSE\n", r"version level 7 \(V7, of sendmail 8\.8\.8/SuSE\)"),
        (b"V5\n", r"version level 5 \(V5\)"),
        (b"V 6 /Berkeley\n", r"version level 6 \(V 6 /Berkeley\)"),
        (b"V9/Sun\n", r"version level 9 \(V9/Sun\)"),
    ],
)
def test_an_old_cf_is_named(lacks: str, version: bytes, found: str) -> None:
    line, step = LACKS[lacks]
    old = lacking(line, version)
    with pytest.raises(CfError, match=f"{found}, expected 10.*sendmail 8.12") as refused:
        step(old)
    assert "again" not in str(refused.value)


@pytest.mark.parametrize("lacks", LACKS)
@pytest.mark.parametrize("version", [b"V10/Berkeley\n", b"V10\nDZ8.18.1\n", b"V11\n"])
def test_a_cf_of_today_is_built_again(lacks: str, version: bytes) -> None:
    """The negative twin."""
    line, step = LACKS[lacks]
    cf = lacking(line, version)
    with pytest.raises(CfError, match=AGAIN) as refused:
        step(cf)
    assert "version level" not in str(refused.value)
