"""Syslog in datagrams: UDP (RFC 5426), or a local socket such as `/dev/log`.

Delivered means given to the system. Over UDP nobody ever knows more; only a machine that is there and has no receiver
says so, and then the whole batch is sent again. A local socket loses nothing on its way, and holds what it is given
until the receiver reads it.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from typing import Final, final

from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.syslog import SyslogOptions
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejection, Retry
from metaexpert.logger.sinks.syslog_addresses import connected

_AT_ONCE: Final = 32
"""Datagrams sent without giving others a turn; each is a system call of some microseconds."""

_FULL_WAIT_SECONDS: Final = 0.005
_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})
_TOO_LARGE_STATUS: Final = 413


@final
class DatagramTransport:
    """Sends each message as a datagram.

    Args:
        options: address, limits.
        worker: the thread of names.
    """

    def __init__(self, options: SyslogOptions, worker: Worker) -> None:
        self._options = options
        self._worker = worker
        self._socket: socket.socket | None = None

    async def send(self, parts: Sequence[bytes]) -> Outcome:
        """Give the messages to the system.

        Raises:
            OSError: none of them is to be believed sent.
        """
        if self._socket is None:
            self._socket = await connected(self._options, self._worker, socket.SOCK_DGRAM)
        sending = _Sending(self._socket, parts)
        reason = ""
        try:
            async with asyncio.timeout(self._options.timeout):
                await sending.run(refusals_come_late=self._options.transport == "udp")
        except TimeoutError:
            reason = f"not taken within {self._options.timeout:g} s"
        except OSError as error:
            self._drop()
            if self._options.transport == "udp" or not sending.sent:
                raise
            reason = error.strerror or str(error)
        except BaseException:
            self._drop()
            raise
        return sending.outcome(reason)

    def _drop(self) -> None:
        to, self._socket = self._socket, None
        if to is not None:
            to.close()

    async def close(self) -> None:
        """Let go of the socket."""
        self._drop()


@final
class _Sending:
    """Messages on their way.

    Attributes:
        sent: how many are settled, one way or the other.
    """

    def __init__(self, to: socket.socket, parts: Sequence[bytes]) -> None:
        self._socket = to
        self._parts = parts
        self._rejected: list[Rejection] = []
        self.sent = 0

    async def run(self, *, refusals_come_late: bool) -> None:
        """Send all.

        Raises:
            OSError: there is nobody to send to.
        """
        for part in self._parts:
            while not self._took(part):  # noqa: ASYNC110 - the system has no word for "room again" that all loops know
                await asyncio.sleep(_FULL_WAIT_SECONDS)
            self.sent += 1
            if self.sent % _AT_ONCE == 0:
                await asyncio.sleep(0)
        refusal = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if refusals_come_late else 0
        if refusal:
            raise OSError(refusal, os.strerror(refusal))

    def _took(self, part: bytes) -> bool:
        try:
            self._socket.send(part)
        except OSError as error:
            if error.errno in _FULL:
                return False
            if error.errno != errno.EMSGSIZE:
                raise
            reason = f"{len(part)} bytes are more than a datagram holds here; lower max_message_bytes"
            self._rejected.append(Rejection(self.sent, _TOO_LARGE_STATUS, reason))
        return True

    def outcome(self, reason: str) -> Outcome:
        """What became of them, the rest being left for this reason."""
        left = range(self.sent, len(self._parts))
        if not left and not self._rejected:
            return Delivered()
        if not self.sent:
            return Retry(reason)
        return Partial(tuple(left), tuple(self._rejected), reason or self._rejected[0].reason)
