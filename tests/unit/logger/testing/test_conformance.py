"""The suite tells each fault of a sink, in words; and a sink that has none passes."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, override
from unittest import SkipTest

import pytest

from metaexpert.logger import (
    Batch,
    Capture,
    Delivered,
    LogEntry,
    Outcome,
    Partial,
    Rejected,
    Rejection,
    Retry,
    Sink,
    SinkParts,
)
from metaexpert.logger.testing import Fault, SinkConformance, SinkHarness

CHECKS = [name for name in vars(SinkConformance) if name.startswith("test_")]


class Shelf:
    """A destination in memory; may be barred."""

    def __init__(self) -> None:
        self.kept: dict[int, str] = {}
        self.barred: Fault | None = None
        self.opened = asyncio.Event()

    async def take(self, batch: Batch) -> bool:
        """Keep the batch, each entry once; False when refused."""
        if self.barred is Fault.HANGS:
            await self.opened.wait()
        if self.barred is not None:
            return False
        for entry in batch.entries:
            self.kept.setdefault(entry[0], LogEntry(entry).message)
        return True


class Flawless:
    """A sink as it should be; the others differ in one thing."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def encode(self, entry: Capture) -> bytes:
        return LogEntry(entry).message.encode("utf-8", "backslashreplace")

    async def write(self, batch: Batch) -> Outcome:
        return Delivered() if await self.shelf.take(batch) else Retry("barred")

    async def close(self) -> None:
        return


class ShelfHarness(SinkHarness):
    faults = frozenset(Fault)
    tells_repeats = True

    def __init__(self, kind: type[Flawless]) -> None:
        self.shelf = Shelf()
        self._kind = kind

    @override
    async def __aexit__(self, *_: object) -> None:
        await self.recover()

    @override
    def new_sink(self, parts: SinkParts) -> Sink:
        return self._kind(self.shelf)

    @override
    async def stored(self) -> str:
        return "\n".join(self.shelf.kept.values())

    @override
    async def begin(self, fault: Fault) -> None:
        self.shelf.barred = fault
        self.shelf.opened.clear()

    @override
    async def recover(self) -> None:
        self.shelf.barred = None
        self.shelf.opened.set()


class Suite(SinkConformance):
    """With little patience."""

    limit_seconds = 20.0
    patience_seconds = 1.0
    hang_seconds = 0.02
    stall_seconds = 0.5

    def __init__(self, kind: type[Flawless]) -> None:
        self._kind = kind

    @override
    def harness(self, folder: Path) -> SinkHarness:
        return ShelfHarness(self._kind)


@pytest.mark.parametrize("check", CHECKS)
def test_a_sink_without_fault_passes(check: str, tmp_path: Path):
    getattr(Suite(Flawless), check)(tmp_path)


class OpensAtOnce(Flawless):
    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        with Path(__file__).open("rb"):
            pass


class CountsWhileItEncodes(Flawless):
    made = 0

    @override
    def encode(self, entry: Capture) -> bytes:
        self.made += 1
        return super().encode(entry) + b"%d" % self.made


class EncodesText(Flawless):
    @override
    def encode(self, entry: Capture) -> Any:
        return LogEntry(entry).message


class ReadsWhileItEncodes(Flawless):
    @override
    def encode(self, entry: Capture) -> bytes:
        return super().encode(entry) + Path(__file__).read_bytes()[:1]


class KnowsNoSurrogates(Flawless):
    @override
    def encode(self, entry: Capture) -> bytes:
        return LogEntry(entry).message.encode()


