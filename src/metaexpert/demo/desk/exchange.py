"""The exchange's order endpoint, served beside its market stream: takes what is small enough, and refuses the rest.

Answers and codes are those of Binance's "New order": an order worth more than `MOST_NOTIONAL` breaks a filter (-1013).
Its own entries are in the trace of whoever asked.
"""

import itertools
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from aiohttp import web

from metaexpert.logger import get_logger, trace_middleware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.typedefs import Middleware

PATH: Final = "/api/v3/order"
MOST_NOTIONAL: Final = 10_000
FILTER_CODE: Final = -1013
LOGGER: Final = "demo.exchange"

log = get_logger(LOGGER)


class OrderEndpoint:
    """Takes orders; `routes` go into a server's application, which `trace_middleware` stands before."""

    def __init__(self) -> None:
        self._order_ids: Iterator[int] = itertools.count(1)
        self.middlewares: tuple[Middleware, ...] = (trace_middleware,)
        self.routes = (web.post(PATH, self._take),)
        self.taken = 0
        self.refused = 0

    async def _take(self, request: web.Request) -> web.Response:
        query = request.query
        notional = _notional(query.get("quantity", ""), query.get("price", ""))
        if notional is not None and notional <= MOST_NOTIONAL:
            self.taken += 1
            return web.json_response({"orderId": next(self._order_ids), "status": "NEW"})
        self.refused += 1
        log.info("order refused", order_id=query.get("newClientOrderId", ""), code=FILTER_CODE)
        return web.json_response({"code": FILTER_CODE, "msg": "Filter failure: NOTIONAL"}, status=400)


def _notional(quantity: str, price: str) -> Decimal | None:
    """What an order is worth; None where it is no order."""
    try:
        notional = Decimal(quantity) * Decimal(price)
    except InvalidOperation:
        return None
    return notional if notional.is_finite() else None
