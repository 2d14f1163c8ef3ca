"""What sendmail traced is read as what sendmail decided; the traces are real ones."""

from pathlib import Path

import pytest
from james_client.mta.trace import Route, TraceError, read

TRACES = Path(__file__).parent / "traces"
ASKED = [
    *("alice", "nosuch", "alice@localhost", "alice@mail.example.test", "x@example.org"),
    *("bob+tag", "tagged+x", "self", "multi", "inc", "prg", "fil", "bad", "-x"),
    *("|/bin/sh", "x@[192.0.2.1]", "a@b@c", "@", '"a b"@localhost'),
]


def ends(name: str, asked: list[str]) -> dict[str, list[str]]:
    """Give the ends of all routes of a trace: "mailer user", or the error."""
    found: dict[str, list[str]] = {}
    for route in read((TRACES / name).read_text(), asked):
        found.setdefault(route.address, []).append(route.error or f"{route.mailer} {route.user}")
    return found


def test_a_relayed_host():
    """Bare names, +details and alias members go to the hub; programs and files stay."""
    found = ends("relayed-8.17.trace", ASKED)
    assert list(found) == ASKED
    for name in ("alice", "alice@localhost", "alice@mail.example.test"):
        assert found[name] == ["esmtp alice@localhost"]
    assert found["nosuch"] == ["esmtp nosuch@localhost"]
    assert found["x@example.org"] == ["esmtp x@example.org"]
    assert found["bob+tag"] == ["esmtp bob+tag@localhost"]
    assert found["tagged+x"] == ["esmtp bob@localhost"]
    assert sorted(set(found["self"])) == ["esmtp self@localhost", "esmtp y@example.net"]
    assert sorted(found["multi"]) == [
        "esmtp alice@localhost",
        "esmtp bob@localhost",
        "esmtp x@example.net",
    ]
    assert sorted(found["inc"]) == ["esmtp i1@example.org", "esmtp i2@localhost"]
    assert found["prg"] == ["prog |/bin/true"]
    assert found["fil"] == ["*file* /tmp/fil"]
    assert found["bad"] == ["esmtp nouser1@localhost"]
    assert found["-x"] == ["esmtp -x@localhost"]
    assert found["|/bin/sh"] == ["Cannot mail directly to programs"]
    assert found["a@b@c"] == ["Invalid route address"]
    assert found['"a b"@localhost'] == ['esmtp "a b"@localhost']


def test_a_stock_host():
    """The negative twin: without the edits local names stay, or are unknown."""
    found = ends("stock-8.17.trace", ASKED)
    assert found["alice"] == ["local alice"]
    assert found["nosuch"] == ["User unknown"]
    assert found["x@example.org"] == ["esmtp x@example.org"]
    assert found["bad"] == ["User unknown"]


def test_the_submission_program():
    """Everything goes to its one relay, aliases or not."""
    found = ends("programs-8.17.trace", ASKED)
    assert found["alice"] == ["relay alice@mail.example.test"]
    assert found["multi"] == ["relay multi@mail.example.test"]
    assert found["|/bin/sh"] == ["relay |/bin/sh@mail.example.test"]


def test_another_version_prints_the_same():
    """Sendmail 8.18's trace is read too."""
    found = ends("stock-8.18.trace", ["bob", "nosuch", "x@example.org", "|x"])
    assert found == {
        "bob": ["local bob"],
        "nosuch": ["User unknown"],
        "x@example.org": ["esmtp x@example.org"],
        "|x": ["Cannot mail directly to programs"],
    }


def test_a_mailer_that_does_not_exist_is_an_error():
    """Whether ruleset 0 or ruleset 5 names it."""
    for route in read((TRACES / "nomailer-8.17.trace").read_text(), ["alice", "x@example.org"]):
        assert route.error == "buildaddr: unknown mailer nosuch"


def test_a_route_can_be_read_aloud():
    """The stations stand in their order, the end last."""
    (route,) = read((TRACES / "relayed-8.17.trace").read_text(), ASKED)[5:6]
    assert route.path == (
        "bob+tag -> local bob+tag -> local bob+* -> local bob -> esmtp localhost bob+tag@localhost"
    )
    assert Route("a", "*error*", "", "", "no").path == "a -> error: no"


@pytest.mark.parametrize(
    "asked",
    [["bob"], ["bob", "nosuch", "x@example.org", "|x", "more"], ["other", "nosuch"], []],
)
def test_addresses_that_do_not_match_are_noticed(asked):
    """Neither a missing nor a surplus recipient passes silently."""
    with pytest.raises(TraceError):
        read((TRACES / "stock-8.18.trace").read_text(), asked)


def test_a_trace_that_contradicts_its_result_is_refused():
    """The "deliverable" lines are sendmail's own last word."""
    text = (TRACES / "stock-8.18.trace").read_text()
    with pytest.raises(TraceError, match="differ about"):
        read(
            text.replace("deliverable: mailer local, user bob", "deliverable: mailer x, user bob"),
            ["bob", "nosuch", "x@example.org", "|x"],
        )
