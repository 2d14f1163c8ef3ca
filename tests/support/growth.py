"""How the time that a text costs grows with the text, whatever else the machine computes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

LINEAR = 3.0
"""Of twice the text a linear reading takes twice as long, a quadratic one four times."""
T = TypeVar("T")


def growth(read: Callable[[T], object], small: T, double: T) -> float:
    """Give how many times longer the second takes, measured anew where that seems too much."""
    for _ in range(4):
        found = _seconds(read, double) / _seconds(read, small)
        if found < LINEAR:
            break
    return found


def _seconds(read: Callable[[T], object], text: T) -> float:
    """Give the least time of several tries, without what others compute."""
    taken = []
    for _ in range(4):
        start = time.thread_time()
        read(text)
        taken.append(time.thread_time() - start)
    return min(taken)
