"""Syslog (RFC 5424) over UDP, TCP, TLS or a socket of this machine.

There are no acknowledgements: what "delivered" means is each transport's own, and said where it sends. An entry's id
stands in the structured data of its message, so that a receiver can leave out what it gets twice.
"""

import socket
import ssl
from collections.abc import Sequence
from typing import Protocol, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.syslog import SyslogMessages
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.syslog import SyslogOptions
from metaexpert.logger.outcome import Outcome, Retry
from metaexpert.logger.sinks.answer import one_line
from metaexpert.logger.sinks.syslog_addresses import OtherTypeError
from metaexpert.logger.sinks.syslog_datagrams import DatagramTransport
from metaexpert.logger.sinks.syslog_streams import StreamTransport, TlsFilesError


class Transport(Protocol):
    """A way to a receiver."""

    async def send(self, parts: Sequence[bytes], /) -> Outcome:
        """Send messages; OSError where nobody took them."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


@final
class SyslogSink:
    """Sends entries as syslog messages.

    Args:
        options: address, transport, limits.
        messages: what makes a message of an entry.
        worker: the thread of names and certificates, closed with the sink.
    """

    def __init__(self, options: SyslogOptions, messages: SyslogMessages, worker: Worker) -> None:
        self._options = options
        self._messages = messages
        self._worker = worker
        self._transport = _transport(options, worker)

    def encode(self, entry: Capture) -> bytes:
        """The entry's message."""
        return self._messages(entry)

    async def write(self, batch: Batch) -> Outcome:
        """Send the batch's messages; whatever the network says is a retry."""
        try:
            return await self._transport.send(batch.parts)
        except TimeoutError as error:
            return Retry(str(error) or f"not taken within {self._options.timeout:g} s")
        except (ssl.SSLError, TlsFilesError) as error:
            return Retry(one_line(f"TLS: {error}"), pause=True)
        except socket.gaierror as error:
            return Retry(f"{self._options.host!r} is not known: {error.strerror}")
        except PermissionError as error:
            return Retry(str(error), pause=True)
        except OSError as error:
            return Retry(one_line(error.strerror or str(error)))

    async def close(self) -> None:
        """End the connection."""
        try:
            await self._transport.close()
        finally:
            self._worker.close()


def _transport(options: SyslogOptions, worker: Worker) -> Transport:
    match options.transport:
        case "udp":
            return DatagramTransport(options, worker)
        case "tcp" | "tls":
            return StreamTransport(options, worker)
        case "unix":
            return _LocalTransport(options, worker)


@final
class _LocalTransport:
    """Sends to a local socket as it wants it: datagrams, or a stream, whichever answered last."""

    def __init__(self, options: SyslogOptions, worker: Worker) -> None:
        self._ways: list[Transport] = [DatagramTransport(options, worker), StreamTransport(options, worker)]

    async def send(self, parts: Sequence[bytes]) -> Outcome:
        try:
            return await self._ways[0].send(parts)
        except OtherTypeError:
            self._ways.reverse()
            return await self._ways[0].send(parts)

    async def close(self) -> None:
        for way in self._ways:
            await way.close()
