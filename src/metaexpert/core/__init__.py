"""The expert: decorators, life cycle, market events, orders and bars. Importing it imports none of its parts."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from metaexpert.core.bars import BarBuilder, timeframe_seconds
    from metaexpert.core.events import Bar, Book, Funding, MarketEvent, Tick
    from metaexpert.core.expert import ExpertStats, MetaExpert, StopReason
    from metaexpert.core.feed import Feed
    from metaexpert.core.holdings import Account, Balance, Position
    from metaexpert.core.instrument import Instrument
    from metaexpert.core.orders import Fill, Order, OrderRequest, OrderResult, Refusal

_MODULES: Final = {
    "Account": "holdings",
    "Balance": "holdings",
    "Bar": "events",
    "BarBuilder": "bars",
    "Book": "events",
    "ExpertStats": "expert",
    "Feed": "feed",
    "Fill": "orders",
    "Funding": "events",
    "Instrument": "instrument",
    "MarketEvent": "events",
    "MetaExpert": "expert",
    "Order": "orders",
    "OrderRequest": "orders",
    "OrderResult": "orders",
    "Position": "holdings",
    "Refusal": "orders",
    "StopReason": "expert",
    "Tick": "events",
    "timeframe_seconds": "bars",
}

__all__ = [
    "Account",
    "Balance",
    "Bar",
    "BarBuilder",
    "Book",
    "ExpertStats",
    "Feed",
    "Fill",
    "Funding",
    "Instrument",
    "MarketEvent",
    "MetaExpert",
    "Order",
    "OrderRequest",
    "OrderResult",
    "Position",
    "Refusal",
    "StopReason",
    "Tick",
    "timeframe_seconds",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
