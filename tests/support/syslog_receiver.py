"""Syslog receivers on loopback, and a strict reader of RFC 5424 messages written from its grammar."""

import asyncio
import contextlib
import fcntl
import re
import socket
import ssl
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from support.eventually import eventually

_BOM = b"\xef\xbb\xbf"
_CHUNK = 65_536
_TURNS = 10
"""Turns of the loop within which what was read from a socket has gone through TLS and asyncio's streams."""

# RFC 5424, section 6: each part as the ABNF has it
_HEADER = re.compile(
    rb"<(?P<pri>0|[1-9]\d{0,2})>(?P<version>[1-9]\d{0,2})"
    rb" (?P<time>-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))"
    rb" (?P<host>-|[\x21-\x7e]{1,255}) (?P<app>-|[\x21-\x7e]{1,48}) (?P<pid>-|[\x21-\x7e]{1,128})"
    rb" (?P<msgid>-|[\x21-\x7e]{1,32}) "
)
_SD_NAME = rb'[^\x00-\x20\x7f-\xff="\]]{1,32}'
_SD_VALUE = rb'(?:[^"\\\]]|\\["\\\]])*'
_SD_ELEMENT = re.compile(rb"\[(%b)((?: %b=\"%b\")*)\]" % (_SD_NAME, _SD_NAME, _SD_VALUE), re.DOTALL)
_SD_PARAM = re.compile(rb" (%b)=\"(%b)\"" % (_SD_NAME, _SD_VALUE), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    """A message, taken apart."""

    facility: int
    severity: int
    time: str
    host: str
    app: str
    pid: str
    msgid: str
    sd: dict[str, dict[str, str]]
    has_bom: bool
    text: bytes

    @property
    def id(self) -> str:
        """The entry's id."""
        (parameters,) = self.sd.values()
        return parameters["id"]


def read_message(data: bytes) -> Message:
    """Take a message apart; AssertionError where it breaks the grammar."""
    header = _HEADER.match(data)
    assert header, data[:200]
    assert header["version"] == b"1"
    assert int(header["pri"]) <= 191
    rest, elements = data[header.end() :], dict[str, dict[str, str]]()
    while (element := _SD_ELEMENT.match(rest)) is not None:
        pairs = [(name.decode(), _plain(value)) for name, value in _SD_PARAM.findall(element[2])]
        assert element[1].decode() not in elements, "an SD-ID must not stand twice"
        elements[element[1].decode()] = dict(pairs)
        rest = rest[element.end() :]
    assert elements or rest.startswith(b"-"), rest[:200]
    rest = rest if elements else rest[1:]
    assert not rest or rest.startswith(b" "), rest[:200]
    text = rest[1:]
    has_bom = text.startswith(_BOM)
    if has_bom:
        text = text[len(_BOM) :]
        text.decode()
    time, host, app, pid, msgid = (header[name].decode() for name in ("time", "host", "app", "pid", "msgid"))
    facility, severity = divmod(int(header["pri"]), 8)
    return Message(facility, severity, time, host, app, pid, msgid, elements, has_bom, text)


def _plain(value: bytes) -> str:
    return re.sub(rb"\\([\"\\\]])", rb"\1", value).decode()


def counted(data: bytes) -> Iterator[bytes]:
    """Whole messages of a stream with octet counting; what is left of the last is not whole."""
    while (length := re.match(rb"([1-9]\d{0,9}) ", data)) is not None:
        end = length.end() + int(length[1])
        if end > len(data):
            return
        yield data[length.end() : end]
        data = data[end:]
    assert re.fullmatch(rb"\d{0,9}", data), f"no count: {data[:80]!r}"


def ended(data: bytes) -> Iterator[bytes]:
    """Whole messages of a stream with newlines behind them."""
    yield from data.split(b"\n")[:-1]


def _unread_bytes(writer: asyncio.StreamWriter) -> int:
    descriptor = writer.get_extra_info("socket").fileno()
    return 0 if descriptor < 0 else int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


class StreamReceiver:
    """Takes connections and keeps what each sent.

    Args:
        path: of a local socket; a TCP one of loopback when left out.
        context: TLS.
        framed: takes a stream apart.
        greeting: what it says to whoever connects, as no syslog receiver does.
    """

    def __init__(
        self,
        path: Path | None = None,
        context: ssl.SSLContext | None = None,
        framed: Callable[[bytes], Iterator[bytes]] = counted,
        greeting: bytes = b"",
    ) -> None:
        self._path = path
        self._context = context
        self._framed = framed
        self._greeting = greeting
        self._writers: set[asyncio.StreamWriter] = set()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.streams: list[bytearray] = []

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._may_read.set()
        await self.stop()

    async def listen(self) -> None:
        """Take connections, at the address it had before."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, str(self._path))
            return
        made = socket.create_server(("127.0.0.1", self.port))
        self.port = made.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=made, ssl=self._context)

    async def stop(self, *, reset: bool = False) -> None:
        """Take none any more, and end those there are."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in [*self._writers]:
            if reset:
                linger = b"\1\0\0\0\0\0\0\0"  # on, zero seconds
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        held, _ = not self._may_read.is_set(), self._may_read.set()
        await eventually(lambda: not self._writers)  # each is taken out by its own task
        if held:
            self._may_read.clear()

    async def drained(self) -> None:
        """Read what the system has for it."""
        await eventually(lambda: not any(map(_unread_bytes, self._writers)))
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def hold(self) -> None:
        """Read no more."""
        self._may_read.clear()

    def go_on(self) -> None:
        """Read again."""
        self._may_read.set()

    @property
    def messages(self) -> list[bytes]:
        """Whole messages, connection by connection."""
        return [message for stream in self.streams for message in self._framed(bytes(stream))]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = bytearray()
        self.streams.append(stream)
        self._writers.add(writer)
        writer.write(self._greeting)
        try:
            with contextlib.suppress(OSError):
                while await self._may_read.wait() and not writer.is_closing() and (data := await reader.read(_CHUNK)):
                    stream += data
        finally:
            self._writers.discard(writer)
            writer.close()


class DatagramReceiver:
    """Keeps datagrams.

    Args:
        path: of a local socket; a UDP one of loopback when left out.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._address: Any = str(path) if path else ("127.0.0.1", 0)
        self._transport: asyncio.DatagramTransport | None = None
        self.messages: list[bytes] = []

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """Its port."""
        return self._address[1]

    async def listen(self) -> None:
        """Take datagrams, at the address it had before."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX if self._path else socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        made.setblocking(False)
        made.bind(self._address)
        self._address = made.getsockname()
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Keeping(self.messages), sock=made
        )

    async def stop(self) -> None:
        """Take none any more."""
        await self.drained()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
            await asyncio.sleep(0)  # asyncio closes the socket in the next turn
            await asyncio.sleep(0)

    async def drained(self) -> None:
        """Read what the system has for it: a datagram of its own comes behind all others."""
        if self._transport is None:
            return
        marker = b"behind %d" % len(self.messages)
        with socket.socket(socket.AF_UNIX if self._path else socket.AF_INET, socket.SOCK_DGRAM) as own:
            await asyncio.to_thread(own.sendto, marker, self._address)
        await eventually(lambda: marker in self.messages)
        self.messages.remove(marker)


class _Keeping(asyncio.DatagramProtocol):
    def __init__(self, messages: list[bytes]) -> None:
        self._messages = messages

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's interface
        self._messages.append(data)
