"""A worker's batches: in pieces, what matters more ahead after a while, order kept within a lane."""

import asyncio
import logging
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from support.fake_sinks import FakeSink, capture, captures, pumped

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import LEVEL, SEQ, Capture, LogEntry
from metaexpert.logger.outcome import Delivered, Outcome, Rejected
from metaexpert.logger.workload import PATIENCE, Workload


def batch(*entries: Capture) -> Batch:
    return Batch(list(entries), [b"x"] * len(entries))


def seqs(batches: Iterable[Batch]) -> list[list[int]]:
    return [[entry[SEQ] for entry in each.entries] for each in batches]


def mixed(*levels: int) -> Batch:
    return batch(*(capture(seq, level) for seq, level in enumerate(levels)))


class TestOneBatch:
    def test_is_sent_whole_and_ends_when_it_is_settled(self):
        load, one = Workload(), batch(capture(1), capture(2))
        assert load.is_done
        load.begin(one)
        assert load.head is one
        assert (len(load), load.entries, load.ended()) == (1, 2, [])
        load.replace_head()
        assert load.is_done
        assert load.ended() == [one]
        assert (len(load), load.entries, load.ended()) == (0, 0, [])

    def test_pieces_stand_where_the_head_stood(self):
        load = Workload()
        load.begin(batch(*captures(range(8))))
        load.replace_head(*load.head.halves())
        load.replace_head(*load.head.halves())
        assert seqs(load.pieces) == [[0, 1], [2, 3], [4, 5, 6, 7]]
        assert load.ended() == []

    def test_patience_ends_after_so_many_answers_and_begins_anew(self):
        load = Workload()
        load.begin(batch(*captures(range(64))))
        for _ in range(PATIENCE):
            assert not load.is_slow
            load.answered()
        assert load.is_slow
        load.let_ahead(())
        assert not load.is_slow
        load.answered()
        load.clear()
        load.begin(batch(capture(1)))
        for _ in range(PATIENCE - 1):
            load.answered()
        assert not load.is_slow


class TestAhead:
    def test_errors_go_before_ordinary_entries_of_their_own_batch_and_of_later_ones(self):
        load = Workload()
        first, second = mixed(20, 40, 20, 40), batch(capture(10), capture(11, logging.CRITICAL))
        load.begin(first)
        load.let_ahead([second])
        assert seqs([load.head]) == [[1, 3]]
        load.replace_head()
        assert seqs([load.head]) == [[11]]
        load.replace_head()
        assert load.ended() == []
        assert seqs([load.head]) == [[0, 2]]
        load.replace_head()
        assert load.ended() == [first]
        assert seqs(load.pieces) == [[10]]
        load.replace_head()
        assert load.ended() == [second]

    def test_a_later_batch_that_is_done_first_ends_behind_the_older_one(self):
        load = Workload()
        first, second = batch(capture(1)), batch(capture(2, logging.ERROR))
        load.begin(first)
        load.let_ahead([second])
        load.replace_head()
        assert (load.ended(), len(load), load.is_done) == ([], 2, False)
        load.replace_head()
        assert load.ended() == [first, second]

    def test_what_is_left_is_told_in_the_order_of_the_batches(self):
        load = Workload()
        load.begin(batch(capture(1)))
        load.let_ahead([batch(capture(2, logging.ERROR)), batch(capture(3))])
        assert seqs(load.pieces) == [[1], [2], [3]]
        load.clear()
        assert (load.pieces, load.is_done, load.ended(), len(load)) == ([], True, [], 0)

    @given(
        levels=st.lists(st.lists(st.sampled_from([20, 40]), min_size=1, max_size=6), min_size=1, max_size=6),
        steps=st.lists(st.sampled_from("shl"), max_size=60),
    )
    def test_whatever_happens_each_lane_keeps_its_order_and_batches_end_in_order(
        self, levels: list[list[int]], steps: list[str]
    ):
        numbers = iter(range(10_000))
        batches = [batch(*(capture(next(numbers), level) for level in each)) for each in levels]
        load, waiting, ended, sent = Workload(), list(batches), list[Batch](), list[Capture]()
        for step in [*steps, *"s" * 200]:
            if load.is_done:
                if not waiting:
                    break
                load.begin(waiting.pop(0))
            elif step == "l":
                load.let_ahead([waiting.pop(0)] if waiting else [])
            elif step == "h" and len(load.head) > 1:
                load.replace_head(*load.head.halves())
            else:
                sent += load.head.entries
                load.replace_head()
            ended += load.ended()
        for level in (20, 40):
            lane = [entry[SEQ] for entry in sent if entry[LEVEL] == level]
            assert lane == sorted(lane)
        assert sorted(entry[SEQ] for entry in sent) == list(range(sum(map(len, levels))))
        assert ended == batches


async def test_an_error_does_not_wait_until_thousands_of_entries_were_refused_one_by_one():
    """A batch all of which is refused takes twice as many requests as it has entries."""
    entries = 1000
    requests = 0
    arrived_at = 0

    async def answer(given: Batch) -> Outcome:
        nonlocal requests, arrived_at
        requests += 1
        await asyncio.sleep(0)
        if requests == 30:
            running.offer(*captures(range(2000, 2020)), capture(9999, logging.ERROR))
        messages = [LogEntry(entry).message for entry in given.entries]
        if messages == ["m9999"]:
            arrived_at = requests
            return Delivered()
        return Rejected(400, "bad")

    async with pumped(
        FakeSink(answer), max_batch=entries, max_entries=5000, max_batch_bytes=10**8, max_age=30.0
    ) as running:
        running.offer(*captures(range(entries)))
        await running.settled()
        assert running.balanced
        assert (running.ledger.delivered, running.ledger.rejected) == (1, entries + 20)
    assert 30 < arrived_at <= 30 + 4 * PATIENCE


async def test_what_comes_while_batches_are_cut_is_bounded_by_the_sinks_room():
    """All of it is refused, for ever: what was taken and not settled counts in the room as before."""
    most = 0
    seq = 0

    async def answer(_: Batch) -> Outcome:
        nonlocal most, seq
        if seq < 3000:
            running.offer(*captures(range(seq, seq + 10)))
            seq += 10
        await asyncio.sleep(0)
        most = max(most, running.delivery.in_flight)
        return Rejected(400, "bad")

    async with pumped(FakeSink(answer), max_batch=50, max_entries=200) as running:
        running.offer(*captures(range(3000, 3050)))
        await running.settled()
        assert running.balanced
        assert sum(running.ledger.dropped.values()) > 0
    assert most <= 250
