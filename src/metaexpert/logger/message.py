"""The message of a call: %-args applied as stdlib does, whatever the arguments are."""

from collections.abc import Mapping
from typing import cast

from metaexpert.logger.values import described, type_name


def format_message(msg: object, args: tuple[object, ...]) -> str:
    """Apply %-args; what cannot be formatted arrives with its arguments and the reason."""
    try:
        text = str(msg)
        if args:
            single = args[0] if len(args) == 1 else None
            values = cast("object", single) if isinstance(single, Mapping) and single else args
            text = text % values
    except Exception as failure:  # noqa: BLE001 - the arguments are the user's code; the entry must arrive
        told = ", ".join(map(described, args))
        text = str(msg) if type(msg) is str else f"<{type_name(msg)}>"
        return f"{text} [not formatted: {type(failure).__name__}; args: {told}]"
    # str.__str__ may return a subclass, which could still run code of its own
    return text if type(text) is str else str.__str__(text)
