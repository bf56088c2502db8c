"""One question to an NTP server: RFC 5905, section 14 (SNTP), and the packet of its figure 8.

```text
0 LI/VN/mode  1 stratum  2 poll  3 precision  4 root delay  8 root dispersion  12 reference id
16 reference  24 origin  32 receive  40 transmit: seconds since 1900 and 2^-32 seconds
```

The question tells nothing of this machine's clock: its transmit field is random, and an answer has to repeat it. The
round trip is measured by a clock that nobody sets.
"""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from secrets import randbits
from time import monotonic_ns, time_ns
from typing import Final, final, override

from metaexpert.logger.clock.quality import Quality

PORT: Final = 123
_PACKET: Final = struct.Struct(">BBbbII4sQQQQ")
_QUESTION: Final = 0b00_100_011
_SERVER_MODE: Final = 4
_UNSYNCHRONISED: Final = 3
_MOST_STRATUM: Final = 15
_EPOCH_SECONDS: Final = 2_208_988_800
"""From 1900 to 1970."""
_SECOND_NS: Final = 1_000_000_000
_ERA_NS: Final = 2**32 * _SECOND_NS


_MOST_DISTANCE_NS: Final = 16 * _SECOND_NS
"""From which distance of the time's source on RFC 5905 calls a server unsynchronised (MAXDISP)."""
_GRANULARITY_NS: Final = 1_000_000


class SntpError(Exception):
    """An answer that tells nothing of the time; why, in words."""


@final
class NoAnswer(SntpError):  # noqa: N818 - names what the packet is
    """A packet that answers no question of ours: anybody may have sent it, and it is not heard."""


@final
class Refusal(SntpError):  # noqa: N818 - names what the packet is
    """A kiss-of-death (RFC 5905, 7.4): the server asks not to be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said, and when.

    Attributes:
        sent_ns: our clock when it was asked, UTC nanoseconds.
        round_trip_ns: until its answer came, by a clock that nobody sets.
        received_ns: its clock when it was asked.
        answered_ns: its clock when it answered.
        root_delay_ns: its way to the time's source and back.
        root_dispersion_ns: its own error bound.
        stratum: how many servers away from the time's source it is.
    """

    sent_ns: int
    round_trip_ns: int
    received_ns: int
    answered_ns: int
    root_delay_ns: int
    root_dispersion_ns: int
    stratum: int

    def quality(self, server: str) -> Quality:
        """Offset and bound: half of all ways there and back, and the server's own bound."""
        back_ns = self.sent_ns + self.round_trip_ns
        offset_ns = ((self.received_ns - self.sent_ns) + (self.answered_ns - back_ns)) // 2
        on_the_way_ns = max(0, self.round_trip_ns - (self.answered_ns - self.received_ns))
        bound_ns = (on_the_way_ns + self.root_delay_ns + 1) // 2 + self.root_dispersion_ns
        detail = f"stratum {self.stratum}, on the way {on_the_way_ns / 1e6:.3f} ms"
        return Quality(source=f"sntp {server}", offset_ns=offset_ns, bound_ns=bound_ns, detail=detail)


def question(nonce: int) -> bytes:
    """The packet to send; `nonce` has 64 bits."""
    return _PACKET.pack(_QUESTION, 0, 0, 0, 0, 0, b"\0" * 4, 0, 0, 0, nonce)


def answer_in(packet: bytes, nonce: int, sent_ns: int, round_trip_ns: int) -> Answer:
    """What a packet says.

    Raises:
        NoAnswer: it answers no question of ours.
        Refusal: its sender asks not to be asked.
        SntpError: its sender does not know the time, or says what cannot be.
    """
    if len(packet) < _PACKET.size:
        raise NoAnswer(f"{len(packet)} bytes, where {_PACKET.size} are the least")
    first, stratum, _, _, delay, dispersion, reference, _, origin, received, transmitted = _PACKET.unpack_from(packet)
    if origin != nonce or first & 0b111 != _SERVER_MODE:
        raise NoAnswer("no answer to our question")
    if stratum == 0:
        raise Refusal(f"it asks to be left alone ({reference.decode('ascii', 'backslashreplace')})")
    if first >> 6 == _UNSYNCHRONISED or stratum > _MOST_STRATUM or not transmitted:
        raise SntpError("its own clock is not synchronised")
    answer = Answer(
        sent_ns=sent_ns,
        round_trip_ns=round_trip_ns,
        received_ns=_utc_ns(received, sent_ns),
        answered_ns=_utc_ns(transmitted, sent_ns),
        root_delay_ns=_short_ns(delay),
        root_dispersion_ns=_short_ns(dispersion),
        stratum=stratum,
    )
    if answer.root_delay_ns // 2 + answer.root_dispersion_ns >= _MOST_DISTANCE_NS:
        raise SntpError("its own clock is not synchronised")
    if not 0 <= answer.answered_ns - answer.received_ns <= round_trip_ns + _GRANULARITY_NS:
        raise SntpError("its times cannot be: it answered before it was asked, or took longer than we waited")
    return answer


def _short_ns(value: int) -> int:
    return value * _SECOND_NS >> 16


def _utc_ns(timestamp: int, about_ns: int) -> int:
    """A timestamp in the era that is nearest to our own clock: the seconds begin anew in 2036."""
    within_ns = (timestamp * _SECOND_NS >> 32) - _EPOCH_SECONDS * _SECOND_NS
    return within_ns + round((about_ns - within_ns) / _ERA_NS) * _ERA_NS


@final
class _Conversation(asyncio.DatagramProtocol):
    """Takes the first datagram that answers; others are not heard, or a forged one would end the question."""

    def __init__(self, nonce: int, utc_ns: Callable[[], int], steady_ns: Callable[[], int]) -> None:
        self._nonce, self._utc_ns, self._steady_ns = nonce, utc_ns, steady_ns
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.DatagramTransport):
            self._sent_ns, self._began_ns = self._utc_ns(), self._steady_ns()
            transport.sendto(question(self._nonce))

    @override
    def datagram_received(self, data: bytes, addr: object) -> None:
        round_trip_ns = self._steady_ns() - self._began_ns
        if self.answer.done():
            return
        try:
            self.answer.set_result(answer_in(data, self._nonce, self._sent_ns, round_trip_ns))
        except NoAnswer:
            return
        except SntpError as error:
            self.answer.set_exception(error)

    @override
    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


def server_address(server: str) -> tuple[str, int]:
    """Host and port of "host", "host:port" or "[v6]:port"."""
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        return host, int(port.removeprefix(":") or PORT)
    host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "")
    return host, int(port or PORT)


async def ask(
    server: str,
    timeout_seconds: float,
    utc_ns: Callable[[], int] = time_ns,
    steady_ns: Callable[[], int] = monotonic_ns,
) -> Quality:
    """Ask one server once; what it does not tell is unknown, with the reason."""
    try:
        async with asyncio.timeout(timeout_seconds):
            answer = await _asked(server, utc_ns, steady_ns)
    except TimeoutError:
        return Quality(source=f"sntp {server}", detail=f"no answer within {timeout_seconds:g} s")
    except Refusal as error:
        return Quality(source=f"sntp {server}", detail=str(error), refused=True)
    except (OSError, SntpError) as error:
        return Quality(source=f"sntp {server}", detail=str(error))
    return answer.quality(server)


async def _asked(server: str, utc_ns: Callable[[], int], steady_ns: Callable[[], int]) -> Answer:
    transport, conversation = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Conversation(randbits(64) | 1, utc_ns, steady_ns), remote_addr=server_address(server)
    )
    try:
        return await conversation.answer
    finally:
        transport.close()
