"""Trade and audit entries as auditors read them: what each says as it was logged, and what corrects it; pure.

Every value is the one in the log: amounts with all their digits, ids and times as they were written. Corrections stand
beside them. `docs/guides/audit-export.md` says of each column what it means.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from metaexpert.logger.files.reading.trade_events import TradeEvent
from metaexpert.logger.log_types import AUDIT

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.corrections import Corrections
    from metaexpert.logger.files.reading.entries import LogEntry

_TOLD: Final = (
    "event",
    "order_id",
    "client_order_id",
    "exchange",
    "market_type",
    "symbol",
    "side",
    "order_type",
    "strategy_id",
    "quantity",
    "price",
    "executed_quantity",
    "executed_price",
    "remaining_quantity",
    "fee",
    "fee_asset",
    "actor",
    "reason",
    "original",
)
"""Fields that have columns of their own, as text; exactly as they were logged."""

_APART: Final = frozenset({*_TOLD, "exchange_timestamp", "values", "problems"})

ENTRY_FIELDS: Final[dict[str, str]] = {
    "time": "TIMESTAMP_NS",
    "exchange_timestamp": "VARCHAR",
    "entry_id": "VARCHAR",
    "log_type": "VARCHAR",
    **dict.fromkeys(_TOLD, "VARCHAR"),
    "values": "JSON",
    "corrected_by": "JSON",
    "corrected": "JSON",
    "problems": "JSON",
    "other": "JSON",
    "message": "VARCHAR",
    "logger": "VARCHAR",
    "process": "BIGINT",
    "file": "VARCHAR",
}
"""What is told of an entry, and as which type Parquet has it; amounts are text, digit by digit as in the log."""


def event_of(entry: "LogEntry") -> TradeEvent | None:
    """What a trade or audit entry says; None for others."""
    event = TradeEvent.of(entry)
    if event is None and entry.is_json and entry.log_type == AUDIT:
        return TradeEvent("", entry.time_ns, "", entry.extra | entry.trade_data, entry.entry_id)
    return event


def entry_row(entry: "LogEntry", event: TradeEvent, corrections: "Corrections") -> dict[str, Any]:
    """What is told of an entry, under the names of `ENTRY_FIELDS`."""
    from metaexpert.logger.formats.timestamps import rfc3339  # noqa: PLC0415 - the command line imports what it needs when it runs

    fields, found = event.fields, corrections.of(event.entry_id)
    right: dict[str, Any] = {}
    for each in found:
        right.update(each.values)
    process = entry.value("process")
    return {
        "time": rfc3339(entry.time_ns),
        "exchange_timestamp": _text(fields.get("exchange_timestamp")),
        "entry_id": entry.entry_id,
        "log_type": entry.log_type if entry.is_json else "trade",
        **{name: _text(fields.get(name)) for name in _TOLD},
        "values": fields.get("values"),
        "corrected_by": [each.entry_id for each in found],
        "corrected": right,
        "problems": fields.get("problems") or [],
        "other": _others(fields),
        "message": entry.message,
        "logger": entry.logger,
        "process": process if isinstance(process, int) else None,
        "file": entry.source.name,
    }


def _others(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _APART}


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    import orjson  # noqa: PLC0415 - as above

    return orjson.dumps(value).decode()
