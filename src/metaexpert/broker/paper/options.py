"""How the paper broker differs from a market without costs."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from metaexpert.logger.options.base import Options

type Percent = Annotated[Decimal, Field(ge=0, le=100)]


class PaperOptions(Options):
    """What trading on paper costs beside the instruments' fees; all percents are of the price or the value."""

    currency: str | None = None
    """What equity is in; by default what the first instrument settles in."""

    spread_pct: Percent = Decimal("0.02")
    """Between bid and ask, where no quote is known, as in a backtest over bars."""

    slippage_pct: Percent = Decimal("0.02")
    """Worst slippage of an order that takes liquidity of unknown depth; what it slips is drawn from 0 to this."""

    fill_share: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    """Of what is traded at or beyond a resting order's price, the share that is traded with it."""

    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    """After which orders, cancellations and modifications reach the market, in its time."""

    liquidation_fee_pct: Percent = Decimal("0.5")
    """Of a liquidated position's value, as far as its margin suffices."""
