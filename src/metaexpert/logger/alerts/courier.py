"""Brings one target its messages: when one is due, again after a failure, and what is left when logging stops.

A target that is down costs its own courier alone. It is tried again with backoff, or when it asks for it (Retry-After);
what waits meanwhile is bounded by the outbox. A message that may have arrived goes again as it was, so that a receiver
knows it by its id. What became of messages is told in entries of log type "alert", which no rule looks at: a failure
once, until the target takes messages again.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from metaexpert.logger.alerts.figures import TargetStats
from metaexpert.logger.alerts.message import Message, Word
from metaexpert.logger.alerts.outbox import Compose, Outbox
from metaexpert.logger.alerts.targets.base import Sent, Target, Unsure
from metaexpert.logger.breaker import FAILURES_UNTIL_OPEN, Breaker
from metaexpert.logger.options.alert_targets import AlertTargetOptions
from metaexpert.logger.outcome import Delivered, Rejected, Retry
from metaexpert.logger.retry import Backoff, Health

type Tell = Callable[[int, str, Mapping[str, Any]], None]
"""Makes an entry of level, message and fields."""

_HOLD_SECONDS: Final = 0.3
"""How long an attempt under way may take to end where its loop is left; what it sent is then sent again."""

_GRACE_SECONDS: Final = 1.0
"""How much longer than its timeout an attempt may take before it is given up from outside."""


@dataclass(slots=True)
class _Counters:
    delivered: int = 0
    failed: int = 0
    messages: int = 0
    attempts: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Clock and random source, for tests to give others.

    Attributes:
        clock: seconds, never going back.
        uniform: random source of the waits.
    """

    clock: Callable[[], float] = time.monotonic
    uniform: Callable[[float, float], float] = random.uniform


