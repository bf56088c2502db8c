"""The entry that every peer logs, in the call styles that loggers have.

One message, four fields, and one bound or context field (``strategy_id``), the same for all. ``price`` carries the
entry's number (number / 4 is exact in binary), so that each entry can be found again, once, where it had to arrive.
Each style is spelled twice, as one call and as a bare loop, because a wrapper would hide what an empty call costs.
"""

from collections.abc import Callable
from enum import Enum
from itertools import repeat
from types import FunctionType
from typing import Any, Protocol

LOGGER_NAME = "bench.expert"
MESSAGE = "tick"
EXCHANGE = "binance"
SYMBOL = "BTCUSDT"
STRATEGY_ID = 1001
LATENCY_MS = 3.2
CALLER = "emit"

type Emit = Callable[[float, float], None]
type Spin = Callable[[int], None]


class Log(Protocol):
    """A logger of any library; what it takes beside the message is its own matter."""

    def info(self, message: str, /, *args: Any, **fields: Any) -> Any:
        """Log at INFO."""
        ...

    def debug(self, message: str, /, *args: Any, **fields: Any) -> Any:
        """Log at DEBUG, which is disabled throughout the benchmark."""
        ...


class Empty:
    """What a disabled call can cost at the least: the same signature and no body."""

    def info(self, message: str = "", /, *args: Any, **fields: Any) -> None:
        """Do nothing."""

    def debug(self, message: str = "", /, *args: Any, **fields: Any) -> None:
        """Do nothing."""


class Style(Enum):
    """How a library takes fields."""

    KEYWORDS = "keywords"
    EXTRA_NESTED = "extra={'fields': {…}}"
    EXTRA_FLAT = "extra={…}"
    ARGUMENT = "one mapping as args"


def price_of(number: int) -> float:
    """The price that carries an entry's number."""
    return number / 4


def number_of(price: float) -> int:
    """The entry's number that a price carries."""
    return int(price * 4)


def emitter(log: Log, style: Style) -> Emit:
    """A function that logs one entry the way the style has it."""
    return {
        Style.KEYWORDS: _emit_keywords,
        Style.EXTRA_NESTED: _emit_extra_nested,
        Style.EXTRA_FLAT: _emit_extra_flat,
        Style.ARGUMENT: _emit_argument,
    }[style](log)


def spinner(log: Log, style: Style) -> Spin:
    """A function that calls ``log.debug`` in a bare loop; each has code of its own.

    The interpreter specialises call sites by what they saw. Two loggers through one code object would spoil that for
    both, so the function is rebuilt on a copy of its code.
    """
    template = {
        Style.KEYWORDS: _spin_keywords,
        Style.EXTRA_NESTED: _spin_extra_nested,
        Style.EXTRA_FLAT: _spin_extra_flat,
        Style.ARGUMENT: _spin_argument,
    }[style]
    spin = FunctionType(template.__code__.replace(), template.__globals__)

    def spin_log(count: int) -> None:
        spin(log, count)

    return spin_log


def spin_nothing(count: int) -> None:
    """The loop alone, to be subtracted from what a spinner takes."""
    for _ in repeat(None, count):
        pass


def _emit_keywords(log: Log) -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.info("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit


def _emit_extra_nested(log: Log) -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.info(
            "tick",
            extra={"fields": {"exchange": "binance", "symbol": "BTCUSDT", "price": price, "latency_ms": latency_ms}},
        )

    return emit


def _emit_extra_flat(log: Log) -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.info("tick", extra={"exchange": "binance", "symbol": "BTCUSDT", "price": price, "latency_ms": latency_ms})

    return emit


def _emit_argument(log: Log) -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.info("tick", {"exchange": "binance", "symbol": "BTCUSDT", "price": price, "latency_ms": latency_ms})  # noqa: PLE1205 (the record keeps the mapping)

    return emit


def _spin_keywords(log: Log, count: int) -> None:
    for _ in repeat(None, count):
        log.debug("tick", exchange="binance", symbol="BTCUSDT", price=43123.5, latency_ms=3.2)


def _spin_extra_nested(log: Log, count: int) -> None:
    for _ in repeat(None, count):
        log.debug(
            "tick",
            extra={"fields": {"exchange": "binance", "symbol": "BTCUSDT", "price": 43123.5, "latency_ms": 3.2}},
        )


def _spin_extra_flat(log: Log, count: int) -> None:
    for _ in repeat(None, count):
        log.debug("tick", extra={"exchange": "binance", "symbol": "BTCUSDT", "price": 43123.5, "latency_ms": 3.2})


def _spin_argument(log: Log, count: int) -> None:
    for _ in repeat(None, count):
        log.debug("tick", {"exchange": "binance", "symbol": "BTCUSDT", "price": 43123.5, "latency_ms": 3.2})  # noqa: PLE1205 (the record keeps the mapping)
