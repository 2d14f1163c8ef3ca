"""List the causes in the order in which one can bring about another: the table of the verdict."""

from __future__ import annotations

from james_client.verdict import file_causes, james_causes, process_causes, queue_causes

CAUSES = (
    *file_causes.FIRST,
    *process_causes.CAUSES,
    *james_causes.CAUSES,
    *file_causes.CAUSES,
    *queue_causes.CAUSES,
)
"""A row may name in ``explains`` only rows below it."""
