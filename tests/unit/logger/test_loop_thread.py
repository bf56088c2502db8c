"""A loop on a thread of its own, and how calling threads lend it their time."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from support.fake_sinks import capture

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.loop_thread import DRAIN_ENTRIES, Draining, LoopThread


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """A running one, ended afterwards."""
    running = LoopThread()
    running.start()
    yield running
    running.end()


class Drains:
    """Stands for the dispatcher: takes what is there when a call waits for it."""

    def __init__(self, thread: LoopThread) -> None:
        self.ingress = Ingress()
        self.asked: list[bool] = []
        self.taken: list[object] = []
        self.contexts: list[object] = []
        self.hangs = False
        self.draining = Draining(self.ingress, self.ingress.put, thread.loop, self.drained)

    async def drained(self, urgent: bool) -> None:
        self.asked.append(urgent)
        self.contexts.append(current_fields.get())
        if self.hangs:
            raise TimeoutError
        self.taken += self.ingress.take(10_000)


class TestLoopThread:
    def test_it_runs_what_it_is_given_and_ends(self, thread: LoopThread):
        async def where() -> tuple[str, bool]:
            current = threading.current_thread()
            return current.name, current.daemon

        assert thread.run(where()) == ("metaexpert-logging", True)
        thread.end()
        assert thread.loop.is_closed()
        assert "metaexpert-logging" not in {each.name for each in threading.enumerate()}
        thread.end()

    def test_it_says_when_something_takes_longer(self, thread: LoopThread):
        with pytest.raises(TimeoutError):
            thread.run(asyncio.sleep(60), timeout_seconds=0.01)

    def test_it_may_be_ended_from_itself(self, thread: LoopThread):
        async def end() -> None:
            thread.end()

        thread.run(end())

    def test_a_thread_that_cannot_start_leaves_no_loop_open(self, monkeypatch: pytest.MonkeyPatch):
        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        unstarted = LoopThread()
        with pytest.raises(RuntimeError):
            unstarted.start()
        assert unstarted.loop.is_closed()


class TestDraining:
    def test_a_call_waits_at_256_entries_and_not_before(self, thread: LoopThread):
        drains = Drains(thread)
        for seq in range(DRAIN_ENTRIES - 1):
            drains.draining.put(capture(seq))
        assert drains.asked == []
        drains.draining.put(capture(DRAIN_ENTRIES))
        assert drains.asked == [False]
        assert len(drains.taken) == DRAIN_ENTRIES
        assert drains.contexts == [PIPELINE]

    @pytest.mark.parametrize(
        ("level", "log_type"), [(40, "general"), (50, "general"), (20, "trade"), (10, "audit")], ids=str
    )
    def test_what_is_urgent_waits_until_it_is_written(self, thread: LoopThread, level: int, log_type: str):
        drains = Drains(thread)
        drains.draining.put(capture(1, level, log_type))
        assert drains.asked == [True]
        assert len(drains.taken) == 1

    def test_a_coroutine_never_waits_and_its_tasks_name_is_noted(self, thread: LoopThread):
        drains = Drains(thread)

        async def logs() -> None:
            for seq in range(2 * DRAIN_ENTRIES):
                drains.draining.put(capture(seq, 40))

        async def main() -> None:
            await asyncio.create_task(logs(), name="mine")

        asyncio.run(main())
        assert drains.asked == []
        assert {entry[10] for entry in drains.ingress.take(10_000)} == {"mine"}

    def test_a_callback_of_a_loop_has_no_task(self, thread: LoopThread):
        drains = Drains(thread)

        async def main() -> None:
            asyncio.get_running_loop().call_soon(drains.draining.put, capture(1, 40))
            await asyncio.sleep(0)

        asyncio.run(main())
        assert [entry[10] for entry in drains.ingress.take(10)] == [None]

    def test_after_a_time_out_it_returns(self, thread: LoopThread):
        drains = Drains(thread)
        drains.hangs = True
        drains.draining.put(capture(1, 40))
        assert drains.asked == [True]
        assert drains.ingress.queued_entries == 1

    def test_once_it_waited_in_vain_no_call_waits_for_a_while(self, thread: LoopThread):
        drains, busy = Drains(thread), threading.Event()
        thread.loop.call_soon_threadsafe(busy.wait)
        began = time.monotonic()
        for seq in range(100):
            drains.draining.put(capture(seq, 40))
        seconds = time.monotonic() - began
        busy.set()
        assert 0.5 < seconds < 5.0
        assert drains.ingress.queued_entries + len(drains.taken) == 100

    def test_a_loop_that_was_closed_is_not_waited_for(self, thread: LoopThread):
        drains = Drains(thread)
        thread.end()
        drains.draining.put(capture(1, 40))
        assert drains.asked == []
        assert drains.ingress.queued_entries == 1
