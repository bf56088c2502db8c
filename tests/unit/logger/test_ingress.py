"""The way in: bounds by entries and bytes, room for the important, coalesced wake-ups, the gate, many threads."""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from metaexpert.logger import Logger
from metaexpert.logger.entry import SEQ, Capture, Lane
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.port import port
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.values import ValueEncoder

type Make = Callable[..., Capture]

DEADLINE_SECONDS = 20.0


def waited_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.001)
    return True


@pytest.fixture
def put(make_entry: Make) -> Callable[..., int]:
    """Put `count` entries of a lane into an ingress; returns how many of them it holds."""

    def putting(ingress: Ingress, count: int, lane: Lane = Lane.INFO, size: int = 500, first_seq: int = 1) -> int:
        before = ingress.queued_entries
        for seq in range(first_seq, first_seq + count):
            ingress.put(make_entry(seq, lane, size, time_ns=seq * 10))
        return ingress.queued_entries - before

    return putting


class TestOrder:
    def test_first_in_first_out_in_portions(self, put: Callable[..., int]):
        ingress = Ingress()
        put(ingress, 10)
        assert [capture[SEQ] for capture in ingress.take(4)] == [1, 2, 3, 4]
        assert [capture[SEQ] for capture in ingress.take(100)] == [5, 6, 7, 8, 9, 10]
        assert ingress.take(100) == []

    def test_figures_add_up(self, put: Callable[..., int]):
        ingress = Ingress(max_entries=100, max_bytes=100_000)
        put(ingress, 10, size=100)
        ingress.take(3)
        assert (ingress.queued_entries, ingress.queued_bytes) == (7, 700)
        assert (ingress.accepted, ingress.taken) == (10, 3)
        assert ingress.fill == pytest.approx(0.07)
        ingress.take(7)
        assert (ingress.queued_entries, ingress.queued_bytes, ingress.fill) == (0, 0, 0.0)

    def test_fill_goes_by_the_tighter_bound(self, put: Callable[..., int]):
        ingress = Ingress(max_entries=100, max_bytes=1000)
        put(ingress, 1, size=500)
        assert ingress.fill == pytest.approx(0.5)


class TestBounds:
    @pytest.mark.parametrize("lane", Lane)
    def test_the_lower_the_lane_the_sooner_it_is_full(self, put: Callable[..., int], lane: Lane):
        rooms = {Lane.DEBUG: 80, Lane.INFO: 90, Lane.WARNING: 95, Lane.ERROR: 100, Lane.PROTECTED: 125}
        assert put(Ingress(max_entries=100, max_bytes=10**9), 300, lane) == rooms[lane]
        assert put(Ingress(max_entries=10**6, max_bytes=100_000), 300, lane, size=1000) == rooms[lane]

    @pytest.mark.parametrize("lane", Lane)
    def test_without_grades_all_share_the_room_and_protected_entries_have_more(
        self, put: Callable[..., int], lane: Lane
    ):
        ingress = Ingress(max_entries=100, max_bytes=10**9, graded=False)
        assert put(ingress, 300, lane) == (125 if lane is Lane.PROTECTED else 100)

    def test_a_flood_of_debug_leaves_room_for_the_rest(self, put: Callable[..., int]):
        ingress = Ingress(max_entries=100, max_bytes=10**9)
        put(ingress, 500, Lane.DEBUG)
        assert put(ingress, 5, Lane.INFO, first_seq=1000) == 5
        assert put(ingress, 5, Lane.ERROR, first_seq=2000) == 5
        assert put(ingress, 5, Lane.PROTECTED, first_seq=3000) == 5

    def test_there_is_room_again_after_taking(self, put: Callable[..., int]):
        ingress = Ingress(max_entries=10, max_bytes=10**9)
        put(ingress, 50)
        ingress.take(5)
        assert put(ingress, 50, first_seq=100) == 5


