"""Sinks that do what a test tells them, captures made by hand, and a delivery with a pump in the dispatcher's place."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from metaexpert.logger.batch import Batch, BatchLimits
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.entry import LEVEL, LOG_TYPE, SIZE, Capture, LogEntry, lane_of
from metaexpert.logger.lanes import Lanes, Overflow
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.notices import Notices
from metaexpert.logger.outcome import Delivered, Outcome
from metaexpert.logger.retry import Backoff
from metaexpert.logger.spool.spilling import Spilling

type Answer = Callable[[Batch], Awaitable[Outcome]]


def capture(
    seq: int,
    level: int = logging.INFO,
    log_type: str = "general",
    *,
    message: str = "",
    size: int = 500,
    time_ns: int | None = None,
    logger: str = "made",
    monotonic_ns: int = 7_000_000_123,
) -> Capture:
    """What a log call would have captured."""
    frame = sys._getframe()
    text = message or f"m{seq}"
    at = time_ns or time.time_ns()
    return (
        seq, at, level, logger, text, frame.f_code, frame.f_lasti, b"", b"", 1, None, log_type, None, size,
        monotonic_ns,
    )  # fmt: skip


def captures(seqs: Iterable[int], level: int = logging.INFO, size: int = 500) -> list[Capture]:
    """Captures of one lane."""
    return [capture(seq, level, size=size) for seq in seqs]


async def accept(_: Batch) -> Outcome:
    """Take everything."""
    return Delivered()


class FakeSink:
    """Keeps each batch it is asked to write and answers as told.

    Attributes:
        batches: messages of each attempt, in order.
        stored: messages of what was answered with `Delivered`.
        answer: what it answers.
    """

    def __init__(self, answer: Answer = accept) -> None:
        self.answer = answer
        self.batches: list[list[str]] = []
        self.stored: list[str] = []
        self.parts: list[bytes] = []
        self.closed = False
        self.may_write = asyncio.Event()
        self.may_write.set()

    def encode(self, entry: Capture) -> bytes:
        return LogEntry(entry).message.encode()

    async def write(self, batch: Batch) -> Outcome:
        messages = [LogEntry(one).message for one in batch.entries]
        self.batches.append(messages)
        self.parts.append(b"\n".join(batch.parts))
        await self.may_write.wait()
        outcome = await self.answer(batch)
        if isinstance(outcome, Delivered):
            self.stored += messages
        return outcome

    async def close(self) -> None:
        self.closed = True


class Pumped:
    """A delivery under test with its worker running, and a task that forms batches as the dispatcher would."""

    def __init__(self, sink: Any, *, spilling: Spilling | None = None, probes: bool = False, **more: Any) -> None:
        values: dict[str, Any] = {"max_entries": 1000, "max_bytes": 10_000_000, "overflow": Overflow.DROP_LOWEST}
        limits: dict[str, Any] = {"max_batch": 16, "max_batch_bytes": 100_000, "max_age": 0.0}
        values |= {key: value for key, value in more.items() if key not in limits}
        limits |= {key: value for key, value in more.items() if key in limits}
        self.sink = sink
        self.ledger = Ledger()
        self.lanes = Lanes(self.ledger, **values)
        self._woken = asyncio.Event()
        self.delivery = Delivery(
            "fake",
            sink,
            self.lanes,
            self.ledger,
            BatchLimits(
                max_entries=limits["max_batch"],
                max_bytes=limits["max_batch_bytes"],
                max_age_seconds=limits["max_age"],
            ),
            backoff=Backoff(0.0005, 0.001),
            notices=Notices(),
            wake=self._wake,
            spilling=spilling,
            probes=probes,
        )

    def _wake(self) -> None:
        self._woken.set()

    def rebind(self) -> None:
        """Go on upon another loop."""
        self._woken = asyncio.Event()
        self.delivery.rebind()

    def offer(self, *offered: Capture) -> None:
        """Offer entries one by one, as calls at different moments would."""
        for one in offered:
            self.delivery.batching.offer(lane_of(one[LEVEL], one[LOG_TYPE]), [one], one[SIZE])
        self._woken.set()

    @property
    def balanced(self) -> bool:
        """Whether the ledger's identity holds now."""
        return self.ledger.snapshot(self.delivery.in_flight, self.delivery.spooled).balanced

    async def settled(self, seconds: float = 10.0) -> None:
        """Wait until nothing is in flight."""
        async with asyncio.timeout(seconds):
            while self.delivery.in_flight:
                self._woken.set()
                await asyncio.sleep(0)

    async def pump(self) -> None:
        """Form batches whenever there is something to form."""
        while True:
            while self.delivery.batching.form(64, time.monotonic()):
                pass
            self._woken.clear()
            due = self.delivery.batching.due_in(time.monotonic())
            try:
                async with asyncio.timeout(due):
                    await self._woken.wait()
            except TimeoutError:
                continue

    @asynccontextmanager
    async def going(self) -> AsyncGenerator[None]:
        """It runs while the context lasts."""
        tasks = [asyncio.create_task(self.delivery.run()), asyncio.create_task(self.pump())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def pumped(sink: Any, **more: Any) -> AsyncGenerator[Pumped]:
    """A delivery to `sink` that runs while the context lasts."""
    under_test = Pumped(sink, **more)
    async with under_test.going():
        yield under_test
