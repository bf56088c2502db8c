"""The sink conformance suite: what the runtime relies on in every sink, as a class to subclass in a test module.

Each check runs on an event loop of its own in a thread of its own, so it needs no plugin for asynchronous tests and
survives a sink that blocks.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final
from unittest import SkipTest

from metaexpert.logger.outcome import Delivered, Partial, Rejected
from metaexpert.logger.testing.harness import Fault, SinkHarness
from metaexpert.logger.testing.hostile import hostile_entries
from metaexpert.logger.testing.neighbour import outages_beside_a_neighbour
from metaexpert.logger.testing.trial import Check, Trial, require, run_trial
from metaexpert.logger.testing.watch import Holdings, watched_io

_TURNS: Final = (0, 1, 2, 4, 8, 16)
"""After how many turns of the loop a write is cancelled."""

_ATTEMPTS: Final = 3
_BEAT_SECONDS: Final = 0.002


class SinkConformance(ABC):
    """Checks of one sink; name the subclass `Test…` and pytest finds them.

    Attributes:
        limit_seconds: how long a check may take in all.
        patience_seconds: how long anything that has to happen may take; longer than the sink's own timeouts.
        hang_seconds: how long a write is left to a destination that hangs before it is cancelled.
        stall_seconds: how long the event loop may stand still, generous enough for a busy machine.
    """

    limit_seconds: float = 60.0
    patience_seconds: float = 10.0
    hang_seconds: float = 0.2
    stall_seconds: float = 1.0

    @abstractmethod
    def harness(self, folder: Path) -> SinkHarness:
        """A destination nobody wrote to, with `folder` for its files."""

    def _run(self, folder: Path, check: Check, needs: Fault | None = None) -> None:
        harness = self.harness(folder)
        if needs is not None and needs not in harness.faults:
            raise SkipTest(f"this harness has no destination that {needs.value}")
        run_trial(harness, check, self.limit_seconds, self.patience_seconds)

    # ---- making and encoding ----------------------------------------------------------------------------------

    def test_its_constructor_does_no_io(self, tmp_path: Path) -> None:
        """A configuration can be tried without touching the machine; resources are opened by the first write."""
        self._run(tmp_path, _constructor_does_no_io)

    def test_an_entry_is_encoded_to_the_same_bytes_each_time(self, tmp_path: Path) -> None:
        """A retry sends the same bytes, or nobody could tell a repeated entry from a new one."""
        self._run(tmp_path, _encoding_is_pure)

    def test_encoding_does_no_io(self, tmp_path: Path) -> None:
        """`encode` runs on the event loop, in slices of a tenth of a millisecond."""
        self._run(tmp_path, _encoding_does_no_io)

    def test_any_entry_can_be_encoded(self, tmp_path: Path) -> None:
        """An entry that cannot be encoded is rejected by the runtime, and lost."""
        self._run(tmp_path, _anything_is_encoded)

    # ---- writing ----------------------------------------------------------------------------------------------

    def test_what_is_delivered_is_stored_in_order(self, tmp_path: Path) -> None:
        """Delivered means stored, and batches follow each other."""
        self._run(tmp_path, _stored_in_order)

    def test_hostile_entries_harm_no_neighbour(self, tmp_path: Path) -> None:
        """A destination may refuse an odd entry, but not what stands beside it."""
        self._run(tmp_path, _neighbours_of_hostile_entries)

    def test_a_destination_that_refuses_costs_nothing(self, tmp_path: Path) -> None:
        """While it refuses the outcome is Retry; afterwards everything arrives."""
        self._run(tmp_path, lambda trial: self._outlives(trial, Fault.REFUSES), Fault.REFUSES)

    def test_a_destination_that_hangs_costs_nothing(self, tmp_path: Path) -> None:
        """A write to it gives up by itself or can be cancelled; afterwards everything arrives."""
        self._run(tmp_path, lambda trial: self._outlives(trial, Fault.HANGS), Fault.HANGS)

    def test_a_destination_that_answers_garbage_costs_nothing(self, tmp_path: Path) -> None:
        """An answer that makes no sense proves nothing: the outcome is Retry; afterwards everything arrives."""
        self._run(tmp_path, lambda trial: self._outlives(trial, Fault.GARBLES), Fault.GARBLES)

    def test_a_cancelled_write_loses_nothing(self, tmp_path: Path) -> None:
        """The runtime writes the same batch again after a write that was cancelled anywhere."""
        self._run(tmp_path, _cancelled_anywhere)

    def test_the_event_loop_stays_free(self, tmp_path: Path) -> None:
        """Not even a large batch or a destination that hangs makes the program's coroutines wait."""
        self._run(tmp_path, self._loop_stays_free)

    # ---- closing ----------------------------------------------------------------------------------------------

    def test_it_can_be_closed_at_any_time_and_twice(self, tmp_path: Path) -> None:
        """The runtime closes every sink, whether it was ever written to or not."""
        self._run(tmp_path, _closed_twice)

    def test_close_releases_everything(self, tmp_path: Path) -> None:
        """No thread, task, socket or file outlives it."""
        self._run(tmp_path, _close_releases)

    def test_close_ends_while_the_destination_hangs(self, tmp_path: Path) -> None:
        """Or the program would not."""
        self._run(tmp_path, self._closed_while_it_hangs, Fault.HANGS)

    def test_after_close_it_can_be_written_to_again_on_another_loop(self, tmp_path: Path) -> None:
        """A runtime that moves to another event loop closes its sinks and goes on."""
        self._run(tmp_path, _goes_on_elsewhere)

    def test_a_new_sink_goes_on_where_a_closed_one_was(self, tmp_path: Path) -> None:
        """The next start of the program writes to the same destination."""
        self._run(tmp_path, _next_one_goes_on)

    # ---- in a runtime -----------------------------------------------------------------------------------------

    def test_in_a_runtime_outages_lose_nothing_and_harm_no_neighbour(self, tmp_path: Path) -> None:
        """Driven by a real runtime, through every fault: all arrives, accounts balance, another sink is as ever."""
        self._run(tmp_path, outages_beside_a_neighbour)

    # ---- checks that heed the times above ---------------------------------------------------------------------

    async def _outlives(self, trial: Trial, fault: Fault) -> None:
        for count in (20, 1):
            sink = trial.new_sink()
            batch = trial.batch(sink, trial.entries(count))
            await trial.harness.begin(fault)
            for _ in range(_ATTEMPTS):
                outcome = await trial.attempt_for(sink, batch, self.hang_seconds)
                require(not isinstance(outcome, Delivered), f"write says Delivered while the destination {fault.value}")
                gone = isinstance(outcome, Rejected) and len(batch) == 1
                gone = gone or (isinstance(outcome, Partial) and bool(outcome.rejected))
                require(not gone, f"entries are rejected because the destination {fault.value}; they have to wait")
            await trial.harness.recover()
            require(not await trial.deliver(sink, batch), "ordinary entries were rejected by a destination that works")
            await trial.close(sink)
        await trial.require_stored(f"after a destination that {fault.value} has recovered")

    async def _loop_stays_free(self, trial: Trial) -> None:
        sink = trial.new_sink()
        hangs = Fault.HANGS in trial.harness.faults
        longest = _LongestPause()
        beating = asyncio.create_task(longest.beat())
        await trial.store(sink, 500, text="x" * 2000)
        if hangs:
            await trial.harness.begin(Fault.HANGS)
            await trial.attempt_for(sink, trial.batch(sink, trial.entries(1)), self.hang_seconds)
            await trial.harness.recover()
        beating.cancel()
        await asyncio.wait([beating])
        await trial.close(sink)
        stood = longest.seconds
        require(
            stood < self.stall_seconds, f"the event loop stood still for {stood:.2f} s; blocking calls need a thread"
        )

    async def _closed_while_it_hangs(self, trial: Trial) -> None:
        before = Holdings.now()
        sink = trial.new_sink()
        await trial.harness.begin(Fault.HANGS)
        await trial.attempt_for(sink, trial.batch(sink, trial.entries(3)), self.hang_seconds)
        await trial.close(sink)
        await trial.harness.recover()
        await trial.require_released(before, "closed while the destination hung, which it no longer does")


