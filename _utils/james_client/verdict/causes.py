"""List the causes in the order in which one can bring about another: the table of the verdict."""

from __future__ import annotations

from james_client.verdict import (
    cf_causes,
    file_causes,
    host_causes,
    james_causes,
    map_causes,
    process_causes,
    queue_causes,
    rebuild_causes,
    secret_causes,
    webadmin_causes,
)

CAUSES = (
    *cf_causes.CAUSES,
    *file_causes.FIRST,
    *host_causes.CAUSES,
    *process_causes.CAUSES,
    *host_causes.JAMES,
    *james_causes.THERE,
    *webadmin_causes.CAUSES,
    *james_causes.CAUSES,
    *secret_causes.CAUSES,
    *map_causes.CAUSES,
    *file_causes.CAUSES,
    *rebuild_causes.CAUSES,
    *queue_causes.CAUSES,
)
"""A row may name in ``explains`` only rows below it."""