@final
class Courier:
    """One target's messages.

    Args:
        options: limits and waits.
        target: where they go.
        compose: makes messages.
        tell: makes entries of what became of them.
        rhythm: clock and random source.
    """

    def __init__(
        self, options: AlertTargetOptions, target: Target, compose: Compose, tell: Tell, rhythm: Rhythm
    ) -> None:
        self.options = options
        self._target = target
        self._compose = compose
        self._tell = tell
        self._rhythm = rhythm
        self._outbox = Outbox(
            group_seconds=options.group_for,
            per_minute=options.per_minute,
            max_alerts=options.max_alerts,
            max_pending=options.max_pending,
        )
        self._backoff = Backoff(options.backoff_first, options.backoff_max)
        self._breaker = Breaker(FAILURES_UNTIL_OPEN, rhythm.clock)
        self._health = Health(FAILURES_UNTIL_OPEN)
        self._counters = _Counters()
        self._not_before = 0.0
        self._unsure: Message | None = None
        self._woken: asyncio.Event | None = None
        self._under_way: asyncio.Task[None] | None = None

    def take_over(self, other: "Courier") -> None:
        """Go on with what another has not sent, and with its counters."""
        self._outbox.take_over(other._outbox)  # noqa: SLF001 - of this class
        self._counters = other._counters  # noqa: SLF001 - of this class
        self._unsure = other._unsure  # noqa: SLF001 - of this class

    def put(self, word: Word) -> None:
        """Have the target be told."""
        self._outbox.put(word, self._rhythm.clock())
        if self._woken is not None:
            self._woken.set()

    # ---- its task ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what is due until cancelled."""
        self._woken, self._under_way = asyncio.Event(), None  # an attempt of a loop that was closed never ends
        try:
            while True:
                wait = self.due_in()
                if wait is not None and wait <= 0.0:
                    self._under_way = self._begun()
                    await asyncio.shield(self._under_way)
                else:
                    await self._rest(wait)
        except asyncio.CancelledError:  # a loop that is no more needs no good order
            self._woken = None
            await self._let_go()
            raise

    def _begun(self) -> asyncio.Task[None]:
        """An attempt that outlives the cancellation of this task for a moment."""
        task = asyncio.create_task(self.attempt(), name=f"metaexpert-alert-{self.options.name}")
        # where its loop is closed amid it, it stays pending there, and nothing is amiss
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
        return task

    async def _let_go(self) -> None:
        """Let the attempt under way end, as what it sends would be sent again; not for long."""
        under_way, self._under_way = self._under_way, None
        try:
            if under_way is not None and not under_way.done():
                await asyncio.wait([under_way], timeout=_HOLD_SECONDS)
                under_way.cancel()
                await asyncio.wait([under_way])
        finally:
            await self._target.close()

    async def finish(self, most_seconds: float) -> None:
        """Give everything that waits its chance now, again and again until the time is over."""
        deadline = self._rhythm.clock() + most_seconds
        self._not_before = 0.0
        try:
            while len(self._outbox) and (left := deadline - self._rhythm.clock()) > 0.0:
                wait = self._not_before - self._rhythm.clock()
                if wait > left:
                    break
                await asyncio.sleep(max(0.0, wait))
                await self.attempt(left)
        finally:
            await self._target.close()

    def due_in(self) -> float | None:
        """Seconds until the next attempt; None when nothing waits."""
        now = self._rhythm.clock()
        due = self._outbox.due_in(now)
        return None if due is None else max(due, self._not_before - now)

    async def _rest(self, most_seconds: float | None) -> None:
        woken = self._woken
        if woken is None:
            return
        woken.clear()
        try:
            async with asyncio.timeout(most_seconds):
                await woken.wait()
        except TimeoutError:
            return

    # ---- one message ------------------------------------------------------------------------------------------

    async def attempt(self, most_seconds: float | None = None) -> None:
        """Send what waits as one message, and see what becomes of it."""
        message = self._unsure or self._outbox.compose(self._compose)
        limit = self.options.timeout + _GRACE_SECONDS
        self._counters.attempts += 1
        self._breaker.begin_probe()
        try:
            sent = await self._sent(message, limit if most_seconds is None else min(limit, most_seconds))
        except asyncio.CancelledError:
            self._breaker.drop_probe()
            self._unsure = message
            raise
        self._unsure = message if isinstance(sent, Unsure) else None
        self._settle(message, sent)

    async def _sent(self, message: Message, limit_seconds: float) -> Sent:
        try:
            async with asyncio.timeout(limit_seconds):
                return await self._target.send(message)
        except TimeoutError:
            return Unsure(f"no answer within {limit_seconds:g} s")
        except Exception as error:  # noqa: BLE001 - a fault of one target ends no courier
            return Retry(f"{type(error).__name__}: {error}"[:200])

    def _settle(self, message: Message, sent: Sent) -> None:
        match sent:
            case Delivered(warning=warning):
                self._delivered(message, warning)
            case Rejected(status=status, reason=reason):
                self._refused(message, f"{status} {reason}")
            case Retry():
                self._failed(message, sent)

    def _delivered(self, message: Message, warning: str) -> None:
        attempts = self._breaker.failures + 1
        self._outbox.settled(message, self._rhythm.clock())
        self._counters.delivered += message.alerts
        self._counters.messages += 1
        self._breaker.succeeded()
        self._health.succeeded(backlog=False)
        self._not_before = 0.0
        told = f"told {self.options.name} of {_alerts(message.alerts)}"
        if attempts > 1:
            told += f" in attempt {attempts}"
        if message.shed:
            told += f"; {message.shed} gave way while it was down"
        fields = {"attempts": attempts, "shed": message.shed, **({"warning": warning} if warning else {})}
        self._say(logging.WARNING if warning else logging.INFO, "delivered", told, message, fields)

    def _refused(self, message: Message, reason: str) -> None:
        self._outbox.settled(message, self._rhythm.clock())
        self._counters.failed += message.alerts
        self._health.failed(reason)
        told = f"{self.options.name} refused {_alerts(message.alerts)} for good: {reason}"
        self._say(logging.WARNING, "refused", told, message, {"reason": reason})

    def _failed(self, message: Message, why: Retry) -> None:
        wait = self._backoff.wait_seconds(self._breaker.failures + 1, why.after_seconds, self._rhythm.uniform)
        if why.pause:
            wait = max(wait, self.options.backoff_max)
        self._not_before = self._rhythm.clock() + wait
        was_failing = self._breaker.failures > 0
        self._breaker.failed(wait, pause=why.pause)
        self._health.failed(why.reason, pause=why.pause)
        if not was_failing:  # said once: it would say so for as long as the target is down
            told = f"{self.options.name} cannot be told of {_alerts(message.alerts)} yet: {why.reason}"
            self._say(logging.WARNING, "failed", told, message, {"reason": why.reason})

    def _say(self, level: int, outcome: str, told: str, message: Message, more: Mapping[str, Any]) -> None:
        rules = sorted({word.alert.rule for word in (*message.words, *message.rest)})
        fields = {"target": self.options.name, "outcome": outcome, "alerts": message.alerts, "rules": rules}
        self._tell(level, told, {**fields, **more})

    @property
    def pending(self) -> int:
        """How many alerts wait."""
        return len(self._outbox)

    @property
    def stats(self) -> TargetStats:
        """How it is doing."""
        return TargetStats(
            state=self._health.state,
            breaker=self._breaker.state,
            pending=len(self._outbox),
            delivered=self._counters.delivered,
            failed=self._counters.failed,
            shed=self._outbox.shed_total,
            merged=self._outbox.merged,
            messages=self._counters.messages,
            attempts=self._counters.attempts,
            last_error=self._health.last_error,
        )


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"
