"""Jumps and clock quality, by clocks that a test moves; no time passes here."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger import ClockOptions
from metaexpert.logger.clock import exchange, exchange_time
from metaexpert.logger.clock.exchange import exchange_qualities
from metaexpert.logger.clock.keeper import ClockKeeper, read_clocks
from metaexpert.logger.clock.kernel import KernelClock, quality_of, read_kernel
from metaexpert.logger.clock.quality import JumpWatch, Quality, Reading
from metaexpert.logger.entry import Capture, LogEntry

SECOND = 10**9
UTC = 1_795_000_000 * SECOND
GOOD = Quality(source="kernel", offset_ns=-20_000, bound_ns=300_000)
DUMB = Quality(source="kernel", detail="not synchronised")


@pytest.fixture(autouse=True)
def no_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_compared", {})


@dataclass
class World:
    """Clocks, and what was said of them."""

    utc_ns: int = UTC
    steady_ns: int = 50 * SECOND
    quality: Quality = GOOD
    entries: list[LogEntry] = field(default_factory=list[LogEntry])

    def report(self, entry: Capture) -> None:
        self.entries.append(LogEntry(entry))

    def read(self) -> Reading:
        return Reading(self.utc_ns, 7, self.steady_ns)

    def passes(self, seconds: float, set_by: float = 0.0) -> None:
        self.steady_ns += round(seconds * SECOND)
        self.utc_ns += round((seconds + set_by) * SECOND)

    def keeper(self, **options: Any) -> ClockKeeper:
        values: dict[str, Any] = {"first_after": 0.0} | options
        return ClockKeeper(ClockOptions(**values), self, read=self.read, kernel=lambda: self.quality)

    def told(self) -> list[tuple[str, str]]:
        return [(entry.level_name, entry.extra()["event"]) for entry in self.entries]


async def test_quality_is_told_at_first_and_at_each_interval():
    world = World()
    keeper = world.keeper(interval=10.0)
    for _ in range(21):
        await keeper.look()
        world.passes(1.0)
    assert world.told() == [("INFO", "quality")] * 3
    told = world.entries[0].extra()
    assert world.entries[0].log_type == "clock"
    assert (told["source"], told["offset_seconds"], told["bound_seconds"]) == ("kernel", -2e-05, 0.0003)
    assert (told["utc_ns"], told["monotonic_ns"], told["boot_ns"]) == (UTC, 7, 50 * SECOND)


async def test_nothing_is_told_before_its_time():
    world = World()
    keeper = world.keeper(first_after=30.0)
    for _ in range(30):
        await keeper.look()
        world.passes(1.0)
    assert world.told() == []
    await keeper.look()
    assert world.told() == [("INFO", "quality")]


@pytest.mark.parametrize("size", [3600.0, -3600.0, 0.06, -0.06])
async def test_a_jump_is_a_warning_with_its_size_and_the_quality_is_told_anew(size: float):
    world = World()
    keeper = world.keeper()
    await keeper.look()
    world.passes(1.0, set_by=size)
    await keeper.look()
    assert world.told() == [("INFO", "quality"), ("WARNING", "jump"), ("INFO", "quality")]
    told = world.entries[1].extra()
    assert told["jump_seconds"] == pytest.approx(size)
    assert told["between_seconds"] == 1.0
    assert ("forward" if size > 0 else "back") in world.entries[1].message
    assert keeper.figures().jumps == 1
    world.passes(1.0)
    await keeper.look()
    assert keeper.figures().jumps == 1


async def test_what_nobody_knows_is_called_unknown():
    world = World(quality=DUMB)
    await world.keeper().look()
    (entry,) = world.entries
    assert entry.extra() | {"source": "unknown", "offset_seconds": None, "bound_seconds": None} == entry.extra()
    assert "unknown (kernel: not synchronised)" in entry.message


@pytest.mark.parametrize(
    ("quality", "limit", "level", "within"),
    [(GOOD, 0.001, "INFO", True), (GOOD, 0.0003, "WARNING", False), (DUMB, 1.0, "WARNING", None)],
)
async def test_a_limit_turns_doubt_into_a_warning(quality: Quality, limit: float, level: str, within: bool | None):
    world = World(quality=quality)
    await world.keeper(limit=limit).look()
    assert (world.entries[0].level_name, world.entries[0].extra()["within_limit"]) == (level, within)


async def test_exchanges_are_believed_where_the_kernel_does_not_know():
    world = World(quality=DUMB)
    exchange_time("binance", 1000.0, 0.5)
    await world.keeper().look()
    assert world.entries[0].extra()["source"] == "exchange binance"


def test_of_many_answers_the_one_with_the_shortest_way_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exchange, "time_ns", lambda: UTC)
    monkeypatch.setattr(exchange, "monotonic_ns", lambda: 0)
    for trip, offset_ms in ((0.5, 900), (0.02, 100), (0.3, -800)):
        exchange_time("e", UTC / 1e6 + offset_ms, trip)
    (quality,) = exchange_qualities(0)
    assert quality.offset_ns == pytest.approx(110e6, abs=1e6)
    assert quality.bound_ns == 11_000_000
    (later,) = exchange_qualities(100 * SECOND)
    assert later.bound_ns == 11_000_000 + 50_000_000


@pytest.mark.parametrize(("server", "trip"), [(math.nan, 0.1), (1.0, math.inf), (1.0, -1.0), (None, 0.1)])
def test_what_is_no_time_is_left_out_and_raises_nothing(server: Any, trip: float):
    exchange_time("e", server, trip)
    assert exchange_qualities(0) == []


def test_exchanges_without_end_fill_no_memory():
    for number in range(1000):
        exchange_time(str(number), 1.0, 0.1)
    assert len(exchange_qualities(0)) == 64


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**11), st.integers(10**6, 10**9))
def test_only_what_slewing_cannot_do_is_a_jump(size_ns: int, went_ns: int, least_ns: int):
    watch = JumpWatch(least_ns)
    assert watch.look(Reading(UTC, 0)) is None
    jump = watch.look(Reading(UTC + went_ns + size_ns, went_ns))
    assert (jump is not None) == (abs(size_ns) >= least_ns + went_ns // 2000)
    assert jump is None or jump.size_ns == size_ns


def test_sleep_is_no_jump_where_a_clock_runs_on():
    watch = JumpWatch(SECOND)
    watch.look(Reading(UTC, 0, 0))
    assert watch.look(Reading(UTC + 3600 * SECOND, SECOND, 3600 * SECOND)) is None


def kernel(**values: int) -> KernelClock:
    usual = {"state": 0, "status": 0x2001, "offset": 1500, "maxerror": 250, "esterror": 10, "tai": 37}
    return KernelClock(**(usual | values))


@pytest.mark.parametrize(
    ("clock", "offset_ns", "bound_ns"),
    [
        (kernel(), 1500, 250_000),
        (kernel(status=0x0001), 1_500_000, 250_000),
        (kernel(status=0x2041), None, None),
        (kernel(state=5), None, None),
        (None, None, None),
    ],
)
def test_the_kernels_word_is_read_by_its_status(clock: KernelClock | None, offset_ns: int, bound_ns: int):
    quality = quality_of(clock)
    assert (quality.offset_ns, quality.bound_ns, quality.source) == (offset_ns, bound_ns, "kernel")


def test_this_machine_is_read_without_a_fault():
    reading, told = read_clocks(), read_kernel()
    assert reading.utc_ns > UTC // 2
    assert told is None or told.maxerror >= 0
    assert quality_of(told).source == "kernel"
