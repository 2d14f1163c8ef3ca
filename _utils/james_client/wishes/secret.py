"""Hold a password or token so that it shows nowhere by mistake."""

from __future__ import annotations

import secrets
from typing import Any

MASK = "**********"
"""What Salt shows in the place of a secret (salt.utils.secret.REDACT_PLACEHOLDER of 3008)."""


class Secret:
    """Hold a secret so that no repr, format, log or traceback shows it.

    value
        the secret; ``reveal`` is the only way back to it
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the secret itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickle may be written to a disk or a log: keep the letters themselves out of it.
        data = self._value.encode("utf-8", "surrogatepass")
        pad = secrets.token_bytes(len(data))
        return (_unpad, (pad, bytes(a ^ b for a, b in zip(data, pad, strict=True))))


def _unpad(pad: bytes, data: bytes) -> Secret:
    plain = bytes(a ^ b for a, b in zip(data, pad, strict=True))
    return Secret(plain.decode("utf-8", "surrogatepass"))
