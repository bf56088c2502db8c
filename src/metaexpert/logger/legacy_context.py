"""Contexts of the existing interface: fields that follow the code until they are taken away.

They live where `log_context` keeps its own, so both see each other's fields, and tasks and `asyncio.to_thread` inherit
them. A context takes away what it added, brings back what it hid, and leaves alone what was bound meanwhile.
"""

import time
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Self, final

from metaexpert.logger.context import PIPELINE, FieldSet, current_fields
from metaexpert.logger.port import port
from metaexpert.logger.typed_logger import get_trade_logger
from metaexpert.logger.values import described

_CALLER: Final = 2
"""`stacklevel` of entries that a context writes for the code that entered it."""


def bind_contextvars(**fields: Any) -> None:
    """Add `fields` to every entry logged from here on in this context, and in the tasks it starts."""
    _put(port.encoder.items(fields))


def unbind_contextvars(*keys: str) -> None:
    """Take fields away again, whoever added them."""
    _keep({key: value for key, value in _items().items() if key not in keys})


def clear_contextvars() -> None:
    """Take all fields of this context away."""
    _keep({})


def _items() -> dict[str, bytes]:
    current = current_fields.get()
    return {} if current is None else dict(current.items)


def _put(items: dict[str, bytes]) -> None:
    _keep(_items() | items)


def _keep(items: dict[str, bytes]) -> None:
    if current_fields.get() is not PIPELINE:
        current_fields.set(FieldSet(items) if items else None)


type _Entered = tuple[int, frozenset[str], FieldSet | None, FieldSet | None]
"""id() of the context, its keys, the fields before and after it was entered."""

_entered: Final[ContextVar[tuple[_Entered, ...]]] = ContextVar("metaexpert_entered_contexts", default=())


class LogContext:
    """Adds fields to every entry logged in the block, in tasks started there and in `asyncio.to_thread`.

    `with` and `async with` are the same. One object may be entered again, also while it is entered, and by several
    tasks at once.

    Args:
        fields: what to add; the call's own fields win over them.

    Attributes:
        context: the fields, as given.
    """

    def __init__(self, **fields: Any) -> None:
        self.context = fields

    def __enter__(self) -> Self:
        outer = current_fields.get()
        items = port.encoder.items(self.context)
        _put(items)
        _entered.set((*_entered.get(), (id(self), frozenset(items), outer, current_fields.get())))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = _entered.get()
        for place in reversed(range(len(entered))):
            if entered[place][0] == id(self):
                _entered.set(entered[:place] + entered[place + 1 :])
                _leave(*entered[place][1:])
                return

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _leave(keys: frozenset[str], outer: FieldSet | None, inner: FieldSet | None) -> None:
    """Undo what a context did to its own keys."""
    if current_fields.get() is inner:
        current_fields.set(outer)
        return
    hidden = {} if outer is None else {key: value for key, value in outer.items.items() if key in keys}
    _keep({key: value for key, value in _items().items() if key not in keys} | hidden)


@final
class TradeContext:
    """Adds a trade's fields to every entry logged in the block, and tells in the trade file how the trade went.

    On leaving it writes `trade_completed`, or `trade_failed` with the exception, each with `duration_ms` and `success`.
    `trade_started` and notes are DEBUG entries. `with` and `async with` are the same; one object is one trade.

    Args:
        symbol: what is traded.
        side: BUY or SELL.
        quantity: how much; `Decimal` or `str` where every digit counts.
        extra: further fields.

    Attributes:
        context: all fields, with `event_type` "trade".
        logger: the trade logger that has them.
    """

    def __init__(self, symbol: str, side: str, quantity: Any, **extra: Any) -> None:
        trade = {"symbol": symbol, "side": side, "quantity": quantity, **extra}
        self.context: dict[str, Any] = {"event_type": "trade", **trade}
        self.logger = get_trade_logger(**trade)
        self._fields = LogContext(**self.context)
        self._started = 0.0

    def set_result(self, **result: Any) -> None:
        """Write a trade entry `trade_result` with `result`."""
        self.logger.info("trade_result", **result, stacklevel=_CALLER)

    def add_note(self, message: str, **extra: Any) -> None:
        """Write a DEBUG entry `trade_note` with the message as `note`."""
        self.logger.debug("trade_note", note=message, **extra, stacklevel=_CALLER)

    def __enter__(self) -> Self:
        self._begin(stacklevel=_CALLER + 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error, stacklevel=_CALLER + 1)

    async def __aenter__(self) -> Self:
        self._begin(stacklevel=_CALLER + 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error, stacklevel=_CALLER + 1)

    def _begin(self, stacklevel: int) -> None:
        self._started = time.perf_counter()
        self.logger.debug("trade_started", stacklevel=stacklevel)
        self._fields.__enter__()

    def _end(self, error: BaseException | None, stacklevel: int) -> None:
        self._fields.__exit__(None, None, None)
        told = {"duration_ms": (time.perf_counter() - self._started) * 1000, "success": error is None}
        if error is None:
            self.logger.info("trade_completed", **told, stacklevel=stacklevel)
        else:
            self.logger.error(
                "trade_failed", **told, error=described(error, str), exc_info=error, stacklevel=stacklevel
            )
