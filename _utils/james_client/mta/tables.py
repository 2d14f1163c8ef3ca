"""Read the entries of a map's database, as sendmail sees them, with makemap -u."""

from __future__ import annotations

import shutil

from james_client.mta.process import ProcessError, run, words

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec/sendmail"


def entries(kind: str, source: str) -> list[tuple[str, str]]:
    """Return keys and values of a map that is kept in a database.

    kind
        the map's class, such as hash
    source
        the file that its K line names

    Raises ProcessError where makemap cannot read it, or is not on this host.
    """
    makemap = shutil.which("makemap", path=_PATH)
    if makemap is None:
        raise ProcessError(f"{source}: makemap, which reads it, is not on this host")
    done = run([makemap, "-u", kind, source])
    if done.status != 0:
        raise ProcessError(f"{source}: cannot be read: {words(done)}")
    pairs = (line.split(None, 1) for line in done.out.splitlines() if line.strip())
    return [(pair[0], pair[1].strip() if len(pair) > 1 else "") for pair in pairs]
