"""Read what sendmail itself makes of a cf: its options, mailers, classes and senders.

All of it comes from address test mode, which sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from james_client.mta.ask import copy_of, refusal
from james_client.mta.process import TIMEOUT, Done, ProcessError, run


@dataclass(frozen=True)
class ListedMailer:
    """One mailer as sendmail itself lists it (`=M` in address test mode)."""

    name: str
    path: str
    flags: str
    args: str

    @property
    def network(self) -> bool:
        """Tell whether the mailer speaks over the network (`P=[IPC]`)."""
        return self.path.upper() in ("[IPC]", "[TCP]", "[LPC]")

    @property
    def port(self) -> str:
        """Return the third word of `A=TCP $h PORT`, or SMTP's own 25."""
        words = self.args.split()
        return words[2] if len(words) > 2 else "25"


@dataclass(frozen=True)
class CfReading:
    """What sendmail makes of a cf.

    mailers
        each by its name
    options
        each value that was set, in that order, by the option's full name in lower case; what
        follows the dot of an option with parts belongs to the name (`timeout.queuereturn`)
    classes
        the members, sorted, of each class that was asked for
    """

    mailers: Mapping[str, ListedMailer]
    options: Mapping[str, Sequence[str]]
    classes: Mapping[str, tuple[str, ...]]


# "setoption Timeout (r).queuereturn=5d": readcf.c, of which options without parts have lost theirs.
_DEBUG = "-d37.1"
_OPTION = re.compile(r"(?m)^setoption (\w+) \([^)]*\)((?:\.[^=]*)?)=(.*?)(?: \(unsafe\))?$")
_IGNORED = " (ignored)"
_TRACED = re.compile(r"(?m)^(?:setoption:? |Daemon \S+ flags: ).*\n?")
_MAILER = re.compile(
    r"^mailer \d+ \((?P<name>.*?)\): P=(?P<path>\S+) S=.*? F=(?P<flags>\S*) L=.* A=(?P<args>.*)$",
    re.MULTILINE,
)


def reading(
    cf: Path | str, classes: str = "", *, binary: str, timeout: float = TIMEOUT
) -> CfReading:
    """Return what sendmail makes of a cf, by one process.

    classes
        the letters of those to list: with "L" the names that stay local

    Raises ProcessError when sendmail cannot read the cf. Source: operations guide, 5.3 (`$=L`), 5.4
    (`=M`); readcf.c (`-d37.1`).
    """
    asked = ["=M", *(f"$={letter}" for letter in classes)]
    before, answers = _test_mode(cf, asked, binary, timeout)
    listed = {row["name"]: ListedMailer(**row.groupdict()) for row in _MAILER.finditer(answers[0])}
    if not listed:
        raise ProcessError(f"{cf}: sendmail lists no mailer")
    members = (tuple(sorted(filter(None, said.splitlines()))) for said in answers[1:])
    return CfReading(listed, _options(before), dict(zip(classes, members, strict=True)))


def _options(said: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, part, value in _OPTION.findall(said):
        if not value.endswith(_IGNORED):
            key = (name + part).lower().rstrip().removesuffix(".*")
            found.setdefault(key, []).append(value)
    # Test mode itself sets a delivery mode, after all else and to nothing.
    if found.get("deliverymode", [])[-1:] == [""]:
        found["deliverymode"].pop()
    return found


def senders(
    cf: Path | str,
    mailer: str,
    addresses: Sequence[str],
    *,
    binary: str,
    timeout: float = TIMEOUT,
) -> list[tuple[str, str]]:
    """Return what a mailer makes of each sender: in the envelope, and in a header.

    mailer
        its name; its own rulesets (``S=``) are what is asked
    addresses
        senders at this host: another host's name would be looked up in the DNS

    Raises ProcessError when sendmail cannot read the cf, or has no such mailer. Source: operations
    guide, 5.1.1 (`/tryflags`, `/try`).
    """
    tries = [f"/try {mailer} {address}" for address in addresses]
    _, answers = _test_mode(cf, ["/tryflags ES", *tries, "/tryflags HS", *tries], binary, timeout)
    said = _REWRITTEN.findall("".join(answers))
    if len(said) != 2 * len(tries):
        raise ProcessError(f"{cf}: sendmail does not say what mailer {mailer} makes of a sender")
    return list(zip(said[: len(tries)], said[len(tries) :], strict=True))


_REWRITTEN = re.compile(r"(?m)^Rcode = \d+, addr = (.*)$")

# Warnings about the cf stand before it, the first prompt after it.
_TEST_MODE = re.compile(r"^ADDRESS TEST MODE.*\nEnter <ruleset> <address>\n", re.MULTILINE)
_ANSWER = re.compile(r"> ((?:(?!> ).*\n)*)")


def _test_mode(
    cf: Path | str, commands: Sequence[str], binary: str, timeout: float
) -> tuple[str, list[str]]:
    """Return what address test mode says before its first prompt, and its answer to each command.

    Raises ProcessError, in sendmail's words, where it ends badly or answers less.
    """
    with copy_of(cf) as copy:
        argv = [binary, "-C", str(copy), _DEBUG, "-bt"]
        done = run(argv, given="".join(f"{one}\n" for one in commands).encode(), timeout=timeout)
        begun = _TEST_MODE.search(done.out)
        answers = _ANSWER.findall(done.out, begun.end()) if begun else []
        if begun is None or done.status != 0 or len(answers) <= len(commands):
            before = done.out[: begun.start()] if begun else done.out
            said = _TRACED.sub("", before)
            raise refusal(cf, copy, Done(done.status, said, done.err))
    return done.out[: begun.start()], answers[: len(commands)]
