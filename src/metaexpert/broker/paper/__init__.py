"""Trading on paper: a market with fees, spread, slippage, partial fills, margin, funding and liquidation."""

from metaexpert.broker.paper.broker import PaperBroker
from metaexpert.broker.paper.engine import PaperEngine
from metaexpert.broker.paper.options import PaperOptions

__all__ = ["PaperBroker", "PaperEngine", "PaperOptions"]
