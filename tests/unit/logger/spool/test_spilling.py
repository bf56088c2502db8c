"""Overflow to disk: what goes there and when, the order it keeps, the accounts, and a disk that refuses."""

import asyncio
import errno
import shutil
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.fake_sinks import Answer, FakeSink, Pumped, accept, capture, captures, pumped

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.lanes import Gap, Overflow
from metaexpert.logger.notices import Notices
from metaexpert.logger.outcome import Outcome, Partial, Retry
from metaexpert.logger.retry import SinkState
from metaexpert.logger.spool.queue import SegmentSpool
from metaexpert.logger.spool.spilling import Spilling
from metaexpert.logger.spool.spool import Block, Cursor, Found, SpoolLimits

ROOM = 100
SMALL: dict[str, Any] = {"overflow": Overflow.SPILL, "max_entries": ROOM, "max_batch": 10}


class RefusingSpool:
    """A real disk queue that refuses when told to, and counts how it was asked."""

    def __init__(self, folder: Path, boot: str = "0a", max_bytes: int = 10**8) -> None:
        self.real = SegmentSpool(folder / "spool", boot, 1, SpoolLimits(max_bytes=max_bytes))
        self.refusing: set[str] = set()
        self.appended: list[list[bytes]] = []
        self.reads = 0
        self.syncs = 0

    @property
    def entries(self) -> int:
        return self.real.entries

    @property
    def disk_bytes(self) -> int:
        return self.real.disk_bytes

    @property
    def lost(self) -> Gap | None:
        return self.real.lost

    @lost.setter
    def lost(self, lost: Gap | None) -> None:
        self.real.lost = lost

    def _may(self, what: str) -> None:
        if what in self.refusing:
            raise OSError(errno.ENOSPC, "No space left on device")

    def open(self) -> Found:
        self._may("open")
        return self.real.open()

    def append(self, entries: Sequence[Capture], parts: Sequence[bytes], *, front: bool = False) -> None:
        self._may("append")
        self.appended.append(list(parts))
        self.real.append(entries, parts, front=front)

    def adopt(self, entries: Sequence[Capture], parts: Sequence[bytes]) -> Cursor:
        self._may("append")
        self._may("adopt")
        return self.real.adopt(entries, parts)

    def sync(self) -> None:
        self._may("sync")
        self.real.sync()
        self.syncs += 1

    def read(self, most: int, most_bytes: int) -> Block:
        self._may("read")
        self.reads += 1
        return self.real.read(most, most_bytes)

    def ack(self, cursor: Cursor) -> None:
        self._may("ack")
        self.real.ack(cursor)

    def close(self) -> None:
        self._may("close")
        self.real.close()


class HeldSpool(RefusingSpool):
    """One whose next job of a kind stays under way until it may end."""

    def __init__(self, folder: Path, boot: str = "0a", held: str = "") -> None:
        super().__init__(folder, boot)
        self.held = held
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def _may(self, what: str) -> None:
        super()._may(what)
        if what == self.held:
            self.begun.set()
            if not self.may_end.wait(30.0):
                raise TimeoutError(f"{what} was held for ever")


class Parts(FakeSink):
    """Keeps the encoded parts of what it stored: what comes from disk has nothing else."""

    def __init__(self, answer: Answer = accept) -> None:
        super().__init__(answer)
        self.got: list[str] = []
        self.tries: list[int] = []

    async def write(self, batch: Batch) -> Outcome:
        self.tries.append(len(batch))
        outcome = await super().write(batch)
        if outcome == await accept(batch):
            self.got += [part.decode() for part in batch.parts]
        return outcome


async def down(_: Batch) -> Outcome:
    return Retry("down")


def spilling_to(spool: RefusingSpool, sync_seconds: float | None = None) -> Spilling:
    return Spilling(
        "fake",
        spool,  # type: ignore[arg-type]  # its figures are read alone
        Worker(Jobs(), "fake-spool"),
        Notices(),
        kind="fake",
        high_watermark=0.8,
        sync_seconds=sync_seconds,
    )


def reports(sink: Parts) -> list[str]:
    """What tells of entries that gave way on disk."""
    return [one for one in sink.got if "spool full" in one]


def on_disk(folder: Path) -> list[str]:
    """What a reader would find now, in order; entries not acknowledged included."""
    with tempfile.TemporaryDirectory() as copied:
        if not (folder / "spool").exists():
            return []
        shutil.copytree(folder / "spool", Path(copied) / "spool", ignore=shutil.ignore_patterns("*.lock"))
        spool = SegmentSpool(Path(copied) / "spool", "ff", 1, SpoolLimits(max_bytes=10**9))
        spool.open()
        found = [part.decode() for part in spool.read(10**6, 10**9).parts]
        spool.close()
        return found


