"""The companion that looks at the clock: every second for jumps, and at an interval for its quality.

Entries keep the times they have. What the clock is compared with runs on through jumps, and through the machine's sleep
where the system has such a clock.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, final

from metaexpert.logger.clock.exchange import exchange_qualities
from metaexpert.logger.clock.kernel import quality_of, read_kernel
from metaexpert.logger.clock.quality import Jump, JumpWatch, Quality, Reading, agreed
from metaexpert.logger.clock.readings import read_clocks
from metaexpert.logger.clock.sntp import ask
from metaexpert.logger.entry import CLOCK, Capture
from metaexpert.logger.formats.timestamps import rfc3339
from metaexpert.logger.options.clock import ClockOptions
from metaexpert.logger.own_entries import own_entry
from metaexpert.logger.port import port

CLOCK_LOGGER: Final = "metaexpert.clock"
_LOOK_SECONDS: Final = 1.0
_BEGIN_SECONDS: Final = 5.0
_SECOND_NS: Final = 1_000_000_000


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


@dataclass(frozen=True, slots=True)
class _Known:
    """What one keeper leaves to the next: its last look, when it told the quality on a steady clock, and what."""

    reading: Reading | None = None
    told_ns: int | None = None
    quality: Quality | None = None
    jumps: int = 0
    left_alone: frozenset[str] = frozenset()


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
        known = _Known() if former is None else former.known()
        self._watch = JumpWatch(round(options.jump * _SECOND_NS), known.reading)
        self._jumps, self._quality, self._told_ns = known.jumps, known.quality, known.told_ns
        self._wait_seconds = options.interval
        self._left_alone = set(known.left_alone)

    async def run(self) -> None:
        """Look until cancelled; programs that end within the first seconds hear nothing of their clock."""
        if self._told_ns is None:
            self._watch.look(self._read())
            await asyncio.sleep(_BEGIN_SECONDS)
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
        if self._told_ns is None:
            await self._begin(now)
        elif jump is not None or now.steady_ns >= self._told_ns + round(self._wait_seconds * _SECOND_NS):
            self._told_ns, self._wait_seconds = now.steady_ns, self._options.interval
            self._tell_quality(agreed(await self._qualities()))

    async def _begin(self, now: Reading) -> None:
        """What is known at once; where that is nothing, who is to be asked is, and others have time to say more."""
        options, self._told_ns = self._options, now.steady_ns
        best = agreed([self._kernel(), *_by_exchanges(now)])
        if best.worst_ns is None and (options.ntp_servers or options.first_after):
            self._tell_quality(best, preliminary=True)
            if options.ntp_servers:
                best = agreed(await self._qualities())
            if best.worst_ns is None and options.first_after:
                self._wait_seconds = options.first_after
                return
        self._tell_quality(best)

    def known(self) -> "_Known":
        """What the one that follows begins with."""
        return _Known(self._watch.before, self._told_ns, self._quality, self._jumps, frozenset(self._left_alone))

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

    def _tell_quality(self, best: Quality, *, preliminary: bool = False) -> None:
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
            "preliminary": preliminary,
            "utc_ns": reading.utc_ns,
            "monotonic_ns": reading.monotonic_ns,
            "boot_ns": reading.boot_ns,
        }
        fine = limit is None or within or preliminary
        self._say(logging.INFO if fine else logging.WARNING, _quality_text(best, limit, within=within), fields)

    async def _qualities(self) -> list[Quality]:
        """Who knows; NTP servers are asked where the kernel does not, or not well enough."""
        kernel, limit = self._kernel(), self._options.limit
        if kernel.worst_ns is not None and (limit is None or kernel.within(round(limit * _SECOND_NS))):
            return [kernel]
        servers = [each for each in self._options.ntp_servers if each not in self._left_alone]
        asked = await asyncio.gather(*[ask(server, self._options.ntp_timeout) for server in servers])
        self._left_alone |= {server for server, said in zip(servers, asked, strict=True) if said.refused}
        return [kernel, *asked, *_by_exchanges(self._read())]

    def _say(self, level: int, message: str, fields: dict[str, Any]) -> None:
        self._around.report(own_entry(level, message, fields, logger=CLOCK_LOGGER, log_type=CLOCK))


def _by_exchanges(now: Reading) -> list[Quality]:
    """What exchanges say, without secrets in the names that a user gave them."""
    return [replace(each, source=port.encoder.scrub(each.source)) for each in exchange_qualities(now)]


def _seconds(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / _SECOND_NS


def _quality_text(quality: Quality, limit: float | None, *, within: bool | None) -> str:
    if quality.offset_ns is None or quality.bound_ns is None:
        return f"how far the clock is from UTC is unknown ({port.encoder.scrub(quality.detail)})"
    told = f"{quality.offset_ns / 1e6:+.3f} ms ± {quality.bound_ns / 1e6:.3f} ms"
    verdict = "" if limit is None else f", {'within' if within else 'not surely within'} {limit * 1e3:g} ms"
    return f"UTC is the clock {told} by {quality.source}{verdict}"
