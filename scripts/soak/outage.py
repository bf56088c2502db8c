"""An outage: a collector refuses connections while an expert logs, is restarted and killed; then everything arrives.

The processes run one after another on one folder; `soak.outage_verdict` says what must hold afterwards.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from soak import producer
from soak.collector import Collector, Kind, collecting
from soak.outage_verdict import Run, Verdict, judge
from soak.processes import Child, Ended, started
from soak.producer import SLOTS, End, Plan
from soak.progress import Progress

MODULE = "soak.producer"
SPOOL_CAP_BYTES = 64 * 2**30
_KILLED_AT_SHARE = 0.7
"""How far a process is with its entries when it is killed: in the midst of logging."""

_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Outage:
    """What is to be run.

    Attributes:
        entries: logged while the collector is down, in all.
        kills: processes killed (SIGKILL) meanwhile.
        restarts: processes stopped and started again meanwhile.
        drain_kills: processes killed while they deliver what is on the disk.
        kind: what the collector is.
        rate: entries a second; 0 for as fast as backpressure lets them through.
        spool_bytes: cap of the disk queue.
        deadline_seconds: longest life of one process.
    """

    entries: int
    kills: int = 3
    restarts: int = 1
    drain_kills: int = 1
    kind: Kind = "loki"
    rate: float = 0.0
    spool_bytes: int = SPOOL_CAP_BYTES
    deadline_seconds: float = 120.0

    def runs(self) -> list[End]:
        """How the processes of the outage end, killed ones and stopped ones in turn."""
        ends: list[End] = ["wait"] * self.kills
        for number in range(self.restarts):
            ends.insert(1 + 2 * number, "stop")
        return ends


class _Running:
    """One outage while it runs."""

    def __init__(self, outage: Outage, folder: Path, collector: Collector, told: Callable[[str], None]) -> None:
        self._outage = outage
        self._folder = folder
        self._collector = collector
        self._told = told
        self._verdict = Verdict()

    async def go(self) -> Verdict:
        sampling = asyncio.create_task(self._sample())
        try:
            await self._down()
            await self._collector.open()
            await self._up()
        finally:
            sampling.cancel()
        judge(self._verdict, self._collector.arrivals, self._outage.spool_bytes)
        return self._verdict

    # ---- the processes ----------------------------------------------------------------------------------------

    async def _down(self) -> None:
        ends = self._outage.runs()
        for end in ends:
            entries = self._outage.entries // len(ends)
            await self._run(entries, end, lambda progress, most=entries * _KILLED_AT_SHARE: _well_on(progress, most))

    async def _up(self) -> None:
        accepted = max(run.spooled for run in self._verdict.runs)
        for number in range(self._outage.drain_kills):
            share = accepted * (number + 1) // (self._outage.drain_kills + 1)
            await self._run(0, "wait", lambda _progress, share=share: self._collector.arrivals.distinct >= share)
        before = self._collector.arrivals.received
        run = await self._run(0, "drain", None)
        self._compare_last(run, self._collector.arrivals.received - before)

    async def _run(self, entries: int, end: End, enough: Callable[[Progress], bool] | None) -> Run:
        plan = self._plan(entries, end)
        progress = Progress(Path(plan.progress), SLOTS)
        began = time.monotonic()
        try:
            async with started(MODULE, orjson.dumps(asdict(plan)).decode()) as child:
                ended = await self._ended(child, end, enough, progress)
            run = _run_of(end, progress, self._ledger(ended, plan), time.monotonic() - began)
        finally:
            progress.close()
        self._verdict.runs.append(run)
        self._told(f"run {plan.run} ({end}): {run}")
        return run

    async def _ended(
        self, child: Child, end: End, enough: Callable[[Progress], bool] | None, progress: Progress
    ) -> Ended:
        if end == "wait" and enough is not None:
            await child.until(lambda: enough(progress), self._outage.deadline_seconds)
            child.kill()
        return await child.ended(self._outage.deadline_seconds)

    def _ledger(self, ended: Ended, plan: Plan) -> dict[str, Any]:
        """The accounts a process told in the end."""
        if plan.end == "wait":
            if ended.status != -signal.SIGKILL:
                self._fault(f"run {plan.run} ended with status {ended.status} before its kill: {ended.stderr[-2000:]}")
            return {}
        if ended.status or not ended.stdout:
            self._fault(f"run {plan.run} ended with status {ended.status}: {ended.stderr[-2000:]}")
            return {}
        told = orjson.loads(ended.stdout)
        if not told["flushed"]:
            self._fault(f"run {plan.run} could not flush")
        return told["sinks"][producer.SINK]

    def _plan(self, entries: int, end: End) -> Plan:
        number = len(self._verdict.runs)
        return Plan(
            folder=str(self._folder / "logs"),
            progress=str(self._folder / f"progress-{number}"),
            url=self._collector.url,
            kind=self._outage.kind,
            run=number,
            entries=entries,
            rate=self._outage.rate,
            spool_bytes=self._outage.spool_bytes,
            end=end,
        )

    async def _sample(self) -> None:
        while True:
            taken = await asyncio.to_thread(_size_of, self._folder / "logs" / "spool")
            self._verdict.most_disk_bytes = max(self._verdict.most_disk_bytes, taken)
            await asyncio.sleep(_SAMPLE_SECONDS)

    def _compare_last(self, run: Run, received: int) -> None:
        """The last process's ledger says that everything was delivered, and the collector counts as many."""
        ledger = run.ledger
        if not ledger:
            return
        acknowledged = ledger["delivered"] + ledger["duplicate"]
        if ledger["spooled"] or ledger["in_flight"] or acknowledged != ledger["recovered"] + ledger["routed"]:
            self._fault(f"the last process has not delivered what it took over: {ledger}")
        if acknowledged != received:
            self._fault(f"by the last ledger {acknowledged} were delivered, the collector was sent {received}")
        self._verdict.drain_per_second = acknowledged / run.seconds

    def _fault(self, words: str) -> None:
        self._verdict.faults.append(words)


def _run_of(end: End, progress: Progress, ledger: dict[str, Any], seconds: float) -> Run:
    return Run(
        end=end,
        returned=progress[producer.RETURNED],
        protected=progress[producer.PROTECTED_RETURNED],
        own_on_disk=progress[producer.OWN_ON_DISK],
        spooled=ledger.get("spooled", progress[producer.SPOOLED]),
        recovered=ledger.get("recovered", progress[producer.RECOVERED]),
        delivered=progress[producer.DELIVERED],
        queued_bytes=progress[producer.QUEUED_BYTES],
        memory_bytes=progress[producer.MEMORY_BYTES],
        ledger=ledger,
        seconds=seconds,
    )


def _well_on(progress: Progress, calls: float) -> bool:
    return progress[producer.RETURNED] >= calls


def _size_of(folder: Path) -> int:
    """Bytes of all files below; one that goes away meanwhile has none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _silent(_line: str) -> None:
    return None


async def run_outage(outage: Outage, folder: Path, told: Callable[[str], None] = _silent) -> Verdict:
    """Run an outage in an empty folder; `told` hears of each process as it ends."""
    async with collecting(outage.kind) as collector:
        return await _Running(outage, folder, collector, told).go()
