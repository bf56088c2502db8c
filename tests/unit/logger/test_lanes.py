"""A sink's waiting room, held against a model that knows the rules and nothing of how they are kept."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, SIZE, Capture, Lane, LogEntry, lane_of
from metaexpert.logger.lanes import RESERVED_SHARE, Lanes, Overflow
from metaexpert.logger.ledger import Ledger

type Make = Callable[..., Capture]

ENTRIES, BYTES = 20, 20_000
GROWN_BYTES = 32_000
BOUNDED = [overflow for overflow in Overflow if overflow is not Overflow.GROW]
ORDINARY = (Lane.DEBUG, Lane.INFO, Lane.WARNING)


def lane_in(entry: Capture) -> Lane:
    return lane_of(entry[LEVEL], entry[LOG_TYPE])


@dataclass
class Model:
    """What a sink holds, as one list in the order of the calls."""

    overflow: Overflow
    waiting: list[Capture] = field(default_factory=list[Capture])
    held: list[Capture] = field(default_factory=list[Capture])
    shed: list[Capture] = field(default_factory=list[Capture])

    def fits(self, entry: Capture, share: float = 1.0) -> bool:
        all_held = [*self.waiting, *self.held, entry]
        grows = self.overflow is Overflow.GROW
        most_bytes = GROWN_BYTES if grows else BYTES
        return (grows or len(all_held) <= ENTRIES * share) and sum(one[SIZE] for one in all_held) <= most_bytes * share

    def fits_reserve(self, entry: Capture) -> bool:
        reserve = {Lane.ERROR: RESERVED_SHARE / 2, Lane.PROTECTED: RESERVED_SHARE}
        return lane_in(entry) in reserve and self.fits(entry, 1 + reserve[lane_in(entry)])

    def offer(self, entry: Capture) -> None:
        while not self.fits(entry):
            victim = self.victim(entry)
            if victim is None:
                (self.waiting if self.fits_reserve(entry) else self.shed).append(entry)
                return
            self.waiting.remove(victim)
            self.shed.append(victim)
        self.waiting.append(entry)

    def victim(self, entry: Capture) -> Capture | None:
        ordinary = sorted((one for one in self.waiting if lane_in(one) in ORDINARY), key=lambda one: one[SEQ])
        if self.overflow is Overflow.DROP_OLDEST:
            return ordinary[0] if ordinary else None
        if self.overflow is Overflow.DROP_NEWEST and (lane_in(entry) in ORDINARY or self.fits_reserve(entry)):
            return None
        lower = [one for one in ordinary if lane_in(one) < lane_in(entry)]
        return min(lower, key=lambda one: (lane_in(one), one[SEQ]), default=None)

    def take(self, most: int, most_bytes: int) -> list[Capture]:
        taken: list[Capture] = []
        for entry in sorted(self.waiting, key=lambda one: one[SEQ])[:most]:
            taken.append(entry)
            if sum(one[SIZE] for one in taken) >= most_bytes:
                break
        self.waiting = [one for one in self.waiting if one not in taken]
        self.held += taken
        return taken


LANE = st.sampled_from(Lane)
OFFER = st.tuples(st.just("offer"), st.lists(st.tuples(LANE, st.integers(1, 6000)), min_size=1, max_size=12))
TAKE = st.tuples(st.just("take"), st.tuples(st.integers(1, 15), st.integers(1, 20_000)))
RELEASE = st.tuples(st.just("release"), st.integers(1, 15))
STEPS = st.lists(st.one_of(OFFER, OFFER, TAKE, RELEASE), max_size=25)


def new_lanes(overflow: Overflow = Overflow.DROP_LOWEST, **bounds: int) -> tuple[Lanes, Ledger]:
    ledger = Ledger()
    values = {"max_entries": ENTRIES, "max_bytes": BYTES, "grow_max_bytes": GROWN_BYTES} | bounds
    return Lanes(ledger, **values, overflow=overflow), ledger


def offer(lanes: Lanes, entries: list[Capture]) -> None:
    """As the dispatcher does: neighbours of one lane together."""
    for lane, some in groupby(entries, key=lane_in):
        together = list(some)
        lanes.offer(lane, together, sum(entry[SIZE] for entry in together))


class TestAgainstTheModel:
    @pytest.mark.parametrize("overflow", Overflow)
    @given(steps=STEPS)
    def test_the_same_entries_wait_are_shed_and_come_out(self, make_entry: Make, overflow: Overflow, steps: list[Any]):
        lanes, ledger = new_lanes(overflow)
        model = Model(overflow)
        seq = offered = settled = 0
        for action, what in steps:
            if action == "offer":
                entries = [make_entry(seq + n, lane, size, time_ns=seq + n) for n, (lane, size) in enumerate(what, 1)]
                seq += len(entries)
                offered += len(entries)
                offer(lanes, entries)
                for entry in entries:
                    model.offer(entry)
            elif action == "take":
                taken = lanes.take(*what)
                assert taken == model.take(*what)
                assert [one[SEQ] for one in taken] == sorted(one[SEQ] for one in taken)
            else:
                released, model.held = model.held[:what], model.held[what:]
                settled += len(released)
                lanes.release(released)
            assert (lanes.entries, lanes.bytes) == (len(model.waiting), sum(one[SIZE] for one in model.waiting))
            assert (lanes.held_entries, lanes.held_bytes) == (len(model.held), sum(one[SIZE] for one in model.held))
            assert ledger.dropped == Counter((LogEntry(one).level_name, "queue full") for one in model.shed)
            assert offered == len(model.waiting) + len(model.held) + len(model.shed) + settled
        self.gap_tells_what_was_shed(lanes, model)
        assert lanes.give_up() == sorted(model.waiting, key=lambda one: one[SEQ])
        assert lanes.entries == lanes.bytes == 0

    @staticmethod
    def gap_tells_what_was_shed(lanes: Lanes, model: Model) -> None:
        gap = lanes.take_open_gap()
        if not model.shed:
            assert gap is None
            return
        assert gap is not None
        seqs = [one[SEQ] for one in model.shed]
        assert gap.by_level == Counter(one[LEVEL] for one in model.shed)
        assert gap.total == len(model.shed)
        assert (gap.first_seq, gap.last_seq) == (min(seqs), max(seqs)) == (gap.first_ns, gap.last_ns)
        assert lanes.take_open_gap() is None


class TestBounds:
    @pytest.mark.parametrize("overflow", BOUNDED)
    @given(what=st.lists(st.tuples(LANE, st.integers(1, 6000)), max_size=80))
    def test_are_never_passed_but_by_the_reserve(self, make_entry: Make, overflow: Overflow, what: list[Any]):
        lanes, _ = new_lanes(overflow)
        for seq, (lane, size) in enumerate(what):
            offer(lanes, [make_entry(seq, lane, size)])
            assert lanes.entries <= ENTRIES * (1 + RESERVED_SHARE)
            assert lanes.bytes <= BYTES * (1 + RESERVED_SHARE)
            if lane in ORDINARY and lanes.gap is None:
                assert lanes.entries <= ENTRIES * (1 + RESERVED_SHARE)

    @pytest.mark.parametrize("overflow", BOUNDED)
    def test_what_is_held_further_on_counts(self, make_entry: Make, overflow: Overflow):
        lanes, ledger = new_lanes(overflow)
        offer(lanes, [make_entry(seq) for seq in range(ENTRIES)])
        held = lanes.take(ENTRIES, BYTES)
        assert len(held) == ENTRIES
        offer(lanes, [make_entry(100)])
        assert ledger.dropped.total() == 1
        lanes.release(held)
        offer(lanes, [make_entry(101)])
        assert lanes.entries == 1

    @pytest.mark.parametrize("overflow", BOUNDED)
    def test_bytes_bound_as_entries_do(self, make_entry: Make, overflow: Overflow):
        lanes, ledger = new_lanes(overflow)
        offer(lanes, [make_entry(1, size=BYTES - 1)])
        offer(lanes, [make_entry(2, size=2)])
        assert ledger.dropped.total() == 1
        assert lanes.bytes <= BYTES


class TestPolicies:
    def filled(self, make_entry: Make, overflow: Overflow, lane: Lane = Lane.DEBUG) -> tuple[Lanes, Ledger]:
        lanes, ledger = new_lanes(overflow)
        offer(lanes, [make_entry(seq, lane) for seq in range(ENTRIES)])
        return lanes, ledger

    @pytest.mark.parametrize("overflow", [Overflow.DROP_LOWEST, Overflow.BLOCK, Overflow.SPILL])
    def test_drop_lowest_sheds_debug_then_info_then_warning(self, make_entry: Make, overflow: Overflow):
        lanes, ledger = new_lanes(overflow)
        offer(lanes, [make_entry(seq, (Lane.WARNING, Lane.DEBUG, Lane.INFO)[seq % 3]) for seq in range(18)])
        offer(lanes, [make_entry(100 + seq, Lane.ERROR) for seq in range(20)])
        assert [level for level, _ in ledger.dropped] == ["DEBUG", "INFO", "WARNING"]
        assert set(ledger.dropped.values()) == {6}

    def test_drop_lowest_refuses_what_is_itself_the_lowest(self, make_entry: Make):
        lanes, _ = self.filled(make_entry, Overflow.DROP_LOWEST, Lane.INFO)
        offer(lanes, [make_entry(99, Lane.DEBUG), make_entry(100, Lane.INFO)])
        assert [entry[SEQ] for entry in lanes.give_up()] == list(range(ENTRIES))

    def test_drop_oldest_keeps_the_newest(self, make_entry: Make):
        lanes, _ = self.filled(make_entry, Overflow.DROP_OLDEST, Lane.WARNING)
        offer(lanes, [make_entry(99, Lane.DEBUG)])
        assert [entry[SEQ] for entry in lanes.give_up()] == [*range(1, ENTRIES), 99]

    def test_drop_newest_keeps_what_was_there(self, make_entry: Make):
        lanes, _ = self.filled(make_entry, Overflow.DROP_NEWEST)
        offer(lanes, [make_entry(99, Lane.WARNING)])
        assert [entry[SEQ] for entry in lanes.give_up()] == list(range(ENTRIES))

    @pytest.mark.parametrize("overflow", Overflow)
    @pytest.mark.parametrize("lane", [Lane.ERROR, Lane.PROTECTED])
    def test_errors_and_protected_have_room_though_all_is_full(self, make_entry: Make, overflow: Overflow, lane: Lane):
        lanes, ledger = self.filled(make_entry, overflow, Lane.WARNING)
        offer(lanes, [make_entry(100, lane), make_entry(101, lane)])
        assert {100, 101} <= {entry[SEQ] for entry in lanes.give_up()}
        assert all(level == "WARNING" for level, _ in ledger.dropped)

    @pytest.mark.parametrize("overflow", Overflow)
    def test_no_flood_of_ordinary_entries_costs_a_protected_one(self, make_entry: Make, overflow: Overflow):
        lanes, ledger = new_lanes(overflow)
        seqs = iter(range(10_000))
        kept = [make_entry(next(seqs), Lane.PROTECTED) for _ in range(5)]
        offer(lanes, kept)
        for lane in ORDINARY * 20:
            offer(lanes, [make_entry(next(seqs), lane) for _ in range(30)])
        assert kept == [entry for entry in lanes.give_up() if lane_in(entry) is Lane.PROTECTED]
        assert ledger.dropped.keys() <= {(level, "queue full") for level in ("DEBUG", "INFO", "WARNING")}

    @pytest.mark.parametrize("overflow", BOUNDED)
    def test_errors_leave_half_of_the_reserve_to_protected_entries(self, make_entry: Make, overflow: Overflow):
        lanes, _ = new_lanes(overflow)
        offer(lanes, [make_entry(seq, Lane.ERROR) for seq in range(100)])
        errors = lanes.entries
        offer(lanes, [make_entry(100 + seq, Lane.PROTECTED) for seq in range(100)])
        assert (errors, lanes.entries) == (22, 25)


class TestGrow:
    def test_grow_passes_the_soft_bounds_and_ends_at_its_cap(self, make_entry: Make):
        lanes, ledger = new_lanes(Overflow.GROW)
        offer(lanes, [make_entry(seq, size=100) for seq in range(GROWN_BYTES // 100)])
        assert (lanes.entries, lanes.bytes) == (320, GROWN_BYTES)
        assert ledger.dropped.total() == 0
        offer(lanes, [make_entry(1000, size=100)])
        assert ledger.dropped == {("INFO", "queue full"): 1}

    def test_grow_sheds_the_lowest_at_its_cap_and_keeps_room_in_reserve(self, make_entry: Make):
        lanes, ledger = new_lanes(Overflow.GROW)
        offer(lanes, [make_entry(seq, (Lane.DEBUG, Lane.INFO)[seq % 2], size=1000) for seq in range(32)])
        offer(lanes, [make_entry(100 + seq, Lane.WARNING, size=1000) for seq in range(20)])
        assert ledger.dropped == {("DEBUG", "queue full"): 16, ("INFO", "queue full"): 4}
        offer(lanes, [make_entry(200 + seq, Lane.ERROR, size=1000) for seq in range(100)])
        offer(lanes, [make_entry(400 + seq, Lane.PROTECTED, size=1000) for seq in range(100)])
        left = lanes.give_up()
        assert {lane_in(entry) for entry in left} == {Lane.ERROR, Lane.PROTECTED}
        assert sum(entry[SIZE] for entry in left) == GROWN_BYTES * (1 + RESERVED_SHARE)

    def test_pressure_comes_from_the_soft_bounds_though_there_is_room(self, make_entry: Make):
        lanes, ledger = new_lanes(Overflow.GROW)
        offer(lanes, [make_entry(seq, size=1) for seq in range(100)])
        assert lanes.pressed()
        assert lanes.fill == pytest.approx(100 / ENTRIES)
        lanes.release(lanes.take(90, BYTES))
        assert lanes.pressed(), "exactly at the low watermark"
        lanes.release(lanes.take(1, BYTES))
        assert not lanes.pressed()
        assert ledger.dropped.total() == 0

    def test_other_policies_do_not_grow(self, make_entry: Make):
        for overflow in BOUNDED:
            lanes, ledger = new_lanes(overflow, grow_max_bytes=100 * BYTES)
            offer(lanes, [make_entry(seq) for seq in range(ENTRIES + 1)])
            assert ledger.dropped.total() == 1


class TestReports:
    def test_a_report_is_taken_whatever_the_bounds(self, make_entry: Make):
        lanes, ledger = new_lanes()
        offer(lanes, [make_entry(seq, Lane.PROTECTED) for seq in range(25)])
        lanes.offer_reserved(make_entry(99, Lane.PROTECTED))
        assert lanes.entries == 26
        assert ledger.dropped.total() == 0

    def test_a_reported_loss_holds_up_no_trade_that_was_logged_before_it(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(1, Lane.INFO)])
        lanes.offer_reserved(make_entry(1000, Lane.PROTECTED))
        offer(lanes, [make_entry(2, Lane.PROTECTED), make_entry(3, Lane.INFO)])
        taken = [entry[SEQ] for _ in range(4) if lanes.entries for entry in lanes.take(10, BYTES)]
        assert taken == [1, 2, 3, 1000]

    def test_where_the_highest_go_first_a_reported_loss_goes_before_them(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(1, Lane.INFO), make_entry(2, Lane.PROTECTED)])
        lanes.offer_reserved(make_entry(1000, Lane.PROTECTED))
        lanes.highest_first = True
        assert [lanes.take(1, BYTES)[0][SEQ] for _ in range(3)] == [1000, 2, 1]

    def test_an_entry_of_the_pipelines_own_follows_what_waits_and_holds_nothing_up(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(1, Lane.DEBUG), make_entry(2, Lane.INFO)])
        lanes.offer_report(make_entry(1000, Lane.INFO))
        mark = lanes.mark()
        # numbered before the report, and brought after it
        offer(lanes, [make_entry(3, Lane.INFO), make_entry(4, Lane.DEBUG)])
        assert [entry[SEQ] for entry in lanes.take(2, BYTES)] == [1, 2]
        assert not lanes.passed(mark)
        assert [entry[SEQ] for entry in lanes.take(10, BYTES)] == [1000]
        assert lanes.passed(mark)
        assert [entry[SEQ] for entry in lanes.take(10, BYTES)] == [3, 4]
        assert (lanes.entries, lanes.bytes, lanes.held_entries) == (0, 0, 5)

    def test_where_there_is_no_room_it_is_shed_and_counted(self, make_entry: Make):
        lanes, ledger = new_lanes()
        offer(lanes, [make_entry(seq) for seq in range(ENTRIES)])
        lanes.offer_report(make_entry(99))
        assert (lanes.entries, ledger.dropped.total()) == (ENTRIES, 1)

    def test_one_that_tells_of_a_loss_may_use_the_reserve_and_no_more(self, make_entry: Make):
        lanes, ledger = new_lanes()
        offer(lanes, [make_entry(seq) for seq in range(ENTRIES)])
        reserve = ENTRIES // 4
        for seq in range(ENTRIES, ENTRIES + 2 * reserve):
            lanes.offer_report(make_entry(seq), reserved=True)
        assert (lanes.entries, ledger.dropped.total()) == (ENTRIES + reserve, reserve)

    def test_at_the_end_nothing_is_left_of_either(self, make_entry: Make):
        lanes, _ = new_lanes()
        for seq in (1, 3, 5):
            offer(lanes, [make_entry(seq)])
            lanes.offer_report(make_entry(seq + 100))
        assert sorted(entry[SEQ] for entry in lanes.give_up()) == [1, 3, 5, 101, 103, 105]
        assert lanes.entries == 0

    def test_a_gap_waits_for_room_and_is_told_once(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(seq) for seq in range(ENTRIES + 5)])
        assert lanes.take_gap() is None
        lanes.release(lanes.take(ENTRIES // 2, BYTES))
        gap = lanes.take_gap()
        assert gap is not None
        assert (gap.total, gap.first_seq, gap.last_seq) == (5, ENTRIES, ENTRIES + 4)
        assert lanes.take_gap() is None

    def test_nothing_shed_nothing_to_tell(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(1)])
        assert lanes.take_gap() is None
        assert lanes.take_open_gap() is None


class TestWatermarks:
    @given(st.lists(st.tuples(st.booleans(), st.integers(1, 8)), max_size=40))
    def test_pressure_begins_at_the_high_and_ends_below_the_low_one(
        self, make_entry: Make, moves: list[tuple[bool, int]]
    ):
        lanes, _ = new_lanes()
        pressed, seq = False, 0
        for filling, count in moves:
            if filling:
                offer(lanes, [make_entry(seq + n, size=1) for n in range(count)])
                seq += count
            else:
                lanes.release(lanes.take(count, BYTES))
            fill = lanes.entries / ENTRIES
            assert lanes.fill == pytest.approx(fill)
            pressed = fill >= 0.5 if pressed else fill >= 0.8
            assert lanes.pressed() is pressed

    def test_bytes_press_too(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(1, size=int(BYTES * 0.79))])
        assert not lanes.pressed()
        offer(lanes, [make_entry(2, size=int(BYTES * 0.02))])
        assert lanes.pressed()

    def test_what_is_on_its_way_presses_too(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(seq, size=1) for seq in range(10)])
        assert not lanes.pressed(5)
        assert lanes.pressed(6)
        assert lanes.pressed(), "and the pressure ends below the low watermark"
        lanes.release(lanes.take(1, BYTES))
        assert not lanes.pressed()
        assert lanes.pressed(coming_bytes=BYTES)

    @pytest.mark.parametrize("overflow", Overflow)
    def test_only_block_makes_threads_wait_for_its_room(self, make_entry: Make, overflow: Overflow):
        lanes, _ = new_lanes(overflow)
        rooms = [lanes.room]
        offer(lanes, [make_entry(seq, size=100) for seq in range(5)])
        rooms.append(lanes.room)
        held = lanes.take(3, BYTES)
        rooms.append(lanes.room)
        lanes.release(held)
        rooms.append(lanes.room)
        offer(lanes, [make_entry(seq, Lane.PROTECTED, size=900) for seq in range(22)])
        rooms.append(lanes.room)
        if overflow is Overflow.BLOCK:
            # the last two ordinary entries gave way to protected ones
            assert rooms == [(20, 20_000), (15, 19_500), (15, 19_500), (18, 19_800), (0, 200)]
        else:
            assert rooms == [None] * 5


class TestBackFromDisk:
    def test_what_comes_back_counts_until_it_is_settled(self, make_entry: Make):
        lanes, ledger = new_lanes(Overflow.SPILL)
        back = [make_entry(seq) for seq in range(ENTRIES - 1)]
        lanes.hold(back)
        assert (lanes.held_entries, lanes.held_bytes, lanes.entries) == (ENTRIES - 1, (ENTRIES - 1) * 500, 0)
        offer(lanes, [make_entry(100), make_entry(101)])
        assert (lanes.entries, ledger.dropped.total()) == (1, 1)
        lanes.release(back)
        assert lanes.held_entries == lanes.held_bytes == 0


class TestTaking:
    def test_gives_at_least_one_however_large(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(1, size=5000), make_entry(2)])
        assert [entry[SEQ] for entry in lanes.take(10, 1)] == [1]

    def test_an_empty_room_gives_nothing(self):
        lanes, _ = new_lanes()
        assert lanes.take(10, BYTES) == []
        assert lanes.give_up() == []


class TestMarks:
    def test_a_mark_is_passed_when_all_that_was_there_has_left_or_was_shed(self, make_entry: Make):
        lanes, _ = new_lanes()
        assert lanes.passed(lanes.mark())
        offer(lanes, [make_entry(1, Lane.DEBUG), make_entry(2, Lane.ERROR)])
        mark = lanes.mark()
        assert not lanes.passed(mark)
        offer(lanes, [make_entry(3, Lane.INFO), make_entry(4, Lane.ERROR)])
        lanes.take(1, BYTES)
        assert not lanes.passed(mark)
        lanes.take(1, BYTES)
        assert lanes.passed(mark)
        assert lanes.entries == 2

    def test_shedding_passes_it_too(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(seq, Lane.DEBUG) for seq in range(ENTRIES)])
        mark = lanes.mark()
        offer(lanes, [make_entry(100 + seq, Lane.INFO) for seq in range(ENTRIES)])
        assert lanes.passed(mark)
        assert not lanes.passed(lanes.mark())


class TestHighestFirst:
    def test_a_stop_against_the_clock_takes_what_matters_most(self, make_entry: Make):
        lanes, _ = new_lanes()
        offer(lanes, [make_entry(seq, Lane(seq % len(Lane))) for seq in range(15)])
        lanes.highest_first = True
        taken = [entry for _ in Lane for entry in lanes.take(100, BYTES)]
        assert len(taken) == 15
        assert [lane_in(entry) for entry in taken] == sorted((lane_in(entry) for entry in taken), reverse=True)
        for lane in Lane:
            seqs = [entry[SEQ] for entry in taken if lane_in(entry) is lane]
            assert seqs == sorted(seqs)
