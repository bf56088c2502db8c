"""What a trade entry says: its event, its order, its amounts; read exactly, as it was written.

An amount is a finite decimal of a size prices and quantities have, so that sums and products of amounts stay exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, cast, final

from metaexpert.logger.files.names import LogFile
from metaexpert.logger.log_types import TRADE

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry

EXACT: Final = Context(prec=1000, traps=[InvalidOperation])
"""Adds and multiplies amounts without rounding."""

CORRECTION: Final = "correction"
"""The event that says an earlier entry was wrong: it names the entry, and need not name its order."""

_AMOUNT_CHARACTERS: Final = 100
_LARGEST_EXPONENT: Final = 60
_SHOWN_CHARACTERS: Final = 20
_TAG_CHARACTERS: Final = 6
"""The end of a boot id, which file names hold too."""


@final
@dataclass(frozen=True, slots=True)
class Correction:
    """What an entry should have said.

    Attributes:
        entry_id: of the entry that corrects.
        time_ns: when it was logged, UTC, nanoseconds since the epoch.
        original: the id of the entry that it corrects.
        values: the right values, by field.
    """

    entry_id: str | None
    time_ns: int
    original: str
    actor: str | None
    reason: str | None
    values: Mapping[str, Any]

    @property
    def told(self) -> str:
        """Who corrected it, and why."""
        return f"corrected by {self.actor or 'nobody named'}: {self.reason or 'no reason'}"

    @classmethod
    def of(cls, event: "TradeEvent") -> "Correction":
        """What an event says that corrects another."""
        values: object = event.fields.get("values")
        return cls(
            event.entry_id,
            event.time_ns,
            event.text("original") or "",
            event.text("actor"),
            event.text("reason"),
            cast("Mapping[str, Any]", values) if isinstance(values, dict) else {},
        )


@final
@dataclass(frozen=True, slots=True)
class TradeEvent:
    """One trade entry.

    Attributes:
        name: such as `order_filled`; empty for an entry that names no event.
        time_ns: UTC, nanoseconds since the epoch.
        run: which run of a process wrote it, as far as it is known.
        fields: what it says, with the names `log.trade` gives.
        entry_id: of the entry, where it has one.
        logged: what it said before it was corrected; None where nothing corrects it.
        corrections: what corrects it, in the order of their times.
    """

    name: str
    time_ns: int
    run: str
    fields: Mapping[str, Any]
    entry_id: str | None = None
    logged: Mapping[str, Any] | None = None
    corrections: tuple[Correction, ...] = ()

    @classmethod
    def of(cls, entry: "LogEntry") -> "TradeEvent | None":
        """The event of an entry; None for one that is no trade entry."""
        fields = entry.extra | entry.trade_data if entry.is_json else entry.extra
        name = str(fields.get("event") or "")
        is_told = entry.log_type == TRADE
        return cls(name, entry.time_ns, _run_of(entry), fields, entry.entry_id) if is_told else None

    def text(self, name: str) -> str | None:
        """A field as text; None where it is missing or empty."""
        value = self.fields.get(name)
        return None if value is None or value == "" else str(value)

    def amount(self, name: str) -> Decimal | None:
        """A price or quantity; None where it is missing.

        Raises:
            ValueError: the field holds something else; it says what.
        """
        value = self.fields.get(name)
        return None if value is None else as_amount(name, value)


def _run_of(entry: "LogEntry") -> str:
    boot_id, dash, _ = (entry.entry_id or "").rpartition("-")
    if dash:
        return boot_id[-_TAG_CHARACTERS:]
    file = LogFile.parsed(entry.source)
    return "" if file is None else file.run.tag


def as_amount(name: str, value: object) -> Decimal:
    """A value as an exact amount.

    Args:
        name: the field's, for the message.
        value: text or a number; of a float all digits it is shown with.

    Raises:
        ValueError: it is no finite number, or none of a size that amounts have.
    """
    text = value if isinstance(value, str) else repr(value)
    try:
        amount = Decimal(text if len(text) <= _AMOUNT_CHARACTERS else "")
    except InvalidOperation:
        raise ValueError(f"{name} {text[:_SHOWN_CHARACTERS]!r} is no number") from None
    if not amount.is_finite() or abs(amount.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError(f"{name} {text[:_SHOWN_CHARACTERS]!r} is no amount")
    return amount


def plain(amount: Decimal) -> str:
    """An amount's digits, never in scientific notation."""
    return f"{amount:f}"