class _LongestPause:
    """The longest that a coroutine waited for its turn."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def beat(self) -> None:
        """Measure until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)
            self.seconds = max(self.seconds, time.monotonic() - before - _BEAT_SECONDS)


async def _constructor_does_no_io(trial: Trial) -> None:
    await trial.close(trial.new_sink())  # imports what is imported late
    with watched_io() as seen:
        sink = trial.new_sink()
    await trial.close(sink)
    require(not seen, f"the constructor does input or output: {'; '.join(seen)}")


async def _encoding_is_pure(trial: Trial) -> None:
    sink = trial.new_sink()
    entries = [*trial.entries(3), *(entry for _, entry in hostile_entries())]
    first = [sink.encode(entry) for entry in entries]
    again = [sink.encode(entry) for entry in reversed(entries)]
    await trial.close(sink)
    for part in first:
        require(type(part) is bytes, f"encode made {type(part).__name__}, not bytes")
    require(first == again[::-1], "encode made different bytes of the same entry when asked again")


async def _encoding_does_no_io(trial: Trial) -> None:
    sink = trial.new_sink()
    entries = trial.entries(5)
    sink.encode(entries[0])  # imports what is imported late
    with watched_io() as seen:
        for entry in entries:
            sink.encode(entry)
    await trial.close(sink)
    require(not seen, f"encode does input or output: {'; '.join(seen)}")


