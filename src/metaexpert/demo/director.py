"""What happens when: the collector's faults and the burst, on the demo's clock."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from metaexpert.demo.burst import burst
from metaexpert.demo.collector.client import CollectorClient
from metaexpert.demo.desk.desk import Desk

UNITS = 16
"""The run in parts; everything below is placed by them, so that a shorter run is the same run, faster."""


@dataclass(frozen=True, slots=True)
class Phase:
    """From `unit` on, until the next one.

    Attributes:
        unit: When it begins, in parts of the run.
        name: What the table shows.
        begin: What is done at its beginning.
    """

    unit: float
    name: str
    begin: Callable[[], Awaitable[object]]


class Director:
    """Plays the phases; `phase` tells which one it is.

    Args:
        collector: What fails.
        seconds: How long the phases take in all.
        burst_entries: How many entries come at once, midway.
        look: Called at the end of each phase.
        waiting: How many entries wait in the way in.
        desk: What a desk goes through meanwhile.
    """

    def __init__(
        self,
        collector: CollectorClient,
        desk: Desk,
        *,
        seconds: float,
        burst_entries: int,
        look: Callable[[], object],
        waiting: Callable[[], int],
    ) -> None:
        self._collector = collector
        self._desk = desk
        self._look = look
        self._waiting = waiting
        self._unit_seconds = seconds / UNITS
        self._burst_entries = burst_entries
        self._bursting: asyncio.Task[None] | None = None
        self.phase = "starting"

    async def play(self) -> None:
        """Play from beginning to end; the burst has ended then."""
        clock = asyncio.get_running_loop().time
        started_at = clock()
        try:
            for phase in self._phases():
                await asyncio.sleep(max(0.0, started_at + phase.unit * self._unit_seconds - clock()))
                self._look()
                self.phase = phase.name
                await phase.begin()
            if self._bursting is not None:
                await self._bursting
        finally:
            if self._bursting is not None:
                self._bursting.cancel()

    def _phases(self) -> tuple[Phase, ...]:
        faults = self._collector.faults
        # Retry-After counts whole seconds: in a run too short for one, the usual waits show the same
        retry_after_seconds = int(self._unit_seconds) or None
        # each fault lasts longer than the longest wait between two attempts, so that each is met
        return (
            Phase(0, "calm", self._nothing),
            Phase(2, "calm", self._desk.trade),
            Phase(3, "collector answers 429", lambda: faults("all", "429", retry_after=retry_after_seconds)),
            Phase(4.5, "collector answers 503", lambda: faults("all", "503")),
            Phase(7, "collector hangs", lambda: faults("all", "hang")),
            Phase(7.5, "collector hangs, burst", self._start_burst),
            Phase(9, "collector hangs", self._desk.be_careless),
            Phase(10, "collector hangs", self._desk.look),
            Phase(10.5, "collector is back", lambda: faults("all", "ok")),
            Phase(UNITS, "flushing", self._nothing),
        )

    async def _nothing(self) -> None:
        return

    async def _start_burst(self) -> None:
        self._bursting = asyncio.create_task(burst(self._burst_entries, self._waiting), name="burst")
