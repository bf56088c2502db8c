"""Bybit's public REST endpoints under `/v5/market`.

https://bybit-exchange.github.io/docs/v5/market/instrument
"""

from typing import Any

from support.exchanges.amounts import text
from support.exchanges.candles import interval_ms
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.market import Listing, Market
from support.exchanges.server import Call, ExchangeServer

from .errors import body
from .instruments import interval_name, listing

_HOUR = "8"


class PublicRest:
    """Answers what anybody may ask."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._market = server.exchange.market
        self.maintained = False
        for path, answer in {
            "system/status": self._status,
            "market/time": self._time,
            "market/instruments-info": self._instruments,
            "market/tickers": self._tickers,
            "market/kline": self._klines,
            "market/orderbook": self._book,
            "market/recent-trade": self._trades,
            "market/funding/history": self._funding_history,
        }.items():
            server.serve(f"GET /v5/{path}", self._wrapped(answer))

    def _wrapped(self, answer: Any) -> Any:
        return lambda call: body(0, "OK", self._server.clock.now_ms(), answer(call))

    def _listing(self, call: Call) -> Listing:
        return listing(self._market, call.text("category"), call.text("symbol"))

    def _asked(self, call: Call) -> list[Listing]:
        if call.text("symbol"):
            return [self._listing(call)]
        found = self._market.listings.values()
        return [x for x in found if x.instrument.kind.value == call.text("category")]

    def _status(self, _: Call) -> object:
        event = {"id": "f9d6842d", "title": "upgrade", "begin": "0", "end": "0", "href": "", "serviceTypes": [2]}
        return {"list": [event | {"state": "ongoing" if self.maintained else "completed"}]}

    def _time(self, _: Call) -> object:
        now_ms = self._server.clock.now_ms()
        return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}

    def _instruments(self, call: Call) -> object:
        category = call.text("category")
        asked = [] if call.text("status") == "PreLaunch" else self._asked(call)
        written = _spot_instrument if category == "spot" else _contract
        return {
            "category": category,
            "list": [written(x.instrument) for x in asked],
            **({} if category == "spot" else {"nextPageCursor": ""}),
        }

    def _tickers(self, call: Call) -> object:
        return {"category": call.text("category"), "list": [ticker(self._market, x) for x in self._asked(call)]}

    def _klines(self, call: Call) -> object:
        found, interval, count = self._listing(call), interval_name(call.text("interval")), call.integer("limit", 200)
        now_ms, start = self._market.clock.now_ms(), call.text("start")
        if start:
            last = min(call.integer("end", now_ms), int(start) + (count - 1) * interval_ms(interval), now_ms)
            candles = found.candles.between(interval, int(start), last)
        else:
            candles = found.candles.latest(interval, count, call.integer("end", now_ms))
        rows = [
            [
                str(c.start_ms), text(c.open), text(c.high), text(c.low), text(c.close), text(c.volume),
                text(c.volume * c.close),
            ]
            for c in reversed(candles)
        ]  # fmt: skip
        return {"symbol": found.instrument.id, "category": call.text("category"), "list": rows}

    def _book(self, call: Call) -> object:
        found = self._listing(call)
        bids, asks = found.book.top(call.integer("limit", 25))
        now_ms = self._server.clock.now_ms()
        return {
            "s": found.instrument.id, "b": [[text(p), text(q)] for p, q in bids],
            "a": [[text(p), text(q)] for p, q in asks], "ts": now_ms, "u": found.book.number // 3,
            "seq": found.book.number, "cts": now_ms,
        }  # fmt: skip

    def _trades(self, call: Call) -> object:
        found = self._listing(call)
        rows = [
            {
                "execId": str(t.id), "symbol": t.instrument.id, "price": text(t.price), "size": text(t.quantity),
                "side": t.side.capitalize(), "time": str(t.at_ms), "isBlockTrade": False, "isRPITrade": False,
            }
            for t in reversed(found.trades[-call.integer("limit", 60) :])
        ]  # fmt: skip
        return {"category": call.text("category"), "list": rows}

    def _funding_history(self, call: Call) -> object:
        found, last = self._listing(call), self._market.next_funding_ms() - 8 * 3_600_000
        row = {
            "symbol": found.instrument.id, "fundingRate": text(found.funding_rate),
            "fundingRateTimestamp": str(last),
        }  # fmt: skip
        return {"category": call.text("category"), "list": [row]}


def ticker(market: Market, found: Listing) -> dict[str, Any]:
    """The last day of an instrument, with funding where there is any."""
    day, (bids, asks) = market.day(found), found.book.top(1)
    price = text(found.price)
    row = {
        "symbol": found.instrument.id, "bid1Price": text(bids[0][0]), "bid1Size": text(bids[0][1]),
        "ask1Price": text(asks[0][0]), "ask1Size": text(asks[0][1]), "lastPrice": price,
        "prevPrice24h": text(day.open), "price24hPcnt": text((day.last - day.open) / day.open),
        "highPrice24h": text(day.high), "lowPrice24h": text(day.low), "turnover24h": text(day.turnover),
        "volume24h": text(day.volume),
    }  # fmt: skip
    if found.instrument.kind is Kind.SPOT:
        return row | {"usdIndexPrice": price}
    return row | {
        "indexPrice": price, "markPrice": price, "prevPrice1h": text(day.open), "openInterest": "53000",
        "openInterestValue": text(53_000 * found.price), "fundingRate": text(found.funding_rate),
        "nextFundingTime": str(market.next_funding_ms()), "predictedDeliveryPrice": "", "basisRate": "", "basis": "",
        "deliveryFeeRate": "", "deliveryTime": "0", "fundingIntervalHour": _HOUR,
    }  # fmt: skip


def _spot_instrument(instrument: Instrument) -> dict[str, Any]:
    lot = text(instrument.lot)
    return {
        "symbol": instrument.id, "baseCoin": instrument.base, "quoteCoin": instrument.quote, "innovation": "0",
        "status": "Trading", "marginTrading": "both", "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": lot, "quotePrecision": "0.0000001", "minOrderQty": text(instrument.min_quantity),
            "maxOrderQty": "83", "minOrderAmt": text(instrument.min_notional), "maxOrderAmt": "8000000",
            "maxLimitOrderQty": "83", "maxMarketOrderQty": "41.5",
        },
        "priceFilter": {"tickSize": text(instrument.tick)},
        "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
    }  # fmt: skip


def _contract(instrument: Instrument) -> dict[str, Any]:
    inverse = instrument.kind is Kind.INVERSE
    return {
        "symbol": instrument.id, "contractType": "InversePerpetual" if inverse else "LinearPerpetual",
        "status": "Trading", "baseCoin": instrument.base, "quoteCoin": instrument.quote,
        "launchTime": "1584230400000", "deliveryTime": "0", "deliveryFeeRate": "", "priceScale": "2",
        "leverageFilter": {
            "minLeverage": "1", "maxLeverage": f"{instrument.max_leverage}.00", "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": text(instrument.tick), "maxPrice": "1999999.8", "tickSize": text(instrument.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": "1190", "minOrderQty": text(instrument.min_quantity), "qtyStep": text(instrument.lot),
            "postOnlyMaxOrderQty": "1190", "maxMktOrderQty": "500", "minNotionalValue": text(instrument.min_notional),
        },
        "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": instrument.settle, "copyTrading": "none",
        "upperFundingRate": "0.005", "lowerFundingRate": "-0.005", "isPreListing": False, "preListingInfo": None,
    }  # fmt: skip