class TestLoss:
    def test_nothing_refused_nothing_to_report(self, put: Callable[..., int]):
        ingress = Ingress()
        put(ingress, 10)
        assert ingress.take_loss() is None
        assert ingress.dropped == {}

    def test_what_was_refused_is_reported_exactly_once(self, put: Callable[..., int]):
        ingress = Ingress(max_entries=20, max_bytes=10**9)
        assert put(ingress, 20, Lane.WARNING) == 19
        put(ingress, 4, Lane.DEBUG, first_seq=30)
        put(ingress, 3, Lane.INFO, first_seq=40)
        loss = ingress.take_loss()
        assert loss is not None
        assert loss.by_level == Counter({logging.WARNING: 1, logging.DEBUG: 4, logging.INFO: 3})
        assert (loss.first_seq, loss.last_seq, loss.first_ns, loss.last_ns) == (20, 42, 200, 420)
        assert ingress.take_loss() is None
        put(ingress, 1, Lane.DEBUG, first_seq=50)
        later = ingress.take_loss()
        assert later is not None
        assert (later.by_level, later.first_seq, later.last_seq) == (Counter({logging.DEBUG: 1}), 50, 50)
        assert sum(ingress.dropped.values()) == 9
        assert {level for level, _ in ingress.dropped} == {logging.WARNING, logging.DEBUG, logging.INFO}

    def test_the_range_holds_all_whatever_order_threads_come_in(self, put: Callable[..., int]):
        ingress = Ingress(max_entries=10, max_bytes=10**9)
        put(ingress, 9, Lane.ERROR, first_seq=100)
        for seq in (50, 70, 20):
            put(ingress, 1, Lane.DEBUG, first_seq=seq)
        loss = ingress.take_loss()
        assert loss is not None
        assert (loss.first_seq, loss.last_seq) == (20, 70)


class TestLossOfAnother:
    def test_it_counts_with_its_own(self, put: Callable[..., int]):
        first, second = Ingress(max_entries=10, max_bytes=10**9), Ingress(max_entries=10, max_bytes=10**9)
        put(first, 12, first_seq=1)
        put(second, 12, Lane.ERROR, first_seq=101)
        loss = first.take_loss()
        assert loss is not None
        second.add_loss(loss)
        both = second.take_loss()
        assert both is not None
        assert both.by_level == Counter({logging.INFO: 3, logging.ERROR: 2})
        assert (both.first_seq, both.last_seq, both.first_ns, both.last_ns) == (10, 112, 100, 1120)
        assert sum(second.dropped.values()) == 5


