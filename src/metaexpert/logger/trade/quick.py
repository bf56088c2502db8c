"""The quick way of a trade event: data and message of plain, right fields in one pass.

It makes what `checks.checked`, the encoder and `trade_message` make of them, byte for byte, and takes nothing else:
what is wrong, missing, nested or may hold a secret goes their way. Names, amounts and sides are known not to be
secrets, so that they are not searched; everything else is.
"""

import re
from collections.abc import Callable, Container
from datetime import datetime
from decimal import Decimal
from itertools import product
from typing import Any, Final

import orjson

from metaexpert.logger.trade.checks import (
    AMOUNTS,
    CORRECTION,
    IDS,
    PLAIN_NAMES,
    SIDES,
    is_above_zero,
    is_never_below_zero,
)
from metaexpert.logger.trade.events import REQUIRED
from metaexpert.logger.values import MAX_ENTRY_BYTES, ValueEncoder, is_orjsons

WORD_CHARACTERS: Final = 64
"""Texts up to which nothing in a line for people needs to be cut."""

type QuickEvent = Callable[[dict[str, Any], Callable[[], Container[str]]], tuple[bytes, str] | None]
"""Data and message of an event, or None of what it does not take; asks for the fields around when one is missing."""

_PLAIN: Final = 0
_SIDE: Final = 1
_ID: Final = 2
_AMOUNT: Final = 3
_NOT_NEGATIVE: Final = 4
_POSITIVE: Final = 5

_SMALL_BYTES: Final = 1024
"""Data that are larger may have to be cut."""

_MOST_AMOUNT: Final = 10**14
_SCALARS: Final = frozenset({bool, Decimal})
_TAME: Final = re.compile(r"[0-9]{0,8}[A-Za-z][A-Za-z0-9]*(?:[/:_.\-][A-Za-z0-9]+)*")
_TAME_CHARACTERS: Final = 31
_TAME_SYMBOLS: Final = 1024
_LONG_AMOUNT: Final = "4111111111111111"
"""One that stands for all: as long as any, and a card's number where something beside it makes it one."""


def quick_event(event: str, encoder: ValueEncoder) -> QuickEvent:
    """The quick way of an event, by the redaction rules of an encoder; it is kept there."""
    known: QuickEvent | None = encoder.prepared.get(event)
    if known is None:
        known = encoder.prepared[event] = _quick_event(event, encoder)
    return known


def _quick_event(event: str, encoder: ValueEncoder) -> QuickEvent:  # noqa: C901, PLR0915 - one frame: each costs
    scrub, least_text, least_number = encoder.searches
    if event == CORRECTION or least_number <= 1 or scrub(event) is not event:
        return _nothing
    harmless = encoder.harmless
    roles = _roles(event, encoder)
    required = REQUIRED[event]
    sides = SIDES
    is_tame = _tame_symbols(event, scrub)
    dumps = orjson.dumps

    def quick(  # noqa: C901, PLR0911, PLR0912 - as above
        given: dict[str, Any], around: Callable[[], Container[str]]
    ) -> tuple[bytes, str] | None:
        try:
            data: dict[str, Any] = {"event": event}
            for name, value in given.items():
                kind: type = type(value)  # pyright: ignore[reportUnknownVariableType] - as in the encoder's quick way
                if value is None:
                    continue
                role = roles.get(name)
                if role is not None and role >= _AMOUNT:
                    if kind is str:
                        text = value
                    elif kind is Decimal or kind is float or (kind is int and -_MOST_AMOUNT < value < _MOST_AMOUNT):
                        text = str(value)
                    else:
                        return None
                    digits = text.removeprefix("-") if role == _AMOUNT else text
                    # what is wrong, has an exponent or is as long as a key
                    if (
                        not digits.replace(".", "", 1).isdecimal()
                        or len(text) >= least_number
                        or not text.isascii()
                        or (role == _POSITIVE and not text.strip("0."))
                    ):
                        return None
                    data[name] = text
                    continue
                if role == _SIDE:
                    side = sides.get(value) if kind is str else None
                    if side is None:
                        return None
                    data[name] = side
                    continue
                if role is None and name not in harmless:
                    return None
                if kind is str:
                    size = len(value)
                    if (size >= least_text and (size > MAX_ENTRY_BYTES or scrub(value) is not value)) or (
                        role == _ID and not value
                    ):
                        return None
                elif kind is float:
                    if role == _ID or value - value != 0.0:
                        return None
                elif kind is int:
                    pass
                elif role == _ID or not (kind in _SCALARS or (kind is datetime and is_orjsons(value))):
                    return None
                data[name] = value
            data["event"] = event
            for name in required:
                if name not in data and name not in around():
                    return None
            side, quantity, symbol, price = (
                data.get("side"),
                data.get("quantity"),
                data.get("symbol"),
                data.get("price"),
            )
            message = event if side is None else f"{event} {side}"
            if quantity is not None:
                message = f"{message} {quantity}"
            if symbol is not None:
                message = f"{message} {symbol}"
            if price is not None:
                message = f"{message} at {price}"
            if symbol is not None and not is_tame(symbol) and not (_fits(symbol) and scrub(message) is message):
                return None
            encoded = dumps(data, str)
            # a copy of the right size, as the encoder makes one
            return (b"%b" % encoded, message) if len(encoded) <= _SMALL_BYTES else None
        except Exception:  # noqa: BLE001 - as in the encoder's quick way, and somebody's own fields around
            return None

    return quick


def _nothing(given: dict[str, Any], around: Callable[[], Container[str]]) -> None:
    """The quick way where the user's own patterns have to see every text."""
    del given, around


def _fits(symbol: object) -> bool:
    return type(symbol) is str and len(symbol) <= WORD_CHARACTERS


def _roles(event: str, encoder: ValueEncoder) -> dict[str, int]:
    """What is expected of known fields whose values need not be hidden."""
    roles = dict.fromkeys(PLAIN_NAMES, _PLAIN) | dict.fromkeys(IDS, _ID) | {"side": _SIDE}
    roles |= {name: _amount_role(event, name) for name in AMOUNTS[event]}
    return {name: role for name, role in roles.items() if encoder.is_harmless(name)}


def _amount_role(event: str, name: str) -> int:
    if is_above_zero(event, name):
        return _POSITIVE
    return _NOT_NEGATIVE if is_never_below_zero(name) else _AMOUNT


def _tame_symbols(event: str, scrub: Callable[[str], str]) -> Callable[[object], bool]:
    """Whether a symbol in the event's message leaves nothing to search for there, whatever amounts are beside it."""
    known: dict[object, bool] = {}

    def is_tame(symbol: object) -> bool:
        try:
            return known[symbol]
        except KeyError:
            if len(known) >= _TAME_SYMBOLS:
                known.clear()
            verdict = known[symbol] = type(symbol) is str and _judged(event, symbol, scrub)
            return verdict

    return is_tame


def _judged(event: str, symbol: str, scrub: Callable[[str], str]) -> bool:
    if len(symbol) > _TAME_CHARACTERS or not symbol.isascii() or not _TAME.fullmatch(symbol):
        return False
    amount, short = f" {_LONG_AMOUNT}", f" -{_LONG_AMOUNT}"
    messages = (
        f"{event}{side}{quantity} {symbol}{price}"
        for side, quantity, price in product(("", " BUY", " SELL"), ("", amount, short), ("", f" at{amount}"))
    )
    return all(scrub(message) is message for message in messages)
