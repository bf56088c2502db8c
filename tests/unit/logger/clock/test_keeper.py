"""Jumps and clock quality, by clocks that a test moves; no time passes here."""

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger import ClockOptions
from metaexpert.logger.clock import exchange, exchange_time
from metaexpert.logger.clock import keeper as keeper_module
from metaexpert.logger.clock.exchange import exchange_qualities
from metaexpert.logger.clock.keeper import ClockKeeper
from metaexpert.logger.clock.kernel import KernelClock, quality_of, read_kernel
from metaexpert.logger.clock.quality import JumpWatch, Quality, Reading, agreed
from metaexpert.logger.clock.readings import read_clocks
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


async def test_what_the_kernel_knows_is_told_at_once_and_not_again_before_the_interval():
    world = World()
    keeper = world.keeper(first_after=30.0, interval=100.0)
    for _ in range(100):
        await keeper.look()
        assert world.told() == [("INFO", "quality")]
        world.passes(1.0)


async def test_what_nobody_knows_yet_is_told_at_once_and_anew_after_a_while():
    world = World(quality=DUMB)
    keeper = world.keeper(first_after=30.0, interval=100.0, limit=0.5)
    for _ in range(30):
        await keeper.look()
        assert [entry.extra()["preliminary"] for entry in world.entries] == [True]
        world.passes(1.0)
    world.quality = GOOD
    await keeper.look()
    assert [entry.extra()["source"] for entry in world.entries] == ["unknown", "kernel"]
    assert world.told() == [("INFO", "quality")] * 2


async def test_what_nobody_knows_in_the_end_is_a_warning_where_there_is_a_limit():
    world = World(quality=DUMB)
    keeper = world.keeper(first_after=5.0, interval=100.0, limit=0.5)
    for _ in range(6):
        await keeper.look()
        world.passes(1.0)
    assert world.told() == [("INFO", "quality"), ("WARNING", "quality")]


async def test_a_reload_tells_nothing_twice_and_overlooks_no_jump():
    world = World()
    keeper = world.keeper(interval=100.0)
    await keeper.look()
    world.passes(1.0, set_by=7.0)
    second = ClockKeeper(ClockOptions(interval=50.0), world, former=keeper, read=world.read, kernel=lambda: GOOD)
    assert second.figures() == keeper.figures()
    await second.look()
    assert world.told() == [("INFO", "quality"), ("WARNING", "jump"), ("INFO", "quality")]
    assert second.figures().jumps == 1
    third = ClockKeeper(ClockOptions(interval=50.0), world, former=second, read=world.read, kernel=lambda: GOOD)
    world.passes(49.0)
    await third.look()
    assert len(world.entries) == 3
    world.passes(1.0)
    await third.look()
    assert len(world.entries) == 4


async def test_a_kernel_that_does_not_know_well_enough_is_not_believed_alone(monkeypatch: pytest.MonkeyPatch):
    world = World(quality=Quality(source="kernel", offset_ns=0, bound_ns=16 * SECOND))
    monkeypatch.setattr(exchange, "read_clocks", world.read)
    exchange_time("binance", UTC / 1e6, 0.01)
    await world.keeper().look()
    keeper = world.keeper(limit=1.0, interval=10.0)
    for _ in range(2):
        await keeper.look()
        world.passes(10.0)
    assert world.entries[-1].extra()["source"] == "exchange binance"
    assert world.told()[-1] == ("INFO", "quality")
    world.quality = Quality(source="kernel", offset_ns=5 * SECOND, bound_ns=SECOND)
    await keeper.look()
    assert "they disagree" in world.entries[-1].message
    assert world.told()[-1] == ("WARNING", "quality")


async def test_a_server_that_refuses_is_asked_no_more(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    async def ask(server: str, _timeout_seconds: float) -> Quality:
        asked.append(server)
        return Quality(source=f"sntp {server}", detail="left alone", refused=server == "a.test")

    monkeypatch.setattr(keeper_module, "ask", ask)
    world = World(quality=DUMB)
    keeper = world.keeper(ntp_servers=("a.test", "b.test"), first_after=1.0, interval=1.0)
    for _ in range(3):
        await keeper.look()
        world.passes(1.0)
    assert asked == ["a.test", "b.test", "b.test", "b.test"]
    after = ClockKeeper(
        ClockOptions(ntp_servers=("a.test", "b.test"), interval=1.0), world, former=keeper, read=world.read,
        kernel=lambda: DUMB,
    )  # fmt: skip
    await after.look()
    assert asked[4:] == ["b.test"]


async def test_nobody_is_asked_unless_configured_or_where_the_kernel_knows(monkeypatch: pytest.MonkeyPatch):
    async def ask(server: str, _timeout_seconds: float) -> Quality:
        raise AssertionError(server)

    monkeypatch.setattr(keeper_module, "ask", ask)
    await World(quality=DUMB).keeper().look()
    await World().keeper(ntp_servers=("a.test",)).look()


async def test_a_server_knows_at_once_what_the_kernel_does_not(monkeypatch: pytest.MonkeyPatch):
    async def ask(server: str, _timeout_seconds: float) -> Quality:
        return Quality(source=f"sntp {server}", offset_ns=1, bound_ns=2)

    monkeypatch.setattr(keeper_module, "ask", ask)
    world = World(quality=DUMB)
    await world.keeper(ntp_servers=("a.test",), first_after=30.0).look()
    assert [entry.extra()["source"] for entry in world.entries] == ["unknown", "sntp a.test"]


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


async def test_exchanges_are_believed_where_the_kernel_does_not_know(monkeypatch: pytest.MonkeyPatch):
    world = World(quality=DUMB)
    monkeypatch.setattr(exchange, "read_clocks", world.read)
    exchange_time("binance", 1000.0, 0.5)
    await world.keeper().look()
    assert world.entries[0].extra()["source"] == "exchange binance"


def test_of_many_answers_the_one_with_the_shortest_way_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exchange, "read_clocks", lambda: Reading(UTC, 0))
    for trip, offset_ms in ((0.5, 900), (0.02, 100), (0.3, -800)):
        exchange_time("e", UTC / 1e6 + offset_ms, trip)
    (quality,) = exchange_qualities(Reading(UTC, 0))
    assert quality.offset_ns == pytest.approx(110e6, abs=1e6)
    assert quality.bound_ns == 11_000_000
    (later,) = exchange_qualities(Reading(UTC + 100 * SECOND, 100 * SECOND))
    assert later.bound_ns == 11_000_000 + 50_000_000
    assert later.offset_ns == quality.offset_ns


