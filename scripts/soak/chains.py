"""A chain: processes on one folder, one after another, each but the last killed; then everything is compared.

Each process recovers what the one before it left, and logs more meanwhile. Kills come when a number of calls has
returned and a little later, so that a slow machine is no other test than a fast one; or at a named point.
"""

import asyncio
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from metaexpert.logger.files.names import files_of
from soak.arrivals import Arrivals
from soak.collector import Collector, Kind, collecting
from soak.expert import DELIVERED, KINDS, RETURNED, SLOTS, SYNCED, Plan, lane_of
from soak.points import Point
from soak.processes import started
from soak.progress import Progress

MODULE = "soak.expert"
FILES = {"expert.log": range(KINDS), "errors.log": (0, 1), "trades.log": (2, 3)}
"""Which kinds of entries each file holds."""

_AT_POINTS = {1, 3, 5, 6, 7}
_FINAL_CALLS = 40
_CALLS = 1500
_LATER_SECONDS = 0.03
_TOLD_CHARACTERS = 800


@dataclass(frozen=True, slots=True)
class Kill:
    """How a process of a chain ends.

    Attributes:
        after: calls that have returned at least; the kill comes up to some milliseconds later.
        point: where it kills itself instead.
        collector_up: whether the collector accepts what the process sends.
    """

    after: int = 1
    point: Point | None = None
    collector_up: bool = True


@dataclass(frozen=True, slots=True)
class Chain:
    """What is to be run.

    Attributes:
        seed: of what is random in it; it is the chain's name, too.
        threads: how many threads log in each process.
        kind: what the collector is.
        kills: the processes before the last.
        receipts: whether processes await receipts.
    """

    seed: int
    threads: int
    kind: Kind
    kills: Sequence[Kill]
    receipts: bool = True

    def __str__(self) -> str:
        return f"chain {self.seed} ({self.threads} threads, {self.kind})"


@dataclass(slots=True)
class Verdict:
    """What came of a chain.

    Attributes:
        kills: processes that were killed.
        at_points: how many of them at a named point.
        returned: protected calls that returned.
        synced: receipts that were awaited.
        lost: entries of returned calls that a destination lacks, in words.
        faults: everything else that must not be, in words.
        late: entries that came to the collector behind later ones of their lane, as those do that only the journal held
            when their process was killed: what was on the disk queue goes first. A file has no such entries.
        duplicates: entries that came again, each under its id, by destination.
        ledgers: the last process's accounts, by sink.
    """

    kills: int = 0
    at_points: int = 0
    returned: int = 0
    synced: int = 0
    lost: list[str] = field(default_factory=list[str])
    faults: list[str] = field(default_factory=list[str])
    late: int = 0
    duplicates: dict[str, int] = field(default_factory=dict[str, int])
    ledgers: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, other: "Verdict") -> None:
        """Count another chain in."""
        self.kills += other.kills
        self.at_points += other.at_points
        self.returned += other.returned
        self.synced += other.synced
        self.lost += other.lost
        self.faults += other.faults
        self.late += other.late
        for name, count in other.duplicates.items():
            self.duplicates[name] = self.duplicates.get(name, 0) + count

    def __str__(self) -> str:
        again = ", ".join(f"{name} {count}" for name, count in self.duplicates.items())
        return (
            f"{self.kills} kills ({self.kills - self.at_points} at random instants, {self.at_points} at named points), "
            f"{self.returned} protected calls had returned, {self.synced} receipts were awaited: "
            f"{len(self.lost)} lost, {len(self.faults)} faults; {self.late} came late to a collector; "
            f"again, under their id: {again or 'none'}"
        )


