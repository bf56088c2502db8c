"""Sends orders to the exchange, signed, over one traced session; what it knew of an order is told when that fails.

Its DEBUG entries are below its logger's level: they are held in memory, and written for an order that is refused.
"""

import hashlib
import hmac
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import aiohttp
from yarl import URL

from metaexpert.demo.desk.exchange import PATH
from metaexpert.demo.order import Order
from metaexpert.logger import get_logger, request_tracing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

LOGGER: Final = "demo.gateway"
EXCHANGE: Final = "binance"
HELD_MESSAGES: Final = ("order signed", "order sent", "exchange answered")
_TIMEOUT_SECONDS: Final = 10.0

log = get_logger(LOGGER)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What requests are signed with, never to be seen in any log."""

    api_key: str
    api_secret: str


@final
class Gateway:
    """One session to the exchange at `url`.

    Attributes:
        signatures: those it gave to orders that were refused, by the orders' ids.
    """

    def __init__(self, session: aiohttp.ClientSession, url: URL, credentials: Credentials) -> None:
        self._session = session
        self._url = url
        self._credentials = credentials
        self.signatures: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, credentials: Credentials) -> "AsyncGenerator[Gateway]":
        """A gateway with a session of its own."""
        log.setLevel(logging.INFO)
        async with aiohttp.ClientSession(
            trace_configs=[request_tracing(log, exchange=EXCHANGE)],
            headers={"X-MBX-APIKEY": credentials.api_key},
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
        ) as session:
            yield cls(session, URL(url), credentials)

    async def send(self, order: Order) -> str:
        """Send an order; what the exchange says against it, empty where it takes it."""
        bound = log.bind(order_id=order.order_id, symbol=order.symbol)
        url, signature = self._signed(order)
        signed, sent, answered = HELD_MESSAGES
        bound.debug(signed, algorithm="HMAC-SHA256", quantity=order.quantity, price=order.price)
        try:
            bound.debug(sent, notional=order.quantity * order.price)
            async with self._session.post(url, trace_request_ctx={"request_id": order.order_id}) as response:
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"the exchange cannot be reached: {type(error).__name__}"
        refusal = f"{answer.get('msg')} ({answer.get('code')})" if response.status >= 400 else ""  # noqa: PLR2004
        bound.debug(answered, status=response.status, refused=bool(refusal))
        if refusal:
            self.signatures[order.order_id] = signature
        return refusal

    def _signed(self, order: Order) -> tuple[URL, str]:
        query = {
            "symbol": order.symbol,
            "side": order.side,
            "type": "LIMIT",
            "quantity": f"{order.quantity:f}",
            "price": f"{order.price:f}",
            "newClientOrderId": order.order_id,
        }
        url = self._url.with_path(PATH).with_query(query)
        secret = self._credentials.api_secret.encode()
        signature = hmac.new(secret, url.raw_query_string.encode(), hashlib.sha256).hexdigest()
        return url.update_query(signature=signature), signature