class Forgets(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        await self.shelf.take(batch.subset(range(len(batch) - 1)))
        return Delivered()


class Reverses(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        return await super().write(batch.subset(reversed(range(len(batch)))))


class Repeats(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        if await self.shelf.take(batch):
            self.shelf.kept |= {-entry[0]: LogEntry(entry).message for entry in batch.entries}
            return Delivered()
        return Retry("barred")


class Raises(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        if not await self.shelf.take(batch):
            raise ConnectionError("barred")
        return Delivered()


class AnswersTrue(Flawless):
    @override
    async def write(self, batch: Batch) -> Any:
        return await self.shelf.take(batch)


class GivesUp(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        return Delivered() if await self.shelf.take(batch) else Rejected(503, "barred")


class GivesUpInPart(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        if await self.shelf.take(batch):
            return Delivered()
        return Partial(tuple(range(1, len(batch))), (Rejection(0, 503, "barred"),), "barred")


class PretendsToHaveStored(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        await self.shelf.take(batch)
        return Delivered()


class EmptiesItsBatch(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        outcome = await super().write(batch)
        batch.parts.clear()
        return outcome


class NamesWhatIsNotThere(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        return Partial((len(batch),), (), "one too far")


class RefusesTheOdd(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        if any(not part for part in batch.parts):
            return Partial((), tuple(Rejection(at, 400, "odd") for at in range(len(batch))), "odd")
        return await super().write(batch)


class CannotBeCancelled(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        while self.shelf.barred is Fault.HANGS:
            try:
                await self.shelf.opened.wait()
            except asyncio.CancelledError:
                continue
        return await super().write(batch)


class LosesWhatIsCancelled(Flawless):
    begun: Batch | None = None

    @override
    async def write(self, batch: Batch) -> Outcome:
        if self.begun is batch:
            return Delivered()
        self.begun = batch
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return await super().write(batch)


class Blocks(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        threading.Event().wait(0.7)
        return await super().write(batch)


class BlocksForEver(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        threading.Event().wait(3.0)
        return await super().write(batch)


class LeavesAThread(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        threading.Thread(target=time.sleep, args=(3.0,), name="left-behind", daemon=True).start()
        return await super().write(batch)


class LeavesATask(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        self._task = asyncio.create_task(asyncio.sleep(60), name="left-behind")
        return await super().write(batch)


class ClosesOnce(Flawless):
    closed = False

    @override
    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class HangsInClose(Flawless):
    @override
    async def close(self) -> None:
        if self.shelf.barred:
            await self.shelf.opened.wait()


class IsDoneWhenClosed(ClosesOnce):
    @override
    async def write(self, batch: Batch) -> Outcome:
        return Retry("closed") if self.closed else await super().write(batch)


class KeepsToItsLoop(Flawless):
    loop: asyncio.AbstractEventLoop | None = None

    @override
    async def write(self, batch: Batch) -> Outcome:
        self.loop = self.loop or asyncio.get_running_loop()
        if self.loop is not asyncio.get_running_loop():
            raise RuntimeError("attached to a different loop")
        return await super().write(batch)


class FailsUnheard(Flawless):
    @override
    async def write(self, batch: Batch) -> Outcome:
        async def fail() -> None:
            raise KeyError("unheard")

        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        del task
        return await super().write(batch)


@pytest.mark.parametrize(
    ("kind", "check", "told"),
    [
        (OpensAtOnce, Suite.test_its_constructor_does_no_io, r"constructor does input or output: open .*test_conf"),
        (CountsWhileItEncodes, Suite.test_an_entry_is_encoded_to_the_same_bytes_each_time, "different bytes"),
        (EncodesText, Suite.test_an_entry_is_encoded_to_the_same_bytes_each_time, "encode made str, not bytes"),
        (ReadsWhileItEncodes, Suite.test_encoding_does_no_io, r"encode does input or output: open"),
        (KnowsNoSurrogates, Suite.test_any_entry_can_be_encoded, "UnicodeEncodeError for lone surrogates"),
        (Forgets, Suite.test_what_is_delivered_is_stored_in_order, r"5 of 554 entries are lost: 1, 3, 53"),
        (Reverses, Suite.test_what_is_delivered_is_stored_in_order, "order is not that of the calls"),
        (Repeats, Suite.test_what_is_delivered_is_stored_in_order, "entries are stored more than once: 1"),
        (AnswersTrue, Suite.test_what_is_delivered_is_stored_in_order, "write answered True; it has to answer"),
        (EmptiesItsBatch, Suite.test_what_is_delivered_is_stored_in_order, "write changed its batch"),
        (NamesWhatIsNotThere, Suite.test_what_is_delivered_is_stored_in_order, r"positions \[1\] of a batch of 1"),
        (RefusesTheOdd, Suite.test_hostile_entries_harm_no_neighbour, "beside hostile ones were rejected"),
        (Raises, Suite.test_a_destination_that_refuses_costs_nothing, "write raised ConnectionError: barred; a fault"),
        (GivesUp, Suite.test_a_destination_that_refuses_costs_nothing, "rejected because the destination refuses"),
        (GivesUpInPart, Suite.test_a_destination_that_refuses_costs_nothing, "rejected because the destination"),
        (PretendsToHaveStored, Suite.test_a_destination_that_answers_garbage_costs_nothing, "Delivered while the dest"),
        (CannotBeCancelled, Suite.test_a_destination_that_hangs_costs_nothing, "cancelled write did not end within"),
        (LosesWhatIsCancelled, Suite.test_a_cancelled_write_loses_nothing, "entries are lost"),
        (Blocks, Suite.test_the_event_loop_stays_free, r"event loop stood still for 0\.\d+ s"),
        (LeavesAThread, Suite.test_close_releases_everything, r"close has to release thread left-behind"),
        (LeavesATask, Suite.test_close_releases_everything, r"close has to release task left-behind"),
        (ClosesOnce, Suite.test_it_can_be_closed_at_any_time_and_twice, "close raised RuntimeError: closed already"),
        (HangsInClose, Suite.test_close_ends_while_the_destination_hangs, r"close did not end within 1 s"),
        (IsDoneWhenClosed, Suite.test_after_close_it_can_be_written_to_again_on_another_loop, "still answers: closed"),
        (KeepsToItsLoop, Suite.test_after_close_it_can_be_written_to_again_on_another_loop, "to a different loop"),
        (FailsUnheard, Suite.test_a_new_sink_goes_on_where_a_closed_one_was, "nobody heard of: .*KeyError"),
        (PretendsToHaveStored, Suite.test_in_a_runtime_outages_lose_nothing_and_harm_no_neighbour, "are lost"),
        (GivesUp, Suite.test_in_a_runtime_outages_lose_nothing_and_harm_no_neighbour, "flush failed after a dest"),
    ],
)
def test_each_fault_is_told(kind: type[Flawless], check: Callable[[Suite, Path], None], told: str, tmp_path: Path):
    with pytest.raises(AssertionError, match=told):
        check(Suite(kind), tmp_path)


def test_a_sink_that_blocks_its_loop_fails_the_check_and_not_the_run(tmp_path: Path):
    suite = Suite(BlocksForEver)
    suite.limit_seconds = 0.2
    before = set(threading.enumerate())
    with pytest.raises(AssertionError, match=r"not over after 0\.2 s: the sink blocks the event loop"):
        suite.test_it_can_be_closed_at_any_time_and_twice(tmp_path)
    for thread in set(threading.enumerate()) - before:
        thread.join()


def test_faults_that_a_harness_cannot_cause_are_skipped_with_the_reason(tmp_path: Path):
    class Unfailing(ShelfHarness):
        faults = frozenset()

    class Easy(Suite):
        @override
        def harness(self, folder: Path) -> SinkHarness:
            return Unfailing(Flawless)

    with pytest.raises(SkipTest, match="no destination that hangs"):
        Easy(Flawless).test_a_destination_that_hangs_costs_nothing(tmp_path)
    Easy(Flawless).test_in_a_runtime_outages_lose_nothing_and_harm_no_neighbour(tmp_path)


async def test_a_harness_that_names_faults_has_to_cause_them():
    class Unable(ShelfHarness):
        begin, recover = SinkHarness.begin, SinkHarness.recover

    with pytest.raises(NotImplementedError, match=r"faults names 'refuses'; begin\(\) has to cause it"):
        await Unable(Flawless).begin(Fault.REFUSES)
    with pytest.raises(NotImplementedError, match="recover"):
        await Unable(Flawless).recover()
