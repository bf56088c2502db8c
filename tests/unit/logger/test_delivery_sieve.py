"""A delivery with a sieve: what it leaves out is counted, what it has to say arrives in its place."""

import logging
import time
from typing import Any

from support.eventually import eventually
from support.fake_sinks import FakeSink, Pumped, capture, pumped

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import SIZE, Capture, Lane
from metaexpert.logger.outcome import Delivered, Outcome, Retry
from metaexpert.logger.rate_limit import RateLimit
from metaexpert.logger.repeats import Repeats
from metaexpert.logger.sieve import Scope, Sieve

EVERYTHING = Scope(logging.CRITICAL)


def sieved(under_test: Pumped, **parts: Any) -> Pumped:
    under_test.delivery.batching._sieve = Sieve("fake", under_test.ledger, time.monotonic, **parts)
    return under_test


def same(seqs: range) -> list[Capture]:
    template = capture(0, message="same")
    return [(seq, *template[1:]) for seq in seqs]


async def test_a_summary_comes_by_time_alone_when_nothing_else_is_logged():
    sink = FakeSink()
    async with pumped(sink) as under_test:
        sieved(under_test, repeats=(EVERYTHING, Repeats(0.05)))
        under_test.offer(*same(range(1, 11)))
        await eventually(lambda: len(sink.stored) == 2)
        assert sink.stored[0] == "same"
        assert sink.stored[1].startswith("message repeated 9 times in 0.0 s")
        assert (under_test.ledger.routed, under_test.ledger.delivered, under_test.ledger.repeated) == (2, 2, 9)
        assert under_test.balanced


async def test_a_flush_waits_for_what_the_sieve_has_to_say():
    sink = FakeSink()
    async with pumped(sink) as under_test:
        sieved(
            under_test,
            repeats=(EVERYTHING, Repeats(3600.0)),
            limit=(EVERYTHING, RateLimit(0.001, 3, "sink")),
            report_seconds=3600.0,
        )
        under_test.offer(*same(range(1, 11)), *[capture(seq) for seq in range(11, 21)])
        await under_test.delivery.drained()
        assert sink.stored[:3] == ["same", "m11", "m12"]
        assert sink.stored[3].startswith("message repeated 9 times")
        assert sink.stored[4].startswith("held back 8 entries: 8 INFO, within seq 13-20")
        ledger = under_test.ledger
        assert (ledger.routed, ledger.gaps, ledger.limited) == (5, 1, {"INFO": 8})
        assert under_test.balanced


async def test_a_sink_in_trouble_is_not_told_of_its_limit_again_and_again():
    async def busy(_: Batch) -> Outcome:
        return Retry("busy")

    sink = FakeSink(busy)
    async with pumped(sink, max_entries=20) as under_test:
        sieved(under_test, limit=(EVERYTHING, RateLimit(0.001, 18, "sink")), report_seconds=0.001)
        under_test.offer(*[capture(seq) for seq in range(100)])
        await eventually(lambda: under_test.delivery.counters.retries > 20)
        assert under_test.ledger.gaps == 0

        async def accept(_: Batch) -> Outcome:
            return Delivered()

        sink.answer = accept
        await eventually(lambda: under_test.ledger.gaps == 1)
        await under_test.settled()
        assert sink.stored[-1].startswith("held back 82 entries")
        assert under_test.balanced


async def test_a_stop_says_what_is_left_and_counts_it_where_it_cannot_be_written():
    async def busy(_: Batch) -> Outcome:
        return Retry("busy")

    async with pumped(FakeSink(busy)) as under_test:
        sieved(under_test, repeats=(EVERYTHING, Repeats(3600.0)))
        under_test.offer(*same(range(1, 6)))
        under_test.delivery.hurry()
        assert under_test.delivery.give_up() == 2
        assert under_test.ledger.dropped == {("INFO", "shutdown"): 2}
        assert under_test.ledger.repeated == 4
        assert under_test.balanced


async def test_a_successor_writes_what_the_sieve_before_it_had_to_say():
    old, new = FakeSink(), FakeSink()
    async with pumped(old) as before, pumped(new) as after:
        old.may_write.clear()
        sieved(before, repeats=(EVERYTHING, Repeats(3600.0)))
        before.delivery.batching.offer(*_one_lane(same(range(1, 6))))
        after.delivery.take_over(before.delivery)
        after.delivery._wake()
        await eventually(lambda: len(new.stored) == 2)
        assert new.stored[1].startswith("message repeated 4 times")
        assert (after.ledger.routed, after.ledger.repeated) == (2, 4)
        assert after.balanced


def _one_lane(entries: list[Capture]) -> Any:
    return Lane.INFO, entries, sum(entry[SIZE] for entry in entries)


async def test_an_entry_is_reshaped_before_the_sink_encodes_it_and_each_retry_has_the_same_bytes():
    answers = iter([Retry("busy"), Retry("busy"), Delivered()])

    async def third_time(_: Batch) -> Outcome:
        return next(answers)

    sink = FakeSink(third_time)
    async with pumped(sink) as under_test:
        under_test.delivery.batching._reshape = lambda entry: (*entry[:4], entry[4].upper(), *entry[5:])
        under_test.offer(capture(1))
        await under_test.settled()
        assert sink.parts == [b"M1", b"M1", b"M1"]
        assert sink.stored == ["m1"]
