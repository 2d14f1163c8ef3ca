"""Read how sendmail followed addresses, from the trace of a verification (`-bv -d20.1,26.1`).

Aliases, +details, ruleset 5 and its repetitions are sendmail's own doing here: nothing of them
is imitated. Only the standard library, no input or output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from james_client.errors import FaultError

DEBUG = "-d20.1,26.1"


class TraceError(FaultError):
    """The trace is not what sendmail 8.12 to 8.18 print, or contradicts its own result."""


@dataclass(frozen=True)
class Route:
    """Where one address ends; an alias with several members has one route for each.

    `via` are the stations before the end, "mailer user" each; `error` is sendmail's text where
    it would refuse the address, and None where it would deliver.
    """

    address: str
    mailer: str
    host: str
    user: str
    error: str | None = None
    via: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Describe the way in one line: `bob+x -> local bob -> esmtp localhost bob+x@localhost`."""
        end = " ".join(part for part in (self.mailer, self.host, self.user) if part)
        return " -> ".join((self.address, *self.via, f"error: {self.error}" if self.error else end))


@dataclass(eq=False)
class _Node:
    """One recipient as sendmail holds it (struct address)."""

    key: str
    level: int
    text: str
    mailer: str
    host: str
    user: str
    state: str
    parent: str
    same: str | None = None
    said: list[str] = field(default_factory=list)


_NODE = re.compile(
    r"^(?:recipient \((?P<level>\d+)\): |(?P<dup>.*) in sendq: )(?P<key>[0-9a-fx]+)=(?P<text>.*):\n"
    r"\tmailer -?\d+ \((?P<mailer>.*)\), host `(?P<host>.*)'\n"
    r"\tuser `(?P<user>.*)', ruser `.*'\n"
    r"\tstate=(?P<state>[^,]*), next=.*, alias (?P<parent>[^,\s]+)(?:,.*)?\n(?:\t.*\n)*",
    re.MULTILINE,
)
_PARSED = re.compile(r"^parseaddr-->(?:.*\n)(?:\t.*\n)*", re.MULTILINE)
_PARSING = re.compile(r"^--parseaddr\((.*)\)$")
_QUEUED = ("QUEUEUP", "RETRY")
_TRACED = "parseaddr: queueing message"  # no word to the user
_SURE = re.compile(
    r"^.*\.\.\. deliverable: mailer (\S+), (?:host (.*?), )?user (.*)$", re.MULTILINE
)


def read(trace: str, addresses: Sequence[str]) -> list[Route]:
    """Return the routes of `addresses`, in their order, from what sendmail printed.

    Raises TraceError when an address is missing, the trace and sendmail's own "deliverable" lines
    differ, or sendmail complains of what concerns all mail, such as a queue without space.
    """
    if complaints := _said_at_the_end(trace):
        raise TraceError(f"sendmail says, whatever the address: {'; '.join(complaints)}")
    nodes, parsed, said = _nodes(trace)
    _put_off(nodes, said)
    tops = iter([node for node in nodes if node.level == 0])
    routes: list[Route] = []
    top = next(tops, None)
    for address in addresses:
        if top is not None and top.text == address:
            routes += dict.fromkeys(_ends(top, nodes, address))
            top = next(tops, None)
        elif address in parsed:
            routes.append(Route(address, "", "", "", "; ".join(parsed[address]) or "no address"))
        else:
            raise TraceError(f"{address!r} is not one address to sendmail")
    if top is not None:
        raise TraceError(f"{top.text!r} was not asked for: an address names more than one")
    _agree(routes, trace)
    return routes


