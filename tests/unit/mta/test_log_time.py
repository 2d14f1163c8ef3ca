"""A hostile line of the log costs no more than its length: any user can have one written."""

from __future__ import annotations

import pytest
from james_client.mta import attempts, noted, story
from james_client.mta.maillog import LogLine
from support.growth import LINEAR, growth

ID = "6AOEXhUO000526"
ATTEMPT = f"{ID}: to=a, ctladdr=b, delay=1, xdelay=1, mailer=x, relay=y, dsn=2.0.0, reply=z, "
FIELDS = ["to", "ctladdr", "delay", "xdelay", "mailer", "pri", "relay", "dsn", "reply", "stat"]
HANDED = ["from", "size", "class", "nrcpts", "msgid", "bodytype", "proto", "daemon", "relay"]
PIECES = [
    *(f", {field}=" for field in sorted({*FIELDS, *HANDED})),
    "a",
    " ",
    ",",
    ", ",
    "1",
    "(",
    "= ",
]
SHAPES = [
    f"{ID}: to={{}}",
    f"{ID}: to=a{{}}, delay=1, mailer=x, relay=y{{}}",
    f"{ID}: to=a, delay=1, mailer=x, relay={{}}",
    ATTEMPT + "{}",
    f"{ID}: from={{}}",
    f"{ID}: from=a, size=1, class=0, nrcpts=1, msgid={{}}",
    "STARTTLS=client, relay={}",
    f"{ID}: AUTH=client, relay=a {{}}",
    f"{ID}: DSN: {{}}",
]


def both(texts: list[str]) -> None:
    """Read lines as trace does, and as check does."""
    lines = [LogLine(1.0, "sm-msp", "7", text) for text in texts]
    story.read(lines)
    for line in lines:
        attempts.read(line)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("piece", PIECES)
def test_a_line_of_the_log_takes_linear_time(shape: str, piece: str) -> None:
    size = 1500 // len(piece)
    small, double = ([shape.replace("{}", piece * n)] * 3 for n in (size, 2 * size))
    assert growth(both, small, double) < LINEAR


@pytest.mark.parametrize("piece", ["R", "RP", "RPF:", "a", "\n", "R:\n", "T", "$_", "<", ">"])
def test_a_control_file_takes_linear_time(piece: str) -> None:
    size = 3000 // len(piece)
    small, double = (f"T1\nN1\nS<a>\nR{piece * n}".encode() for n in (size, 2 * size))
    assert growth(lambda head: noted.parse(ID, head), small, double) < LINEAR
