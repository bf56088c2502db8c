"""Delivery settles every entry exactly once, in order, whatever the sink answers and whenever it is cancelled."""

import asyncio
import logging
import threading
import time
from collections import Counter
from itertools import chain
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.eventually import eventually
from support.fake_sinks import FakeSink, Pumped, capture, captures, pumped
from support.notices import told

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import LOG_TYPE, SEQ, Capture, Lane, LogEntry
from metaexpert.logger.lanes import Overflow
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry
from metaexpert.logger.retry import SinkState


async def test_where_no_notice_can_be_said_the_accounts_still_add_up(monkeypatch: pytest.MonkeyPatch):
    """No thread can be started: each refused entry wants to say so, in the midst of settling its batch."""

    async def some(batch: Batch) -> Outcome:
        if len(batch) == 1:
            return Delivered()
        return Partial((3,), (Rejection(0, 400, "bad"), Rejection(5, 400, "bad")), "busy")

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sink = FakeSink(some)
    async with pumped(sink) as under_test:
        monkeypatch.setattr(threading.Thread, "start", refused)
        under_test.delivery.batching.offer(Lane.INFO, captures(range(10)), 5_000)
        await under_test.settled()
        monkeypatch.undo()
        ledger = under_test.ledger
        assert (ledger.routed, ledger.delivered, ledger.rejected) == (10, 8, 2)
        assert under_test.balanced
        assert under_test.lanes.held_bytes == 0


NO = Rejection(1, 400, "no")
NONSENSE = [
    pytest.param(None, "NoneType is neither Delivered", id="no answer at all"),
    pytest.param(Partial((5,), (), "some"), "positions [5]", id="beyond the batch"),
    pytest.param(Partial((), (Rejection(-1, 400, "no"),), "some"), "positions [-1]", id="before the batch"),
    pytest.param(Partial((1, 1), (), "some"), "positions [1, 1]", id="twice again"),
    pytest.param(Partial((), (NO, NO), "some"), "positions [1, 1]", id="rejected twice"),
    pytest.param(Partial((1,), (NO,), "some"), "positions [1, 1]", id="again and rejected"),
    pytest.param(Partial((0,), (NO,), "some", duplicates=4), "4 duplicates among 3", id="more duplicates than stored"),
    pytest.param(Delivered(6), "6 duplicates among 5", id="more duplicates than entries"),
    pytest.param(Delivered(-1), "-1 duplicates", id="negative duplicates"),
]
"""Answers for five entries that a sink of somebody else's may give."""


class SinkError(Exception):
    """A fault in a sink's own code."""


class Fate:
    """A destination whose answers come from a random source; it remembers what became of every entry.

    Args:
        seed: of the random source; hypothesis' own may end an example in the midst of a task, and leave it hanging.
        choices: the answers it may give.
    """

    def __init__(self, seed: int, choices: str) -> None:
        self._random = Random(seed)
        self._choices = choices
        self.left = 40
        self.stored: list[int] = []
        self.rejected: list[int] = []
        self.attempted: list[list[int]] = []

    async def answer(self, batch: Batch) -> Outcome:
        await asyncio.sleep(0)
        self.attempted.append([one[SEQ] for one in batch.entries])
        self.left -= 1
        # in the end everything passes, or no run would end
        choice = self._random.choice(self._choices) if self.left > 0 else "d"
        match choice:
            case "t":
                return Retry("busy")
            case "u":
                return Retry("mend me", pause=True)
            case "a":
                return Retry("later", after_seconds=0.0)
            case "x":
                raise SinkError("bug in the sink")
            case "r":
                if len(batch) == 1:
                    self._reject(batch.entries)
                return Rejected(413, "too large")
            case "p":
                return self._partial(batch)
            case _:
                duplicates = self._random.randint(0, len(batch))
                self._store(batch.entries)
                return Delivered(duplicates)

    def _partial(self, batch: Batch) -> Outcome:
        fates = self._random.choices("srx", k=len(batch))
        retry = [at for at, fate in enumerate(fates) if fate == "r"]
        rejected = [at for at, fate in enumerate(fates) if fate == "x"]
        self._store([one for one, fate in zip(batch.entries, fates, strict=True) if fate == "s"])
        self._reject([batch.entries[at] for at in rejected])
        duplicates = self._random.randint(0, fates.count("s"))
        rejections = tuple(Rejection(at, 400, "never") for at in rejected)
        return Partial(tuple(retry), rejections, "some", duplicates)

    def _store(self, stored: list[Capture]) -> None:
        self.stored += [one[SEQ] for one in stored]

    def _reject(self, rejected: list[Capture]) -> None:
        self.rejected += [one[SEQ] for one in rejected]


