"""Calls of ours with what a trading desk logs, each with code of its own, as in ``protected_calls``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench import protected_calls
from bench.workload import Emit, Log, number_of

if TYPE_CHECKING:
    from metaexpert.logger import Logger


_LETTERS = str.maketrans("0123456789", "bdfhkmprtv")


def _word(price: float) -> str:
    """Twelve letters that no call before had: texts that differ in digits alone are known by their form."""
    return f"{number_of(price):012d}".translate(_LETTERS)


def calls(log: "Logger") -> Mapping[str, Emit]:
    """The calls by name, the one without text to search first."""
    ordinary = protected_calls.calls(log)
    return {
        "plain": ordinary["info"],
        "text": _text(log),
        "address": _address(log),
        "audit": _audit(log),
        "trade": ordinary["trade"],
        "exception": _exception(log),
        "timed": _timed(log),
        "decorated": _decorated(log),
        "recorded": _recorded(log),
    }


def _text(log: Log) -> Emit:
    """A field of some 60 characters of text of a form that no call before had."""

    def emit(price: float, latency_ms: float) -> None:
        note = f"order {_word(price)} was filled later than expected, at attempt 3"
        log.info("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms, note=note)

    return emit


def _address(log: Log) -> Emit:
    """A field of some 80 characters with an address of a form that no call before had."""

    def emit(price: float, latency_ms: float) -> None:
        url = f"https://api.binance.com/api/v3/order?symbol=BTCUSDT&orderId={_word(price)}&recv=5"
        log.info("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms, url=url)

    return emit


def _audit(log: "Logger") -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.audit(
            "tick",
            order_id=number_of(price),
            symbol="BTCUSDT",
            side="BUY",
            quantity="2",
            price=price,
            exchange="binance",
            latency_ms=latency_ms,
        )

    return emit


def _timed(log: "Logger") -> Emit:
    """The plain call in a block that is measured."""

    def emit(price: float, latency_ms: float) -> None:
        with log.timer("bench.block"):
            log.info("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit


def _decorated(log: "Logger") -> Emit:
    """The plain call in a function that is measured."""

    @log.timer("bench.function")
    def emit(price: float, latency_ms: float) -> None:
        log.info("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit


def _recorded(log: "Logger") -> Emit:
    """The plain call, and a duration that the host knows."""
    from metaexpert.logger.measuring import order_delay

    def emit(price: float, latency_ms: float) -> None:
        order_delay(0.0123, "bench")
        log.info("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit


def _exception(log: "Logger") -> Emit:
    """An error from three frames down, with a handful of local variables in each."""

    def place(symbol: str, price: float) -> None:
        request = {"symbol": symbol, "price": price, "side": "BUY"}
        attempt = 3
        raise ValueError(f"{request['symbol']} refused at attempt {attempt}")

    def send(price: float) -> None:
        symbol, retries = "BTCUSDT", [1, 2, 3]
        place(symbol, price * len(retries) / 3)

    def emit(price: float, latency_ms: float) -> None:
        try:
            send(price)
        except ValueError:
            log.exception("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit
