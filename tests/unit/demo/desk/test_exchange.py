"""The order endpoint over real HTTP: takes what is small, refuses the rest with Binance's code; requests are signed."""

import hashlib
import hmac
from decimal import Decimal

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from support.running_logger import logging_to

from metaexpert.demo.desk.exchange import PATH, OrderEndpoint
from metaexpert.demo.desk.gateway import Credentials, Gateway
from metaexpert.demo.market import MarketServer
from metaexpert.demo.order import Order
from metaexpert.logger import MemoryOptions
from metaexpert.logger.sinks.memory import MemorySink

CREDENTIALS = Credentials("the-key", "the-secret")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"quantity": "0.1", "price": "60000"}, 200),
        ({"quantity": "1", "price": "60000"}, 400),
        ({"quantity": "nan", "price": "1"}, 400),
        ({"quantity": "much", "price": "1"}, 400),
        ({}, 400),
    ],
)
async def test_what_is_worth_too_much_or_is_no_order_is_refused(query: dict[str, str], status: int):
    endpoint = OrderEndpoint()
    async with (
        MarketServer([], orders=endpoint) as server,
        aiohttp.ClientSession() as session,
        session.post(server.http_url + PATH, params=query) as response,
    ):
        answer = await response.json()
    assert response.status == status
    assert answer.get("code") == (None if status == 200 else -1013)
    assert (endpoint.taken, endpoint.refused) == (int(status == 200), int(status == 400))


async def test_the_gateway_signs_what_it_sends_and_tells_of_a_refusal():
    seen: list[web.Request] = []

    @web.middleware
    async def listen(request: web.Request, handler: Handler) -> web.StreamResponse:
        seen.append(request)
        return await handler(request)

    endpoint = OrderEndpoint()
    endpoint.middlewares = (*endpoint.middlewares, listen)
    large = Order("paper-1", "BTCUSDT", "BUY", Decimal(1), Decimal("60000.5"))
    small = Order("paper-2", "BTCUSDT", "SELL", Decimal("0.1"), Decimal("60000.5"))
    async with (
        logging_to(MemoryOptions()) as runtime,
        MarketServer([], orders=endpoint) as server,
        Gateway.connected(server.http_url, CREDENTIALS) as sender,
    ):
        assert await sender.send(large) == "Filter failure: NOTIONAL (-1013)"
        assert await sender.send(small) == ""
        await runtime.flush()
        memory = runtime.sinks["memory"]
        assert isinstance(memory, MemorySink)
        entries = list(memory.entries)
    unsigned, _, signature = seen[0].rel_url.raw_query_string.partition("&signature=")
    assert signature == hmac.new(b"the-secret", unsigned.encode(), hashlib.sha256).hexdigest()
    assert sender.signatures == {"paper-1": signature}
    assert seen[0].headers["X-MBX-APIKEY"] == "the-key"
    failed = [entry for entry in entries if entry["message"] == "request failed"]
    assert [entry["extra"]["request_id"] for entry in failed] == ["paper-1"]
    assert signature not in str(entries)


async def test_an_exchange_that_is_not_there_refuses_too():
    order = Order("paper-1", "BTCUSDT", "BUY", Decimal(1), Decimal(1))
    async with MarketServer([], orders=OrderEndpoint()) as server:
        url = server.http_url
    async with logging_to(MemoryOptions()), Gateway.connected(url, CREDENTIALS) as sender:
        assert (await sender.send(order)).startswith("the exchange cannot be reached: ")