SEEDS = st.integers(0, 2**32)
LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
OFFERS = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(LEVELS), st.booleans()), min_size=1, max_size=12)


def errors_among(offers: list[tuple[int, int, bool]]) -> set[int]:
    """The numbers `offer_all` gives to errors."""
    levels = list(chain.from_iterable([level] * count for count, level, _ in offers))
    return {seq for seq, level in enumerate(levels, 1) if level >= logging.ERROR}


async def offer_all(running: Pumped, offers: list[tuple[int, int, bool]]) -> int:
    """Offer runs of entries, at times yielding in between; the ledger has to balance at every moment."""
    seq = 0
    for count, level, yields in offers:
        for _ in range(count):
            seq += 1
            running.offer(capture(seq, level))
            assert running.balanced
        if yields:
            await asyncio.sleep(0)
            assert running.balanced
    return seq


class TestLedger:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=SEEDS, offers=OFFERS, max_batch=st.integers(1, 9))
    def test_every_entry_is_settled_once_whatever_the_sink_answers(
        self, seed: int, offers: list[tuple[int, int, bool]], max_batch: int
    ):
        async def run() -> None:
            fate = Fate(seed, "dtuaxrp")
            async with pumped(FakeSink(fate.answer), max_batch=max_batch) as running:
                total = await offer_all(running, offers)
                await running.settled()
                ledger = running.ledger.snapshot(running.delivery.in_flight)
            assert ledger.balanced
            assert (ledger.routed, ledger.in_flight, ledger.dropped_total) == (total, 0, 0)
            assert Counter(fate.stored + fate.rejected) == Counter(range(1, total + 1))
            assert ledger.delivered + ledger.duplicate == len(fate.stored)
            assert ledger.rejected == len(fate.rejected)
            assert (running.lanes.held_entries, running.lanes.held_bytes) == (0, 0)

        asyncio.run(run())

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=SEEDS, offers=OFFERS, max_batch=st.integers(1, 9))
    def test_order_is_kept_within_a_lane_while_batches_succeed_fail_or_are_cut_as_a_whole(
        self, seed: int, offers: list[tuple[int, int, bool]], max_batch: int
    ):
        async def run() -> None:
            fate = Fate(seed, "dtuaxr")
            async with pumped(FakeSink(fate.answer), max_batch=max_batch) as running:
                await offer_all(running, offers)
                await running.settled()
            upper = errors_among(offers)
            for lane in ([seq for seq in fate.stored if (seq in upper) is wanted] for wanted in (False, True)):
                assert lane == sorted(lane)

        asyncio.run(run())

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=SEEDS, offers=OFFERS, max_batch=st.integers(1, 9))
    def test_no_batch_overtakes_an_earlier_one_that_is_not_settled_but_for_errors(
        self, seed: int, offers: list[tuple[int, int, bool]], max_batch: int
    ):
        async def run() -> None:
            fate = Fate(seed, "dtxrp")
            async with pumped(FakeSink(fate.answer), max_batch=max_batch) as running:
                total = await offer_all(running, offers)
                await running.settled()
            upper = errors_among(offers)
            last_attempt = {seq: at for at, batch in enumerate(fate.attempted) for seq in batch}
            first_attempt = {seq: at for at, batch in reversed(list(enumerate(fate.attempted))) for seq in batch}
            batch_of = {seq: min(fate.attempted[first_attempt[seq]]) for seq in range(1, total + 1)}
            for seq in range(1, total):
                if batch_of[seq] != batch_of[seq + 1] and (seq in upper or seq + 1 not in upper):
                    assert last_attempt[seq] < last_attempt[seq + 1]

        asyncio.run(run())

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=SEEDS, offers=OFFERS, steps=st.integers(0, 30))
    def test_cancellation_at_any_moment_loses_nothing(self, seed: int, offers: list[tuple[int, int, bool]], steps: int):
        async def run() -> None:
            fate = Fate(seed, "dtxrp")
            async with pumped(FakeSink(fate.answer), max_batch=4) as running:
                total = await offer_all(running, offers)
                for _ in range(steps):
                    await asyncio.sleep(0)
            # worker and pump are cancelled now
            assert running.balanced
            left = running.delivery.in_flight
            settled = running.ledger.delivered + running.ledger.duplicate + running.ledger.rejected
            assert settled + left == total
            assert running.delivery.give_up() == left
            ledger = running.ledger.snapshot(running.delivery.in_flight)
            assert ledger.balanced
            assert (ledger.in_flight, ledger.dropped_total) == (0, left)
            assert {reason for _, reason in ledger.dropped} <= {"shutdown"}
            assert (running.lanes.held_entries, running.lanes.held_bytes) == (0, 0)

        asyncio.run(run())

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        seed=SEEDS,
        offers=OFFERS,
        overflow=st.sampled_from([Overflow.DROP_LOWEST, Overflow.DROP_OLDEST, Overflow.DROP_NEWEST]),
    )
    def test_gap_entries_name_exactly_what_was_dropped(
        self, seed: int, offers: list[tuple[int, int, bool]], overflow: Overflow
    ):
        async def run() -> None:
            fate = Fate(seed, "dtx")
            gaps: list[Capture] = []

            async def answer(batch: Batch) -> Outcome:
                outcome = await fate.answer(batch)
                if isinstance(outcome, Delivered):
                    gaps.extend(one for one in batch.entries if one[LOG_TYPE] == "gap")
                return outcome

            async with pumped(FakeSink(answer), max_batch=4, max_entries=10, overflow=overflow) as running:
                total = await offer_all(running, offers)
                await running.settled()
                running.delivery.hurry()
                await running.settled()
                ledger = running.ledger.snapshot(running.delivery.in_flight)
            assert ledger.balanced
            assert ledger.routed == total + ledger.gaps
            assert ledger.gaps == len(gaps)
            named: Counter[str] = Counter()
            for gap in gaps:
                extra = LogEntry(gap).extra()
                by_level = extra["by_level"]
                assert isinstance(by_level, dict)
                assert extra["dropped"] == sum(by_level.values())
                assert extra["sink"] == "fake"
                named.update(by_level)
            assert named == Counter({level: count for (level, _), count in ledger.dropped.items()})
            assert {reason for _, reason in ledger.dropped} <= {"queue full"}

        asyncio.run(run())


