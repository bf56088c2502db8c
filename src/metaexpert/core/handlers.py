"""A strategy's handlers: who is called for what, one after the other, and what becomes of one that fails or is slow.

A handler that raises is logged with its traceback, counted and told to the `on_error` handlers, and the expert lives:
one bad tick must not leave open orders without their strategy. Each handler is measured by the timer `handler.<name>`;
one that takes longer than the limit is reported, at most once in `REPORT_EVERY_SECONDS`, with how often and its worst.
"""

import inspect
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, Literal

from metaexpert.logger import Receipt, get_logger
from metaexpert.logger.measuring.meters import timer

type Handler = Callable[..., Awaitable[object] | object]
type Occasion = Literal[
    "init", "deinit", "tick", "bar", "timer", "order", "position", "transaction", "book", "error", "account",
    "backtest_init", "backtest_deinit", "backtest", "backtest_pass",
]  # fmt: skip

SLOW_SECONDS: Final = 0.1
REPORT_EVERY_SECONDS: Final = 60.0
_NAME_CHARACTERS: Final = 80

log = get_logger(__name__)


@dataclass(slots=True)
class _Slowness:
    """What is to be said of one slow handler."""

    calls: int = 0
    worst_seconds: float = 0.0
    said_at: float | None = None


@dataclass(slots=True)
class Handlers:
    """All handlers of one expert, and the counts of their calls.

    Attributes:
        slow_seconds: what a call may take before it is reported.
        calls: made so far, by occasion.
        errors: calls that raised.
    """

    slow_seconds: float = SLOW_SECONDS
    calls: Counter[str] = field(default_factory=Counter[str])
    errors: int = 0
    _handlers: defaultdict[str, list[Handler]] = field(default_factory=lambda: defaultdict[str, list[Handler]](list))
    _slow: defaultdict[str, _Slowness] = field(default_factory=lambda: defaultdict[str, _Slowness](_Slowness))

    def add[H: Handler](self, occasion: Occasion, handler: H, key: str = "") -> H:
        """Register a handler; `key` tells those of one timeframe apart from others'."""
        self._handlers[occasion + key].append(handler)
        return handler

    def of(self, occasion: Occasion, key: str = "") -> Sequence[Handler]:
        """Those registered, in order."""
        return self._handlers.get(occasion + key, ())

    async def call(self, occasion: Occasion, *arguments: object, key: str = "") -> None:
        """Call each; none of them can raise into the caller."""
        self.calls[occasion] += 1
        for handler in self._handlers.get(occasion + key, ()):
            await self.one(handler, *arguments)

    async def one(self, handler: Handler, *arguments: object) -> None:
        """Call one handler; what it raises is logged and told to `on_error`."""
        began = perf_counter()
        try:
            await finished(handler(*arguments))
        except Exception as error:
            self.errors += 1
            log.exception("handler failed", handler=name_of(handler))
            await self._tell(error)
        finally:
            self._measure(handler, perf_counter() - began)

    async def _tell(self, error: Exception) -> None:
        for handler in self._handlers.get("error", ()):
            try:
                await finished(handler(error))
            except Exception:
                self.errors += 1
                log.exception("on_error handler failed", handler=name_of(handler))

    def _measure(self, handler: Handler, seconds: float) -> None:
        name = name_of(handler)
        timer(f"handler.{name}").record(seconds)
        if seconds > self.slow_seconds:
            self._report(name, seconds)

    def _report(self, name: str, seconds: float) -> None:
        slowness, now = self._slow[name], perf_counter()
        slowness.calls += 1
        slowness.worst_seconds = max(slowness.worst_seconds, seconds)
        if slowness.said_at is None or now - slowness.said_at >= REPORT_EVERY_SECONDS:
            log.warning(
                "handler is slow",
                handler=name,
                value=round(slowness.worst_seconds, 6),
                limit=self.slow_seconds,
                calls=slowness.calls,
            )
            self._slow[name] = _Slowness(said_at=now)


async def finished(result: Awaitable[object] | object) -> None:
    """Await what a handler returned, where it can be; a receipt of one that only logs is left alone."""
    if inspect.isawaitable(result) and not isinstance(result, Receipt | NotAwaited):
        await result


class NotAwaited:
    """What handlers may return from a call of ours without meaning it to be awaited, such as an order's ticket."""

    __slots__ = ()


def name_of(handler: Any) -> str:
    """The handler as it is named in logs and timers."""
    return str(getattr(handler, "__qualname__", None) or type(handler).__qualname__)[-_NAME_CHARACTERS:]
