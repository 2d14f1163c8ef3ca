"""Name the two kinds of error that this formula raises; every one of ours is one of the two."""

from __future__ import annotations


class ClientError(Exception):
    """Say what went wrong, where, what was found, what is wanted and how to get there."""


class CallerError(ClientError):
    """Say what the caller (a pillar, a command line) asked for that can't be had."""


class FaultError(ClientError):
    """Say what the host, sendmail or James does not do; the wish itself was fine."""
