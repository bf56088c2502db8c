"""The calls of ours whose entries are journalled, with the fields of the workload and the ordinary call beside them.

Each has code of its own, for the interpreter specialises call sites, and is named as the workload has it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.workload import Emit, Log, number_of

if TYPE_CHECKING:
    from metaexpert.logger import Logger, Receipt


def calls(log: "Logger") -> Mapping[str, Emit]:
    """The calls by name, the ordinary one first."""
    return {
        "info": _info(log),
        "error": _error(log),
        "critical": _critical(log),
        "audit": _audit(log),
        "trade": _trade(log),
    }


def _info(log: Log) -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.info("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit


def _error(log: "Logger") -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.error("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit


def _critical(log: "Logger") -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.critical("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit


def _audit(log: "Logger") -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.audit("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit


def _trade(log: "Logger") -> Emit:
    def emit(price: float, latency_ms: float) -> None:
        log.trade.order_filled(
            order_id=number_of(price),
            symbol="BTCUSDT",
            side="BUY",
            quantity="2",
            price=price,
            exchange="binance",
            latency_ms=latency_ms,
        )

    return emit


def awaited(log: "Logger", price: float, latency_ms: float) -> "Receipt":
    """Log at CRITICAL and keep the receipt."""

    def emit() -> "Receipt":
        return log.critical("tick", exchange="binance", symbol="BTCUSDT", price=price, latency_ms=latency_ms)

    return emit()
