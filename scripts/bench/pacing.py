"""Coroutines that log: at full speed as a bulk producer, or at a rate, in chunks small enough to hide no lag.

At a rate, the coroutine logs at each turn what is due by the clock, at most ``RATE_CHUNK`` entries before it gives the
loop back with ``sleep(0)``, and sleeps 1 ms when it has caught up.
"""

import asyncio
import gc
import time
from dataclasses import dataclass
from math import inf

from bench.peers.base import Peer
from bench.workload import LATENCY_MS, Emit, price_of

BULK_CHUNK = 100
RATE_CHUNK = 25
TURN_SECONDS = 0.001


async def at_full_speed(peer: Peer, emit: Emit, first: int, count: int, most_seconds: float = inf) -> int:
    """Log entries numbered from ``first``; after each chunk the loop, and the peer's own backpressure, have a turn.

    Returns:
        How many were logged: ``count``, or as many as the time allowed.
    """
    end_seconds = time.monotonic() + most_seconds
    for start in range(first, first + count, BULK_CHUNK):
        stop = min(start + BULK_CHUNK, first + count)
        _log(emit, start, stop)
        await peer.ready(stop - start)
        await asyncio.sleep(0)
        if time.monotonic() > end_seconds:
            return stop - first
    return count


@dataclass(frozen=True, slots=True)
class Offered:
    """How many entries were logged, and in how many seconds (longer than planned if the calls are too slow)."""

    logged: int
    seconds: float


async def at_rate(emit: Emit, first: int, count: int, per_second: float, most_seconds: float = inf) -> Offered:
    """Log ``count`` entries at a rate, or as many as the time allows."""
    start_seconds = time.monotonic()
    taken_seconds = 0.0
    logged = 0
    while logged < count and taken_seconds < most_seconds:
        due = min(count, int(taken_seconds * per_second) + 1)
        stop = min(due, logged + RATE_CHUNK)
        _log(emit, first + logged, first + stop)
        logged = max(logged, stop)
        await asyncio.sleep(TURN_SECONDS if logged >= due else 0)
        taken_seconds = time.monotonic() - start_seconds
    return Offered(logged, taken_seconds)


def settle_garbage() -> None:
    """Do the first full collection, which any process that has run for a while has behind it.

    It passes over everything that was imported, tens of milliseconds, and would strike one span of one measurement at
    random. Collection goes on as by default afterwards, full ones included, once a quarter more has survived.
    """
    gc.collect()


def _log(emit: Emit, start: int, stop: int) -> None:
    for number in range(start, stop):
        emit(price_of(number), LATENCY_MS)
