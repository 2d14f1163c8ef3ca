"""Let a coverage-guided fuzzer (atheris, with libFuzzer inside) choose a test's cases."""

from __future__ import annotations

import importlib
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

PACKAGE = "james_client"
SEEDS = 64
SIZE = 4096  # bytes of a case's choices, enough for the longest


def instrument() -> int:
    """Have all functions of the package tell what they run, and give their number."""
    atheris = importlib.import_module("atheris")
    functions: set[FunctionType] = set()
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for owner in (module, *vars(module).values()):
                for one in vars(owner).values() if hasattr(owner, "__dict__") else ():
                    plain = getattr(one, "fget", None) or getattr(one, "__func__", one)
                    if isinstance(plain, FunctionType) and plain.__module__.startswith(PACKAGE):
                        functions.add(plain)
    for function in functions:
        atheris.instrument_func(function)
    return len(functions)


def fuzz(case: Callable[[bytes], Any], seconds: int, folder: Path) -> int:
    """Fuzz in a child for some seconds; give its exit code, 0 where no case failed.

    case
        what takes the bytes of a case, ``test.hypothesis.fuzz_one_input``
    folder
        where seeds go, and the bytes of a case that failed
    """
    corpus = folder / "corpus"
    corpus.mkdir()
    chance = random.Random(2026)
    for number in range(SEEDS):
        (corpus / str(number)).write_bytes(chance.randbytes(SIZE))
    child = os.fork()
    if child == 0:
        atheris = importlib.import_module("atheris")
        print(f"\n{instrument()} functions are watched", flush=True)
        options = [f"-max_total_time={seconds}", f"-max_len={SIZE}", "-rss_limit_mb=0"]
        atheris.Setup(["fuzz", *options, f"-artifact_prefix={folder}/", str(corpus)], case)
        atheris.Fuzz()
        os._exit(1)  # it never comes back
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def counted(path: Path) -> Counter[str]:
    """Give how the cases ended that a child wrote down, one in a line."""
    return Counter(path.read_text().splitlines() if path.exists() else [])
