"""The trace an entry belongs to, lifted out of its fields for formats that have places of their own for it. Pure."""

import re
from typing import Any, Final, cast

import orjson

TRACE_ID: Final = b'"trace_id":'
"""What members look like that may name a trace."""

_TRACE: Final = re.compile(r"(?=.*[1-9a-fA-F])[0-9a-fA-F]{32}")
_SPAN: Final = re.compile(r"(?=.*[1-9a-fA-F])[0-9a-fA-F]{16}")


def lifted(members: bytes) -> tuple[str, str, bytes]:
    """The ids of trace and span, empty where they are none, and the members without them.

    Args:
        members: of a JSON object, without braces.
    """
    table: dict[str, Any] = orjson.loads(b"{%b}" % members)
    trace = _taken(table, "trace_id", _TRACE)
    if not trace:
        return "", "", members
    span = _taken(table, "span_id", _SPAN)
    return trace, span, orjson.dumps(table)[1:-1]


def _taken(table: dict[str, Any], key: str, kind: re.Pattern[str]) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not kind.fullmatch(value):
        return ""
    return cast("str", table.pop(key))