def test_an_answer_of_before_a_jump_tells_of_the_clock_after_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exchange, "read_clocks", lambda: Reading(UTC, 0))
    exchange_time("e", UTC / 1e6, 0.0)
    (quality,) = exchange_qualities(Reading(UTC + 3600 * SECOND + SECOND, SECOND))
    assert quality.offset_ns == -3600 * SECOND


@pytest.mark.parametrize(
    ("name", "server", "trip"),
    [
        ("e", math.nan, 0.1), ("e", 1.0, math.inf), ("e", 1.0, -1.0), ("e", None, 0.1), ("e", 1e300, 0.1),
        ("e", -1e300, 0.1), ("e", 10**400, 0.1), ("e", 1.0, 1e300), ("e", 1.0, 3.0e8), ("e", Decimal("sNaN"), 0.1),
        ("e", "1", 0.1), ([], 1.0, 0.1), (7, 1.0, 0.1), (None, 1.0, 0.1),
    ],
)  # fmt: skip
def test_what_is_no_time_is_left_out_and_raises_nothing(name: Any, server: Any, trip: float):
    exchange_time(name, server, trip)
    assert exchange_qualities() == []


def test_exchanges_without_end_fill_no_memory():
    for number in range(1000):
        exchange_time(str(number), 1.0, 0.1)
    assert len(exchange_qualities()) == 64


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**11), st.integers(10**6, 10**9))
def test_only_what_slewing_cannot_do_is_a_jump(size_ns: int, went_ns: int, least_ns: int):
    watch = JumpWatch(least_ns)
    assert watch.look(Reading(UTC, 0)) is None
    jump = watch.look(Reading(UTC + went_ns + size_ns, went_ns))
    assert (jump is not None) == (abs(size_ns) >= least_ns + went_ns // 2000)
    assert jump is None or jump.size_ns == size_ns


@pytest.mark.parametrize("sign", [1, -1])
def test_many_small_steps_are_a_jump_together(sign: int):
    watch = JumpWatch(50_000_000)
    looks = [Reading(UTC + second * (SECOND + sign * 40_000_000), second * SECOND) for second in range(4)]
    jumps = [watch.look(each) for each in looks]
    found = jumps[2]
    assert found is not None
    assert abs(found.size_ns - sign * 80_000_000) <= 2 * 500_000
    assert (found.before, found.after) == (looks[0], looks[2])
    assert [jumps[0], jumps[1], jumps[3]] == [None, None, None]


@pytest.mark.parametrize("ppm", [11.6, -11.6, 499.0, -499.0])
def test_neither_the_smear_of_a_leap_second_nor_slewing_is_a_jump(ppm: float):
    watch = JumpWatch(50_000_000)
    for second in range(0, 86_400, 10):
        assert watch.look(Reading(UTC + round(second * (1 + ppm / 1e6) * SECOND), second * SECOND)) is None


@pytest.mark.parametrize("size_ns", [-SECOND, SECOND])
def test_a_leap_second_that_is_stepped_is_a_jump(size_ns: int):
    watch = JumpWatch(50_000_000)
    watch.look(Reading(UTC, 0))
    jump = watch.look(Reading(UTC + SECOND + size_ns, SECOND))
    assert jump is not None
    assert jump.size_ns == size_ns


class TestAgreement:
    def quality(self, source: str, offset_ms: float, bound_ms: float = 5.0) -> Quality:
        return Quality(source=source, offset_ns=round(offset_ms * 1e6), bound_ns=round(bound_ms * 1e6))

    def test_who_lies_alone_is_not_believed_however_sure(self):
        told = [self.quality("a", 1), self.quality("liar", 90_000, 0.001), self.quality("b", 3, 4.0), DUMB]
        assert agreed(told).source == "b"

    def test_where_two_disagree_nobody_knows(self):
        found = agreed([self.quality("a", 0), self.quality("b", 100)])
        assert (found.source, found.worst_ns) == ("unknown", None)
        assert "they disagree: a: +0.000 ms, b: +100.000 ms" in found.detail

    def test_one_alone_is_believed(self):
        assert agreed([DUMB, self.quality("a", 7)]).source == "a"

    @given(st.lists(st.integers(-100, 100), min_size=3, max_size=9), st.integers(-(10**6), 10**6))
    def test_fewer_liars_than_half_of_all_change_nothing(self, right: list[int], lie_ms: int):
        honest = [self.quality("honest", offset / 10, 10.0) for offset in right]
        liars = [self.quality("liar", lie_ms, 0.0)] * (len(honest) - 1)
        found = agreed([*liars, *honest])
        assert found.source == "honest" or abs(lie_ms) <= 20


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
