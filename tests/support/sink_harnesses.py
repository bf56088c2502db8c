"""The destinations of our own sinks, as the conformance suite has to see them."""

import asyncio
import os
import shutil
import socket
import ssl
import sys
import threading
from abc import abstractmethod
from contextlib import AsyncExitStack, suppress
from io import TextIOWrapper
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from types import TracebackType
from typing import Any, Self, override

import orjson
from aiohttp import web
from support.eventually import eventually
from support.hec import TOKEN, Hec
from support.otlp import told_by
from support.scripted_collector import Received, Reply, ScriptedCollector, documents, pushed, serving, status
from support.syslog_receiver import DatagramReceiver, StreamReceiver, counted, ended, read_message
from support.written_logs import written

from metaexpert.logger import (
    ConsoleOptions,
    ElasticsearchOptions,
    FileOptions,
    LokiOptions,
    MemoryOptions,
    MemorySink,
    NdjsonOptions,
    OtlpOptions,
    Sink,
    SinkParts,
    SplunkOptions,
    SyslogOptions,
)
from metaexpert.logger.assembly import SinkAssembly
from metaexpert.logger.config import AnySink
from metaexpert.logger.testing import Fault, SinkHarness

_GARBAGE = b"\x00\xff\x13 nothing you know\r\n\r\n"
_TIMEOUT_SECONDS = 1.0


def our_sink(options: AnySink, parts: SinkParts, folder: Path = Path()) -> Sink:
    """The sink as a runtime with these options would make it."""
    named = options.model_copy(update={"name": parts.name})
    return SinkAssembly(folder, parts.identity, parts.jobs, parts.json_line).sink(named)


class MemoryHarness(SinkHarness):
    """What all sinks made so far hold; memory does not fail."""

    tells_repeats = False

    def __init__(self) -> None:
        self._sinks: list[MemorySink] = []

    @override
    def new_sink(self, parts: SinkParts) -> Sink:
        sink = our_sink(MemoryOptions(max_entries=100_000), parts)
        assert isinstance(sink, MemorySink)
        self._sinks.append(sink)
        return sink

    @override
    async def stored(self) -> str:
        return b"\n".join(line for sink in self._sinks for line in sink.lines).decode()


class FileHarness(SinkHarness):
    """A log whose name is taken by a folder while it refuses; one that rotates goes on without its name.

    Args:
        folder: where it is.
        json_logging: as in `FileOptions`.
        max_bytes: size of a rotation.
    """

    tells_repeats = True

    def __init__(self, folder: Path, *, json_logging: bool, max_bytes: int = 0) -> None:
        self._folder = folder
        self._path = folder / "sink.log"
        self._json_logging = json_logging
        self._max_bytes = max_bytes
        self.faults = frozenset[Fault]() if max_bytes else frozenset({Fault.REFUSES})

    @override
    def new_sink(self, parts: SinkParts) -> Sink:
        options = FileOptions(
            path=self._path.relative_to(self._folder),
            json_logging=self._json_logging,
            max_bytes=self._max_bytes,
            backup_count=1000,
        )
        return our_sink(options, parts, self._folder)

    @override
    async def stored(self) -> str:
        return written(self._path).decode()

    @override
    async def begin(self, fault: Fault) -> None:
        self._path.unlink(missing_ok=True)
        self._path.mkdir()

    @override
    async def recover(self) -> None:
        self._path.rmdir()


