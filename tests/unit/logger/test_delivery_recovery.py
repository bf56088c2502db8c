"""A delivery that is handed what former runs left: it goes first, a flush waits for it, the ledger counts it."""

import asyncio

import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink, Pumped, capture, captures

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import RECOVERED_FROM
from metaexpert.logger.outcome import Rejection

SECONDS = 30.0


def left_batch(*numbers: int) -> Batch:
    """What a former run left, as the recovery hands it over."""
    entries = captures([RECOVERED_FROM + number for number in numbers])
    return Batch(entries, [b"part"] * len(entries))


def messages(*numbers: int) -> list[str]:
    return [f"m{RECOVERED_FROM + number}" for number in numbers]


@pytest.mark.parametrize("runs", [1, 2, 3])
async def test_a_flush_waits_for_all_of_it_and_then_for_live_entries(runs: int):
    sink = FakeSink()
    sink.may_write.clear()
    pumped = Pumped(sink)
    for number in range(runs):
        pumped.delivery.recover(left_batch(number))
    pumped.offer(capture(1))
    async with pumped.going(), asyncio.timeout(SECONDS):
        drained = asyncio.create_task(pumped.delivery.drained())
        await eventually(lambda: sink.batches)
        assert not drained.done()
        sink.may_write.set()
        await drained
        assert sink.stored == [*messages(*range(runs)), "m1"]
        assert (pumped.ledger.recovered, pumped.ledger.delivered) == (runs, runs + 1)
        assert pumped.balanced
        pumped.offer(capture(2))
        await pumped.delivery.drained()
        assert sink.stored[-1] == "m2"


async def test_nothing_recovered_changes_nothing():
    pumped = Pumped(FakeSink())
    pumped.delivery.recover(Batch([], []))
    assert (pumped.ledger.recovered, pumped.delivery.in_flight, pumped.balanced) == (0, 0, True)


async def test_what_is_not_delivered_in_time_is_counted_as_dropped_without_a_journal():
    pumped = Pumped(FakeSink())
    pumped.delivery.recover(left_batch(1, 2))
    assert pumped.delivery.in_flight == 2
    assert pumped.delivery.give_up() == 2
    assert (pumped.ledger.dropped["INFO", "shutdown"], pumped.balanced) == (2, True)


async def test_what_cannot_be_encoded_is_refused():
    pumped = Pumped(FakeSink())
    pumped.delivery.refuse_recovered(capture(7), Rejection(0, 0, "cannot be encoded"))
    assert (pumped.ledger.recovered, pumped.ledger.rejected, pumped.balanced) == (1, 1, True)