@asynccontextmanager
async def spilled(
    sink: Any, spool: RefusingSpool, sync_seconds: float | None = None, **more: Any
) -> AsyncGenerator[tuple[Pumped, Spilling]]:
    spilling = spilling_to(spool, sync_seconds)
    async with pumped(sink, **(SMALL | more), spilling=spilling) as running:
        yield running, spilling
    if not spilling.closed:
        await running.delivery.keep(5.0)


def names(seqs: range) -> list[str]:
    return [f"m{seq}" for seq in seqs]


async def offer_slowly(running: Pumped, seqs: range) -> None:
    """As fast as the disk takes them, so that the room itself never overflows."""
    for seq in seqs:
        running.offer(capture(seq))
        if seq % 10 == 0:
            await eventually(lambda: running.lanes.fill < 0.9)


class TestEngaging:
    async def test_nothing_goes_to_disk_while_there_is_room_below_the_high_watermark(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        sink = Parts()
        sink.may_write.clear()
        async with spilled(sink, spool) as (running, _):
            await offer_slowly(running, range(1, 79))
            await eventually(lambda: running.lanes.held_entries == 30)  # with the worker, that is slow
            assert spool.appended == []
            assert not (tmp_path / "spool").exists()
            assert running.balanced
            sink.may_write.set()
            await running.delivery.drained()

    async def test_above_it_a_sink_that_stands_still_soon_has_its_room_emptied_to_disk(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        sink = Parts()
        sink.may_write.clear()
        async with spilled(sink, spool) as (running, spilling):
            running.offer(*map(capture, range(1, 86)))
            await eventually(lambda: running.lanes.held_entries == 30)
            assert spool.appended == []
            await eventually(lambda: spilling.entries == 55)
            sink.may_write.set()
            await running.delivery.drained()
            assert sink.got == names(range(1, 86))

    async def test_one_that_moves_on_uses_no_disk_until_half_way_to_full(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("metaexpert.logger.spool.spilling._STANDSTILL_SECONDS", 60.0)
        spool = RefusingSpool(tmp_path)
        sink = Parts()
        sink.may_write.clear()
        async with spilled(sink, spool) as (running, spilling):
            running.offer(*map(capture, range(1, 90)))
            await eventually(lambda: running.lanes.held_entries == 30)
            await asyncio.sleep(0.05)
            assert spool.appended == []
            running.offer(capture(90))
            await eventually(lambda: spilling.entries > 0)
            sink.may_write.set()
            await running.delivery.drained()
            assert sink.got == names(range(1, 91))

    async def test_from_the_high_watermark_on_the_room_is_emptied_to_disk(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        async with spilled(Parts(down), spool) as (running, spilling):
            await offer_slowly(running, range(1, 501))
            # what was cut for the worker before stays with it
            await eventually(lambda: spilling.entries == 470)
            assert running.delivery.in_flight == 30
            assert running.balanced
            assert running.ledger.dropped.total() == 0
            assert spilling.disk_bytes > 0

    async def test_a_sink_that_keeps_up_again_needs_no_disk_any_more(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        sink = Parts(down)
        async with spilled(sink, spool) as (running, spilling):
            await offer_slowly(running, range(1, 301))
            sink.answer = accept
            await running.delivery.drained()
            assert sink.got == names(range(1, 301))
            written = len(spool.appended)
            await offer_slowly(running, range(301, 601))
            await running.delivery.drained()
            assert sink.got == names(range(1, 601))
            assert (len(spool.appended), spilling.entries) == (written, 0)
            assert running.delivery.health.state is SinkState.ACTIVE
            assert list((tmp_path / "spool").glob("*.segment")) == []

    async def test_recovering_lasts_as_long_as_there_is_a_backlog_on_disk(self, tmp_path: Path):
        sink = Parts(down)
        async with spilled(sink, RefusingSpool(tmp_path)) as (running, spilling):
            await offer_slowly(running, range(1, 501))
            states: list[SinkState] = []

            async def one_more(batch: Batch) -> Outcome:
                if spilling.entries > 100:
                    states.append(running.delivery.health.state)
                return await accept(batch)

            sink.answer = one_more
            await running.delivery.drained()
            assert set(states[1:]) == {SinkState.RECOVERING}
            assert running.delivery.health.state is SinkState.ACTIVE


class TestSinkThatIsDown:
    async def test_all_it_has_not_taken_is_on_disk_soon_what_its_worker_holds_included(self, tmp_path: Path):
        async with spilled(Parts(down), RefusingSpool(tmp_path)) as (running, _):
            running.offer(*captures(range(1, 26)))
            await eventually(lambda: on_disk(tmp_path) == names(range(1, 26)))
            assert running.balanced

    async def test_what_a_killed_process_leaves_is_delivered_in_order(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        async with spilled(Parts(down), spool) as (running, _):
            running.offer(*captures(range(1, 26)))
            await eventually(lambda: on_disk(tmp_path) == names(range(1, 26)))
            left = tmp_path / "killed" / "spool"
            shutil.copytree(tmp_path / "spool", left)
        sink = Parts()
        async with spilled(sink, RefusingSpool(left.parent, "0b")) as (after, _):
            await after.delivery.drained()
            assert sink.got == names(range(1, 26))
            assert after.ledger.recovered == 25

    async def test_up_again_it_gets_each_once_and_the_disk_is_empty(self, tmp_path: Path):
        sink = Parts(down)
        async with spilled(sink, RefusingSpool(tmp_path)) as (running, spilling):
            for begin in range(1, 202, 50):
                sink.answer = down
                running.offer(*captures(range(begin, begin + 50)))
                await eventually(lambda: running.delivery.down)
                await eventually(lambda: spilling.entries)
                sink.answer = accept
                await running.delivery.drained()
            assert sink.got == names(range(1, 251))
            assert running.balanced
            await eventually(lambda: on_disk(tmp_path) == [])

    async def test_a_disk_that_refuses_meanwhile_costs_nothing(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        spool.refusing = {"append"}
        sink = Parts(down)
        async with spilled(sink, spool) as (running, spilling):
            running.offer(*captures(range(1, 26)))
            await eventually(lambda: spilling.failures)
            sink.answer = accept
            await running.delivery.drained()
            assert sink.got == names(range(1, 26))


class TestLiveEntries:
    async def test_trade_entries_pass_a_backlog_that_is_worked_off_and_all_else_stays_in_order(self, tmp_path: Path):
        sink = Parts(down)
        live: list[bool] = []

        async def gated(batch: Batch) -> Outcome:
            live.append(batch.live)
            if len(live) > 1:  # the first says that it is up again
                await may_go.wait()
            return await accept(batch)

        may_go = asyncio.Event()
        async with spilled(sink, RefusingSpool(tmp_path)) as (running, spilling):
            await offer_slowly(running, range(1, 501))
            await eventually(lambda: spilling.entries > 400)
            sink.answer = gated
            await eventually(lambda: len(live) > 1 and not running.delivery.down)
            running.offer(capture(501, log_type="trade"), capture(502), capture(503, log_type="gap"))
            await eventually(lambda: (spilling.mark() or (0, 0))[1] == 1)
            may_go.set()
            await running.delivery.drained()
            assert sorted(sink.got, key=lambda name: int(name[1:])) == names(range(1, 504))
            assert sink.got.index("m501") < 450
            assert [name for name in sink.got if name != "m501"] == [n for n in names(range(1, 504)) if n != "m501"]
            assert live.count(True) == 1
            assert running.balanced

    async def test_to_a_sink_that_is_down_they_go_to_disk_like_all_others(self, tmp_path: Path):
        sink = Parts(down)
        async with spilled(sink, RefusingSpool(tmp_path)) as (running, _):
            await offer_slowly(running, range(1, 101))
            running.offer(capture(101, log_type="trade"))
            await eventually(lambda: sorted(on_disk(tmp_path)) == sorted(names(range(1, 102))))
            sink.answer = accept
            await running.delivery.drained()
            assert sink.got == names(range(1, 102))


class TestBringingToTheDisk:
    async def test_what_is_written_is_synced_once_in_an_interval(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        async with spilled(Parts(down), spool, sync_seconds=0.01) as (running, _):
            running.offer(*captures(range(1, 26)))
            await eventually(lambda: spool.syncs)
            await eventually(lambda: not any(tail.is_dirty for tail in spool.real._tails.values()))

    async def test_one_that_fails_is_told_and_tried_again(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        spool.refusing = {"sync"}
        async with spilled(Parts(down), spool, sync_seconds=0.01) as (running, spilling):
            running.offer(*captures(range(1, 26)))
            await eventually(lambda: spilling.failures)
            assert "cannot be brought to the disk" in (running.delivery.last_error or "")
            spool.refusing.clear()
            await eventually(lambda: spool.syncs)


class TestOrder:
    async def test_every_entry_comes_once_and_in_order_through_ups_and_downs(self, tmp_path: Path):
        sink = Parts()
        async with spilled(sink, RefusingSpool(tmp_path)) as (running, _):
            for begin in range(1, 2001, 200):
                sink.answer = down if begin % 400 == 1 else accept
                await offer_slowly(running, range(begin, begin + 200))
            sink.answer = accept
            await running.delivery.drained()
            assert sink.got == names(range(1, 2001))
            assert running.ledger.delivered == 2000
            assert running.balanced

    async def test_a_batch_from_disk_answered_in_part_is_settled_entry_by_entry(self, tmp_path: Path):
        sink = Parts(down)
        seen: list[str] = []

        async def half(batch: Batch) -> Outcome:
            seen.extend(part.decode() for part in batch.parts[: (len(batch) + 1) // 2])
            again = tuple(range((len(batch) + 1) // 2, len(batch)))
            return Partial(again, (), "busy") if again else await accept(batch)

        async with spilled(sink, RefusingSpool(tmp_path)) as (running, spilling):
            await offer_slowly(running, range(1, 301))
            sink.answer = half
            await running.delivery.drained()
            assert seen == names(range(1, 301))
            assert running.balanced
            assert spilling.entries == 0
            await eventually(lambda: list((tmp_path / "spool").glob("*.segment")) == [])

    async def test_what_comes_back_is_cut_to_the_limits_of_a_batch(self, tmp_path: Path):
        sink = Parts(down)
        async with spilled(sink, RefusingSpool(tmp_path)) as (running, _):
            await offer_slowly(running, range(1, 301))
            sink.tries.clear()
            sink.answer = accept
            await running.delivery.drained()
            assert max(sink.tries) == 10
            assert len(sink.tries) <= 32


class TestCancellation:
    async def test_a_worker_cancelled_again_and_again_loses_and_repeats_nothing(self, tmp_path: Path):
        sink = Parts(down)
        spilling = spilling_to(RefusingSpool(tmp_path))
        running = Pumped(sink, **SMALL, spilling=spilling)
        pump = asyncio.create_task(running.pump())
        worker = asyncio.create_task(running.delivery.run())
        for begin in range(1, 1001, 20):
            await offer_slowly(running, range(begin, begin + 20))
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            worker = asyncio.create_task(running.delivery.run())
            if begin == 501:
                sink.answer = accept
        await running.delivery.drained()
        assert sink.got == names(range(1, 1001))
        assert running.balanced
        for task in (worker, pump):
            task.cancel()
        await asyncio.gather(worker, pump, return_exceptions=True)
        await running.delivery.keep(5.0)

    def test_it_goes_on_upon_another_loop(self, tmp_path: Path):
        sink = Parts(down)
        made: list[Pumped] = []

        async def first() -> None:
            made.append(Pumped(sink, **SMALL, spilling=spilling_to(RefusingSpool(tmp_path))))
            async with made[0].going():
                await offer_slowly(made[0], range(1, 301))

        async def second() -> None:
            running = made[0]
            running.rebind()
            sink.answer = accept
            async with running.going():
                await running.delivery.drained()
                assert sink.got == names(range(1, 301))
                assert running.balanced
            await running.delivery.keep(5.0)

        for part in (first, second):
            with asyncio.Runner() as runner:
                runner.run(part())


class TestDiskThatRefuses:
    async def test_the_lanes_fill_and_shed_and_a_gap_tells_of_it(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        spool.refusing = {"append"}
        sink = Parts(down)
        async with spilled(sink, spool) as (running, spilling):
            for seq in range(1, 501):
                running.offer(capture(seq))
                await asyncio.sleep(0)
            await eventually(lambda: spilling.failures)
            assert running.delivery.last_error == "disk queue: No space left on device"
            assert running.ledger.dropped["INFO", "queue full"] == 400
            assert running.balanced
            sink.answer = accept
            await running.delivery.drained()
            await running.delivery.drained()
            told = [one for one in sink.got if one.startswith("dropped")]
            assert told
            assert told[0].startswith("dropped 400 entries: 400 INFO")
            assert [one for one in sink.got if one not in told] == names(range(1, 101))
            assert running.balanced

    async def test_once_it_takes_entries_again_the_trouble_is_over(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        spool.refusing = {"append"}
        async with spilled(Parts(down), spool) as (running, spilling):
            for seq in range(1, 101):
                running.offer(capture(seq))
                await asyncio.sleep(0)
            await eventually(lambda: spilling.failures)
            spool.refusing.clear()
            await eventually(lambda: spilling.entries)
            await eventually(lambda: running.delivery.last_error == "down")

    async def test_at_the_cap_the_oldest_give_way_and_a_gap_tells_of_it(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path, max_bytes=64 * 1024)
        sink = Parts(down)
        async with spilled(sink, spool) as (running, spilling):
            await offer_slowly(running, range(1, 3001))
            lost = running.ledger.dropped["INFO", "spool full"]
            assert lost > 0
            assert running.ledger.dropped.total() == lost
            on_disk = sum(path.stat().st_size for path in (tmp_path / "spool").glob("*.segment"))
            assert on_disk <= 64 * 1024 + 30 * 100  # what the worker has comes on top
            assert running.balanced
            sink.answer = accept
            await running.delivery.drained()
            await running.delivery.drained()
            ordinary = [int(one[1:]) for one in sink.got if one.startswith("m")]
            assert ordinary == sorted(set(ordinary))
            assert len(ordinary) == 3000 - lost
            assert ordinary[-1] == 3000
            await eventually(lambda: sum(int(one.split()[1].replace(",", "")) for one in reports(sink)) == lost)
            assert spilling.failures == 0
            assert running.balanced

    async def test_what_cannot_be_read_now_is_asked_for_again(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        sink = Parts(down)
        async with spilled(sink, spool) as (running, spilling):
            await offer_slowly(running, range(1, 201))
            spool.refusing = {"read"}
            sink.answer = accept
            await eventually(lambda: spilling.failures)
            spool.refusing.clear()
            await running.delivery.drained()
            assert sink.got == names(range(1, 201))

    async def test_what_cannot_be_acknowledged_is_sent_again_by_the_next_run(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        spool.refusing = {"ack"}
        sink = Parts(down)
        async with spilled(sink, spool) as (running, spilling):
            await offer_slowly(running, range(1, 101))
            sink.answer = accept
            await running.delivery.drained()
            await eventually(lambda: spilling.failures)
            assert sink.got == names(range(1, 101))
            assert running.balanced
        again = RefusingSpool(tmp_path, "0b").open().entries
        assert 0 < again <= 100

    async def test_what_could_not_be_acknowledged_once_is_acknowledged_later(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        spool.refusing = {"ack"}
        sink = Parts(down)
        async with spilled(sink, spool) as (running, spilling):
            await offer_slowly(running, range(1, 101))
            sink.answer = accept
            await running.delivery.drained()
            await eventually(lambda: spilling.failures)
            spool.refusing.clear()
        assert RefusingSpool(tmp_path, "0b").open().entries == 0

    async def test_a_folder_that_cannot_be_looked_into_stops_no_sink(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        spool.refusing = {"open"}
        sink = Parts()
        async with spilled(sink, spool) as (running, spilling):
            running.offer(*captures(range(1, 11)))
            await running.delivery.drained()
            assert sink.got == names(range(1, 11))
            assert spilling.failures == 1
            assert "No space left" in (running.delivery.last_error or "")

    async def test_entries_lost_with_a_file_are_counted(self, tmp_path: Path):
        sink = Parts(down)
        async with spilled(sink, RefusingSpool(tmp_path)) as (running, spilling):
            await offer_slowly(running, range(1, 301))
            await eventually(lambda: spilling.entries == 270)
            (path,) = [one for one in (tmp_path / "spool").glob("*.segment") if b"m200" in one.read_bytes()]
            data = path.read_bytes()
            assert data.count(b"m200") == 1
            path.write_bytes(data.replace(b"m200", b"M200"))
            sink.answer = accept
            await running.delivery.drained()
            assert sink.got == [name for name in names(range(1, 301)) if name != "m200"]
            assert running.ledger.dropped == {("NOTSET", "disk queue damaged"): 1}
            assert spilling.damaged == 1
            assert running.balanced


async def kept(tmp_path: Path, boot: str, sink: Parts, work: Callable[[Pumped], Any]) -> Pumped:
    """A run that is stopped with what it has, as at the deadline."""
    spilling = spilling_to(RefusingSpool(tmp_path, boot))
    async with pumped(sink, **SMALL, spilling=spilling) as running:
        await work(running)
    await running.delivery.keep(5.0)
    running.delivery.give_up()
    return running


class TestStop:
    @pytest.mark.parametrize("count", [1, 25, 60, 400])
    async def test_all_that_is_left_is_kept_in_order_and_the_next_run_delivers_it_first(
        self, tmp_path: Path, count: int
    ):
        run = await kept(tmp_path, "0a", Parts(down), lambda running: offer_slowly(running, range(1, count + 1)))
        snapshot = run.ledger.snapshot(run.delivery.in_flight, run.delivery.spooled)
        assert (snapshot.spooled, snapshot.in_flight, snapshot.dropped_total) == (count, 0, 0)
        assert snapshot.balanced
        sink = Parts()
        async with spilled(sink, RefusingSpool(tmp_path, "0b")) as (running, spilling):
            running.offer(*captures(range(count + 1, count + 6)))
            await running.delivery.drained()
            assert sink.got == names(range(1, count + 6))
            assert running.ledger.recovered == count
            assert running.balanced
            assert spilling.entries == 0
        assert not (tmp_path / "spool").exists()

    async def test_what_one_run_leaves_the_next_finds_through_many_of_them(self, tmp_path: Path):
        left = 0
        for run in range(5):
            begin = 1 + run * 150
            ended = await kept(
                tmp_path,
                f"{run:02x}",
                Parts(down),
                lambda running, begin=begin: offer_slowly(running, range(begin, begin + 150)),
            )
            assert ended.ledger.recovered == left
            left = ended.delivery.spooled
            assert left == 150 * (run + 1)
            assert ended.balanced
        sink = Parts()
        async with spilled(sink, RefusingSpool(tmp_path, "ff")) as (running, _):
            await running.delivery.drained()
            assert sink.got == names(range(1, 751))

    async def test_only_what_is_not_settled_is_kept_of_a_batch(self, tmp_path: Path):
        async def half(batch: Batch) -> Outcome:
            sink.answer = down
            return Partial(tuple(range(4, len(batch))), (), "busy")

        sink = Parts(down)

        async def work(running: Pumped) -> None:
            await offer_slowly(running, range(1, 201))
            sink.answer = half
            await eventually(lambda: running.ledger.delivered == 4)

        run = await kept(tmp_path, "0a", sink, work)
        assert (run.ledger.delivered, run.delivery.spooled) == (4, 196)
        after = Parts()
        async with spilled(after, RefusingSpool(tmp_path, "0b")) as (running, _):
            await running.delivery.drained()
            assert after.got == names(range(5, 201))

    async def test_what_the_disk_refuses_is_dropped_by_the_shutdown(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        async with pumped(Parts(down), **SMALL, spilling=spilling_to(spool)) as running:
            await offer_slowly(running, range(1, 301))
            spool.refusing = {"append"}
        await running.delivery.keep(5.0)
        left = running.delivery.give_up()
        assert running.delivery.spooled + left == 300
        assert running.ledger.dropped == {("INFO", "shutdown"): left}
        assert running.delivery.in_flight == 0
        assert running.ledger.snapshot(0, running.delivery.spooled).balanced

    async def test_cancelled_in_the_middle_it_goes_on_and_writes_nothing_twice(self, tmp_path: Path):
        async with pumped(Parts(down), **SMALL, spilling=spilling_to(RefusingSpool(tmp_path))) as running:
            await offer_slowly(running, range(1, 301))
        for rounds in range(20):
            keeping = asyncio.create_task(running.delivery.keep(5.0))
            for _ in range(rounds):
                await asyncio.sleep(0)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        await running.delivery.keep(5.0)
        assert (running.delivery.spooled, running.delivery.in_flight) == (300, 0)
        sink = Parts()
        async with spilled(sink, RefusingSpool(tmp_path, "0b")) as (after, _):
            await after.delivery.drained()
            assert sink.got == names(range(1, 301))


class TestStopInTheMidst:
    """What is left is on disk once, whatever was under way: the next run finds what this one counts as spooled."""

    @pytest.mark.parametrize("job", ["open", "read", "append", "adopt", "sync"])
    async def test_of_a_job_for_a_sink_that_is_down(self, tmp_path: Path, job: str):
        await kept(tmp_path, "0a", Parts(down), lambda running: offer_slowly(running, range(1, 201)))
        spool = HeldSpool(tmp_path, "0b", job)
        if job == "adopt":  # only what did not come from the disk is adopted
            shutil.rmtree(tmp_path / "spool")
        left = 0 if job == "adopt" else 200
        async with pumped(Parts(down), **SMALL, spilling=spilling_to(spool, 0.0)) as running:
            running.offer(*captures(range(201, 241)))
            await eventually(spool.begun.is_set)
        await self.ended(running, spool)
        assert running.ledger.recovered == left
        assert running.delivery.spooled == left + 40
        await self.found(tmp_path, names(range(1 if left else 201, 241)))

    async def test_of_an_acknowledgement(self, tmp_path: Path):
        await kept(tmp_path, "0a", Parts(down), lambda running: offer_slowly(running, range(1, 201)))
        spool, sink = HeldSpool(tmp_path, "0b", "ack"), Parts()
        async with pumped(sink, **SMALL, spilling=spilling_to(spool)) as running:
            await eventually(spool.begun.is_set)
        await self.ended(running, spool)
        assert running.balanced
        assert len(sink.got) + running.delivery.spooled == 200
        await self.found(tmp_path, names(range(len(sink.got) + 1, 201)))

    async def test_of_the_end_itself(self, tmp_path: Path):
        spool = HeldSpool(tmp_path, "0a", "close")
        async with pumped(Parts(down), **SMALL, spilling=spilling_to(spool)) as running:
            await offer_slowly(running, range(1, 201))
        keeping = asyncio.create_task(running.delivery.keep(30.0))
        await eventually(spool.begun.is_set)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await self.ended(running, spool)
        assert running.delivery.spooled == 200
        await self.found(tmp_path, names(range(1, 201)))

    async def test_at_each_step_of_it_another_stop_goes_on_and_nothing_is_there_twice(self, tmp_path: Path):
        for steps in range(40):
            folder = tmp_path / f"{steps}"
            await kept(folder, "0a", Parts(down), lambda running: offer_slowly(running, range(1, 51)))
            async with pumped(Parts(down), **SMALL, spilling=spilling_to(RefusingSpool(folder, "0b"))) as running:
                running.offer(*captures(range(51, 101)))
                await eventually(lambda running=running: running.delivery.batching.with_worker())
            keeping = asyncio.create_task(running.delivery.keep(30.0))
            for _ in range(steps):
                await asyncio.sleep(0)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await running.delivery.keep(30.0)
            assert (running.delivery.spooled, running.delivery.in_flight) == (100, 0)
            await self.found(folder, names(range(1, 101)))

    async def test_what_is_settled_while_it_is_written_is_not_there_again(self, tmp_path: Path):
        spool, sink = HeldSpool(tmp_path, "0a", "adopt"), Parts(down)
        async with pumped(sink, **SMALL, spilling=spilling_to(spool)) as running:
            running.offer(*captures(range(1, 11)))
            await eventually(spool.begun.is_set)
            sink.answer = accept
            await eventually(lambda: len(sink.got) == 10 and not running.delivery.down)
            for begin in range(11, 101, 10):  # nothing is on disk by the accounts, so these pass it by
                running.offer(*captures(range(begin, begin + 10)))
                await eventually(lambda begin=begin: len(sink.got) == begin + 9)
        await self.ended(running, spool)
        assert (running.ledger.delivered, running.delivery.spooled) == (100, 0)
        await self.found(tmp_path, [])

    async def ended(self, running: Pumped, spool: HeldSpool) -> None:
        spool.held = ""
        spool.may_end.set()
        await running.delivery.keep(30.0)
        assert running.delivery.give_up() == 0
        assert running.balanced

    async def found(self, folder: Path, wanted: list[str]) -> None:
        sink = Parts()
        async with spilled(sink, RefusingSpool(folder, "0c")) as (running, _):
            await running.delivery.drained()
            assert running.ledger.recovered == len(wanted)
            assert sink.got == wanted


class TestHandover:
    async def test_another_delivery_of_the_same_kind_goes_on_with_the_disk_queue(self, tmp_path: Path):
        async with pumped(Parts(down), **SMALL, spilling=spilling_to(RefusingSpool(tmp_path))) as old:
            await offer_slowly(old, range(1, 301))
        await old.delivery.keep(5.0, close=False)
        sink = Parts()
        new = Pumped(sink, **SMALL, spilling=spilling_to(RefusingSpool(tmp_path, "0b")))
        new.delivery.take_over(old.delivery)
        async with new.going():
            new.offer(*captures(range(301, 311)))
            await new.delivery.drained()
        assert sink.got == names(range(1, 311))
        assert new.delivery.ledger.recovered == 0
        assert new.balanced
        await new.delivery.keep(5.0)

    async def test_one_without_spill_works_off_what_there_is_and_spills_no_more(self, tmp_path: Path):
        async with pumped(Parts(down), **SMALL, spilling=spilling_to(RefusingSpool(tmp_path))) as old:
            await offer_slowly(old, range(1, 301))
        await old.delivery.keep(5.0, close=False)
        sink = Parts()
        new = Pumped(sink, overflow=Overflow.DROP_LOWEST, max_entries=ROOM, max_batch=10)
        new.delivery.take_over(old.delivery)
        async with new.going():
            await new.delivery.drained()
            assert sink.got == names(range(1, 301))
            sink.answer = down
            for seq in range(301, 601):
                new.offer(capture(seq))
                await asyncio.sleep(0)
            assert new.ledger.dropped["INFO", "queue full"] == 200
            assert new.delivery.spooled == 0
        await new.delivery.keep(5.0)

    async def test_one_that_encodes_otherwise_leaves_the_disk_queue_for_a_later_run(self, tmp_path: Path):
        async with pumped(Parts(down), **SMALL, spilling=spilling_to(RefusingSpool(tmp_path))) as old:
            await offer_slowly(old, range(1, 301))
        await old.delivery.keep(5.0)
        new = Pumped(Parts(), **SMALL)
        new.delivery.take_over(old.delivery)
        snapshot = new.delivery.ledger.snapshot(new.delivery.in_flight, new.delivery.spooled)
        assert (snapshot.spooled, snapshot.routed) == (300, 300)
        assert snapshot.balanced

    async def test_what_the_disk_refused_goes_over_too_and_first(self, tmp_path: Path):
        spool = RefusingSpool(tmp_path)
        async with pumped(Parts(down), **SMALL, spilling=spilling_to(spool)) as old:
            await offer_slowly(old, range(1, 301))
        spool.refusing = {"append"}
        await old.delivery.keep(5.0, close=False)
        sink = Parts()
        new = Pumped(sink, **SMALL, spilling=spilling_to(RefusingSpool(tmp_path, "0b")))
        new.delivery.take_over(old.delivery)
        assert new.balanced
        async with new.going():
            await new.delivery.drained()
        assert sink.got == names(range(1, 301))
        assert new.balanced
        assert new.lanes.held_entries == new.lanes.held_bytes == 0
        await new.delivery.keep(5.0)
        assert RefusingSpool(tmp_path, "0c").open().entries == 0


class TestFoundDamage:
    async def test_is_told_and_counted_and_costs_nothing_else(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
        await kept(tmp_path, "0a", Parts(down), lambda running: offer_slowly(running, range(1, 201)))
        for path in sorted((tmp_path / "spool").glob("*.segment"))[-1:]:
            data = path.read_bytes().replace(b"m100", b"M100")
            path.write_bytes(data[:-3])
        sink = Parts()
        async with spilled(sink, RefusingSpool(tmp_path, "0b")) as (running, spilling):
            await running.delivery.drained()
            assert sink.got == [name for name in names(range(1, 200)) if name != "m100"]
            assert (running.ledger.recovered, spilling.damaged) == (199, 2)
            assert running.ledger.dropped == {("NOTSET", "disk queue damaged"): 1}
            assert running.balanced
        await eventually(lambda: all(thread.name != "metaexpert-notice" for thread in threading.enumerate()))
        told = capfd.readouterr().err
        assert "1 files of earlier runs end in an incomplete entry" in told
        assert [path.suffix for path in (tmp_path / "spool").iterdir()] == [".damaged"]

    async def test_damage_alone_at_the_end_is_acknowledged_with_what_came_before(self, tmp_path: Path):
        sink = Parts(down)
        async with spilled(sink, RefusingSpool(tmp_path)) as (running, spilling):
            await offer_slowly(running, range(1, 301))
            await eventually(lambda: spilling.entries == 270)
            (path,) = [one for one in (tmp_path / "spool").glob("*.segment") if b"m300" in one.read_bytes()]
            path.write_bytes(path.read_bytes().replace(b"m300", b"M300").replace(b"m299", b"M299"))
            sink.answer = accept
            await running.delivery.drained()
            assert sink.got == names(range(1, 299))
            assert running.ledger.dropped == {("NOTSET", "disk queue damaged"): 2}
            assert running.balanced
            await eventually(lambda: not list((tmp_path / "spool").glob("*.segment")))


class TestWithoutSpill:
    async def test_nothing_of_it_exists(self):
        sink = FakeSink()
        async with pumped(sink) as running:
            delivery = running.delivery
            running.offer(*captures(range(1, 11)))
            await delivery.drained()
            assert delivery.spilling is None
            assert delivery.spooled == 0
            await delivery.keep(1.0)
            assert sink.stored == names(range(1, 11))