class TestBatches:
    async def test_a_batch_is_cut_at_its_number_of_entries(self):
        sink = FakeSink()
        async with pumped(sink, max_batch=10, max_age=30.0) as running:
            running.offer(*captures(range(1, 41)))
            await running.settled()
        assert [len(batch) for batch in sink.batches] == [10] * 4

    async def test_a_batch_never_holds_more_than_its_number_of_entries(self):
        sink = FakeSink()
        async with pumped(sink, max_batch=10) as running:
            for first in range(1, 400, 7):
                running.offer(*captures(range(first, first + 7)))
                await asyncio.sleep(0)
            await running.settled()
        assert max(map(len, sink.batches)) <= 10

    async def test_a_batch_is_cut_at_its_encoded_size(self):
        sink = FakeSink()
        async with pumped(sink, max_batch=1000, max_batch_bytes=1024, max_age=30.0) as running:
            running.offer(*captures(range(1000, 1600)))  # five bytes each
            await eventually(lambda: len(sink.stored) >= 1024 // 5)
            assert running.delivery.in_flight > 0
            # 1 KiB is reached with the 205th entry; a slice adds at most 64 to what was below it
            assert all(1024 <= len(part) - part.count(b"\n") <= 1024 + 5 * 64 for part in sink.parts)

    async def test_a_batch_is_cut_when_its_first_entry_grows_old(self):
        sink = FakeSink()
        async with pumped(sink, max_age=0.2) as running:
            running.offer(capture(1))
            await asyncio.sleep(0)
            running.offer(capture(2))
            due = running.delivery.batching.due_in(asyncio.get_running_loop().time())
            assert due is None or due <= 0.2
            assert sink.batches == []
            await running.settled(seconds=5.0)
        assert sink.batches == [["m1", "m2"]]

    async def test_an_error_ends_the_wait_for_company(self):
        sink = FakeSink()
        async with pumped(sink, max_age=60.0) as running:
            running.offer(*captures(range(1, 4)))
            await asyncio.sleep(0)
            assert sink.batches == []
            running.offer(capture(4, logging.ERROR))
            await running.settled()
        assert sink.batches == [["m1", "m2", "m3", "m4"]]

    @pytest.mark.parametrize("log_type", ["trade", "audit", "gap"])
    async def test_a_protected_entry_ends_the_wait_for_company(self, log_type: str):
        sink = FakeSink()
        async with pumped(sink, max_age=60.0) as running:
            running.offer(capture(1), capture(2, log_type=log_type))
            await running.settled()
        assert sink.batches == [["m1", "m2"]]

    @pytest.mark.parametrize("at", range(7))
    async def test_wherever_it_stands_the_urgent_entry_does_not_wait(self, at: int):
        """In the first batch cut or in a later one: all up to it are written, though the last batch is not full."""
        sink = FakeSink()
        async with pumped(sink, max_batch=3, max_age=60.0) as running:
            running.offer(*(capture(seq, logging.ERROR if seq == at else logging.INFO) for seq in range(7)))
            await eventually(lambda: f"m{at}" in sink.stored)

    @pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING])
    async def test_an_ordinary_entry_waits_for_company_also_after_an_urgent_one(self, level: int):
        sink = FakeSink()
        async with pumped(sink, max_age=60.0) as running:
            running.offer(capture(1, logging.ERROR))
            await running.settled()
            running.offer(capture(2, level))
            await eventually(lambda: not running.lanes.entries)
            assert running.delivery.batching.due_in(time.monotonic()) == pytest.approx(60.0, abs=10.0)
            assert sink.batches == [["m1"]]

    async def test_at_most_a_few_batches_are_cut_ahead_and_the_rest_waits_where_the_policy_rules(self):
        sink = FakeSink()
        sink.may_write.clear()
        async with pumped(sink, max_batch=10) as running:
            running.offer(*captures(range(1, 201)))
            await eventually(lambda: sink.batches)
            await asyncio.sleep(0)
            assert running.lanes.entries >= 200 - 4 * 10
            sink.may_write.set()
            await running.settled()
        assert len(sink.stored) == 200


