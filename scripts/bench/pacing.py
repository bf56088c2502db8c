"""Coroutines that log: at full speed as a bulk producer, or at a rate, in chunks small enough to hide no lag.

``AT_RATE`` in words, for the documentation: at each turn the coroutine logs what is due by the clock, at most
``RATE_CHUNK`` entries before it gives the loop back with ``sleep(0)``, and sleeps 1 ms when nothing is due.
"""

import asyncio
import gc
import time
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


async def at_rate(emit: Emit, first: int, count: int, per_second: float) -> float:
    """Log ``count`` entries at a rate, and say how many seconds it took (longer if the calls are too slow for it)."""
    start_seconds = time.monotonic()
    logged = 0
    while logged < count:
        due = min(count, int((time.monotonic() - start_seconds) * per_second) + 1)
        if due <= logged:
            await asyncio.sleep(TURN_SECONDS)
            continue
        stop = min(due, logged + RATE_CHUNK)
        _log(emit, first + logged, first + stop)
        logged = stop
        await asyncio.sleep(0)
    return time.monotonic() - start_seconds


def settle_garbage() -> None:
    """Do the first full collection, which any process that has run for a while has behind it.

    It passes over everything that was imported, tens of milliseconds, and would strike one span of one measurement at
    random. Collection goes on as by default afterwards, full ones included, once a quarter more has survived.
    """
    gc.collect()


def _log(emit: Emit, start: int, stop: int) -> None:
    for number in range(start, stop):
        emit(price_of(number), LATENCY_MS)