async def _anything_is_encoded(trial: Trial) -> None:
    sink = trial.new_sink()
    for kind, entry in hostile_entries():
        try:
            sink.encode(entry)
        except Exception as error:
            raise AssertionError(f"encode raised {type(error).__name__} for {kind}: {error}") from error
    await trial.close(sink)


async def _stored_in_order(trial: Trial) -> None:
    sink = trial.new_sink()
    for count in (1, 2, 50, 1, 500):
        await trial.store(sink, count)
    await trial.require_stored("after every batch was Delivered")
    await trial.close(sink)
    await trial.require_stored("after close")


async def _neighbours_of_hostile_entries(trial: Trial) -> None:
    sink = trial.new_sink()
    entries = [each for _, hostile in hostile_entries() for each in (*trial.entries(1), hostile)]
    rejected = await trial.deliver(sink, trial.batch(sink, entries))
    await trial.close(sink)
    ordinary = [entry[4] for entry in rejected if entry[4].startswith(trial.mark)]
    require(not ordinary, f"ordinary entries beside hostile ones were rejected: {ordinary}")
    await trial.require_stored("beside hostile entries")


async def _cancelled_anywhere(trial: Trial) -> None:
    before = Holdings.now()
    sink = trial.new_sink()
    for turns in _TURNS:
        batch = trial.batch(sink, trial.entries(20))
        writing = asyncio.create_task(trial.attempt(sink, batch))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not isinstance(await trial.cancelled(writing), Delivered):
            await trial.deliver(sink, batch)
    await trial.close(sink)
    await trial.require_stored("after writes were cancelled and done again")
    await trial.require_released(before, "after writes were cancelled")


async def _closed_twice(trial: Trial) -> None:
    unused, used = trial.new_sink(), trial.new_sink()
    await trial.store(used, 3)
    for sink in (unused, used, used, unused):
        await trial.close(sink)
    await trial.require_stored("after closing twice")


async def _close_releases(trial: Trial) -> None:
    before = Holdings.now()
    sink = trial.new_sink()
    await trial.store(sink, 50)
    await trial.close(sink)
    await trial.require_released(before, "after delivering")
    for fault in sorted(trial.harness.faults - {Fault.HANGS}):
        sink = trial.new_sink()
        await trial.harness.begin(fault)
        await trial.attempt_for(sink, trial.batch(sink, trial.entries(3)), trial.patience_seconds)
        await trial.close(sink)
        await trial.harness.recover()
        await trial.require_released(before, f"closed after a write to a destination that {fault.value}")


async def _goes_on_elsewhere(trial: Trial) -> None:
    sink = trial.new_sink()
    await trial.store(sink, 5)
    await trial.close(sink)
    await trial.store(sink, 5)
    await trial.close(sink)

    async def elsewhere() -> None:
        await trial.store(sink, 5)
        await trial.close(sink)

    # the destination may live on this loop, which has to go on meanwhile
    await asyncio.to_thread(asyncio.run, elsewhere())
    await trial.require_stored("closed and written to again, in the end on another event loop")


async def _next_one_goes_on(trial: Trial) -> None:
    for _ in range(3):
        sink = trial.new_sink()
        await trial.store(sink, 10)
        await trial.close(sink)
    await trial.require_stored("after three sinks, one after the other")