class TestWakeUp:
    @pytest.fixture
    def loop(self) -> Iterator[asyncio.AbstractEventLoop]:
        loop = asyncio.new_event_loop()
        yield loop
        loop.close()

    def turn(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(asyncio.sleep(0))

    def test_many_entries_wake_a_resting_dispatcher_once(
        self, loop: asyncio.AbstractEventLoop, put: Callable[..., int]
    ):
        ingress, woken = Ingress(), list[int]()
        ingress.attach(loop, lambda: woken.append(1))
        assert ingress.rest()
        put(ingress, 100)
        self.turn(loop)
        assert len(woken) == 1
        ingress.take(100)
        put(ingress, 100)
        self.turn(loop)
        assert len(woken) == 1, "it had not asked to be woken"
        ingress.take(100)
        assert ingress.rest()
        put(ingress, 1)
        self.turn(loop)
        assert len(woken) == 2

    def test_it_does_not_rest_while_entries_wait(self, loop: asyncio.AbstractEventLoop, put: Callable[..., int]):
        ingress = Ingress()
        ingress.attach(loop, lambda: None)
        put(ingress, 1)
        assert not ingress.rest()

    def test_hurry_wakes_once_until_entries_are_taken(self, loop: asyncio.AbstractEventLoop):
        ingress, woken = Ingress(), list[int]()
        ingress.attach(loop, lambda: woken.append(1))
        for _ in range(10):
            ingress.hurry()
        self.turn(loop)
        assert len(woken) == 1
        ingress.take(10)
        ingress.hurry()
        self.turn(loop)
        assert len(woken) == 2

    def test_another_thread_wakes_a_waiting_loop(self, loop: asyncio.AbstractEventLoop, put: Callable[..., int]):
        ingress, arrived = Ingress(), asyncio.Event()
        ingress.attach(loop, arrived.set)
        assert ingress.rest()
        thread = threading.Thread(target=put, args=(ingress, 3))
        thread.start()
        loop.run_until_complete(asyncio.wait_for(arrived.wait(), DEADLINE_SECONDS))
        thread.join()
        assert ingress.queued_entries == 3

    def test_a_closed_loop_costs_nothing_but_the_wake_up(self, put: Callable[..., int]):
        loop, ingress = asyncio.new_event_loop(), Ingress()
        ingress.attach(loop, lambda: None)
        assert ingress.rest()
        loop.close()
        put(ingress, 3)
        ingress.hurry()
        assert ingress.queued_entries == 3

    def test_a_detached_one_keeps_what_comes(self, loop: asyncio.AbstractEventLoop, put: Callable[..., int]):
        ingress, woken = Ingress(), list[int]()
        ingress.attach(loop, lambda: woken.append(1))
        ingress.rest()
        ingress.detach()
        put(ingress, 3)
        self.turn(loop)
        assert (ingress.queued_entries, woken) == (3, [])


class TestGate:
    def test_a_thread_waits_until_it_opens(self, put: Callable[..., int]):
        ingress, done = Ingress(block_timeout_seconds=DEADLINE_SECONDS), threading.Event()
        ingress.close_gate()

        def logging_thread() -> None:
            put(ingress, 1)
            done.set()

        thread = threading.Thread(target=logging_thread)
        thread.start()
        assert not done.wait(0.1)
        assert ingress.queued_entries == 0
        ingress.open_gate()
        assert done.wait(DEADLINE_SECONDS)
        thread.join()
        assert ingress.queued_entries == 1

    def test_it_waits_no_longer_than_the_timeout_and_keeps_the_entry_if_there_is_room(self, put: Callable[..., int]):
        ingress = Ingress(block_timeout_seconds=0.05)
        ingress.close_gate()
        started = time.monotonic()
        thread = threading.Thread(target=put, args=(ingress, 1))
        thread.start()
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()
        assert time.monotonic() - started >= 0.05
        assert ingress.queued_entries == 1

    def test_the_loops_own_thread_never_waits(self, put: Callable[..., int]):
        ingress, loop = Ingress(block_timeout_seconds=3600.0), asyncio.new_event_loop()
        ingress.attach(loop, lambda: None)
        ingress.close_gate()
        assert put(ingress, 3) == 3
        loop.close()

    def test_detaching_lets_everybody_go_on(self, put: Callable[..., int]):
        ingress = Ingress(block_timeout_seconds=3600.0)
        ingress.close_gate()
        threads = [threading.Thread(target=put, args=(ingress, 1)) for _ in range(3)]
        for thread in threads:
            thread.start()
        ingress.detach()
        for thread in threads:
            thread.join(DEADLINE_SECONDS)
        assert [thread.is_alive() for thread in threads] == [False] * 3
        assert ingress.queued_entries == 3

    def test_threads_pass_while_the_sinks_still_have_room(self, put: Callable[..., int]):
        ingress = Ingress(block_timeout_seconds=DEADLINE_SECONDS)
        ingress.close_gate(5, 10**6)
        assert put(ingress, 5) == 5
        thread = threading.Thread(target=put, args=(ingress, 1))
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
        ingress.take(1)
        ingress.close_gate(5, 10**6)
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()
        assert ingress.queued_entries == 5

    def test_it_never_makes_more_room_than_there_is(self, put: Callable[..., int]):
        ingress = Ingress(max_entries=100, max_bytes=10**9, block_timeout_seconds=0.0)
        ingress.close_gate(10**6, 10**12)
        assert put(ingress, 300) == 90

    def test_bounds_hold_again_after_it_opened(self, put: Callable[..., int]):
        ingress = Ingress(max_entries=100, max_bytes=10**9)
        ingress.close_gate()
        ingress.open_gate()
        assert put(ingress, 300) == 90


class TestManyThreads:
    THREADS, EACH = 8, 2_000

    def test_nothing_is_lost_and_each_thread_keeps_its_order(self, log: Logger):
        ingress = Ingress(max_entries=10**6, max_bytes=10**9)
        port.connect(ingress, ValueEncoder(Redactor()), loop=None)
        log.propagate = False
        start = threading.Barrier(self.THREADS + 1)

        def producer(number: int) -> None:
            start.wait()
            for count in range(self.EACH):
                log.info("%d %d", number, count, n=count)

        threads = [threading.Thread(target=producer, args=(number,)) for number in range(self.THREADS)]
        for thread in threads:
            thread.start()
        start.wait()
        taken: list[Capture] = []
        assert waited_for(lambda: taken.extend(ingress.take(32)) or len(taken) >= self.THREADS * self.EACH)
        for thread in threads:
            thread.join()
        assert (ingress.queued_entries, ingress.queued_bytes, ingress.take_loss()) == (0, 0, None)
        assert len({capture[SEQ] for capture in taken}) == len(taken) == self.THREADS * self.EACH
        by_thread: dict[str, list[int]] = {}
        for capture in taken:
            number, count = capture[4].split()
            by_thread.setdefault(number, []).append(int(count))
        assert by_thread == {str(number): list(range(self.EACH)) for number in range(self.THREADS)}

    def test_what_does_not_fit_is_counted_to_the_last(self, log: Logger):
        ingress = Ingress(max_entries=100, max_bytes=10**9)
        port.connect(ingress, ValueEncoder(Redactor()), loop=None)
        log.propagate = False

        def producer() -> None:
            for count in range(500):
                log.info("%d", count)

        threads = [threading.Thread(target=producer) for _ in range(self.THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ingress.queued_entries + sum(ingress.dropped.values()) == self.THREADS * 500
        loss = ingress.take_loss()
        assert loss is not None
        assert loss.by_level.total() == sum(ingress.dropped.values())
