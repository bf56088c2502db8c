"""The journal on a disk that loses what disks may lose, beside a model of what its callers were promised.

Whatever happens before: a killed process leaves every entry whose call has returned, in order, and those that all
sinks have settled are not delivered again; a power loss leaves every entry whose receipt was awaited.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.fake_sinks import capture
from support.journals import Heard, Inline, journal_in
from support.lossy_files import LossyFiles, installed

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import LOG_TYPE, RECOVERY, Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.journal import headers, leftovers
from metaexpert.logger.journal.frames import FrameEncoder
from metaexpert.logger.journal.keeper import JournalKeeper
from metaexpert.logger.outcome import Rejection
from metaexpert.logger.recovery import Recovery

if TYPE_CHECKING:
    from concurrent.futures import Future

    from metaexpert.logger.journal.journal import Journal
    from metaexpert.logger.receipts import Receipt

SINKS = ("a", "b")


class Sink:
    """A delivery that only keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[Capture] = []
        self.parts: list[bytes] = []

    def recover(self, batch: Batch) -> None:
        self.got += batch.entries
        self.parts += batch.parts

    def refuse_recovered(self, entry: Capture, rejection: Rejection) -> None:
        raise AssertionError(f"{entry} {rejection}")


class Start:
    """What a start in a folder delivers."""

    def __init__(self, folder: Path) -> None:
        self.journal = journal_in(folder, *SINKS, pid=2)
        self.markers: list[Capture] = []
        self.sinks = {name: Sink() for name in SINKS}
        self.recovery = Recovery(
            self.journal,
            Inline(),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            Heard(),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            keep_crashes=2,
            encoders=self._encoders,
            report=self.markers.append,
        )

    def _encoders(self, identity: Identity) -> dict[str, Any]:
        return dict.fromkeys(SINKS, lambda entry: b"%b-%d" % (identity.service.encode(), entry[0]))

    def run(self) -> dict[str, list[int]]:
        """The numbers that each sink gets."""
        recipients: Any = {name: (sink, lambda *_: True) for name, sink in self.sinks.items()}
        asyncio.run(self.recovery.run(recipients))
        return {name: [int(part.split(b"-")[1]) for part in sink.parts] for name, sink in self.sinks.items()}