def _said_at_the_end(trace: str) -> list[str]:
    """Return what sendmail says behind its results, which come last."""
    sure = list(_SURE.finditer(trace))
    rest = trace[sure[0].start() :] if sure else ""
    lines = (line.strip() for line in _SURE.sub("", rest).splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def _put_off(nodes: Sequence[_Node], said: Sequence[str]) -> None:
    """Give each recipient that stays in the queue without a word why all that sendmail said.

    It tells of a map that cannot be opened once, at the first look-up: perhaps the sender's.
    """
    for node in nodes:
        if node.state in _QUEUED and not node.said:
            node.said += said or ["it would stay in the queue"]


def _nodes(trace: str) -> tuple[list[_Node], dict[str, list[str]], list[str]]:
    """Return the recipients in order, what was said of each parsed text, and all that was said."""
    nodes: list[_Node] = []
    parsed: dict[str, list[str]] = {}
    said: dict[str, None] = {}
    pending: list[str] = []
    into = pending
    for piece in _pieces(_PARSED.sub("", trace)):
        if isinstance(piece, re.Match):
            _add(nodes, piece, pending)
            pending = []
            into = nodes[-1].said
        elif parsing := _PARSING.match(piece):
            pending = parsed[parsing[1]] = []
            into = pending
        elif piece.strip() and piece != _TRACED and not _SURE.match(piece):
            into.append(piece.strip())
            if parsed:  # before, it says that -bv may mislead whom it has made unprivileged
                said.setdefault(piece.strip())
    return nodes, parsed, list(said)


def _pieces(trace: str) -> Iterator[str | re.Match[str]]:
    start = 0
    for match in _NODE.finditer(trace):
        yield from trace[start : match.start()].splitlines()
        yield match
        start = match.end()
    yield from trace[start:].splitlines()


def _add(nodes: list[_Node], match: re.Match[str], said: list[str]) -> None:
    if match["level"] is None:
        # "in sendq": the recipient printed last is the same as one that came before.
        nodes[-1].same = match["key"]
        return
    node = _Node(
        match["key"],
        int(match["level"]),
        match["text"],
        match["mailer"],
        match["host"].replace("<null>", ""),
        match["user"],
        match["state"],
        match["parent"],
    )
    node.said += [line.removeprefix(f"{node.text}... ") for line in said]
    nodes.append(node)


def _ends(
    node: _Node,
    nodes: Sequence[_Node],
    address: str,
    via: tuple[_Node, ...] = (),
) -> Iterator[Route]:
    """Yield the routes below a recipient: its replacements', its twin's, or its own."""
    twin = next((other for other in nodes if other.key == node.same), None)
    if twin is not None and twin not in via:
        yield from _ends(twin, nodes, address, via)
        return
    if twin is not None and any(
        other.parent == twin.key and other.text == twin.text and other.same != twin.key
        for other in nodes
    ):
        # An alias that names itself, and ruleset 5 gave it another mailer.
        return
    children = [other for other in nodes if other.parent == node.key]
    if not children:
        end = twin or node
        said = [*node.said, *end.said]
        if end.mailer == "*error*":
            # What ruleset 5 refuses was said before the recipient that stands for it.
            said = said or (via[-1].said if via else []) or [end.user or "refused"]
        error = "; ".join(dict.fromkeys(line.removeprefix(f"{end.text}... ") for line in said))
        steps = tuple(f"{step.mailer} {step.user}" for step in via)
        yield Route(address, end.mailer, end.host, end.user, error or None, steps)
    for child in children:
        yield from _ends(child, nodes, address, (*via, node))


def _agree(routes: Sequence[Route], trace: str) -> None:
    sure, doubtful = (
        {(r.mailer, r.host, r.user) for r in routes if (r.error is None) is good}
        for good in (True, False)
    )
    told = {(row[0], row[1], row[2]) for row in _SURE.findall(trace)}
    # A second alias database that is away spoils nothing, to sendmail; it complains all the same.
    if not sure <= told <= sure | doubtful:
        odd = ", ".join(" ".join(row) for row in sorted((sure | doubtful) ^ told)[:5])
        raise TraceError(f"sendmail's trace and its result differ about: {odd}")
