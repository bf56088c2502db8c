"""Binance's public REST endpoints: `/api/v3` for spot and `/fapi/v1` for USD-M futures.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
"""

from typing import Any

from support.exchanges.amounts import text
from support.exchanges.candles import Candle, interval_ms
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.market import Listing
from support.exchanges.refusals import Reason, RefusedError
from support.exchanges.server import Call, ExchangeServer

from .instruments import kind_of

_PERPETUAL_ENDS_MS = 4_133_404_800_000
_SPOT_TYPES = [
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
]  # fmt: skip
_FUTURES_TYPES = [
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
]  # fmt: skip


class PublicRest:
    """Answers what anybody may ask."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._market = server.exchange.market
        self.maintained = False
        for root in ("/api/v3", "/fapi/v1"):
            for path, answer in self._paths().items():
                server.serve(f"GET {root}/{path}", answer)
        server.serve("GET /fapi/v1/premiumIndex", self._premium)
        server.serve("GET /fapi/v1/fundingRate", self._funding_history)
        server.serve("GET /dapi/v1/exchangeInfo", lambda _: self._exchange_info([]))
        server.serve("GET /sapi/v1/system/status", self._status)

    def _paths(self) -> dict[str, Any]:
        return {
            "ping": lambda _: {},
            "time": lambda _: {"serverTime": self._server.clock.now_ms()},
            "exchangeInfo": self._info,
            "depth": self._depth,
            "klines": self._klines,
            "ticker/24hr": self._ticker,
            "ticker/bookTicker": self._book_ticker,
            "ticker/price": self._price,
            "trades": self._trades,
            "aggTrades": self._aggregates,
        }

    def listing(self, call: Call) -> Listing:
        """The market that a request names.

        Raises:
            RefusedError: there is none.
        """
        found = [x for x in self._all(call) if x.instrument.id == call.text("symbol")]
        if not found:
            raise RefusedError(Reason.UNKNOWN_SYMBOL)
        return found[0]

    def _all(self, call: Call) -> list[Listing]:
        return [x for x in self._market.listings.values() if x.instrument.kind is kind_of(call)]

    def _status(self, _: Call) -> object:
        return {"status": 1, "msg": "system_maintenance"} if self.maintained else {"status": 0, "msg": "normal"}

    def _info(self, call: Call) -> object:
        written = _futures_symbol if kind_of(call) is Kind.LINEAR else _spot_symbol
        return self._exchange_info([written(listing.instrument) for listing in self._all(call)])

    def _exchange_info(self, symbols: list[dict[str, Any]]) -> object:
        now_ms = self._server.clock.now_ms()
        return {"timezone": "UTC", "serverTime": now_ms, "rateLimits": [], "exchangeFilters": [], "symbols": symbols}

    def _depth(self, call: Call) -> object:
        listing = self.listing(call)
        bids, asks = listing.book.top(call.integer("limit", 100))
        answer: dict[str, Any] = {
            "lastUpdateId": listing.book.number,
            "bids": [[text(p), text(q)] for p, q in bids],
            "asks": [[text(p), text(q)] for p, q in asks],
        }
        now_ms = self._server.clock.now_ms()
        return answer | ({"E": now_ms, "T": now_ms} if kind_of(call) is Kind.LINEAR else {})

    def _klines(self, call: Call) -> object:
        listing, interval, count = self.listing(call), call.text("interval"), call.integer("limit", 500)
        now_ms, length = self._server.clock.now_ms(), interval_ms(interval)
        start, end = call.text("startTime"), call.integer("endTime", now_ms)
        if start:
            candles = listing.candles.between(interval, int(start), min(end, int(start) + count * length))[:count]
        else:
            candles = listing.candles.latest(interval, count, end)
        return [_kline(candle, length) for candle in candles]

    def _ticker(self, call: Call) -> object:
        if not call.text("symbol"):
            return [self._day(listing) for listing in self._all(call)]
        return self._day(self.listing(call))

    def _day(self, listing: Listing) -> dict[str, Any]:
        day, change = self._market.day(listing), self._market.day(listing).last - listing.instrument.first_price
        bids, asks = listing.book.top(1)
        spot = listing.instrument.kind is Kind.SPOT
        quotes = {
            "bidPrice": text(bids[0][0]), "bidQty": text(bids[0][1]),
            "askPrice": text(asks[0][0]), "askQty": text(asks[0][1]), "prevClosePrice": text(day.open),
        }  # fmt: skip
        return {
            "symbol": listing.instrument.id, "priceChange": text(change),
            "priceChangePercent": text(change / day.open * 100), "weightedAvgPrice": text(day.turnover / day.volume),
            "lastPrice": text(day.last), "lastQty": "1", "openPrice": text(day.open), "highPrice": text(day.high),
            "lowPrice": text(day.low), "volume": text(day.volume), "quoteVolume": text(day.turnover),
            "openTime": day.opened_ms, "closeTime": day.closed_ms, "firstId": 1, "lastId": day.trades,
            "count": day.trades,
        } | (quotes if spot else {})  # fmt: skip

    def _book_ticker(self, call: Call) -> object:
        listing = self.listing(call)
        bids, asks = listing.book.top(1)
        return {
            "symbol": listing.instrument.id, "bidPrice": text(bids[0][0]), "bidQty": text(bids[0][1]),
            "askPrice": text(asks[0][0]), "askQty": text(asks[0][1]),
        }  # fmt: skip

    def _price(self, call: Call) -> object:
        listing = self.listing(call)
        return {"symbol": listing.instrument.id, "price": text(listing.price)}

    def _trades(self, call: Call) -> object:
        trades = self.listing(call).trades[-call.integer("limit", 500) :]
        return [
            {
                "id": t.id, "price": text(t.price), "qty": text(t.quantity), "quoteQty": text(t.price * t.quantity),
                "time": t.at_ms, "isBuyerMaker": t.side == "sell", "isBestMatch": True,
            }
            for t in trades
        ]  # fmt: skip

    def _aggregates(self, call: Call) -> object:
        trades = self.listing(call).trades[-call.integer("limit", 500) :]
        return [
            {
                "a": t.id, "p": text(t.price), "q": text(t.quantity), "f": t.id, "l": t.id, "T": t.at_ms,
                "m": t.side == "sell", "M": True,
            }
            for t in trades
        ]  # fmt: skip

    def _premium(self, call: Call) -> object:
        if not call.text("symbol"):
            return [self._funding(listing) for listing in self._all(call)]
        return self._funding(self.listing(call))

    def _funding(self, listing: Listing) -> dict[str, Any]:
        return {
            "symbol": listing.instrument.id, "markPrice": text(listing.price), "indexPrice": text(listing.price),
            "estimatedSettlePrice": text(listing.price), "lastFundingRate": text(listing.funding_rate),
            "interestRate": "0.0001", "nextFundingTime": self._market.next_funding_ms(),
            "time": self._server.clock.now_ms(),
        }  # fmt: skip

    def _funding_history(self, call: Call) -> object:
        listing, last = self.listing(call), self._market.next_funding_ms() - 8 * 3_600_000
        return [
            {
                "symbol": listing.instrument.id, "fundingTime": last, "fundingRate": text(listing.funding_rate),
                "markPrice": text(listing.price),
            }
        ]  # fmt: skip


def _kline(candle: Candle, length_ms: int) -> list[Any]:
    worth = text(candle.volume * candle.close)
    return [
        candle.start_ms, text(candle.open), text(candle.high), text(candle.low), text(candle.close),
        text(candle.volume), candle.start_ms + length_ms - 1, worth, candle.trades, text(candle.volume / 2),
        text(candle.volume * candle.close / 2), "0",
    ]  # fmt: skip


def _filters(instrument: Instrument, notional: dict[str, Any]) -> list[dict[str, Any]]:
    lots = {"minQty": text(instrument.min_quantity), "maxQty": "9000", "stepSize": text(instrument.lot)}
    tick = text(instrument.tick)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        notional,
    ]


def _spot_symbol(instrument: Instrument) -> dict[str, Any]:
    notional = {
        "filterType": "NOTIONAL", "minNotional": text(instrument.min_notional), "applyMinToMarket": True,
        "maxNotional": "9000000", "applyMaxToMarket": False, "avgPriceMins": 5,
    }  # fmt: skip
    return {
        "symbol": instrument.id, "status": "TRADING", "baseAsset": instrument.base, "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8, "orderTypes": _SPOT_TYPES,
        "icebergAllowed": True, "ocoAllowed": True, "quoteOrderQtyMarketAllowed": True, "allowTrailingStop": True,
        "cancelReplaceAllowed": True, "isSpotTradingAllowed": True, "isMarginTradingAllowed": True,
        "filters": _filters(instrument, notional), "permissions": [], "permissionSets": [["SPOT", "MARGIN"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER", "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
    }  # fmt: skip


def _futures_symbol(instrument: Instrument) -> dict[str, Any]:
    notional = {"filterType": "MIN_NOTIONAL", "notional": text(instrument.min_notional)}
    return {
        "symbol": instrument.id, "pair": instrument.id, "contractType": "PERPETUAL",
        "deliveryDate": _PERPETUAL_ENDS_MS, "onboardDate": 1_569_398_400_000, "status": "TRADING",
        "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000", "baseAsset": instrument.base,
        "quoteAsset": instrument.quote, "marginAsset": instrument.quote, "pricePrecision": 2,
        "quantityPrecision": 3, "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "underlyingSubType": ["PoW"], "triggerProtect": "0.0500", "liquidationFee": "0.012500",
        "marketTakeBound": "0.05", "maxMoveOrderLimit": 10_000, "filters": _filters(instrument, notional),
        "orderTypes": _FUTURES_TYPES, "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }  # fmt: skip
