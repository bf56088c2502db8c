"""What the desk and the session ask of risk rules, and the rules of an expert that has none."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from metaexpert.broker.broker import PositionChanged
from metaexpert.core.events import Side
from metaexpert.core.orders import OrderRequest, Refusal
from metaexpert.risk.view import Holdings, Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """A position, or part of it, that is to be closed now, and which rule says so."""

    symbol: str
    side: Side
    quantity: Decimal
    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """No entries from now on: until `until_ns`, or for good, which ends the expert, where that is None."""

    refusal: Refusal
    until_ns: int | None


class Risk(Protocol):
    """The rules of one expert; pure but for what they remember, which the state file keeps."""

    def size(self, symbol: str, side: Side, price: Decimal, holdings: Holdings, prices: Prices) -> Decimal | Refusal:
        """How much to trade where the expert does not say."""
        ...

    def check(self, request: OrderRequest, holdings: Holdings, prices: Prices) -> Refusal | None:
        """Whether a rule refuses the order; orders that only reduce pass all rules for entries."""
        ...

    def protect(self, symbol: str, holdings: Holdings, prices: Prices) -> Protection | None:
        """What is to be closed after the last price of `symbol`."""
        ...

    def halt(self, holdings: Holdings, prices: Prices) -> Halt | None:
        """Whether trading is to end, or to pause; each halt is told once."""
        ...

    def position_changed(self, event: PositionChanged) -> None:
        """A position is now another."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """What is remembered, as JSON can say it."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on from what was remembered.

        Raises:
            MetaExpertError: it is none of this version's.
        """
        ...


class NoRisk:
    """No rules at all: what an expert does without a strategy's parameters."""

    def size(self, symbol: str, side: Side, price: Decimal, holdings: Holdings, prices: Prices) -> Decimal | Refusal:
        """Without parameters no size can be known."""
        del side, price, holdings, prices
        reason = f"no quantity given for {symbol}, and on_init names no size_type and size_value"
        return Refusal(rule="size_type", value=None, limit=None, reason=reason)

    def check(self, request: OrderRequest, holdings: Holdings, prices: Prices) -> Refusal | None:
        """Everything passes."""
        del request, holdings, prices

    def protect(self, symbol: str, holdings: Holdings, prices: Prices) -> Protection | None:
        """Nothing is closed."""
        del symbol, holdings, prices

    def halt(self, holdings: Holdings, prices: Prices) -> Halt | None:
        """Nothing is halted."""
        del holdings, prices

    def position_changed(self, event: PositionChanged) -> None:
        """Nothing depends on it."""

    def snapshot(self) -> dict[str, Any]:
        """Nothing is remembered."""
        return {}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Nothing was remembered."""
