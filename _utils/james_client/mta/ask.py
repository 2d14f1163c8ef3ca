"""Talk to sendmail: check a cf, list its mailers, and ask where an address would go.

No shell is ever used; every process has an argument list, a minimal environment, a time
limit and a limit on what it may print.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from james_client.errors import FaultError
from james_client.mta.trace import DEBUG, Route, TraceError, read
from james_client.scratch import scratch
from james_client.scrub import scrub

SENDMAIL = "/usr/sbin/sendmail"
TIMEOUT = 30.0
_LIMIT = 32 * 1024 * 1024
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/"}


class ProcessError(FaultError):
    """A process could not be started, did not end in time, or says no; in its own words."""


class Relay(Protocol):
    """The pillar's `relay`, as far as routes are concerned."""

    @property
    def host(self) -> str: ...
    @property
    def mailer(self) -> str: ...
    @property
    def port(self) -> int: ...


@dataclass(frozen=True)
class Done:
    """What a process that ended left: exit status, standard output and standard error."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Mailer:
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


def run(
    argv: Sequence[str],
    *,
    given: bytes = b"",
    timeout: float = TIMEOUT,
    user: tuple[int, int] | None = None,
    environment: Mapping[str, str] = _ENVIRONMENT,
) -> Done:
    """Run one process to its end and return what it printed.

    `given` is its standard input, `timeout` is in seconds, `user` a uid and gid to run as.
    Raises ProcessError when it cannot be started, exceeds its time (it is killed then, with all
    that it started) or prints more than 32 MiB.
    """
    name = argv[0]
    who = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": [user[1]]}
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd="/",
                start_new_session=True,
                **who,  # type: ignore[call-overload]
            )
        except (OSError, ValueError) as err:
            raise ProcessError(f"{name}: cannot be started: {_cause(err)}") from None
    try:
        out, err_out = _collect(process, name, timeout)
    finally:
        _end(process)
    return Done(process.returncode, out, err_out)


def _cause(err: Exception) -> str:
    return getattr(err, "strerror", None) or str(err)


def _collect(process: subprocess.Popen[bytes], name: str, timeout: float) -> tuple[str, str]:
    deadline = time.monotonic() + timeout
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    parts = {pipe.fileno(): bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for descriptor in parts:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ProcessError(f"{name}: did not end within {timeout:g} s and was stopped")
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                parts[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
                elif sum(map(len, parts.values())) > _LIMIT:
                    raise ProcessError(f"{name}: printed more than {_LIMIT} bytes and was stopped")
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ProcessError(
                f"{name}: did not end within {timeout:g} s and was stopped"
            ) from None
    out, err = (bytes(part).decode("utf-8", "surrogateescape") for part in parts.values())
    return out, err


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that still lives, and its children by their session; free its pipes."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def version(binary: str = SENDMAIL, *, timeout: float = TIMEOUT) -> tuple[int, ...]:
    """Return sendmail's version as numbers, e.g. (8, 17, 1, 9).

    Raises ProcessError when `binary` is not sendmail but another MTA's stand-in (Postfix, Exim,
    msmtp and others install a program of that name). Source: sendmail(8), `-d0.1`.
    """
    # A cf that does not exist: the version is printed before the cf is read.
    done = run([binary, "-C", "/dev/null", "-d0.1", "-bt"], timeout=timeout)
    found = re.search(r"(?m)^Version (8[.\d]+)", done.out)
    if not found or re.search(r"(?i)\b(exim|postfix|msmtp|opensmtpd)\b", done.out):
        real = os.path.realpath(binary)
        raise ProcessError(
            f"{binary}: found {real}, which is not sendmail (it says: {words(done)})"
        )
    return tuple(int(part) for part in found[1].strip(".").split("."))


def check(cf: Path | str, *, binary: str = SENDMAIL, timeout: float = TIMEOUT) -> None:
    """Have sendmail read a cf and do nothing else.

    Raises ProcessError with sendmail's own words when it does not like what it reads.
    Source: sendmail(8), `-bC` (from 8.15 on; before, address test mode with nothing to test).
    """
    if version(binary, timeout=timeout) >= (8, 15):
        done = run([binary, "-bC", "-C", str(cf)], timeout=timeout)
    else:
        done = run([binary, "-bt", "-C", str(cf)], timeout=timeout)
    if done.status != 0:
        raise ProcessError(f"{cf}: sendmail refuses it: {words(done)}")


def words(done: Done) -> str:
    """Return what a process said, scrubbed, on one line of at most 500 characters."""
    lines = [line.strip() for part in (done.err, done.out) for line in scrub(part).splitlines()]
    if done.status < 0:
        lines.append(f"died of signal {-done.status} ({signal.strsignal(-done.status)})")
    said = "; ".join(dict.fromkeys(line for line in lines if line and not line.startswith("> ")))
    said = said or f"nothing said, exit status {done.status}"
    return said if len(said) <= 500 else said[:497] + "..."


_MAILER = re.compile(
    r"^(?:> )?mailer \d+ \((?P<name>.*?)\): P=(?P<path>\S+) S=.*? F=(?P<flags>\S*) L=.*"
    r" A=(?P<args>.*)$",
    re.MULTILINE,
)


def mailers(
    cf: Path | str, *, binary: str = SENDMAIL, timeout: float = TIMEOUT
) -> dict[str, Mailer]:
    """Return the mailers of a cf by name, as sendmail lists them.

    Raises ProcessError when sendmail cannot read the cf. Source: operations guide, 5.4 (`=M`).
    """
    said = _test_mode(cf, "=M", binary, timeout)
    found = {row["name"]: Mailer(**row.groupdict()) for row in _MAILER.finditer(said)}
    if not found:
        raise ProcessError(f"{cf}: sendmail lists no mailer")
    return found


def names(
    cf: Path | str, letter: str, *, binary: str = SENDMAIL, timeout: float = TIMEOUT
) -> tuple[str, ...]:
    """Return the members of a class, sorted: `names(cf, "L")` are those that stay local.

    Raises ProcessError when sendmail cannot read the cf. Source: operations guide, 5.3 (`$=L`).
    """
    said = _test_mode(cf, f"$={letter}", binary, timeout)
    lines = (line.lstrip("> ").strip() for line in said.splitlines()[2:])
    return tuple(sorted(line for line in lines if line))


def _test_mode(cf: Path | str, command: str, binary: str, timeout: float) -> str:
    argv = [binary, "-C", str(cf), "-bt"]
    done = run(argv, given=f"{command}\n".encode(), timeout=timeout)
    before, begun, _ = done.out.partition("ADDRESS TEST MODE")
    if done.status != 0 or not begun:
        complaint = words(Done(done.status, before, done.err))
        raise ProcessError(f"{cf}: sendmail refuses it: {complaint}")
    return done.out


def routes(
    cf: Path | str,
    addresses: Sequence[str],
    *,
    binary: str = SENDMAIL,
    switch_file: Path | str | None = None,
    timeout: float = TIMEOUT,
) -> list[Route]:
    """Return where sendmail would send each address, without DNS and without sending.

    One process for all of them. It is sendmail's own verification that decides: aliases,
    +details and ruleset 5 count as in a delivery. An alias with several members gives several
    routes. `switch_file` replaces the service switch file that turns DNS off.
    Raises ProcessError when an address cannot be one, or sendmail cannot read the cf.
    Source: sendmail(8), `-bv`; operations guide, 5.6 (ServiceSwitchFile).
    """
    for address in addresses:
        _must_be_one(address)
    if not addresses:
        return []
    with scratch() as folder:
        if switch_file is None:
            switch_file = folder / "switch"
            switch_file.write_text("hosts files\n", encoding="ascii")
            # sendmail reads it after it has given up root for the submission program's user.
            folder.chmod(0o755)
        argv = [binary, "-C", str(cf), f"-OServiceSwitchFile={switch_file}", "-bv", DEBUG, "--"]
        done = run([*argv, *addresses], timeout=timeout)
    if "--parseaddr(" not in done.out:
        raise ProcessError(f"{cf}: sendmail refuses it: {words(done)}")
    try:
        return read(done.out, addresses)
    except TraceError as err:
        raise ProcessError(f"{cf}: {err} (exit status {done.status})") from None


def _must_be_one(address: str) -> None:
    """Refuse what no envelope can carry, before it reaches a command line."""
    if not isinstance(address, str) or not address.strip():
        raise ProcessError(f"expected an address, got {address!r}")
    if address != address.strip() or not address.isprintable() or len(address.encode()) > 250:
        raise ProcessError(
            f"expected one address of at most 250 printable characters, got {address[:260]!r}"
        )


def why_not_james(
    route: Route, relay: Relay, mailers: Mapping[str, Mailer], *, msp: bool = False
) -> str | None:
    """Return why a route does not end at James, or None when it does.

    `mailers` is what `mailers()` says of the same cf; with `msp` (submit.cf) the mailer's name
    is the submission program's own affair.
    """
    if route.error:
        return f"sendmail refuses it: {route.error}"
    mailer = mailers.get(route.mailer)
    if mailer is None:
        return f"mailer {route.mailer} does not exist"
    if not mailer.network:
        return f"it stays on this host (mailer {route.mailer}, {mailer.path})"
    if _same(route.host) != _same(relay.host):
        return f"it goes to {route.host}, not to {relay.host}"
    if mailer.port.replace("smtp", "25") != str(relay.port):
        return f"it goes to port {mailer.port}, not to {relay.port}"
    if not msp and route.mailer.lower() != relay.mailer.lower():
        return f"it goes by mailer {route.mailer}, not by {relay.mailer}"
    return None


def _same(host: str) -> str:
    """Reduce a host to one spelling: no brackets, and one name for the loopback addresses."""
    bare = host.strip("[]").lower().removeprefix("ipv6:").rstrip(".")
    return "localhost" if bare == "::1" or bare.startswith("127.") else bare
