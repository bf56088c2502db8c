"""OKX's public REST endpoints.

https://www.okx.com/docs-v5/en/#public-data-rest-api
"""

from typing import Any

from support.exchanges.amounts import text
from support.exchanges.candles import Candle, interval_ms
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.market import Listing, Market
from support.exchanges.server import Call, ExchangeServer

from .errors import body
from .instruments import interval_name, listing, type_of


class PublicRest:
    """Answers what anybody may ask."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._market = server.exchange.market
        self.maintained = False
        for path, answer in {
            "system/status": self._status,
            "public/time": lambda _: [{"ts": str(server.clock.now_ms())}],
            "public/instruments": self._instruments,
            "public/funding-rate": self._funding,
            "public/mark-price": self._mark_price,
            "market/ticker": lambda call: [ticker(self._market, self._listing(call))],
            "market/tickers": self._tickers,
            "market/books": self._book,
            "market/candles": self._candles,
            "market/history-candles": self._candles,
            "market/trades": self._trades,
        }.items():
            server.serve(f"GET /api/v5/{path}", self._wrapped(answer))

    def _wrapped(self, answer: Any) -> Any:
        return lambda call: body("0", "", answer(call))

    def _listing(self, call: Call) -> Listing:
        return listing(self._market, call.text("instId"))

    def _asked(self, call: Call) -> list[Listing]:
        if call.text("instId"):
            return [self._listing(call)]
        found = self._market.listings.values()
        return [x for x in found if type_of(x.instrument) == call.text("instType")]

    def _status(self, _: Call) -> object:
        if not self.maintained:
            return []
        return [
            {
                "title": "Trading account WebSocket system upgrade", "state": "ongoing", "begin": "0", "end": "0",
                "href": "", "serviceType": "1", "system": "unified", "maintType": "1", "env": "1",
            }
        ]  # fmt: skip

    def _instruments(self, call: Call) -> object:
        return [_instrument(x.instrument) for x in self._asked(call)]

    def _tickers(self, call: Call) -> object:
        return [ticker(self._market, x) for x in self._asked(call)]

    def _book(self, call: Call) -> object:
        found = self._listing(call)
        now_ms = str(self._server.clock.now_ms())
        return [book_sides(found, call.integer("sz", 1)) | {"ts": now_ms, "seqId": found.book.number}]

    def _candles(self, call: Call) -> object:
        found, interval, count = self._listing(call), interval_name(call.text("bar", "1m")), call.integer("limit", 100)
        now_ms, length = self._market.clock.now_ms(), interval_ms(interval)
        until, since = call.integer("after", now_ms + 1), call.text("before")
        if since:
            candles = found.candles.between(interval, int(since) + 1, min(until - 1, now_ms))[-count:]
        else:
            candles = found.candles.latest(interval, count, until - 1)
        return [candle_row(c, finished=c.start_ms + length <= now_ms) for c in reversed(candles)]

    def _trades(self, call: Call) -> object:
        recent = self._listing(call).trades[-call.integer("limit", 100) :]
        return [
            {
                "instId": t.instrument.id, "tradeId": str(t.id), "px": text(t.price), "sz": text(t.quantity),
                "side": t.side, "ts": str(t.at_ms), "source": "0",
            }
            for t in reversed(recent)
        ]  # fmt: skip

    def _funding(self, call: Call) -> object:
        return [funding(self._market, x) for x in self._asked(call) if x.instrument.kind is not Kind.SPOT]

    def _mark_price(self, call: Call) -> object:
        now_ms = str(self._server.clock.now_ms())
        asked = [x for x in self._asked(call) if x.instrument.kind is not Kind.SPOT]
        return [{"instType": "SWAP", "instId": x.instrument.id, "markPx": text(x.price), "ts": now_ms} for x in asked]


def book_sides(found: Listing, depth: int) -> dict[str, Any]:
    """Bids and asks; each level ends with an unused figure and its number of orders."""
    bids, asks = found.book.top(depth)
    return {
        "asks": [[text(p), text(q), "0", "1"] for p, q in asks],
        "bids": [[text(p), text(q), "0", "1"] for p, q in bids],
    }


def candle_row(candle: Candle, *, finished: bool) -> list[str]:
    """Start, prices, volumes, and whether it is finished."""
    volume, worth = text(candle.volume), text(candle.volume * candle.close)
    return [
        str(candle.start_ms), text(candle.open), text(candle.high), text(candle.low), text(candle.close), volume,
        volume, worth, "1" if finished else "0",
    ]  # fmt: skip


def ticker(market: Market, found: Listing) -> dict[str, Any]:
    """The last day of an instrument."""
    day, (bids, asks) = market.day(found), found.book.top(1)
    (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
    return {
        "instType": type_of(found.instrument), "instId": found.instrument.id, "last": text(found.price),
        "lastSz": "1", "askPx": text(ask), "askSz": text(ask_size), "bidPx": text(bid), "bidSz": text(bid_size),
        "open24h": text(day.open), "high24h": text(day.high), "low24h": text(day.low),
        "volCcy24h": text(day.turnover), "vol24h": text(day.volume), "sodUtc0": text(day.open),
        "sodUtc8": text(day.open), "ts": str(day.closed_ms),
    }  # fmt: skip


def funding(market: Market, found: Listing) -> dict[str, Any]:
    """The funding that is paid next."""
    next_ms = market.next_funding_ms()
    return {
        "instType": "SWAP", "instId": found.instrument.id, "method": "current_period", "formulaType": "withRate",
        "fundingRate": text(found.funding_rate), "nextFundingRate": "", "fundingTime": str(next_ms),
        "nextFundingTime": str(next_ms + 8 * 3_600_000), "minFundingRate": "-0.00375", "maxFundingRate": "0.00375",
        "interestRate": "0.0001", "impactValue": "20000", "settState": "settled",
        "settFundingRate": text(found.funding_rate), "premium": "0", "ts": str(market.clock.now_ms()),
    }  # fmt: skip


def _instrument(instrument: Instrument) -> dict[str, Any]:
    spot, inverse = instrument.kind is Kind.SPOT, instrument.kind is Kind.INVERSE
    family = f"{instrument.base}-{instrument.quote}"
    return {
        "instType": type_of(instrument), "instId": instrument.id, "instIdCode": len(instrument.id),
        "uly": "" if spot else family, "instFamily": "" if spot else family, "category": "1",
        "baseCcy": instrument.base if spot else "", "quoteCcy": instrument.quote if spot else "",
        "settleCcy": "" if spot else instrument.settle, "ctVal": "" if spot else text(instrument.contract_size),
        "ctMult": "" if spot else "1", "ctValCcy": "" if spot else ("USD" if inverse else instrument.base),
        "ctType": "" if spot else ("inverse" if inverse else "linear"), "optType": "", "stk": "",
        "listTime": "1611916828000", "expTime": "", "lever": "10" if spot else str(instrument.max_leverage),
        "tickSz": text(instrument.tick), "lotSz": text(instrument.lot), "minSz": text(instrument.min_quantity),
        "alias": "", "state": "live", "ruleType": "normal", "maxLmtSz": "9999999999", "maxMktSz": "1000000",
        "maxLmtAmt": "20000000", "maxMktAmt": "1000000", "maxTwapSz": "9999999999", "maxIcebergSz": "9999999999",
        "maxTriggerSz": "9999999999", "maxStopSz": "1000000",
    }  # fmt: skip
