"""A destination that keeps failing is left alone but for small probes; refused batches are cut at a bounded cost."""

import asyncio
from math import ceil, log2
from random import Random

import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink, Pumped, capture, captures, pumped

from metaexpert.logger.batch import Batch
from metaexpert.logger.body_limit import PROBE_BYTES
from metaexpert.logger.entry import SEQ, Capture
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry

ENTRIES = 600
"""Of 100 bytes each: more than three probes."""


class Failing(FakeSink):
    """Gives these answers, then takes everything.

    Attributes:
        sizes: encoded bytes of each attempt.
    """

    def __init__(self, *answers: Outcome) -> None:
        super().__init__(self._next)
        self._answers = list(answers)
        self.sizes: list[int] = []

    def encode(self, entry: Capture) -> bytes:
        return b"%0100d" % entry[SEQ]

    async def _next(self, batch: Batch) -> Outcome:
        self.sizes.append(batch.size_bytes)
        return self._answers.pop(0) if self._answers else Delivered()


def whole(running: Pumped) -> None:
    """Offer one batch of `ENTRIES`."""
    running.offer(*captures(range(1, ENTRIES + 1)))


class TestProbe:
    async def test_is_a_small_part_of_the_oldest_batch_and_the_rest_follows_its_success(self):
        sink = Failing(*[Retry("down")] * 7)
        async with pumped(sink, max_batch=ENTRIES, max_batch_bytes=10**6, max_age=30.0, probes=True) as running:
            whole(running)
            await running.settled()
            assert running.balanced
            assert running.ledger.delivered == ENTRIES
        total = ENTRIES * 100
        assert sink.sizes[:5] == [total] * 5
        probe = sink.sizes[5]
        assert PROBE_BYTES - 100 < probe <= PROBE_BYTES
        assert sink.sizes[5:] == [probe, probe, probe, total - probe]
        assert sink.stored == [f"m{seq}" for seq in range(1, ENTRIES + 1)]

    async def test_where_a_part_is_something_else_than_the_whole_the_probe_is_the_whole(self):
        sink = Failing(*[Retry("down")] * 7)
        async with pumped(sink, max_batch=ENTRIES, max_batch_bytes=10**6, max_age=30.0) as running:
            whole(running)
            await running.settled()
        assert sink.sizes == [ENTRIES * 100] * 8

    async def test_what_an_operator_has_to_mend_is_probed_from_the_first_refusal_on(self):
        sink = Failing(Retry("credentials", pause=True))
        async with pumped(sink, max_batch=ENTRIES, max_batch_bytes=10**6, max_age=30.0, probes=True) as running:
            whole(running)
            await running.settled()
        assert sink.sizes[1] <= PROBE_BYTES

    async def test_one_goes_at_a_time(self):
        under_way = most = 0

        async def answer(_: Batch) -> Outcome:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return Retry("down") if running.delivery.counters.batches < 12 else Delivered()

        async with pumped(FakeSink(answer), max_batch=10, probes=True) as running:
            running.offer(*captures(range(200)))
            await running.settled()
        assert most == 1

    @pytest.mark.parametrize(
        "answer", [Rejected(400, "bad"), Partial((), tuple(Rejection(at, 400, "bad") for at in range(163)), "bad")]
    )
    async def test_a_probe_that_is_refused_shows_that_the_destination_works(self, answer: Outcome):
        sink = Failing(*[Retry("down")] * 5, answer)
        async with pumped(sink, max_batch=ENTRIES, max_batch_bytes=10**6, max_age=30.0, probes=True) as running:
            whole(running)
            await running.settled()
            assert running.delivery.breaker.is_closed
            assert running.delivery.health.state == "active"
            assert running.balanced