class _Run:
    """One chain while it runs."""

    def __init__(self, chain: Chain, folder: Path, collector: Collector) -> None:
        self._chain = chain
        self._folder = folder
        self._collector = collector
        self._random = random.Random(chain.seed)  # noqa: S311 - instants of kills, no secrets
        self._returned: list[list[int]] = []
        self.verdict = Verdict()

    async def go(self) -> Verdict:
        for number, kill in enumerate(self._chain.kills):
            self._collector.answering = kill.collector_up
            await self._killed(number, kill)
            if self.verdict.faults:
                return self.verdict  # what comes after tells nothing new
        self._collector.answering = True
        if await self._last(len(self._chain.kills)):
            self._judge()
        return self.verdict

    # ---- the processes ----------------------------------------------------------------------------------------

    async def _killed(self, run: int, kill: Kill) -> None:
        plan = self._plan(run, _CALLS, rests=kill.point is None, deliveries=kill.collector_up, point=kill.point)
        progress = self._progress(plan)
        try:
            async with started(MODULE, _text(plan)) as child:
                if kill.point is None:
                    await child.until(lambda: self._calls(progress) >= kill.after)
                    await asyncio.sleep(self._random.uniform(0.0, _LATER_SECONDS))
                    child.kill()
                ended = await child.ended()
            self._count(kill, ended.status, ended.stderr, run)
            self._take(progress, run, deliveries=kill.collector_up)
        finally:
            progress.close()

    async def _last(self, run: int) -> bool:
        """Run the process that recovers what is left, and stops; whether it came to its end."""
        plan = self._plan(run, _FINAL_CALLS, rests=False, deliveries=False)
        progress = self._progress(plan)
        try:
            async with started(MODULE, _text(plan)) as child:
                ended = await child.ended()
            self._take(progress, run, deliveries=False)
        finally:
            progress.close()
        if ended.status:
            self._fault(f"the last process ended with status {ended.status}: {ended.stderr[-_TOLD_CHARACTERS:]}")
            return False
        told = orjson.loads(ended.stdout)
        self.verdict.ledgers = told["sinks"]
        if not told["flushed"]:
            self._fault(f"the last process could not flush: {told['sinks']}")
        for name, ledger in told["sinks"].items():
            if not ledger["balanced"] or ledger["dropped"] or ledger["rejected"]:
                self._fault(f"the last process's ledger of {name}: {ledger}")
        return True

    def _count(self, kill: Kill, status: int, stderr: str, run: int) -> None:
        if status == -signal.SIGKILL:
            self.verdict.kills += 1
            self.verdict.at_points += kill.point is not None
        elif kill.point is not None and status == 0:
            self._fault(f"run {run} never came to {kill.point}")
        else:
            self._fault(f"run {run} ended with status {status} before it was killed: {stderr[-_TOLD_CHARACTERS:]}")

    def _plan(self, run: int, calls: int, *, rests: bool, deliveries: bool, point: Point | None = None) -> Plan:
        return Plan(
            folder=str(self._folder / "logs"),
            progress=str(self._folder / f"progress-{run}"),
            url=self._collector.url,
            kind=self._chain.kind,
            run=run,
            threads=self._chain.threads,
            calls=calls,
            rests=rests,
            receipts=self._chain.receipts,
            deliveries=self._chain.receipts and deliveries,
            point=point,
        )

    def _progress(self, plan: Plan) -> Progress:
        return Progress(Path(plan.progress), self._chain.threads * SLOTS)

    def _calls(self, progress: Progress) -> int:
        return sum(progress[thread * SLOTS + RETURNED] for thread in range(self._chain.threads))

    def _take(self, progress: Progress, run: int, *, deliveries: bool) -> None:
        """Remember what had returned; an acknowledged delivery shows at the collector already."""
        returned = [progress[thread * SLOTS + RETURNED] for thread in range(self._chain.threads)]
        self._returned.append(returned)
        self.verdict.returned += sum(returned)
        self.verdict.synced += sum(
            len(range(0, progress[thread * SLOTS + SYNCED], 32)) for thread in range(self._chain.threads)
        )
        last = progress[DELIVERED] - 1
        if deliveries and last >= 0 and last not in self._collector.arrivals.stream(run, 0):
            self._fault(f"run {run}: the delivery of entry {last} was acknowledged, and the collector lacks it")

    # ---- what came of it --------------------------------------------------------------------------------------

    def _judge(self) -> None:
        self._compare("collector", self._collector.arrivals, range(KINDS))
        for name, kinds in FILES.items():
            arrivals = Arrivals()
            for path in files(self._folder / "logs", name):
                read(path, arrivals)
            self._compare(name, arrivals, kinds)

    def _compare(self, name: str, arrivals: Arrivals, kinds: Sequence[int]) -> None:
        self.verdict.duplicates[name] = arrivals.duplicates
        for fault in arrivals.faults:
            self._fault(f"{name}: {fault}")
        for run, threads in enumerate(self._returned):
            for thread, returned in enumerate(threads):
                where, stream = f"{self._chain}, run {run}, thread {thread}, {name}", arrivals.stream(run, thread)
                missing = [number for number in stream.missing(returned) if number % KINDS in kinds]
                if missing:
                    self.verdict.lost.append(f"{where}: {len(missing)} of {returned} lost, first {missing[:5]}")
                if stream.disordered and name in FILES:
                    self._fault(f"{where}: {stream.disordered} out of order")
                self.verdict.late += stream.disordered

    def _fault(self, words: str) -> None:
        self.verdict.faults.append(words if words.startswith("chain") else f"{self._chain}, {words}")


def _text(plan: Plan) -> str:
    return orjson.dumps(asdict(plan)).decode()


def files(folder: Path, name: str) -> list[Path]:
    """The files of a log, in the order they were written in."""
    return [file.path for file in sorted(files_of(folder / name))]


def read(path: Path, arrivals: Arrivals) -> None:
    """Note a file's entries; a torn last line is no entry, torn anywhere else it is a fault."""
    lines = path.read_bytes().split(b"\n")
    for line in lines[:-1]:
        try:
            entry: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError:
            arrivals.note(f"{path.name}: no entry: {line[:200]!r}")
        else:
            arrivals.take(entry, entry["id"], line)


async def run_chain(chain: Chain, folder: Path) -> Verdict:
    """Run a chain in an empty folder."""
    async with collecting(chain.kind, Arrivals(lane_of)) as collector:
        await collector.open()
        return await _Run(chain, folder, collector).go()


def random_chains(count: int, seed: int, points: Sequence[Point], *, kills_each: int = 4) -> Iterator[Chain]:
    """Chains with `count` kills in all: five of eight at one of `points`, each in its turn, the others at random.

    The first of a chain is at random, so that there is something to recover when a point of the recovery's comes.
    """
    choice = random.Random(seed)  # noqa: S311 - as above
    turn = 0
    for number, first in enumerate(range(0, count, kills_each)):
        kills: list[Kill] = []
        for index in range(first, min(first + kills_each, count)):
            if points and index % 8 in _AT_POINTS:
                kills.append(Kill(point=points[turn % len(points)]))
                turn += 1
            else:
                up = choice.random() < 0.5  # noqa: PLR2004 - as often up as down
                kills.append(Kill(after=choice.choice((1, 10, 100, 500, 1000, 1400)), collector_up=up))
        threads = (1, 4)[number % 2]
        kind: Kind = ("loki", "elasticsearch")[number // 2 % 2]
        yield Chain(seed=seed * 1000 + number, threads=threads, kind=kind, kills=kills)
