"""What an entry is in OpenTelemetry's terms (https://opentelemetry.io/docs/specs/otel/logs/data-model/).

Attribute names are unique, as the data model demands: what a user's field would cover, of ours or of the entry's own
data, it gives way to and stands below `extra`, `trade_data` or `error_context`. Names are those of the semantic
conventions where there is one.
"""

import re
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any, Final, NamedTuple

import orjson

from metaexpert.logger.entry import (
    DETAILS,
    EXCEPTION,
    LOG_TYPE,
    STACK_INFO,
    TRADE_DATA,
    Capture,
    Details,
    data_key,
    extra_json,
)
from metaexpert.logger.formats.failures import more_within
from metaexpert.logger.formats.sites import bounded_name
from metaexpert.logger.identity import Identity
from metaexpert.logger.site import line_of
from metaexpert.logger.values import safe_text

type AttributeValue = bool | int | float | str
"""What a resource's attribute can be."""

type Resource = Mapping[str, AttributeValue]
"""A resource's attributes."""

type Scopes = Mapping[bytes, Sequence[bytes]]
"""Encoded records by their encoded scope."""

type Pieces = tuple[bytes, bytes]
"""A record's encoded attributes, and its severity and body."""

UID: Final = "log.record.uid"
INSTANCE: Final = "service.instance.id"
PROCESS: Final = "process.pid"

MAX_INTEGER: Final = 2**63 - 1
MIN_INTEGER: Final = -(2**63)
"""What an attribute holds as an integer; others are written as strings."""

_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5), (1, 1))
"""Lowest level number, and OpenTelemetry's number: FATAL, ERROR, WARN, INFO, DEBUG, TRACE."""

_EXCEPTION: Final = {
    "exception.type": "type",
    "exception.message": "message",
    "exception.stacktrace": "traceback",
}
_MORE: Final = "metaexpert.exception."
"""What the semantic conventions have no name for of an exception is below this one."""

_MOST_BYTES: Final = 60 * 1024
"""Loki takes 64 KiB of attributes a record; what is least missed of an exception gives way to keep within that."""

_OURS: Final = frozenset(
    {
        "",
        UID,
        "log_type",
        "thread.id",
        "asyncio.task.name",
        "code.function.name",
        "code.file.path",
        "code.line.number",
        "code.stacktrace",
        *_EXCEPTION,
    }
)
_TRACE_KEYS: Final = frozenset({"trace_id", "span_id", "trace_flags"})
_LOOKED_AT: Final = _OURS | _TRACE_KEYS
_HEX: Final = re.compile(r"[0-9a-fA-F]*")
_TRACE_ID_DIGITS: Final = 32
_SPAN_ID_DIGITS: Final = 16
_MAX_FLAGS: Final = 255


class Trace(NamedTuple):
    """The trace an entry belongs to (https://www.w3.org/TR/trace-context/); empty when it has none."""

    trace_id: bytes = b""
    span_id: bytes = b""
    flags: int = 0


NO_TRACE: Final = Trace()


def severity_number(level: int) -> int:
    """OpenTelemetry's severity of a stdlib level; 0, unspecified, below all levels."""
    return next((number for floor, number in _SEVERITIES if level >= floor), 0)


def resource_attributes(identity: Identity, environment: str, more: Resource) -> dict[str, AttributeValue]:
    """The resource of this run's entries; what the user names wins over what we do."""
    attributes: dict[str, AttributeValue] = {
        "service.name": identity.service,
        INSTANCE: identity.boot_id,
        "host.name": identity.host,
        PROCESS: identity.pid,
    }
    if environment:
        attributes["deployment.environment.name"] = environment
    return attributes | dict(more)


def site_attributes(code: CodeType, lasti: int, log_type: str) -> dict[str, Any]:
    """What all entries of a call site have in common."""
    return {
        "log_type": log_type,
        "code.function.name": safe_text(bounded_name(code.co_qualname)),
        "code.file.path": safe_text(bounded_name(code.co_filename)),
        "code.line.number": line_of(code, lasti),
    }


def thread_attributes(thread: int, task: str | None) -> dict[str, Any]:
    """Where an entry was logged."""
    return {"thread.id": thread} | ({} if task is None else {"asyncio.task.name": safe_text(bounded_name(task))})


def brought(entry: Capture) -> tuple[dict[str, Any], Trace]:
    """The attributes of an entry's fields, own data and exception, and the trace that its fields name."""
    fields, context, details = entry[7], entry[8], entry[DETAILS]
    extra: dict[str, Any] = orjson.loads(extra_json(fields, context)) if fields or context else {}
    if details is None:
        if _LOOKED_AT.isdisjoint(extra):
            return extra, NO_TRACE
        details = (b"", b"", b"")
    attributes, trace = _unique(extra, details, data_key(entry[LOG_TYPE]))
    return attributes | _error(details, len(fields) + len(context)), trace


def _unique(extra: dict[str, Any], details: Details, key: str) -> tuple[dict[str, Any], Trace]:
    data: dict[str, Any] = orjson.loads(details[TRADE_DATA]) if details[TRADE_DATA] else {}
    trace = _taken_from(data) or _taken_from(extra) or NO_TRACE
    attributes: dict[str, Any] = {}
    for prefix, table in ((key, data), ("extra", extra)):
        for name, value in table.items():
            attributes[_free(name, prefix, attributes)] = value
    return attributes, trace


def _free(name: str, prefix: str, taken: Mapping[str, Any]) -> str:
    while name in _OURS or name in taken or name.startswith(_MORE):
        name = f"{prefix}.{name}"
    return name


def _error(details: Details, others_bytes: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if details[EXCEPTION]:
        told: dict[str, Any] = orjson.loads(details[EXCEPTION])
        attributes = {name: told[key] for name, key in _EXCEPTION.items() if key in told}
        taken = others_bytes + len(orjson.dumps(attributes)) + len(details[STACK_INFO]) + len(details[TRADE_DATA])
        fitting, cut = more_within(told, max(0, _MOST_BYTES - taken))
        attributes |= {f"{_MORE}{name}": value for name, value in fitting.items()}
        if cut:
            attributes[f"{_MORE}cut"] = cut
    if details[STACK_INFO]:
        attributes["code.stacktrace"] = orjson.loads(details[STACK_INFO])
    return attributes


def _taken_from(table: dict[str, Any]) -> Trace | None:
    """The trace that a table names, whose keys leave it; what is no valid id stays a field."""
    trace_id = _id(table.get("trace_id"), _TRACE_ID_DIGITS)
    if not trace_id:
        return None
    span_id, flags = _id(table.get("span_id"), _SPAN_ID_DIGITS), _flags(table.get("trace_flags"))
    del table["trace_id"]
    if span_id:
        del table["span_id"]
    if flags is not None:
        del table["trace_flags"]
    return Trace(trace_id, span_id, flags or 0)


def _id(value: object, digits: int) -> bytes:
    if not isinstance(value, str) or len(value) != digits or not _HEX.fullmatch(value):
        return b""
    decoded = bytes.fromhex(value)
    return decoded if any(decoded) else b""


def _flags(value: object) -> int | None:
    if isinstance(value, str) and len(value) == 2 and _HEX.fullmatch(value):  # noqa: PLR2004 - two digits, as in a traceparent
        return int(value, 16)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_FLAGS:
        return value
    return None
