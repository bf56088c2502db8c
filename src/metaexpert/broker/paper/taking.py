"""What an order that takes liquidity would be filled with: out of the book, else at the quote with slippage.

Where neither depth nor quote is known, the quote is the last price with half the option's spread on either side. Prices
away from the book are rounded to the step that is worse for the trader, and never beyond a limit.
"""

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from metaexpert.broker.paper.money import ZERO
from metaexpert.broker.paper.state import Level, Prices
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.events import Side
from metaexpert.core.instrument import Instrument
from metaexpert.core.orders import OrderRequest

type Executions = list[Level]
"""Price and quantity of each fill to come."""


def executions(venue: Venue, symbol: str, side: Side, quantity: Decimal, limit: Decimal | None) -> Executions:
    """The fills that `quantity` would get right now at `limit` or better; less than all where depth ends before."""
    prices = venue.prices(symbol)
    instrument = venue.instruments[symbol]
    if prices.asks if side == "BUY" else prices.bids:
        return list(_walk(prices, instrument, side, quantity, limit))
    best = best_price(venue, symbol, side)
    if not quantity or best is None or (limit is not None and not reaches(side, best, limit)):
        return []
    worst = _slipped(venue, instrument, side, best)
    return [(worst if limit is None or reaches(side, worst, limit) else limit, quantity)]


def crosses(venue: Venue, request: OrderRequest) -> bool:
    """Whether a limit order would be filled at once, at least in part."""
    best = best_price(venue, request.symbol, request.side)
    return best is not None and request.price is not None and reaches(request.side, best, request.price)


def best_price(venue: Venue, symbol: str, side: Side) -> Decimal | None:
    """What the first unit would cost, or bring; None before the first price."""
    prices = venue.prices(symbol)
    levels = prices.asks if side == "BUY" else prices.bids
    if levels:
        return levels[0][0]
    quoted = prices.ask if side == "BUY" else prices.bid
    if quoted is not None or prices.last is None:
        return quoted
    half = venue.options.spread_pct / 200
    instrument = venue.instruments[symbol]
    return _worse(instrument, side, prices.last * (1 + half if side == "BUY" else 1 - half))


def reaches(side: Side, price: Decimal, limit: Decimal) -> bool:
    """Whether `price` is as good as `limit` or better for this side."""
    return price <= limit if side == "BUY" else price >= limit


def take_depth(prices: Prices, side: Side, executed: Level) -> None:
    """What is filled out of the book is gone until the next book comes."""
    price, quantity = executed
    if prices.asks if side == "BUY" else prices.bids:
        prices.taken[price] = prices.taken.get(price, ZERO) + quantity


def _walk(
    prices: Prices, instrument: Instrument, side: Side, quantity: Decimal, limit: Decimal | None
) -> Iterator[Level]:
    for price, depth in prices.asks if side == "BUY" else prices.bids:
        if not quantity or (limit is not None and not reaches(side, price, limit)):
            return
        taken = instrument.quantity(min(quantity, depth - prices.taken.get(price, ZERO)))
        if taken > 0:
            quantity -= taken
            yield price, taken


def _slipped(venue: Venue, instrument: Instrument, side: Side, best: Decimal) -> Decimal:
    slippage = venue.options.slippage_pct
    if not slippage:
        return best
    share = venue.draw() * slippage / 100
    return _worse(instrument, side, best * (1 + share if side == "BUY" else 1 - share))


def _worse(instrument: Instrument, side: Side, price: Decimal) -> Decimal:
    steps = (price / instrument.price_step).to_integral_value(ROUND_CEILING if side == "BUY" else ROUND_FLOOR)
    return max(steps, Decimal(1)) * instrument.price_step