class Machine(RuleBasedStateMachine):
    """Beside it: which sinks owe each entry (None: not routed), whose receipts were kept, which calls were refused."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.root = Path(tempfile.mkdtemp())
        self.stack.callback(shutil.rmtree, self.root)
        self.generation = 0
        self.begin(seed=0)

    def begin(self, seed: int) -> None:
        self.generation += 1
        folder = self.root / f"run{self.generation}"
        folder.mkdir()
        self.files = LossyFiles(folder, seed)
        self.stack.enter_context(installed(self.files))
        self.failures: list[tuple[str, int]] = []
        self.journal: Journal = journal_in(
            folder, *SINKS, pid=1, on_audit_failure=lambda reason, count: self.failures.append((reason, count))
        )
        self.heard = Heard()
        self.keeper = self.new_keeper()
        self.owed: dict[int, set[str] | None] = {}
        self.pending: dict[int, Future[None]] = {}
        self.receipts: dict[int, Receipt] = {}
        self.safe: set[int] = set()
        self.refused = 0

    def new_keeper(self) -> JournalKeeper:
        async def synced() -> None:
            return None

        class Nothing:
            has_settled = False

            def discard_settled(self) -> None:
                return None

            def close(self, **_: bool) -> None:
                return None

        return JournalKeeper(
            self.journal,
            Inline(),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            self.heard,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            interval_seconds=60.0,
            sync_sinks=synced,
            recovery=Nothing(),
        )

    def teardown(self) -> None:
        self.journal.forget()
        self.stack.close()

    # ---- what happens -----------------------------------------------------------------------------------------

    @rule(awaited=st.booleans(), length=st.sampled_from([10, 3000, 50_000]), count=st.integers(1, 4))
    def log(self, awaited: bool, length: int, count: int) -> None:
        for _ in range(count):
            seq = len(self.owed) + self.refused + 1
            receipt = self.journal.protect(capture(seq, 40, message="x" * length))
            assert receipt is not None
            if receipt.failure:
                self.refused += 1
                continue
            self.owed[seq] = None
            self.receipts[seq] = receipt
            if awaited:
                self.wait_for(seq)

    def wait_for(self, seq: int) -> None:
        future = self.journal.when_synced(self.receipts[seq]._since)
        if future.done():
            self.safe.add(seq)
        else:
            self.pending[seq] = future

    @precondition(lambda self: self.receipts)
    @rule(data=st.data())
    def await_later(self, data: st.DataObject) -> None:
        self.wait_for(data.draw(st.sampled_from(sorted(self.receipts))))

    @precondition(lambda self: None in self.owed.values())
    @rule(sinks=st.sets(st.sampled_from(SINKS)))
    def route(self, sinks: set[str]) -> None:
        waiting = [seq for seq, owed in self.owed.items() if owed is None]
        self.journal.routed([capture(seq, 40) for seq in waiting], self.journal.obligations.mask(sinks))
        self.owed |= {seq: set(sinks) for seq in waiting}

    @precondition(lambda self: any(self.owed.values()))
    @rule(data=st.data(), sink=st.sampled_from(SINKS))
    def settle(self, data: st.DataObject, sink: str) -> None:
        seqs = [seq for seq, owed in self.owed.items() if owed and sink in owed]
        chosen = seqs[: data.draw(st.integers(0, len(seqs)))]
        self.journal.settle(sink, [capture(seq, 40) for seq in chosen])
        for seq in chosen:
            (self.owed[seq] or set()).discard(sink)

    @rule()
    def keep(self) -> None:
        """The keeper's turn: syncs, a spare segment, settled ones away."""
        failures, waits = len(self.failures), any(not future.done() for future in self.pending.values())
        self.keeper._look_at = self.keeper._ask_again_at = 0.0
        asyncio.run(self.keeper._work())
        for seq, future in list(self.pending.items()):
            assert future.done(), "a receipt waits for nothing"
            del self.pending[seq]
            if future.exception() is None:
                self.safe.add(seq)
            else:
                assert len(self.failures) > failures
                assert "Input/output" in self.failures[-1][0] or "No space" in self.failures[-1][0]
        assert waits or len(self.failures) <= failures + 1

    @rule(count=st.integers(1, 4))
    def disk_fails_syncs(self, count: int) -> None:
        self.files.failing_syncs = count

    @rule(full=st.booleans())
    def disk_is_full(self, full: bool) -> None:
        self.files.is_full = full

    @rule()
    def somebody_deletes_files(self) -> None:
        for path in self.files.folder.iterdir():
            path.unlink()
        self.files.is_full, self.files.failing_syncs = False, 0
        self.keep()  # until it has seen that, nothing of it would be found

    # ---- how it ends ------------------------------------------------------------------------------------------

    def needed(self, sink: str) -> list[int]:
        """What a sink has still to get."""
        return [seq for seq, owed in self.owed.items() if owed is None or sink in owed]

    def leave(self) -> None:
        self.journal.forget()
        self.journal._lock = None

    @precondition(lambda self: self.owed)
    @rule(torn=st.none() | st.integers(0, 400), seed=st.integers(0, 1000), twice=st.booleans())
    def is_killed(self, torn: int | None, seed: int, twice: bool) -> None:
        """At any byte of the next frame; and the start after it may be killed, too."""
        folder = self.root / f"killed{self.generation}"
        folder.mkdir()
        segment = self.journal.room._current
        if torn is not None and segment is not None:
            frame = FrameEncoder()(capture(10**6, 40, message="torn" * 100))
            if segment.end + len(frame) <= segment.size_bytes:
                segment.write(segment.end, frame[: min(torn, len(frame) - 1)])
        self.files.after_kill(folder)
        self.files.is_full, self.files.failing_syncs = False, 0
        start = Start(folder)
        got = start.run()
        assert got == {sink: self.needed(sink) for sink in SINKS}
        needed = sorted({seq for sink in SINKS for seq in self.needed(sink)})
        (marker,) = start.markers
        assert marker[LOG_TYPE] == RECOVERY
        assert f"recovered {len(needed)} entries" in marker[4]
        if twice:
            done = start.sinks["a"].got[: len(start.sinks["a"].got) // 2]
            start.journal.settle("a", done)
            left = {"a": got["a"][len(done) :], "b": got["b"]}
            lock = start.journal._lock
            start.journal.forget()
            assert lock is not None
            lock.forget()
            for leftover in start.recovery._leftovers:
                leftover.lock.forget()
            start = Start(folder)
            assert start.run() == left
        start.recovery.close()
        start.journal.close()
        self.leave()
        self.begin(seed)

    @precondition(lambda self: self.owed)
    @rule(seed=st.integers(0, 1000))
    def power_is_lost(self, seed: int) -> None:
        folder = self.root / f"off{self.generation}"
        folder.mkdir()
        self.files.after_power_loss(folder)
        self.files.is_full, self.files.failing_syncs = False, 0
        starts = {headers: headers.machine_start, leftovers: leftovers.machine_start}
        try:
            for module in starts:
                module.machine_start = lambda: "afterwards"  # type: ignore[attr-defined,assignment]
            start = Start(folder)
            got = start.run()
        finally:
            for module, function in starts.items():
                module.machine_start = function  # type: ignore[attr-defined]
        for sink in SINKS:
            assert set(self.needed(sink)) & self.safe <= set(got[sink])
            assert got[sink] == sorted(set(got[sink]))
            assert set(got[sink]) <= set(self.owed)
        start.recovery.close()
        start.journal.close()
        self.leave()
        self.begin(seed)

    @invariant()
    def figures_hold(self) -> None:
        assert len(self.journal.obligations.kept) == sum(owed is None or bool(owed) for owed in self.owed.values())
        assert self.journal.counters.entries == len(self.owed)
        assert self.refused <= self.journal.counters.failures


TestJournal = Machine.TestCase
TestJournal.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.teardown()


def every_power_loss(machine: Machine) -> None:
    """After the same, whatever of the unsynced pages is lost."""
    folder, checked = machine.files.folder, 0
    for seed in range(6):
        left = machine.root / f"seed{seed}"
        left.mkdir()
        machine.files._random.seed(seed)
        machine.files.after_power_loss(left)
        machine.files.failing_syncs = 0
        start = Start(left)
        got = start.run()
        assert all(machine.safe <= set(numbers) for numbers in got.values()), (folder, seed)
        start.recovery.close()
        start.journal.close()
        checked += 1
    assert checked == 6


def test_what_was_synced_stays_on_the_disk_while_later_syncs_fail(machine: Machine):
    machine.log(awaited=True, length=3000, count=4)
    machine.keep()
    assert machine.safe == {1, 2, 3, 4}
    machine.disk_fails_syncs(2)
    machine.log(awaited=True, length=3000, count=4)
    machine.keep()
    assert machine.safe == {1, 2, 3, 4}
    assert machine.failures == [
        ("the disk refused a sync: Input/output error, and the entries cannot be written anew: Input/output error", 4)
    ]
    every_power_loss(machine)


def test_a_sync_that_failed_is_not_believed_the_next_time(machine: Machine):
    machine.disk_fails_syncs(2)
    machine.log(awaited=False, length=3000, count=4)
    machine.keeper._due = True
    machine.keep()
    assert [count for _, count in machine.failures] == [4]
    machine.wait_for(1)
    machine.wait_for(2)
    machine.keep()
    assert machine.safe == {1, 2}
    every_power_loss(machine)


def test_one_failed_sync_costs_nothing(machine: Machine):
    machine.disk_fails_syncs(1)
    machine.log(awaited=True, length=3000, count=4)
    machine.keep()
    assert (machine.safe, machine.failures, machine.journal.counters.sync_failures) == ({1, 2, 3, 4}, [], 1)
    every_power_loss(machine)


def test_a_disk_that_never_syncs_again_takes_no_more_and_more_room(machine: Machine):
    machine.log(awaited=True, length=3000, count=4)
    machine.keep()
    machine.disk_fails_syncs(1000)
    for _ in range(10):
        machine.log(awaited=True, length=3000, count=1)
        machine.keep()
    assert [count for _, count in machine.failures] == [1] * 10
    assert machine.journal.room.bytes <= 6 * machine.journal.room._segment_bytes
    machine.files.failing_syncs = 0
    machine.wait_for(14)
    machine.keep()
    assert 14 in machine.safe
    assert machine.journal.room.bytes <= 2 * machine.journal.room._segment_bytes
    every_power_loss(machine)
