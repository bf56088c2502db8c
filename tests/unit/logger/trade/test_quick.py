"""The quick way of a trade event makes what the whole way makes, byte for byte, or leaves it to that one."""

from collections.abc import Container
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metaexpert.logger.redaction import Redactor
from metaexpert.logger.trade.checks import checked
from metaexpert.logger.trade.events import REQUIRED
from metaexpert.logger.trade.quick import quick_event
from metaexpert.logger.trade.trade_log import trade_message
from metaexpert.logger.values import ValueEncoder

ENCODERS = {
    "default": ValueEncoder(Redactor()),
    "unsearched": ValueEncoder(Redactor(values=False)),
    "own patterns": ValueEncoder(Redactor(patterns=[r"\d{3}", "BUY", "order_[a-f]"])),
    "own keys": ValueEncoder(Redactor(keys=["quantity", "symbol", "sellkey"])),
}
FILL: dict[str, Any] = {
    "order_id": "A-17", "symbol": "BTC/USDT:USDT", "side": "BUY", "quantity": Decimal("0.50"), "price": "43100.10",
    "fee": Decimal("0.00001"), "fee_asset": "BNB", "exchange": "binance", "strategy_id": 1001, "latency_ms": 1.5,
    "exchange_timestamp": datetime(2026, 1, 1, tzinfo=UTC),
}  # fmt: skip
EYJ = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
TEXTS = (
    "", "x", "BTC", "BTC-27DEC24", "1000PEPE", "BTC/USDT:USDT", "card", "CARD", "token", "TOKEN", "api_key=abc", "pin=",
    "password:", "password:hunter2hunter2", "authorization:", "authorization:a", "--api-key", "1111 1111 1111",
    "1111-1111-1111-A", "4111 1111 1111 1111", "4111111111111111", "a@b.co", "BTC\n", "Ω", "\ud800", "eyJhbGciOi", EYJ,
    "A1" * 20, "aB3" * 15, "cold " * 12, "bearer", "secret", "key:abcdefgh", "[REDACTED", "x" * 70,
)  # fmt: skip
AMOUNTS = (
    "0", "-0", "0.0", "1", "1.", ".5", "-1", "--1", "- 1", "1e5", "1e-9", "NaN", "Infinity", "-inf", "", ".", " 1",
    "1_0", "\u0661", "\u00b2", "1,5",
    "4111111111111111", "9" * 31, "9" * 32, "0x10", "1" * 5000, "5425233430109903", "374245455400126",
)  # fmt: skip
NUMBERS = (
    st.decimals()
    | st.floats()
    | st.integers()
    | st.booleans()
    | st.sampled_from((10**14, -(10**14), 10**5000, Decimal("sNaN")))
)
names = st.sampled_from((
    "order_id", "client_order_id", "symbol", "side", "quantity", "price", "executed_quantity", "executed_price",
    "remaining_quantity", "fee", "fee_asset", "exchange", "strategy_id", "latency_ms", "reason", "actor", "original",
    "realized_pnl", "balance", "change", "asset", "amount", "rate", "rule", "value", "limit", "exchange_timestamp",
    "event", "problems", "msg", "extra", "api_key", "note", "values", "code",
))  # fmt: skip
values = (
    st.none() | st.sampled_from(TEXTS) | st.sampled_from(AMOUNTS) | NUMBERS | st.sampled_from(("BUY", "sell", "LONG"))
    | st.text(max_size=12) | st.datetimes() | st.just({"a": 1})
)  # fmt: skip


class Text(str):
    __slots__ = ()


def whole(
    encoder: ValueEncoder, event: str, given: dict[str, Any], around: Container[str] = frozenset()
) -> tuple[bytes, str]:
    data = checked(event, given, lambda: around)
    return b"{%b}" % (encoder.quick(data) or encoder.full(data)), encoder.text(trade_message(event, data))


def is_same_or_left(event: str, given: dict[str, Any], around: Container[str] = frozenset()) -> None:
    for name, encoder in ENCODERS.items():
        made = quick_event(event, encoder)(given, lambda: around)
        assert made is None or made == whole(encoder, event, given, around), name


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(REQUIRED)), st.dictionaries(names, values, max_size=8))
def test_it_makes_the_same_of_anything(event: str, given: dict[str, Any]):
    for encoder in ENCODERS.values():
        encoder.full(given)  # as after a first call: keys that nobody knows are known to be harmless now
    is_same_or_left(event, given)
    is_same_or_left(event, {**FILL, **given})


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(TEXTS) | st.text(),
    st.sampled_from(AMOUNTS),
    st.sampled_from(AMOUNTS),
    st.sampled_from(("BUY", None)),
)
@example("card", "4111111111111111", "1", "BUY")
@example("1111 1111 1111", "4111", "1", "BUY")
def test_it_makes_the_same_message(symbol: str, quantity: str, price: str, side: str | None):
    is_same_or_left(
        "order_accepted", {"order_id": 1, "side": side, "quantity": quantity, "symbol": symbol, "price": price}
    )
    is_same_or_left("position_changed", {"side": side, "quantity": quantity, "symbol": symbol, "price": price})


@pytest.mark.parametrize("event", sorted(set(REQUIRED) - {"correction"}))
def test_it_takes_what_is_plain_and_right(event: str):
    fields: dict[str, Any] = {
        "executed_quantity": 1, "executed_price": 0.5, "asset": "USDT", "balance": "-1", "amount": 1,
        "rule": "drawdown", "value": "1", "limit": "2", "reason": "a reason", **FILL,
    }  # fmt: skip
    encoder = ENCODERS["default"]
    made = quick_event(event, encoder)(fields, frozenset)
    assert made is not None
    assert made == whole(encoder, event, fields)


def test_what_is_bound_is_not_missing():
    encoder = ENCODERS["default"]
    fields = {name: FILL[name] for name in ("quantity", "price")}
    assert quick_event("order_filled", encoder)(fields, frozenset) is None
    assert quick_event("order_filled", encoder)(fields, lambda: {"order_id", "side"}) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"price": "4111-1111"}, {"order_id": ""}, {"order_id": Text("a")}, {"symbol": EYJ}, {"note": "pin=1234"},
        {"side": "LONG"}, {"quantity": 0}, {"quantity": True}, {"latency_ms": float("nan")}, {"api_key": "x"},
        {"strategy_id": 2**70}, {"note": [1]},
    ],
)  # fmt: skip
def test_it_leaves_the_rest(change: dict[str, Any]):
    fields = {**FILL, **change}
    ENCODERS["default"].full(fields)
    assert quick_event("order_filled", ENCODERS["default"])(fields, frozenset) is None


def test_symbols_that_come_and_go_take_bounded_memory():
    encoder = ValueEncoder(Redactor())
    quick = quick_event("order_filled", encoder)
    for number in range(3_000):
        fields = {**FILL, "symbol": f"S{number}"}
        assert quick(fields, frozenset) is not None
    cells = [cell.cell_contents for cell in quick.__closure__ or ()]  # pyright: ignore[reportFunctionMemberAccess]
    kept = [len(inner.cell_contents) for cell in cells for inner in getattr(cell, "__closure__", None) or ()
            if isinstance(inner.cell_contents, dict)]  # fmt: skip
    assert kept
    assert max(kept) <= 1024
