"""Positions as trade entries tell them: what each became, and by how much it changed; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, final

from metaexpert.logger.files.reading.trade_events import EXACT, TradeEvent

_NAMES: Final = frozenset({"position_opened", "position_changed", "position_closed"})


@final
@dataclass(frozen=True, slots=True)
class PositionChange:
    """One change of a position.

    Attributes:
        event: such as `position_changed`.
        quantity: what it became, negative when short; None where the entry does not say.
        change: the difference to what was last told of it; None for the first.
        remark: what is wrong with the entry.
    """

    time_ns: int
    event: str
    exchange: str
    symbol: str
    quantity: Decimal | None
    change: Decimal | None
    entry_price: Decimal | None
    remark: str = ""


@final
class Positions:
    """Follows the positions of a stream of trade events: one each per exchange and symbol.

    Attributes:
        latest: the last change of each.
        changes: how many there were of each.
    """

    def __init__(self) -> None:
        self.latest: dict[tuple[str, str], PositionChange] = {}
        self.changes: dict[tuple[str, str], int] = {}

    def add(self, event: TradeEvent) -> PositionChange | None:
        """Take in an event; None when it concerns no position."""
        if event.name not in _NAMES:
            return None
        key = (event.text("exchange") or "", event.text("symbol") or "")
        change = _change(event, key, self._quantity(key))
        self.latest[key] = change
        self.changes[key] = self.changes.get(key, 0) + 1
        return change

    def _quantity(self, key: tuple[str, str]) -> Decimal | None:
        before = self.latest.get(key)
        return None if before is None else before.quantity

    def __iter__(self) -> Iterator[tuple[PositionChange, int]]:
        """The last change of each position, and how many there were, by exchange and symbol."""
        return ((self.latest[key], self.changes[key]) for key in sorted(self.latest))


def _change(event: TradeEvent, key: tuple[str, str], before: Decimal | None) -> PositionChange:
    remarks = [each.told for each in event.corrections]
    said = len(remarks)
    quantity, entry_price = (_amount(event, name, remarks) for name in ("quantity", "entry_price"))
    if quantity is None and event.name == "position_closed" and len(remarks) == said:
        quantity = Decimal(0)
    change = None if quantity is None or before is None else EXACT.subtract(quantity, before)
    return PositionChange(event.time_ns, event.name, *key, quantity, change, entry_price, "; ".join(remarks))


def _amount(event: TradeEvent, name: str, remarks: list[str]) -> Decimal | None:
    try:
        return event.amount(name)
    except ValueError as error:
        remarks.append(str(error))
        return None
