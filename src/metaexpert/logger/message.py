"""The message of a call: %-args applied as stdlib does, whatever the arguments are.

The formatting itself costs what Python's own costs; all that is said about a formatting that failed is bounded.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import NoneType
from typing import Final, cast

from metaexpert.logger.described import described, type_name
from metaexpert.logger.nesting import nesting
from metaexpert.logger.texts import exact, safe_text

_PLAIN: Final = frozenset({str, int, float, bool, NoneType, Decimal})
"""Types whose formatting runs no code but Python's own."""

_LONG_DECIMAL_DIGITS: Final = 4300
"""Decimals with more digits before the point are no integers to %d: writing 1E+999999 so takes a minute."""

_OBJECT_BYTES: Final = 16 * 1024
"""What a message that is no text may take."""

_ARGUMENTS_BYTES: Final = 4 * 1024


def format_message(msg: object, args: tuple[object, ...]) -> str:
    """Apply %-args; what cannot be formatted arrives with its arguments and the reason."""
    try:
        if type(msg) is str:
            if not args:
                return msg
            # a decimal that is made an integer may take a minute
            if _PLAIN.issuperset(map(type, args)) and (Decimal not in map(type, args) or _only_texts(msg)):
                return msg % args
    except Exception:  # noqa: BLE001 - told of below, with the arguments
        return _with_own_code(msg, args)
    return _with_own_code(msg, args)


def _only_texts(msg: str) -> bool:
    return msg.count("%") == msg.count("%s")


def _with_own_code(msg: object, args: tuple[object, ...]) -> str:
    """As `format_message`, where the arguments' own code may run, and may log."""
    text = msg if type(msg) is str else described(msg, str, _OBJECT_BYTES)
    if not args:
        return text
    nesting.depth += 1
    try:
        if nesting.too_deep and not _PLAIN.issuperset(map(type, args)):
            return f"{text} [not formatted: log calls within log calls; args: {', '.join(map(type_name, args))}]"
        single = args[0] if len(args) == 1 else None
        values = single if issubclass(type(single), Mapping) and single else tuple(map(_formattable, args))
        # what % returns may be a subclass of str, which could still run code of its own
        return exact(text % values)
    except Exception as failure:  # noqa: BLE001 - the arguments are the user's code; the entry must arrive
        told = safe_text(", ".join(map(described, args[:64])), _ARGUMENTS_BYTES)
        return f"{text} [not formatted: {type_name(failure)}; args: {told}]"
    finally:
        nesting.depth -= 1


def _formattable(arg: object) -> object:
    """The argument, as text where its formatting as a number would not end in time."""
    if issubclass(type(arg), Decimal) and Decimal.adjusted(cast("Decimal", arg)) > _LONG_DECIMAL_DIGITS:
        return Decimal.__str__(cast("Decimal", arg))
    return arg
