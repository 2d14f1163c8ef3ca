"""Find what in a graph leads back to itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def components(
    nodes: Iterable[str], following: Callable[[str], Iterable[str]]
) -> Iterator[list[str]]:
    """Yield the graph's strongly connected components, each after all that it leads to.

    nodes
        where to begin; what they lead to need not be among them
    following
        gives the nodes that one leads to

    Two nodes of a component lead to each other. Source: Tarjan's algorithm of 1972, without
    recursion.
    """
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    ways: dict[str, Iterator[str]] = {}
    for start in nodes:
        path = [] if start in number else [start]
        while path:
            node = path[-1]
            if node not in number:
                number[node] = low[node] = len(number)
                ways[node] = iter(following(node))
                stack.append(node)
                waiting.add(node)
            if other := next(
                (one for one in ways[node] if one not in number or one in waiting), ""
            ):
                if other in number:
                    low[node] = min(low[node], number[other])
                else:
                    path.append(other)
                continue
            path.pop()
            if path:
                low[path[-1]] = min(low[path[-1]], low[node])
            if low[node] == number[node]:
                yield _cut(stack, waiting, node)


def _cut(stack: list[str], waiting: set[str], last: str) -> list[str]:
    """Take a component off the stack, down to its node LAST."""
    found: list[str] = []
    while not found or found[-1] != last:
        found.append(stack.pop())
    waiting.difference_update(found)
    return found
