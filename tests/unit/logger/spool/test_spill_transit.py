"""Which batches are on disk and with the worker: each order of events between writing, settling and putting back."""

from itertools import permutations
from pathlib import Path

import pytest
from support.fake_sinks import captures

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Lane
from metaexpert.logger.spool.segment import SpoolSegment
from metaexpert.logger.spool.spill_transit import Transit
from metaexpert.logger.spool.spool import Cursor
from metaexpert.logger.spool.storage import Disk


def batch(*seqs: int) -> Batch:
    return Batch(captures(seqs), [f"m{seq}".encode() for seq in seqs])


def place(number: int, offset: int = 0) -> Cursor:
    return ((SEGMENTS[number], offset),)


SEGMENTS = [SpoolSegment(Disk(), Path(f"{number}"), Lane.INFO, number) for number in range(4)]


class TestFromDisk:
    def test_what_is_settled_is_due_and_nothing_else(self):
        transit, first, second = Transit(), batch(1), batch(2)
        transit.read(first, place(0, 1))
        transit.read(second, place(0, 2))
        transit.settled(first)
        assert transit.take_due() == place(0, 1)
        assert (transit.has_due, transit.is_empty) == (False, False)

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_no_place_is_forgotten_in_whatever_order_batches_are_settled(self, order: tuple[int, ...]):
        transit, batches = Transit(), [batch(seq) for seq in range(3)]
        for number, one in enumerate(batches):
            transit.read(one, place(number))
        for number in order:
            transit.settled(batches[number])
        assert sorted(segment.number for segment, _ in transit.take_due()) == [0, 1, 2]
        assert transit.is_empty

    def test_batches_with_equal_entries_are_not_the_same(self):
        transit = Transit()
        transit.read(batch(1), place(0))
        transit.settled(batch(1))
        assert not transit.has_due

    def test_damage_alone_is_due_with_what_was_read_before_it(self):
        transit, one = Transit(), batch(1)
        transit.read(one, place(0))
        transit.skipped(place(1))
        assert not transit.has_due
        transit.settled(one)
        assert transit.take_due() == (*place(0), *place(1))

    def test_damage_alone_with_nothing_before_it_is_due_at_once(self):
        transit = Transit()
        transit.skipped(place(1))
        assert transit.take_due() == place(1)

    def test_what_could_not_be_acknowledged_is_due_again_and_first(self):
        transit, one = Transit(), batch(1)
        transit.skipped(place(0))
        refused = transit.take_due()
        transit.read(one, place(1))
        transit.settled(one)
        transit.still_due(refused)
        assert transit.take_due() == (*place(0), *place(1))


class TestAdopting:
    def test_what_is_not_on_disk_is_homeless_until_it_is(self):
        transit, read, cut = Transit(), batch(1), batch(2)
        transit.read(read, place(0))
        assert transit.homeless([read, cut]) == [cut]
        transit.adopting([cut])
        transit.adopted([place(1)])
        assert transit.homeless([read, cut]) == []
        transit.settled(cut)
        assert transit.take_due() == place(1)

    @pytest.mark.parametrize("settled", [1, 3, 9])
    def test_however_many_are_settled_while_they_are_written_their_places_are_due(self, settled: int):
        transit, batches = Transit(), [batch(seq) for seq in range(3)]
        transit.adopting(batches)
        later = [batch(seq) for seq in range(3, settled)]
        for one in (*batches[:settled], *later):
            transit.settled(one)
        transit.adopted([place(number) for number in range(3)])
        due = [segment.number for segment, _ in transit.take_due()]
        assert due == list(range(min(settled, 3)))
        assert transit.homeless(batches[settled:]) == []

    def test_what_the_disk_refused_is_homeless_still(self):
        transit, one = Transit(), batch(1)
        transit.adopting([one])
        transit.adopted(None)
        assert transit.homeless([one]) == [one]
        transit.settled(one)
        assert not transit.has_due


class TestPutBack:
    def test_all_places_are_due_once_what_is_left_of_them_is_written_in_front(self):
        transit, first, second = Transit(), batch(1, 2, 3), batch(4)
        transit.read(first, place(0, 1))
        transit.read(second, place(0, 2))
        assert transit.put_back([first.subset([2]), second]) == 2
        assert transit.front is not None
        assert transit.front.parts == [b"m3", b"m4"]
        assert not transit.has_due
        transit.front_written()
        assert transit.front is None
        assert transit.take_due() == (*place(0, 1), *place(0, 2))

    def test_with_nothing_left_of_them_their_places_are_due(self):
        transit = Transit()
        transit.read(batch(1), place(0))
        assert transit.put_back([]) == 0
        transit.front_written()
        assert transit.take_due() == place(0)

    def test_put_back_twice_the_first_comes_first(self):
        transit = Transit()
        transit.put_back([batch(1)])
        transit.put_back([batch(2)])
        assert transit.front is not None
        assert transit.front.parts == [b"m1", b"m2"]

    def test_a_worker_that_gets_it_again_settles_all_places(self):
        transit, one = Transit(), batch(1)
        transit.read(one, place(0))
        transit.put_back([one, batch(2)])
        front = transit.begin_again()
        assert front is not None
        assert transit.begin_again() is None
        transit.settled(front)
        assert transit.take_due() == place(0)
        assert transit.is_empty

    def test_a_part_of_it_was_in_memory_alone_so_all_of_it_is_written_anew_and_the_old_places_are_due(self):
        transit, one = Transit(), batch(1)
        transit.read(one, place(0))
        transit.put_back([one, batch(2)])
        front = transit.begin_again()
        assert front is not None
        assert transit.homeless([front]) == [front]
        transit.adopting([front])
        transit.adopted([place(1)])
        assert transit.take_due() == place(0)
        assert transit.homeless([front]) == []
        transit.settled(front)
        assert transit.take_due() == place(1)
