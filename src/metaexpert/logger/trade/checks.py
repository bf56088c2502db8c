"""What a trade event is given, made what its entry holds: amounts as decimal strings, and what is wrong with it told.

Pure, and written by hand since a call may cost microseconds, not tens of them. Nothing is refused and nothing raised:
an entry with a wrong value is worth more than none, and says what is wrong under `problems`.
"""

import re
from collections.abc import Callable, Container, Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

from metaexpert.logger.receipts import Receipt
from metaexpert.logger.trade.events import REQUIRED
from metaexpert.logger.values import described

_AMOUNTS: Final = frozenset(
    {
        "price", "quantity", "executed_price", "executed_quantity", "remaining_quantity", "fee", "entry_price",
        "exit_price", "stop_price", "realized_pnl",
    }
)  # fmt: skip
_OWN_AMOUNTS: Final[Mapping[str, frozenset[str]]] = {
    "balance_changed": frozenset({"balance", "change"}),
    "funding_paid": frozenset({"amount", "rate"}),
    "risk_limit": frozenset({"value", "limit"}),
}
AMOUNTS: Final[Mapping[str, frozenset[str]]] = {
    event: _AMOUNTS | _OWN_AMOUNTS.get(event, frozenset()) for event in REQUIRED
}
"""By event, the fields that are written as decimal strings."""

PLAIN_NAMES: Final = (
    "exchange", "market_type", "order_type", "strategy_id", "exchange_timestamp", "latency_ms", "symbol", "reason",
    "actor", "fee_asset", "asset", "code", "rule",
)  # fmt: skip
"""Known fields that may be any text or number."""

IDS: Final = ("order_id", "client_order_id")
_POSITIVE: Final = frozenset({"executed_quantity", "executed_price"})
_NOT_NEGATIVE: Final = frozenset({"remaining_quantity"})
SIDES: Final = {"BUY": "BUY", "SELL": "SELL", "buy": "BUY", "sell": "SELL"}
"""What a side may be given as, and is written as."""

_ORDER: Final = "order_"
CORRECTION: Final = "correction"
_STRICT: Final = Context(traps=[InvalidOperation])
"""What is no number is none, whatever decimal context the program has set."""

_ENTRY_ID: Final = re.compile(r"[0-9a-zA-Z][\w.:\-]{0,127}-[0-9]{1,20}")
_SHOWN_CHARACTERS: Final = 40
_NUMBER_CHARACTERS: Final = 64


def checked(event: str, given: Mapping[str, Any], around: Callable[[], Container[str]] = frozenset) -> dict[str, Any]:
    """The data of an event's entry.

    Args:
        event: its name.
        given: what the call was given; what is None was not given.
        around: which fields the entry has besides, of `bind` and `log_context`; asked when the call lacks one.
    """
    data: dict[str, Any] = {"event": event}
    problems: list[str] = []
    amounts = AMOUNTS[event]
    for name, value in given.items():
        if value is None:
            continue
        if name in amounts:
            data[name] = _amount(event, name, value, problems)
        elif (check := _CHECKS.get(name)) is None:
            data[name] = value
        else:
            data[name] = check(name, value, problems)
    data["event"] = event
    if event == CORRECTION:
        _check_correction(data, problems)
    missing = [name for name in REQUIRED[event] if name not in data]
    if missing:
        known = around()
        problems += [f"{name}: is missing" for name in missing if name not in known]
    if problems:
        data["problems"] = problems
    return data


def _amount(event: str, name: str, value: object, problems: list[str]) -> str:
    text = value if type(value) is str else _written(value)
    if not (_is_plain(text) and text.strip("0.")):
        _check_amount(event, name, text, problems)
    return text


def _written(value: object) -> str:
    """All digits of a number."""
    if type(value) is float or type(value) is Decimal:
        text = str(value)
        if len(text) <= _NUMBER_CHARACTERS:
            return text
    return described(value, str)


def _is_plain(text: str) -> bool:
    """Whether it is digits with a point among them at most."""
    return text.isascii() and text.replace(".", "", 1).isdecimal()


def _check_amount(event: str, name: str, text: str, problems: list[str]) -> None:
    try:
        number = Decimal(text, _STRICT)
        if not number.is_finite():
            problems.append(f"{name}: {_shown(text)} is no finite number")
        elif number <= 0 and is_above_zero(event, name):
            problems.append(f"{name}: {_shown(text)} is not above zero")
        elif number < 0 and is_never_below_zero(name):
            problems.append(f"{name}: {_shown(text)} is below zero")
    except (InvalidOperation, ValueError):
        problems.append(f"{name}: {_shown(text)} is no decimal number")


def is_above_zero(event: str, name: str) -> bool:
    """Whether an amount of an event has to be above zero."""
    return name in _POSITIVE or (name == "quantity" and event.startswith(_ORDER))


def is_never_below_zero(name: str) -> bool:
    """Whether an amount must not be below zero."""
    return name in _NOT_NEGATIVE


def _side(name: str, value: object, problems: list[str]) -> object:
    text = value if type(value) is str else described(value, str)
    side = SIDES.get(text)
    if side is None:
        problems.append(f"{name}: {_shown(text)} is neither BUY nor SELL")
        return value
    return side


def _identifier(name: str, value: object, problems: list[str]) -> object:
    if (type(value) is str and value) or (type(value) is int):
        return value
    if not issubclass(type(value), str | int) or issubclass(type(value), bool) or value == "":
        problems.append(f"{name}: {_shown(described(value, str))} is no id; ids are text or whole numbers")
    return value


def _original(name: str, value: object, problems: list[str]) -> object:
    if isinstance(value, Receipt):
        entry_id = value.entry_id
        if entry_id is None:
            problems.append(f"{name}: the receipt names no entry, since that was not journalled; give its id")
            return ""
        return entry_id
    return value


def _check_correction(data: Mapping[str, Any], problems: list[str]) -> None:
    """A correction refers to an entry, and says by field what is right."""
    original, values = data.get("original"), data.get("values")
    if original and not (type(original) is str and _ENTRY_ID.fullmatch(original)):
        problems.append(f"original: {_shown(described(original, str))} is no entry's id")
    if values is not None and not issubclass(type(values), Mapping):
        problems.append("values: is no mapping of fields to their right values")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")


_CHECKS: Final[Mapping[str, Callable[[str, object, list[str]], object]]] = {
    "side": _side,
    "order_id": _identifier,
    "client_order_id": _identifier,
    "original": _original,
}