class ConsoleHarness(SinkHarness):
    """stderr as a pipe: closed while it refuses, full and unread while it hangs."""

    faults = frozenset({Fault.REFUSES, Fault.HANGS})
    tells_repeats = True

    def __init__(self) -> None:
        self._usual = sys.stderr
        self._read = bytearray()
        self._may_read = threading.Event()
        self._parked = threading.Event()
        self._readers: list[threading.Thread] = []

    @override
    async def __aenter__(self) -> Self:
        self._may_read.set()
        self._open()
        return self

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._may_read.set()
        sys.stderr.close()
        sys.stderr = self._usual
        for reader in self._readers:
            reader.join()

    def _open(self) -> None:
        reading, self._writing = os.pipe()
        sys.stderr = TextIOWrapper(os.fdopen(self._writing, "wb"), encoding="utf-8")
        reader = threading.Thread(target=self._drain, args=(reading,))
        reader.start()
        self._readers.append(reader)

    def _drain(self, descriptor: int) -> None:
        while chunk := os.read(descriptor, 65_536):
            self._read += chunk
            if not self._may_read.is_set():
                self._parked.set()
                self._may_read.wait()
        os.close(descriptor)

    @override
    def new_sink(self, parts: SinkParts) -> Sink:
        return our_sink(ConsoleOptions(use_colors=False), parts)

    @override
    async def stored(self) -> str:
        marker = f"all read {len(self._read)}"
        await asyncio.to_thread(os.write, self._writing, f"{marker}\n".encode())
        await eventually(lambda: marker.encode() in self._read)
        return self._read.decode()

    @override
    async def begin(self, fault: Fault) -> None:
        if fault is Fault.REFUSES:
            sys.stderr.close()
            return
        self._parked.clear()
        self._may_read.clear()
        os.write(self._writing, b"\n")
        await eventually(self._parked.is_set)
        os.set_blocking(self._writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(self._writing, b"\n" * 4096)
        os.set_blocking(self._writing, True)

    @override
    async def recover(self) -> None:
        if sys.stderr.closed:
            self._open()
        self._may_read.set()


class CollectorHarness(SinkHarness):
    """A collector on loopback that models what its kind stores."""

    faults = frozenset(Fault)
    tells_repeats = True
    accepts: Reply = staticmethod(status(204))
    fails_with = 500

    def __init__(self) -> None:
        self.collector = ScriptedCollector(self._take)
        self.kept: dict[object, str] = {}
        self._may_answer = asyncio.Event()
        self._running = AsyncExitStack()

    @override
    async def __aenter__(self) -> Self:
        await self._running.enter_async_context(serving(self.collector))
        return self

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._may_answer.set()
        await self._running.aclose()

    @override
    def new_sink(self, parts: SinkParts) -> Sink:
        values = {"url": self.collector.url, "timeout": _TIMEOUT_SECONDS, "connect_timeout": _TIMEOUT_SECONDS}
        return our_sink(self.options(values), parts)

    @override
    async def stored(self) -> str:
        return "\n".join(self.kept.values())

    @override
    async def begin(self, fault: Fault) -> None:
        self._may_answer.clear()
        replies: dict[Fault, Reply] = {
            Fault.REFUSES: status(503, "overloaded"),
            Fault.HANGS: self._hang,
            Fault.GARBLES: self._garble,
        }
        self.collector.default = replies[fault]

    @override
    async def recover(self) -> None:
        self.collector.default = self._take
        self._may_answer.set()

    async def _take(self, request: web.Request, received: Received) -> web.StreamResponse:
        self.keep(received)
        return await self.accepts(request, received)

    async def _hang(self, _request: web.Request, _received: Received) -> web.StreamResponse:
        await self._may_answer.wait()
        return web.Response(status=self.fails_with)

    async def _garble(self, request: web.Request, received: Received) -> web.StreamResponse:
        """Store it, and say nothing that anybody could understand."""
        self.keep(received)
        if request.transport is not None:
            request.transport.write(_GARBAGE)
            request.transport.close()
        return web.Response(status=500)

    @abstractmethod
    def options(self, values: dict[str, Any]) -> AnySink:
        """The sink's options with these values."""

    @abstractmethod
    def keep(self, received: Received) -> None:
        """Store what a request carries, once."""


class LokiHarness(CollectorHarness):
    """Stores the same stream, time and line once, and shows the streams merged by time."""

    @override
    def options(self, values: dict[str, Any]) -> AnySink:
        return LokiOptions(**values)

    @override
    def keep(self, received: Received) -> None:
        entries = pushed(received)
        for entry in entries:
            self.kept.setdefault(entry.key, entry.entry["message"])


class ElasticsearchHarness(CollectorHarness):
    """Creates each document id once."""

    @override
    def options(self, values: dict[str, Any]) -> AnySink:
        return ElasticsearchOptions(**values)

    @override
    async def _take(self, request: web.Request, received: Received) -> web.StreamResponse:
        items = [
            {"create": {"status": 409 if (each.index, each.entry_id) in self.kept else 201}}
            for each in documents(received)
        ]
        self.keep(received)
        errors = any(item["create"]["status"] == 409 for item in items)
        return web.json_response({"errors": errors, "items": items}, dumps=lambda value: orjson.dumps(value).decode())

    @override
    def keep(self, received: Received) -> None:
        entries = documents(received)
        for entry in entries:
            self.kept.setdefault((entry.index, entry.entry_id), entry.source["message"])


class OtlpHarness(CollectorHarness):
    """Keeps each record's id once, as whoever reads the records can.

    Args:
        protocol: the requests' encoding.
    """

    accepts: Reply = staticmethod(status(200))
    fails_with = 503  # under 500 OTLP has ordinary entries given up

    def __init__(self, protocol: str) -> None:
        super().__init__()
        self._protocol = protocol

    @override
    def options(self, values: dict[str, Any]) -> AnySink:
        return OtlpOptions(**values, protocol=self._protocol)

    @override
    def keep(self, received: Received) -> None:
        for uid, body in told_by(received):
            self.kept.setdefault(uid, body)


class SplunkHarness(CollectorHarness):
    """Splunk, which keeps what is sent twice twice.

    Args:
        acks: whether its token has indexer acknowledgement.
    """

    tells_repeats = False

    def __init__(self, *, acks: bool) -> None:
        super().__init__()
        self._hec = Hec(acks=acks)

    @override
    def options(self, values: dict[str, Any]) -> AnySink:
        return SplunkOptions(**values, token=TOKEN, ack_poll_interval=0.05, ack_timeout=1.0)

    @override
    async def stored(self) -> str:
        return "\n".join(event["event"]["message"] for event in self._hec.indexed)

    @override
    async def _take(self, request: web.Request, received: Received) -> web.StreamResponse:
        status_code, body = self._hec.answer(received)
        return web.json_response(body, status=status_code)

    @override
    def keep(self, received: Received) -> None:
        self._hec.answer(received)


class NdjsonHarness(CollectorHarness):
    """Ignores a batch whose key it has seen.

    Args:
        options: more of the sink's options.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = options

    @override
    def options(self, values: dict[str, Any]) -> AnySink:
        return NdjsonOptions(**values, **self._options)

    @override
    def keep(self, received: Received) -> None:
        lines = received.body.splitlines()
        self.kept.setdefault(
            received.headers["Idempotency-Key"], "\n".join(orjson.loads(line)["message"] for line in lines)
        )


class SyslogHarness(SinkHarness):
    """A receiver that keeps each entry's id once, as whoever reads its log can.

    One that hangs takes no connection to its end: TLS agrees on nothing. What a plain stream's system takes for a
    receiver that reads nothing cannot be told from what is read, and a datagram never waits.

    Args:
        receiver: the receiver.
        faults: how it can fail.
        options: the sink's options, without those that say where the receiver is.
    """

    tells_repeats = True

    def __init__(self, receiver: StreamReceiver | DatagramReceiver, faults: frozenset[Fault], **options: Any) -> None:
        self._receiver = receiver
        self._options = options
        self._hanging: socket.socket | None = None
        self._stuck: list[socket.socket] = []
        self.faults = faults

    @override
    async def __aenter__(self) -> Self:
        await self._receiver.listen()
        return self

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_hanging()
        await self._receiver.__aexit__(kind, error, trace)
        if "socket_path" in self._options:
            await asyncio.to_thread(shutil.rmtree, self._options["socket_path"].parent)

    @override
    def new_sink(self, parts: SinkParts) -> Sink:
        where = {} if "socket_path" in self._options else {"host": "127.0.0.1", "port": self._receiver.port}
        limits = {"timeout": _TIMEOUT_SECONDS, "connect_timeout": _TIMEOUT_SECONDS, "max_message_bytes": 60_000}
        return our_sink(SyslogOptions(**where, **limits, **self._options), parts)

    @override
    async def stored(self) -> str:
        await self._receiver.drained()
        seen: dict[str, str] = {}
        for data in self._receiver.messages:
            message = read_message(data)
            if "truncated" not in next(iter(message.sd.values())):
                seen.setdefault(message.id, orjson.loads(message.text)["message"])
        return "\n".join(seen.values())

    @override
    async def begin(self, fault: Fault) -> None:
        await self._receiver.stop()
        if fault is Fault.HANGS:
            # nobody takes connections from its queue, which is full
            self._hanging = socket.create_server(("127.0.0.1", self._receiver.port), backlog=0)
            self._stuck = [_connecting(self._receiver.port) for _ in range(3)]

    @override
    async def recover(self) -> None:
        self._end_hanging()
        await self._receiver.listen()

    def _end_hanging(self) -> None:
        for each in (*self._stuck, *filter(None, [self._hanging])):
            each.close()
        self._stuck, self._hanging = [], None


def _connecting(port: int) -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    made.connect_ex(("127.0.0.1", port))
    return made


def syslog_over(transport: str, server: ssl.SSLContext | None = None, **options: Any) -> SyslogHarness:
    """A harness of each transport."""
    both, refuses = frozenset({Fault.REFUSES, Fault.HANGS}), frozenset({Fault.REFUSES})
    # the system bounds a local socket's name to a hundred bytes
    local = Path(mkdtemp(prefix="syslog-", dir=gettempdir())) / "log"
    match transport:
        case "udp":
            return SyslogHarness(DatagramReceiver(), refuses, transport="udp", **options)
        case "unix-datagrams":
            return SyslogHarness(DatagramReceiver(local), refuses, transport="unix", socket_path=local, **options)
        case "unix-stream":
            receiver = StreamReceiver(local, framed=ended)
            return SyslogHarness(receiver, refuses, transport="unix", socket_path=local, **options)
        case _:
            receiver = StreamReceiver(context=server, framed=ended if options.get("framing") == "lf" else counted)
            return SyslogHarness(receiver, both, transport=transport, **options)
