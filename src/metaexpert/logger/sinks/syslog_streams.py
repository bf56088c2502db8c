"""Syslog over streams: TCP (RFC 6587), TLS (RFC 5425), a local socket.

Syslog has no acknowledgement. A batch counts as delivered when the receiver's system has all of it (on Linux: the
system's own queue of the connection is empty). What that system held and nobody read is lost when the receiver dies, so
the last of what was delivered is kept, and sent again when a connection breaks: all that is kept when it was reset, and
what is recent when it was closed in good order, by a receiver that then may have lost what it had in memory.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, final

from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.syslog import SyslogOptions
from metaexpert.logger.outcome import Delivered, Outcome
from metaexpert.logger.sinks.syslog_addresses import connected
from metaexpert.logger.sinks.syslog_connection import AnsweredError, Connection, ReceiverClosedError
from metaexpert.logger.sinks.tls import client_context

_NEWLINE: Final = b"\n"
_ESCAPED_NEWLINE: Final = b"\\n"


@final
class Window:
    """What was delivered last, and may have been read by nobody.

    Args:
        max_bytes: how much of it.
        max_seconds: what is older was read, if the connection ended in good order.
        clock: seconds that only grow.
    """

    def __init__(self, max_bytes: int, max_seconds: float, clock: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._clock = clock
        self._sent: deque[tuple[float, bytes]] = deque()
        self._bytes = 0

    def add(self, data: bytes) -> None:
        """Remember what was delivered just now; the oldest gives way."""
        self._sent.append((self._clock(), data))
        self._bytes += len(data)
        while self._sent and self._bytes - len(self._sent[0][1]) >= self._max_bytes:
            self._forget_oldest()

    def closed(self) -> None:
        """Forget what is old: the receiver ended the connection in good order."""
        before = self._clock() - self._max_seconds
        while self._sent and self._sent[0][0] < before:
            self._forget_oldest()

    def clear(self) -> None:
        """Forget all: it was read."""
        self._sent.clear()
        self._bytes = 0

    def content(self) -> bytes:
        """All of it."""
        return b"".join([data for _, data in self._sent])

    def _forget_oldest(self) -> None:
        self._bytes -= len(self._sent.popleft()[1])


@final
class StreamTransport:
    """Sends messages through one connection, made when it is needed.

    Args:
        options: address, framing, TLS, limits.
        worker: the thread of names and certificates.
        clock: seconds that only grow.
    """

    def __init__(self, options: SyslogOptions, worker: Worker, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._worker = worker
        framing = options.framing or ("lf" if options.transport == "unix" else "octet-counting")
        self._frame = _counted if framing == "octet-counting" else _ended
        self._window = Window(options.resend_bytes, options.resend_seconds, clock)
        self._connection: Connection | None = None
        self.resent_bytes = 0
        """What was sent again because a connection broke, bytes."""

    async def send(self, parts: Sequence[bytes]) -> Outcome:
        """Send messages, and wait until the receiver's system has them.

        Raises:
            OSError: they may not have arrived.
        """
        frames = b"".join(map(self._frame, parts))
        try:
            async with asyncio.timeout(self._options.timeout):
                connection = await self._usable()
                await connection.send(frames)
                await connection.settled()
        except ReceiverClosedError:
            self._drop()
            self._window.closed()
            raise
        except BaseException:  # cancelled amid a message, too: another one must not follow its beginning
            self._drop()
            raise
        self._window.add(frames)
        return Delivered()

    async def _usable(self) -> Connection:
        """A connection that has been told again what the one before may have lost."""
        if self._connection is not None:
            try:
                self._connection.look()
            except ReceiverClosedError:
                self._drop()
                self._window.closed()
            except AnsweredError:
                self._drop()
                raise
            except OSError:
                self._drop()
            else:
                return self._connection
        connection = await self._connect()
        try:
            await connection.handshake()
            again = self._window.content()
            await connection.send(again)
        except BaseException:
            connection.close()
            raise
        self.resent_bytes += len(again)
        self._connection = connection
        return connection

    async def _connect(self) -> Connection:
        context = None
        if self._options.transport == "tls":
            context = await self._worker.run(_tls_of, self._options)
        to = await connected(self._options, self._worker, socket.SOCK_STREAM)
        try:
            return Connection(to, context, self._options.host)
        except BaseException:
            to.close()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def close(self) -> None:
        """End the connection; what the receiver thereby confirms to have read is not sent again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            with contextlib.suppress(OSError):  # what is kept is sent again, should there be another connection
                async with asyncio.timeout(self._options.connect_timeout):
                    connection.look()
                    await connection.finish()
                    self._window.clear()
        finally:
            connection.close()


class TlsFilesError(OSError):
    """A certificate or key cannot be used."""


def _tls_of(options: SyslogOptions) -> ssl.SSLContext:
    try:
        return client_context(options)
    except (OSError, ValueError) as error:
        files = [options.ca_file, options.client_cert_file, options.client_key_file]
        named = ", ".join(str(file) for file in files if file)
        raise TlsFilesError(f"TLS files cannot be used ({named}): {error}") from error


def _counted(message: bytes) -> bytes:
    """Octet counting (RFC 6587, section 3.4.1)."""
    return b"%d %b" % (len(message), message)


def _ended(message: bytes) -> bytes:
    """Non-transparent framing (RFC 6587, section 3.4.2): a newline within would end the message."""
    return message.replace(_NEWLINE, _ESCAPED_NEWLINE) + _NEWLINE
