"""The disk queue on a modelled file system: crashes at any byte, lost pages, full disks, failed fsyncs, evictions.

The rules: what was appended and returned is read back in order after a crash (of the process: all of it; of the power:
all that was fsynced), nothing twice but what was not acknowledged, no valid frame lost to a damaged neighbour, caps
held, protected entries never evicted.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.fake_sinks import capture
from support.modelled_disk import ModelledDisk, ProcessEnds

from metaexpert.logger.entry import Capture, Lane
from metaexpert.logger.spool import queue as spool_queue
from metaexpert.logger.spool.queue import SegmentSpool
from metaexpert.logger.spool.spool import Block, SpoolLimits

FOLDER = Path("/modelled/spool/sink")
ALL = 10**9
KINDS = {
    Lane.DEBUG: (logging.DEBUG, "general"),
    Lane.INFO: (logging.INFO, "general"),
    Lane.ERROR: (logging.ERROR, "general"),
    Lane.PROTECTED: (logging.INFO, "trade"),
}

LANES = st.lists(st.tuples(st.sampled_from(list(KINDS)), st.integers(0, 3000)), min_size=1, max_size=8)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else wants the interpreter here."""
    monkeypatch.setattr(spool_queue, "_breathe", lambda: None)


class SpoolOnAModelledDisk(RuleBasedStateMachine):
    """One queue through many runs; `left` are the numbers of entries appended and not acknowledged, in order."""

    max_bytes = 96 * 1024

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.disk = ModelledDisk(seed)
        self.runs = 0
        self.numbers = 0
        self.put_back_bytes = 0
        self.lanes: dict[int, Lane] = {}
        self.left: list[int] = []
        self.ever: set[int] = set()
        self.durable: set[int] = set()
        self.blocks: list[tuple[Any, list[int]]] = []
        self.unread: list[int] = []
        self.lost = 0
        self._start()

    def _start(self) -> None:
        self.runs += 1
        limits = SpoolLimits(max_bytes=self.max_bytes)
        self.spool = SegmentSpool(FOLDER, f"{self.runs:04x}", 1, limits, storage=self.disk, acquire=self.disk.acquire)
        self.found = self.spool.open()
        self.blocks = []
        self.lost = 0

    def _made(self, kinds: Sequence[tuple[Lane, int]]) -> tuple[list[Capture], list[bytes], list[int]]:
        numbers = list(range(self.numbers, self.numbers + len(kinds)))
        self.numbers += len(kinds)
        entries: list[Capture] = []
        for number, (lane, _) in zip(numbers, kinds, strict=True):
            self.lanes[number] = lane
            level, log_type = KINDS[lane]
            entries.append(capture(number, level, log_type))
        parts = [b"%d " % number + b"x" * size for number, (_, size) in zip(numbers, kinds, strict=True)]
        self.ever.update(numbers)
        return entries, parts, numbers

    # ---- a run's own work -------------------------------------------------------------------------------------

    @rule(kinds=LANES)
    def append(self, kinds: list[tuple[Lane, int]]) -> None:
        entries, parts, numbers = self._made(kinds)
        try:
            self.spool.append(entries, parts)
        except OSError:
            assert Lane.PROTECTED in {lane for lane, _ in kinds}, "only protected entries are refused at the cap"
        else:
            self.left += numbers
            self.unread += numbers
        self._take_lost()

    @rule(kinds=LANES, room=st.integers(0, 4000))
    def append_to_a_full_disk(self, kinds: list[tuple[Lane, int]], room: int) -> None:
        entries, parts, numbers = self._made(kinds)
        self.disk.bytes_until_full = room
        try:
            self.spool.append(entries, parts)
        except OSError:
            pass
        else:
            self.left += numbers
            self.unread += numbers
        finally:
            self.disk.bytes_until_full = None
        self._take_lost()

    def _take_lost(self) -> None:
        lost, self.spool.lost = self.spool.lost, None
        self.lost += 0 if lost is None else lost.total

    @rule(most=st.integers(1, 12))
    def read(self, most: int) -> None:
        block = self.spool.read(most, ALL)
        got = _numbers(block)
        assert (block.damaged, block.missing) == (0, 0)
        self._follows(got)
        if block.cursor is not None:
            self.blocks.append((block.cursor, got))

    def _follows(self, got: list[int]) -> None:
        """What was read are the next ones, but for those that gave way."""
        for number in got:
            while self.unread[0] != number:
                gone = self.unread.pop(0)
                self.left.remove(gone)
                self.lost -= 1
                assert self.lanes[gone] is not Lane.PROTECTED
                assert self.lost >= 0, f"{gone} was not read before {number}"
            self.unread.pop(0)

    @precondition(lambda self: bool(self.blocks))
    @rule()
    def acknowledge(self) -> None:
        cursor, numbers = self.blocks.pop(0)
        self.spool.ack(cursor)
        for number in numbers:
            self.left.remove(number)

    @rule()
    def sync(self) -> None:
        self.spool.sync()
        self.durable = {*self.left}

    @rule()
    def fsync_fails(self) -> None:
        self.disk.failing_syncs = 1
        try:
            self.spool.sync()
        except OSError:
            # what is read and with the worker is not written again
            self.durable -= {number for _, numbers in self.blocks for number in numbers}
            self.at_risk = True
            for _, numbers in self.blocks:
                self.ever.update(numbers)
                self.volatile = getattr(self, "volatile", set[int]()) | {*numbers}
        finally:
            self.disk.failing_syncs = 0

    @precondition(lambda self: bool(self.blocks))
    @rule()
    def put_back(self) -> None:
        """What the worker has not settled goes in front again, as at the end of a reload."""
        numbers = [number for _, numbers in self.blocks for number in numbers]
        entries = [capture(number, *KINDS[self.lanes[number]]) for number in numbers]
        self.spool.append(entries, [b"%d " % number for number in numbers], front=True)
        self.put_back_bytes += len(numbers) * 96 + len(KINDS) * 96
        for cursor, _ in self.blocks:
            self.spool.ack(cursor)
        self.blocks = []
        self.unread = numbers + self.unread

    @rule(kinds=LANES)
    def adopt(self, kinds: list[tuple[Lane, int]]) -> None:
        """What a worker has that was never on disk is, where nothing older waits there."""
        if self.left:
            return
        entries, parts, numbers = self._made(kinds)
        self.blocks.append((self.spool.adopt(entries, parts), numbers))
        self.put_back_bytes += sum(len(part) + 96 for part in parts) + len(KINDS) * 96
        self.left += numbers

    # ---- its end ------------------------------------------------------------------------------------------------

    @rule()
    def close(self) -> None:
        self.spool.close()
        self.disk.kill()
        self._all_is_read_again()

    @rule()
    def kill(self) -> None:
        self.disk.kill()
        self._all_is_read_again()

    @rule(kinds=LANES, at=st.integers(0, 12_000))
    def kill_within_an_append(self, kinds: list[tuple[Lane, int]], at: int) -> None:
        entries, parts, numbers = self._made(kinds)
        self.disk.bytes_until_end = at
        try:
            self.spool.append(entries, parts)
        except ProcessEnds:
            self.disk.kill()
            self._all_is_read_again(maybe=numbers)
            return
        except OSError:
            numbers = []
        self.disk.bytes_until_end = None
        self.left += numbers
        self.unread += numbers
        self._take_lost()

    def _all_is_read_again(self, maybe: Sequence[int] = ()) -> None:
        lost_before = self.lost
        self._start()
        block = self.spool.read(ALL, ALL)
        got = _numbers(block)
        assert self.found.entries == len(got) + block.missing + block.duplicates
        assert got == sorted(set(got)), "in order, and none twice"
        gone = [number for number in self.left if number not in got]
        if not maybe:  # else it was killed before it could tell what gave way
            assert len(gone) <= lost_before, f"{gone} are lost, {lost_before} gave way"
        assert all(self.lanes[number] is not Lane.PROTECTED for number in gone)
        assert {*got} <= {*self.left, *maybe}
        self.left = list(got)
        self.unread = []
        self.blocks = [(block.cursor, got)] if block.cursor is not None else []

    @rule()
    def lose_power(self) -> None:
        self.disk.lose_power()
        evictable = {number for number in self.left if self.lanes[number] is not Lane.PROTECTED}
        must = {*self.left} & self.durable - getattr(self, "volatile", set[int]())
        must = must - evictable if self.lost else must
        self._start()
        block = self.spool.read(ALL, ALL)
        got = _numbers(block)
        if not self.put_back_bytes:  # else what stood there before may be there again, too
            assert got == sorted(set(got)), "in order, and none twice"
        got = list(dict.fromkeys(got))
        assert must <= {*got}
        assert {*got} <= self.ever
        if self.put_back_bytes and block.cursor is not None:
            self.spool.ack(block.cursor)
            block, got = Block(), []
        self.left = list(got)
        self.durable = {*got}
        self.volatile = set[int]()
        self.unread = []
        self.blocks = [(block.cursor, got)] if block.cursor is not None else []

    # ---- always -------------------------------------------------------------------------------------------------

    @invariant()
    def the_cap_is_held(self) -> None:
        if self.runs:
            assert sum(self.disk.files(FOLDER).values()) <= self.max_bytes + self.put_back_bytes + 5 * 96

    @invariant()
    def what_is_counted_is_there(self) -> None:
        if self.runs:
            assert self.spool.entries == len(self.unread) - self.lost


def _numbers(block: Block) -> list[int]:
    return [int(part.split(b" ", 1)[0]) for part in block.parts]


class TestSpool(SpoolOnAModelledDisk.TestCase):  # type: ignore[name-defined, misc]  # made by hypothesis
    settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
