"""What aiohttp's and ccxt's exceptions tell of a request; `log.api_failure` and `log.order_invalid`."""

import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from support.running_logger import logging_to

from metaexpert.logger import LoggingRuntime, MemoryOptions, get_logger
from metaexpert.logger.faults.api_errors import api_error_of
from metaexpert.logger.redaction import Redactor

SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
scrub = Redactor().scrub


def told(error: BaseException) -> dict[str, Any]:
    return dict(api_error_of(error, scrub) or {})


def ccxt_error(name: str, message: str, *bases: str) -> Exception:
    """An exception as ccxt's are, which is not installed here."""
    module = ModuleType("ccxt.base.errors")
    kind: Any = Exception
    for each in (*bases, name):
        kind = type(each, (kind,), {"__module__": module.__name__})
    return kind(message)


def test_ccxt_tells_request_status_and_the_exchanges_code():
    error = ccxt_error(
        "InvalidOrder",
        f"binance POST https://api.binance.com/api/v3/order?quantity=1&signature={SIGNATURE} 400 Bad Request "
        '{"code":-1013,"msg":"Filter failure: LOT_SIZE"}',
        "ExchangeError",
    )
    assert api_error_of(error, scrub) == {
        "exchange": "binance",
        "method": "POST",
        "host": "api.binance.com",
        "path": "/api/v3/order",
        "status": 400,
        "exchange_code": "-1013",
        "exchange_message": "Filter failure: LOT_SIZE",
        "retryable": False,
    }


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        ('bybit {"retCode":10001,"retMsg":"qty invalid"}', "10001", "qty invalid"),
        ('okx {"code":"1","data":[{"sCode":"51008","sMsg":"no funds"}],"msg":"failed"}', "51008", "no funds"),
        ('kraken {"error":["EOrder:Insufficient funds"]}', None, "EOrder:Insufficient funds"),
        ('gate {"error":{"code":7,"message":"late"}}', "7", "late"),
        ("kucoin request timed out", None, "kucoin request timed out"),
        ('broken {"code": [', None, 'broken {"code": ['),
    ],
)
def test_each_exchange_has_its_own_words(message: str, code: str | None, said: str):
    found = told(ccxt_error("ExchangeError", message))
    assert (found.get("exchange_code"), found["exchange_message"]) == (code, said)


def test_what_the_network_refused_may_be_tried_again():
    assert told(ccxt_error("RequestTimeout", "binance x", "NetworkError"))["retryable"] is True
    assert told(ccxt_error("BadSymbol", "binance x"))["retryable"] is False


def test_it_is_found_behind_an_exception_that_came_of_it():
    error = RuntimeError("order not placed")
    error.__cause__ = ccxt_error("ExchangeError", 'binance {"code":-2010,"msg":"no funds"}')
    assert told(error)["exchange_code"] == "-2010"
    assert api_error_of(RuntimeError("other"), scrub) is None


def test_ccxt_itself_is_not_imported():
    assert "ccxt" not in sys.modules


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server that refuses."""

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=429, text="slow down")

    application = web.Application()
    application.router.add_get("/api/v3/account", refuse)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server: Any = site._server  # its port
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await runner.cleanup()


async def test_aiohttp_tells_request_and_status(url: str):
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        with pytest.raises(aiohttp.ClientResponseError) as refused:
            await session.get(f"{url}/api/v3/account?signature={SIGNATURE}")
    assert api_error_of(refused.value, scrub) == {
        "method": "GET",
        "host": url.removeprefix("http://"),
        "path": "/api/v3/account",
        "status": 429,
        "exchange_message": "Too Many Requests",
        "retryable": True,
    }


async def test_aiohttp_tells_whom_it_could_not_reach():
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await session.get("http://127.0.0.1:1/x")
    assert api_error_of(refused.value, scrub) == {"host": "127.0.0.1:1", "retryable": True}
    assert api_error_of(aiohttp.InvalidURL("http://x/a?b"), scrub) == {"host": "x", "path": "/a", "retryable": False}


async def entries(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    assert await runtime.flush()
    sink: Any = runtime.sinks["memory"]
    return list(sink.entries)


async def test_an_exception_brings_it_by_itself():
    async with logging_to(MemoryOptions()) as runtime:
        get_logger("api").error("no", exc_info=ccxt_error("ExchangeError", 'binance {"code":-2010,"msg":"no funds"}'))
        (entry,) = await entries(runtime)
    assert entry["exception"]["api_error"]["exchange_code"] == "-2010"


async def test_a_call_tells_what_the_exception_does_not():
    async with logging_to(MemoryOptions()) as runtime:
        receipt = get_logger("api").api_failure(
            ccxt_error("ExchangeError", 'binance {"code":-1003,"msg":"Too many requests"}'),
            method="POST",
            url=f"https://api.binance.com:444/api/v3/order?signature={SIGNATURE}",
            status=418,
            attempt=2,
            latency_seconds=0.3501,
            retryable=True,
            symbol="BTCUSDT",
        )
        assert receipt is not None
        (entry,) = await entries(runtime)
    assert entry["message"] == (
        "binance POST api.binance.com:444/api/v3/order failed: 418, code -1003, Too many requests, attempt 2, 350.1 ms"
    )
    assert entry["extra"]["symbol"] == "BTCUSDT"
    assert entry["extra"]["api_error"] == {
        "exchange": "binance",
        "exchange_code": "-1003",
        "exchange_message": "Too many requests",
        "retryable": True,
        "host": "api.binance.com:444",
        "path": "/api/v3/order",
        "latency_ms": 350.1,
        "method": "POST",
        "status": 418,
        "attempt": 2,
    }
    assert (entry["level"], entry["function"]) == ("ERROR", "test_a_call_tells_what_the_exception_does_not")
    assert SIGNATURE not in str(entry)


async def test_a_call_without_an_exception_and_one_with_nonsense_arrive():
    bad: Any = object()
    async with logging_to(MemoryOptions()) as runtime:
        log = get_logger("api")
        log.api_failure(exchange="kraken", exchange_code=7, level=30)
        log.api_failure(None, latency_seconds=bad)
        log.api_failure(TimeoutError(), url="http://[")
        first, second, third = await entries(runtime)
    assert (first["level"], first["message"]) == ("WARNING", "kraken failed: code 7")
    assert "exception" not in first
    assert second["extra"] == {"log_call_failed": "TypeError"}
    assert third["message"] == "a request failed: TimeoutError"


async def test_an_order_that_breaks_a_rule():
    async with logging_to(MemoryOptions()) as runtime:
        log = get_logger("orders").bind(strategy="s1")
        log.order_invalid(
            parameter="quantity", value=Decimal("0.00010"), rule="min_quantity", limit=Decimal("0.001"), symbol="BTC"
        )
        log.order_invalid(parameter="api_key", value="hunter2", rule="length")
        log.order_invalid(parameter="price", value=object(), rule="tick_size", level=10)
        first, second, third = await entries(runtime)
    assert first["message"] == "order invalid: quantity 0.00010 breaks min_quantity (0.001)"
    assert first["extra"]["validation"] == {
        "parameter": "quantity",
        "value": "0.00010",
        "rule": "min_quantity",
        "limit": "0.001",
    }
    assert (first["extra"]["strategy"], first["extra"]["symbol"]) == ("s1", "BTC")
    assert "hunter2" not in str(second)
    assert third["level"] == "DEBUG"
