"""What tells one order, and one fill, from another; for who checks entries and for who reads them back. Pure."""

from collections.abc import Mapping
from typing import Any, Final

type Fill = tuple[str, ...]

FILLS_KEPT: Final = 32
"""Of an order's last fills; what arrives twice arrives soon, when a stream is taken up again."""

_FILL_IDS: Final = ("execution_id", "exec_id", "fill_id", "trade_id")
_FILL_FIGURES: Final = (
    "executed_quantity", "quantity", "executed_price", "price", "remaining_quantity", "exchange_timestamp",
)  # fmt: skip
_HIDDEN: Final = "[REDACTED"
_SHOWN_CHARACTERS: Final = 128
"""What is kept of an id or a name; of longer ones a part and a hash."""


def is_id(value: object) -> bool:
    """Whether it tells one from another: nothing that is empty, hidden, or a truth value does."""
    return value is not None and value != "" and type(value) is not bool and not str(value).startswith(_HIDDEN)


def fill_of(data: Mapping[str, Any]) -> Fill | None:
    """By what a fill is known, its name first; None where it has no id.

    Its figures belong to it: some number their trades by such a name, and each has many fills.
    """
    name = next((name for name in _FILL_IDS if is_id(data.get(name))), None)
    if name is None:
        return None
    return (f"{name} {short(data[name])}", *[short(data.get(figure, "")) for figure in _FILL_FIGURES])


def short(value: object) -> str:
    """A name as it is compared, bounded."""
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…{hash(text)}"