class TestStates:
    async def test_breaker_health_and_what_the_disk_queue_is_told_go_together(self):
        seen: list[tuple[str, str, bool]] = []
        answers: list[Outcome] = [Retry("down")] * 7

        async def answer(_: Batch) -> Outcome:
            delivery = running.delivery
            seen.append((delivery.breaker.state, delivery.health.state, delivery.batching.down))
            return answers.pop() if answers else Delivered()

        async with pumped(FakeSink(answer), probes=True) as running:
            running.offer(capture(1))
            await running.settled()
            last = running.delivery
            assert (last.breaker.state, last.health.state, last.batching.down) == ("closed", "active", False)
        assert seen == [
            ("closed", "active", False),
            *[("closed", "degraded", False)] * 4,
            *[("half-open", "failed", True)] * 3,
        ]

    async def test_between_probes_it_is_open(self):
        sink = Failing(*[Retry("down", after_seconds=30.0)] * 5)
        async with pumped(sink, probes=True) as running:
            running.offer(capture(1))
            breaker = running.delivery.breaker
            for failures in range(1, 5):  # each of these waits is cut short, as at a stop
                await eventually(lambda failures=failures: breaker.failures == failures)
                running.delivery.hurry()
            await eventually(lambda: breaker.state == "open")
            assert running.delivery.down
            running.delivery.hurry()
            await running.settled()

    async def test_a_probe_that_is_cancelled_is_none_and_the_next_worker_sends_it_at_once(self):
        down = True

        async def answer(_: Batch) -> Outcome:
            return Retry("mend me", pause=True) if down else Delivered()

        sink = FakeSink(answer)
        async with pumped(sink, probes=True) as running:
            running.offer(capture(1))
            breaker = running.delivery.breaker
            await eventually(lambda: breaker.state == "open")
            sink.may_write.clear()
            await eventually(lambda: breaker.state == "half-open")
        assert breaker.state == "open"
        down = False
        sink.may_write.set()
        async with running.going():
            await running.settled()
        assert (breaker.state, sink.stored) == ("closed", ["m1"])

    async def test_closed_connections_are_no_answer_though_a_batch_is_cut_for_them(self):
        """A body too large looks so, and so does a network that is down; the breaker opens for either."""
        answers: list[Outcome] = [Retry("closed"), Rejected(0, "closed")] * 5
        seen: list[tuple[str, str]] = []

        async def answer(_: Batch) -> Outcome:
            seen.append((running.delivery.breaker.state, running.delivery.health.state))
            return answers.pop(0) if answers else Delivered()

        async with pumped(FakeSink(answer), max_batch=256, max_age=30.0) as running:
            running.offer(*captures(range(256)))
            await running.settled()
            assert (running.ledger.delivered, running.ledger.rejected) == (256, 0)
        assert seen[9] == ("half-open", "failed")
        assert seen[-1] == ("closed", "active")

    async def test_progress_of_single_entries_is_no_failure_in_a_row(self):
        """Each answer stores one entry and wants the others again: the destination is busy, not down."""

        async def answer(batch: Batch) -> Outcome:
            if len(batch) == 1:
                return Delivered()
            return Partial(tuple(range(1, len(batch))), (), "busy")

        async with pumped(FakeSink(answer), max_batch=12, max_age=30.0, probes=True) as running:
            running.offer(*captures(range(12)))
            states: set[str] = set()
            while running.delivery.in_flight:
                states.add(running.delivery.breaker.state)
                await asyncio.sleep(0)
        assert states == {"closed"}


class TestSizes:
    async def test_what_was_refused_for_its_size_is_remembered(self):
        """One batch pays for finding the size; those after it are cut before they are sent."""
        refused: list[int] = []

        async def answer(batch: Batch) -> Outcome:
            if len(batch) > 20:
                refused.append(len(batch))
                return Rejected(413, "too large")
            return Delivered()

        sink = FakeSink(answer)
        sink.encode = lambda entry: b"%0100d" % entry[SEQ]  # type: ignore[method-assign]
        async with pumped(sink, max_batch=128, max_batch_bytes=10**6, max_age=30.0, max_entries=2000) as running:
            running.offer(*captures(range(128 * 10)))
            await running.settled(seconds=30.0)
            assert (running.ledger.delivered, running.ledger.rejected) == (1280, 0)
        assert refused[:3] == [128, 64, 32]
        assert len(refused) <= 3 + len(sink.batches) / 16

    async def test_other_refusals_tell_nothing_of_sizes(self):
        async def answer(_: Batch) -> Outcome:
            return Rejected(400, "bad") if "m3" in sink.batches[-1] else Delivered()

        sink = FakeSink(answer)
        async with pumped(sink, max_batch=64, max_age=30.0) as running:
            running.offer(*captures(range(128)))
            await running.settled()
        assert len(sink.batches[-1]) == 64


@pytest.mark.parametrize(("entries", "poison"), [(10_000, 1), (10_000, 7), (10_000, 40), (500, 500), (1, 1)])
async def test_what_finding_poisoned_entries_costs_is_bounded(entries: int, poison: int):
    """A refused batch is halved: each poisoned entry costs a way down, which the poisoned share at its top.

    At most 2·n·(⌈log2(N/n)⌉ + 1) requests for n among N; each is refused alone once, all else is stored in order.
    """
    poisoned = {f"m{seq}" for seq in Random(poison).sample(range(entries), poison)}
    requests = 0
    alone: list[str] = []

    async def answer(batch: Batch) -> Outcome:
        nonlocal requests
        requests += 1
        messages = sink.batches.pop()
        if poisoned.isdisjoint(messages):
            return Delivered()
        if len(batch) == 1:
            alone.append(messages[0])
        return Rejected(400, "bad")

    sink = FakeSink(answer)
    async with pumped(sink, max_batch=entries, max_entries=entries, max_age=30.0, max_batch_bytes=10**8) as running:
        running.offer(*captures(range(entries), size=10))
        await running.settled(seconds=60.0)
        assert (running.ledger.rejected, running.ledger.delivered) == (poison, entries - poison)
        assert running.balanced
    assert requests <= 2 * poison * (ceil(log2(entries / poison)) + 1)
    in_order = [f"m{seq}" for seq in range(entries)]
    assert alone == [message for message in in_order if message in poisoned]
    assert sink.stored == [message for message in in_order if message not in poisoned]
