"""The expert: decorators, life cycle, market events and bars."""

from metaexpert.core.bars import BarBuilder, timeframe_seconds
from metaexpert.core.events import Bar, MarketEvent, Tick
from metaexpert.core.expert import ExpertStats, MetaExpert, StopReason
from metaexpert.core.feed import Feed

__all__ = [
    "Bar",
    "BarBuilder",
    "ExpertStats",
    "Feed",
    "MarketEvent",
    "MetaExpert",
    "StopReason",
    "Tick",
    "timeframe_seconds",
]
