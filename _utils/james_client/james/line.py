"""Hold one TCP connection to James: one deadline, one limit of bytes, and a proof of who hears."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from james_client.errors import FaultError
from james_client.james import peer
from james_client.james.peer import Trust

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_POLL = 0.005  # seconds


class JamesError(FaultError):
    """James does not answer, says what no James says, or says no; in plain words."""


class NothingListensError(JamesError):
    """Nothing listens on James's port: he is down, or not up yet."""


class SlowError(JamesError):
    """James's port takes the connection, and no answer comes in time."""


class PeerError(JamesError):
    """Whoever listens on James's port is not proved to be James; no secret was sent."""


class Line(io.RawIOBase):
    """One connection.

    host, port
        where to; brackets and ``IPv6:`` around an address are taken off
    timeout
        seconds for all that is done on it, the connecting included
    limit
        bytes that may be received in all
    hint
        a question that helps where nothing listens
    """

    def __init__(
        self, host: str, port: int, timeout: float, *, limit: int, hint: str = "is James up?"
    ) -> None:
        self.where = f"{host}:{port}"
        self._timeout = timeout
        self._until = time.monotonic() + timeout
        self._limit = self._room = limit
        self._hint = hint
        self._verified = False
        with self._plainly():
            self._socket = self._connected(host, port)

    def _connected(self, host: str, port: int) -> socket.socket:
        failed: OSError | None = None
        found = socket.getaddrinfo(peer.bare(host), port, type=socket.SOCK_STREAM)
        for family, kind, *_, address in found:
            connection = socket.socket(family, kind)
            try:
                connection.settimeout(self._left())
                connection.connect(address)
            except OSError as err:
                connection.close()
                failed = err
            else:
                return connection
        raise failed or OSError("it has no address")

    def encrypt(self, host: str | None) -> None:
        """Speak TLS from now on.

        host
            the name that the certificate is verified for; with None it may be anybody's, and
            proves nothing
        """
        context = ssl.create_default_context()
        if host is None:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        name = None if host is None else host.strip("[]")
        with self._plainly():
            self._socket.settimeout(self._left())
            self._socket = context.wrap_socket(self._socket, server_hostname=name)
        self._verified = host is not None

    def prove(self, trust: Trust, *, secret: bool, cure: str) -> None:
        """Return once the other end is proved to be James's, before anything is said to him.

        secret
            whether a secret will be said
        cure
            the setting that helps, for the error

        On this host the socket's owner must be root, or who holds James's SMTP port, unless no
        ordinary user may listen on the port. Elsewhere a secret needs a verified certificate, or a
        word that it may go in clear. Raises PeerError.
        """
        if self._verified:
            return
        with self._plainly():
            here, there = self._socket.getsockname()[:2], self._socket.getpeername()[:2]
        if not peer.is_this_host(here, there):
            if secret and not trust.cleartext:
                self._refuse(
                    f"{there[0]} is not on this host and nothing encrypts the way; expected an "
                    f"address of this host, https, or auth:allow_cleartext: true",
                    cure,
                )
        elif there[1] >= peer.first_unprivileged_port():
            self._prove_owner(here, there, trust, cure)

    def _prove_owner(
        self, here: peer.Address, there: peer.Address, trust: Trust, cure: str
    ) -> None:
        try:
            while (uid := peer.owner(here, there)) is None:
                if time.monotonic() + _POLL > self._until:
                    self._refuse("nobody is seen to take the connection; expected James", cure)
                time.sleep(_POLL)
            trusted = trust.uids()
        except OSError as err:
            said = err.strerror or type(err).__name__
            self._refuse(f"who listens there cannot be seen ({err.filename}: {said})", cure)
        if uid not in trusted:
            others = [peer.user_name(one) for one in sorted(trusted)]
            self._refuse(
                f"{peer.user_name(uid)} listens there; expected James, known by "
                f"{' or '.join(others)}"
                + ("" if trust.smtp_port is None else f" (who alone holds port {trust.smtp_port})"),
                cure,
            )

    def _refuse(self, why: str, cure: str) -> NoReturn:
        raise PeerError(f"{self.where}: {why}; nothing was sent. {cure}")

    # -- as a socket, for http.client ---------------------------------------------------------

    def readable(self) -> bool:
        """Tell io that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Receive what there is. Raises JamesError at the deadline or the limit."""
        with self._plainly():
            self._socket.settimeout(self._left())
            size = self._socket.recv_into(buffer)
        self._room -= size
        if self._room < 0:
            raise JamesError(f"{self.where}: what it says is longer than {self._limit} bytes")
        return size

    def sendall(self, data: ReadableBuffer) -> None:
        """Send all of it. Raises JamesError at the deadline."""
        with self._plainly():
            self._socket.settimeout(self._left())
            self._socket.sendall(data)

    def makefile(self, *_: object) -> io.BufferedReader:
        """Return a reader with a buffer."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """End the connection without a word."""
        if not self.closed and hasattr(self, "_socket"):
            self._socket.close()
        super().close()

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say the system's errors in plain words."""
        try:
            yield
        except ConnectionRefusedError:
            error: JamesError = NothingListensError(
                f"{self.where}: nothing listens there; {self._hint}"
            )
        except TimeoutError:
            late = SlowError if hasattr(self, "_socket") else JamesError
            error = late(f"{self.where}: no answer within {self._timeout:.2g} s")
        except ssl.SSLCertVerificationError as err:
            error = JamesError(f"{self.where}: its certificate does not hold: {err.verify_message}")
        except ssl.SSLError as err:
            error = JamesError(f"{self.where}: its TLS fails: {err.reason or 'it is none'}")
        except (OSError, UnicodeError) as err:
            said = getattr(err, "strerror", None) or type(err).__name__
            error = JamesError(f"{self.where}: cannot be reached: {said}")
        else:
            return
        raise error
