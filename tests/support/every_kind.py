"""One entry of every kind there is: levels, exceptions, trade events, audit, errors with a context, gaps."""

from typing import Any

from aiohttp import ClientResponseError, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from support.fake_sinks import FakeSink
from support.running_logger import logging_to
from yarl import URL

from metaexpert.logger import CustomOptions, get_logger, log_context
from metaexpert.logger.entry import Capture
from metaexpert.logger.gaps import gap_entry
from metaexpert.logger.typed_logger import error_logger


def log_every_kind() -> None:
    """Log an entry of every kind; two fills, one for each of two symbols."""
    log = get_logger("strategy.every_kind")
    with log_context(strategy_id=1001):
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(log, level)("%s entry", level, symbol="BTCUSDT", latency_ms=1.5)
        for number, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
            common: dict[str, Any] = {"order_id": 100 + number, "symbol": symbol, "side": "BUY", "quantity": "0.5"}
            log.trade.order_placed(**common, price="43100.5")
            log.trade.order_filled(**common, price="43100.5", fee="0.02", fee_asset="USDT")
            log.trade.order_cancelled(order_id=100 + number, symbol=symbol, reason="expired")
        log.trade.position_changed(symbol="BTCUSDT", quantity="0.5", entry_price="43100.5")
        log.audit("risk limit raised", actor="operator", limit="2")
        try:
            int("not a quantity")
        except ValueError:
            log.exception("order refused", order_id=7)
    error_logger(log).error("api failed", exc_info=refusal(), code=-1021)


def refusal() -> Exception:
    """A request that an exchange refused."""
    url = URL("https://api.exchange.test/v3/order")
    request = RequestInfo(url, "POST", CIMultiDictProxy(CIMultiDict()), url)
    refused = ClientResponseError(request, (), status=429, message='{"code":-1003,"msg":"too many requests"}')
    refused.add_note("the second try")
    return refused


def gap() -> Capture:
    """What says that 5 entries were dropped."""
    return gap_entry("loki", {10: 5}, (1, 9), (0, 10**9), "queue full")


async def captured_entries() -> list[Capture]:
    """Such entries as a sink is given them."""
    kept: list[Capture] = []

    class Keeping(FakeSink):
        def encode(self, entry: Capture) -> bytes:
            kept.append(entry)
            return b""

    async with logging_to(CustomOptions(new_sink=lambda _: Keeping())) as runtime:
        log_every_kind()
        assert await runtime.flush(timeout=5.0)
    return [*kept, gap()]
