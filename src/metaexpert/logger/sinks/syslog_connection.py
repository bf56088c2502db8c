"""One stream to a syslog receiver, plain or in TLS, over a socket of our own.

Nothing here belongs to an event loop: a connection may be used on the next one. A receiver has nothing to say, so that
whatever it sends is the end of the connection, or of TLS's own business.
"""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Iterator
from typing import Final, final

_CHUNK_BYTES: Final = 64 * 1024
_FIRST_WAIT_SECONDS: Final = 0.0005
_LONGEST_WAIT_SECONDS: Final = 0.02
_ACCEPTED_SECONDS: Final = 1.0


class ReceiverClosedError(ConnectionError):
    """The receiver ended the connection in good order: it has read what had arrived by then."""


class AnsweredError(ConnectionError):
    """Whoever is there answers, which no syslog receiver does."""


@final
class Connection:
    """A connected socket.

    Args:
        connected: the socket, not blocking.
        context: TLS, if any.
        name: whose certificate the receiver has to have.
    """

    def __init__(self, connected: socket.socket, context: ssl.SSLContext | None, name: str) -> None:
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context and context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    async def handshake(self) -> None:
        """Agree on TLS.

        A receiver that refuses a client certificate says so after the handshake (TLS 1.3); one that accepts it usually
        says something too, a ticket, so that a moment is waited for either.

        Raises:
            OSError: it came to nothing.
        """
        if self._tls is None:
            return
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except ssl.SSLError:
                await self._flush()  # the alert that tells the receiver why
                raise
        await self._flush()
        if self._tls.version() == "TLSv1.3":
            await self._accepted()

    async def _accepted(self) -> None:
        try:
            async with asyncio.timeout(_ACCEPTED_SECONDS):
                await self._more()
        except TimeoutError:
            return  # it has no tickets to give
        self._read_tls()

    async def send(self, data: bytes) -> None:
        """Give the system all of `data`.

        Raises:
            OSError: the connection is no more.
        """
        loop = asyncio.get_running_loop()
        for chunk in _chunks(data):
            if self._tls is None:
                await loop.sock_sendall(self._socket, chunk)
            else:
                self._tls.write(chunk)
                await self._flush()
            await asyncio.sleep(0)

    async def settled(self) -> None:
        """Wait until the receiver's system has acknowledged all, where this one tells (Linux).

        Raises:
            OSError: the connection is no more.
        """
        wait = _FIRST_WAIT_SECONDS
        while _unacknowledged_bytes(self._socket):
            self.look()
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
        self.look()

    def look(self) -> None:
        """See whether the connection still is one.

        Raises:
            OSError: it is not.
        """
        while True:
            try:
                data = self._socket.recv(_CHUNK_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            self._take(data)

    async def finish(self) -> None:
        """End the stream, and wait until the receiver has read all of it and ends it too.

        Raises:
            OSError: it did not.
        """
        loop = asyncio.get_running_loop()
        if self._tls is not None:
            with contextlib.suppress(ssl.SSLWantReadError):  # our word of the end is written; its own follows, or none
                self._tls.unwrap()
            await self._flush()
        self._socket.shutdown(socket.SHUT_WR)
        while await loop.sock_recv(self._socket, _CHUNK_BYTES):
            pass

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(self._socket, self._outgoing.read())

    async def _more(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self._socket, _CHUNK_BYTES)
        if not data:
            raise ReceiverClosedError("the receiver closed the connection")
        self._incoming.write(data)

    def _take(self, data: bytes) -> None:
        if not data:
            raise ReceiverClosedError("the receiver closed the connection")
        if self._tls is None:
            raise AnsweredError(f"it answers, which no syslog receiver does: {data[:40]!r}")
        self._incoming.write(data)
        self._read_tls()

    def _read_tls(self) -> None:
        if self._tls is None:
            return
        try:
            said = self._tls.read(_CHUNK_BYTES)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            said = b""
        if not said:
            raise ReceiverClosedError("the receiver closed the connection")
        raise AnsweredError(f"it answers, which no syslog receiver does: {said[:40]!r}")


def _chunks(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    for begin in range(0, len(view), _CHUNK_BYTES):
        yield view[begin : begin + _CHUNK_BYTES]


def _unacknowledged_bytes(connected: socket.socket) -> int:
    """What the system still holds of what it was given: of TCP not acknowledged, of a local stream not read.

    Raises:
        OSError: the connection is no more.
    """
    if sys.platform != "linux":
        return 0
    from fcntl import ioctl  # noqa: PLC0415 - only systems like this one have it
    from termios import TIOCOUTQ  # noqa: PLC0415 - as above

    return int.from_bytes(ioctl(connected.fileno(), TIOCOUTQ, b"\0\0\0\0"), sys.byteorder)
