"""The companion that looks at the clock: every second for jumps, and at an interval for its quality.

Entries keep the times they have. What the clock is compared with runs on through jumps, and through the machine's sleep
where the system has such a clock.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

from metaexpert.logger.clock.exchange import exchange_qualities
from metaexpert.logger.clock.kernel import quality_of, read_kernel
from metaexpert.logger.clock.quality import UNKNOWN, Jump, JumpWatch, Quality, Reading
from metaexpert.logger.clock.sntp import ask
from metaexpert.logger.entry import CLOCK, Capture
from metaexpert.logger.formats.timestamps import rfc3339
from metaexpert.logger.options.clock import ClockOptions
from metaexpert.logger.own_entries import own_entry
from metaexpert.logger.port import port

CLOCK_LOGGER: Final = "metaexpert.clock"
_LOOK_SECONDS: Final = 1.0
_SECOND_NS: Final = 1_000_000_000
_NARROW_NS: Final = 1_000_000
_TRIES: Final = 5


class Around(Protocol):
    """What the keeper needs of its surroundings."""

    @property
    def report(self) -> Callable[[Capture], None]:
        """The way into the pipeline."""
        ...


@dataclass(frozen=True, slots=True)
class ClockFigures:
    """Snapshot of the keeper.

    Attributes:
        quality: what was last told of the clock; None before the first time.
        jumps: how often it was set since logging began.
    """

    quality: Quality | None
    jumps: int


def read_clocks() -> Reading:
    """All clocks at one moment: read anew where something came between."""
    reading = _read_once()
    for _ in range(_TRIES):
        if time.monotonic_ns() - reading.monotonic_ns < _NARROW_NS:
            break
        reading = _read_once()
    return reading


def _read_once() -> Reading:
    steady_ns = time.monotonic_ns()
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if sys.platform == "linux" else None
    return Reading(time.time_ns(), steady_ns, boot_ns)


@final
class ClockKeeper:
    """Looks while `run` does.

    Args:
        options: how often, from when on, who is asked.
        around: its surroundings.
        former: the one it follows.
        read: the machine's clocks.
        kernel: what the kernel says of its clock.
    """

    def __init__(
        self,
        options: ClockOptions,
        around: Around,
        *,
        former: "ClockKeeper | None" = None,
        read: Callable[[], Reading] = read_clocks,
        kernel: Callable[[], Quality] = lambda: quality_of(read_kernel()),
    ) -> None:
        self._options = options
        self._around = around
        self._read = read
        self._kernel = kernel
        self._watch = JumpWatch(round(options.jump * _SECOND_NS))
        self._jumps = 0 if former is None else former.figures().jumps
        self._quality: Quality | None = None
        self._due_ns: int | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def finish(self, most_seconds: float) -> None:
        """Nothing: what is known has been told."""

    def figures(self) -> ClockFigures:
        """The latest."""
        return ClockFigures(self._quality, self._jumps)

    async def look(self) -> None:
        """Tell of a jump since the last look, and of the clock's quality when it is time to."""
        now = self._read()
        jump = self._watch.look(now)
        if jump is not None:
            self._jumps += 1
            self._tell_jump(jump)
        if self._due_ns is None:
            self._due_ns = now.steady_ns + round(self._options.first_after * _SECOND_NS)
        if now.steady_ns >= self._due_ns or jump is not None:
            self._due_ns = now.steady_ns + round(self._options.interval * _SECOND_NS)
            await self._tell_quality()

    def _tell_jump(self, jump: Jump) -> None:
        seconds = jump.size_ns / _SECOND_NS
        fields = {
            "event": "jump",
            "jump_seconds": seconds,
            "before": rfc3339(jump.before.utc_ns),
            "after": rfc3339(jump.after.utc_ns),
            "between_seconds": (jump.after.steady_ns - jump.before.steady_ns) / _SECOND_NS,
        }
        which = "forward" if seconds > 0 else "back"
        message = f"the clock was set {which} by {abs(seconds):.6f} s, between {fields['before']} and {fields['after']}"
        self._say(logging.WARNING, message, fields)

    async def _tell_quality(self) -> None:
        qualities = await self._qualities()
        known = [each for each in qualities if each.worst_ns is not None]
        best = min(known, key=lambda each: each.bound_ns or 0) if known else _unknown(qualities)
        self._quality = best
        limit = self._options.limit
        within = None if limit is None else best.within(round(limit * _SECOND_NS))
        reading = self._read()
        fields: dict[str, Any] = {
            "event": "quality",
            "source": best.source,
            "offset_seconds": _seconds(best.offset_ns),
            "bound_seconds": _seconds(best.bound_ns),
            "limit_seconds": limit,
            "within_limit": within,
            "detail": port.encoder.scrub(best.detail),
            "utc_ns": reading.utc_ns,
            "monotonic_ns": reading.monotonic_ns,
            "boot_ns": reading.boot_ns,
        }
        fine = limit is None or within
        self._say(logging.INFO if fine else logging.WARNING, _quality_text(best, limit, within=within), fields)

    async def _qualities(self) -> list[Quality]:
        """Who knows; NTP servers are asked where the kernel does not."""
        kernel = self._kernel()
        if kernel.worst_ns is not None:
            return [kernel]
        servers = self._options.ntp_servers
        asked = await asyncio.gather(*[ask(server, self._options.ntp_timeout) for server in servers])
        exchanges = [_cleaned(each) for each in exchange_qualities()]
        return [kernel, *asked, *exchanges]

    def _say(self, level: int, message: str, fields: dict[str, Any]) -> None:
        self._around.report(own_entry(level, message, fields, logger=CLOCK_LOGGER, log_type=CLOCK))


def _cleaned(quality: Quality) -> Quality:
    """Without secrets in a name that a user gave."""
    source = port.encoder.scrub(quality.source)
    return Quality(source=source, offset_ns=quality.offset_ns, bound_ns=quality.bound_ns, detail=quality.detail)


def _unknown(qualities: list[Quality]) -> Quality:
    return Quality(source=UNKNOWN, detail="; ".join(f"{each.source}: {each.detail}" for each in qualities))


def _seconds(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / _SECOND_NS


def _quality_text(quality: Quality, limit: float | None, *, within: bool | None) -> str:
    if quality.offset_ns is None or quality.bound_ns is None:
        return f"how far the clock is from UTC is unknown ({port.encoder.scrub(quality.detail)})"
    told = f"{quality.offset_ns / 1e6:+.3f} ms ± {quality.bound_ns / 1e6:.3f} ms"
    verdict = "" if limit is None else f", {'within' if within else 'not surely within'} {limit * 1e3:g} ms"
    return f"UTC is the clock {told} by {quality.source}{verdict}"
