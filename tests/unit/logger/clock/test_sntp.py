"""The SNTP client, against a server on a real socket that speaks NTP, and packets that no server should send."""

import asyncio
import re
import struct
from collections.abc import Callable
from typing import Any, override

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.exceptions import ConfigError
from metaexpert.logger import ClockOptions
from metaexpert.logger.clock.quality import Quality
from metaexpert.logger.clock.sntp import SntpError, answer_in, ask, question, server_address

PACKET = struct.Struct(">BBbbII4sQQQQ")
NOW_NS = 1_795_000_000 * 10**9
NONCE = 0x1122334455667788


def ntp(utc_ns: int) -> int:
    """A time as NTP has it."""
    return ((utc_ns + 2_208_988_800 * 10**9) << 32) // 10**9 % 2**64


def reply(
    nonce: int = NONCE, *, received: int = NOW_NS, sent: int = NOW_NS, stratum: int = 2, first: int = 0x24,
    delay: int = 0, dispersion: int = 0, reference: bytes = b"GPS\0",
) -> bytes:  # fmt: skip
    return PACKET.pack(first, stratum, 0, -20, delay, dispersion, reference, 0, nonce, ntp(received), ntp(sent))


class Server(asyncio.DatagramProtocol):
    """Answers each question with the packets that `answers` makes of its nonce."""

    def __init__(self, answers: Callable[[int], list[bytes]]) -> None:
        self.answers = answers
        self.asked: list[bytes] = []

    @override
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    @override
    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked.append(data)
        for packet in self.answers(PACKET.unpack(data)[-1]):
            self.transport.sendto(packet, addr)


async def asked(answers: Callable[[int], list[bytes]], timeout: float = 20.0, trip_ns: int = 8_000_000) -> Quality:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Server(answers), local_addr=("127.0.0.1", 0)
    )
    steady = iter((0, trip_ns))
    port = transport.get_extra_info("sockname")[1]
    try:
        return await ask(f"127.0.0.1:{port}", timeout, lambda: NOW_NS, lambda: next(steady, trip_ns))
    finally:
        transport.close()
        assert len(server.asked) == 1


async def test_offset_and_bound_are_those_of_the_rfc():
    quality = await asked(
        lambda nonce: [
            reply(nonce, received=NOW_NS + 504_000_000, sent=NOW_NS + 506_000_000, delay=1 << 12, dispersion=1 << 11)
        ]
    )
    # 8 ms there and back, 2 of them at the server; half of 6 ms and of 62.5 ms, and 31.25 ms
    assert quality.offset_ns == pytest.approx(501_000_000, abs=10)
    assert quality.bound_ns == pytest.approx(3_000_000 + 31_250_000 + 31_250_000, abs=10)
    assert quality.source.startswith("sntp 127.0.0.1:")


async def test_a_server_that_does_not_answer_is_unknown():
    quality = await asked(lambda _: [], timeout=0.05)
    assert (quality.worst_ns, quality.detail) == (None, "no answer within 0.05 s")


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (lambda nonce: reply(nonce, stratum=0, reference=b"RATE"), "left alone .RATE."),
        (lambda nonce: reply(nonce, first=0xE4), "not synchronised"),
        (lambda nonce: reply(nonce, stratum=16), "not synchronised"),
        (lambda nonce: reply(nonce, delay=2**32 - 1), "not synchronised"),
        (lambda nonce: reply(nonce, dispersion=16 << 16), "not synchronised"),
        (lambda nonce: reply(nonce, received=NOW_NS + 10**9), "cannot be"),
        (lambda nonce: reply(nonce, sent=NOW_NS + 10**9), "cannot be"),
    ],
)
async def test_what_tells_no_time_is_unknown_and_says_why(packet: Callable[[int], bytes], reason: str):
    quality = await asked(lambda nonce: [packet(nonce)])
    assert quality.worst_ns is None
    assert re.search(reason, quality.detail), quality.detail


FORGED = [
    lambda nonce: reply(nonce ^ 1, received=NOW_NS + 10**12, sent=NOW_NS + 10**12),
    lambda nonce: reply(nonce ^ 1, stratum=0, reference=b"DENY"),
    lambda nonce: reply(nonce, first=0x23),
    lambda nonce: reply(nonce)[:40],
    lambda _: b"",
]


@pytest.mark.parametrize("forged", FORGED)
async def test_what_answers_no_question_of_ours_is_not_heard(forged: Callable[[int], bytes]):
    quality = await asked(lambda nonce: [forged(nonce), reply(nonce, received=NOW_NS, sent=NOW_NS)])
    assert quality.offset_ns == pytest.approx(-4_000_000, abs=10)


async def test_where_nothing_else_comes_there_is_no_answer():
    quality = await asked(lambda nonce: [forged(nonce) for forged in FORGED], timeout=0.05)
    assert (quality.worst_ns, quality.detail) == (None, "no answer within 0.05 s")


async def test_a_server_that_refuses_is_told_as_such():
    assert (await asked(lambda nonce: [reply(nonce, stratum=0, reference=b"DENY")])).refused
    assert not (await asked(lambda nonce: [reply(nonce, stratum=16)])).refused


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_bound_holds_however_unequal_the_ways_are(off_ns: int, there_ns: int, back_ns: int):
    received = NOW_NS + there_ns + off_ns
    packet = reply(received=received, sent=received + 1_000_000)
    quality = answer_in(packet, NONCE, NOW_NS, there_ns + 1_000_000 + back_ns).quality("s")
    assert quality.offset_ns is not None
    assert quality.bound_ns is not None
    assert abs(quality.offset_ns - off_ns) <= quality.bound_ns + 2


async def test_a_host_there_is_none_of_is_unknown():
    quality = await ask("host.invalid", 20.0)
    assert (quality.offset_ns, bool(quality.detail)) == (None, True)


def test_the_question_tells_nothing_but_a_random_number():
    packet = question(NONCE)
    assert (len(packet), packet[0], packet[1:40], packet[40:]) == (48, 0x23, bytes(39), NONCE.to_bytes(8))


@given(st.integers(1_000_000_000 * 10**9, 6_000_000_000 * 10**9), st.integers(-(10**12), 10**12))
def test_times_are_read_in_every_era(now_ns: int, off_ns: int):
    """NTP's seconds begin anew in 2036."""
    packet = reply(received=now_ns + off_ns, sent=now_ns + off_ns)
    answer = answer_in(packet, NONCE, now_ns, 0)
    assert abs(answer.received_ns - now_ns - off_ns) <= 1


@given(st.binary(max_size=80))
def test_no_packet_raises_anything_else(packet: bytes):
    with pytest.raises(SntpError):  # none of them repeats the random number
        answer_in(packet, NONCE, NOW_NS, 0)


@pytest.mark.parametrize(
    ("server", "address"),
    [("a.example", ("a.example", 123)), ("a:9", ("a", 9)), ("[::1]:9", ("::1", 9)), ("::1", ("::1", 123))],
)
def test_servers_are_named_with_or_without_a_port(server: str, address: tuple[str, int]):
    assert server_address(server) == address


@pytest.mark.parametrize("server", ["", "host:", "host:0", "host:x", "host:70000"])
def test_what_is_no_server_is_refused(server: str):
    if server == "host:":
        assert server_address(server) == ("host", 123)
        return
    with pytest.raises(ConfigError, match="must be a host"):
        ClockOptions(ntp_servers=(server,))