class TestFaults:
    async def test_a_raising_sink_is_asked_again_and_its_error_told(self):
        failures = iter([SinkError("first"), OSError("second")])

        async def answer(_: Batch) -> Outcome:
            for failure in failures:
                raise failure
            return Delivered()

        async with pumped(FakeSink(answer)) as running:
            running.offer(capture(1))
            await running.settled()
            assert running.delivery.counters.retries == 2
            assert running.ledger.delivered == 1
            assert running.delivery.health.last_error == "OSError in sink: second"

    async def test_a_sink_that_raises_cancellation_by_itself_does_not_end_its_worker(self):
        """A CancelledError nobody asked for (a library's inner task was cancelled) is a fault like others."""
        failures = iter([asyncio.CancelledError()])

        async def answer(_: Batch) -> Outcome:
            for failure in failures:
                raise failure
            return Delivered()

        async with pumped(FakeSink(answer)) as running:
            running.offer(capture(1))
            await running.settled(seconds=2.0)
            assert running.ledger.delivered == 1

    @pytest.mark.parametrize(("answered", "reason"), NONSENSE)
    async def test_an_answer_that_makes_no_sense_settles_nothing_and_is_asked_for_again_after_a_wait(
        self, answered: Any, reason: str
    ):
        answers = iter([answered, answered])

        async def answer(_: Batch) -> Outcome:
            return next(answers, Delivered())

        sink = FakeSink(answer)
        async with pumped(sink) as running:
            running.offer(*captures(range(1, 6)))
            await running.settled()
            assert sink.batches == [["m1", "m2", "m3", "m4", "m5"]] * 3
            assert (running.ledger.delivered, running.ledger.duplicate, running.ledger.rejected) == (5, 0, 0)
            assert running.balanced
            assert running.delivery.counters.retries == 2
            assert reason in (running.delivery.health.last_error or "")
            assert (running.lanes.held_entries, running.lanes.held_bytes) == (0, 0)

    async def test_an_entry_that_cannot_be_encoded_harms_no_other(self):
        class Picky(FakeSink):
            def encode(self, entry: Capture) -> bytes:
                if entry[SEQ] == 3:
                    raise SinkError("not encodable")
                return super().encode(entry)

        sink = Picky()
        async with pumped(sink) as running:
            running.offer(*captures(range(1, 6)))
            await running.settled()
            ledger = running.ledger.snapshot(running.delivery.in_flight)
        assert sink.stored == ["m1", "m2", "m4", "m5"]
        assert ledger.balanced
        assert ledger.delivered == 4
        assert ledger.rejected == 1

    @pytest.mark.parametrize("count", [1, 2, 3, 7, 8])
    async def test_a_batch_refused_whole_is_cut_down_to_each_entry(self, count: int):
        async def answer(_: Batch) -> Outcome:
            return Rejected(400, "no")

        sink = FakeSink(answer)
        async with pumped(sink, max_batch=count, max_age=30.0) as running:
            running.offer(*captures(range(1, count + 1)))
            await running.settled()
            assert (running.ledger.rejected, running.delivery.health.last_error) == (count, "400 no")
        assert [batch[0] for batch in sink.batches if len(batch) == 1] == [f"m{seq}" for seq in range(1, count + 1)]

    async def test_what_is_left_of_a_half_goes_before_the_other_half(self):
        answers: list[Outcome] = [Delivered(), Delivered(), Partial((1,), (), "busy"), Rejected(413, "too large")]

        async def answer(_: Batch) -> Outcome:
            return answers.pop()

        sink = FakeSink(answer)
        async with pumped(sink, max_batch=4, max_age=30.0) as running:
            running.offer(*captures(range(1, 5)))
            await running.settled()
            assert running.ledger.delivered == 4
        assert sink.batches == [["m1", "m2", "m3", "m4"], ["m1", "m2"], ["m2"], ["m3", "m4"]]

    async def test_states_follow_what_happens(self):
        outcomes: list[Outcome] = [Retry("a")] * 5
        states: list[SinkState] = []

        async def answer(_: Batch) -> Outcome:
            states.append(running.delivery.health.state)
            return outcomes.pop() if outcomes else Delivered()

        async with pumped(FakeSink(answer)) as running:
            running.offer(capture(1))
            await running.settled()
            assert running.delivery.health.state is SinkState.ACTIVE
        assert states == [SinkState.ACTIVE, *[SinkState.DEGRADED] * 4, SinkState.FAILED]

    async def test_a_pause_is_a_failure_at_once(self):
        async def answer(_: Batch) -> Outcome:
            return Retry("credentials", pause=True)

        async with pumped(FakeSink(answer)) as running:
            running.offer(capture(1))
            await eventually(lambda: running.delivery.counters.retries >= 1)
            assert running.delivery.health.state is SinkState.FAILED

    async def test_a_sink_that_worked_off_half_its_backlog_is_recovering(self):
        failing = True

        async def answer(_: Batch) -> Outcome:
            return Retry("down") if failing else Delivered()

        sink = FakeSink(answer)
        async with pumped(sink, max_batch=10, max_entries=100) as running:
            running.offer(*captures(range(1, 100)))
            await eventually(lambda: running.delivery.counters.retries >= 1)
            states: set[SinkState] = set()
            failing = False
            while running.delivery.in_flight:
                states.add(running.delivery.health.state)
                await asyncio.sleep(0)
            assert SinkState.RECOVERING in states
            assert running.delivery.health.state is SinkState.ACTIVE

    async def test_a_warning_of_a_success_is_told(self, capfd: pytest.CaptureFixture[str]):
        async def answer(_: Batch) -> Outcome:
            return Delivered(warning="the file was torn")

        async with pumped(FakeSink(answer)) as running:
            running.offer(capture(1))
            await running.settled()
            assert running.delivery.health.last_error == "the file was torn"
            assert "the file was torn" in await told(capfd)
