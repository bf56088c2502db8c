"""OTLP log records in JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).

Names in lower camel case, integers of 64 bits as strings, trace ids in hex. A part is a `ScopeLogs` object that still
is open after its one record, `log.record.uid` first.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.formats.controls import harmless
from metaexpert.logger.formats.otlp_model import MAX_INTEGER, MIN_INTEGER, Pieces, Resource, Scopes, Trace
from metaexpert.logger.formats.otlp_records import Encoding
from metaexpert.logger.formats.sites import encode_text

_RECORDS: Final = b'},"logRecords":['
_CLOSED: Final = b"]}"


@final
class Json:
    """The pieces of a record; an `Encoding`."""

    def scope(self, name: str) -> bytes:
        """The beginning of a `ScopeLogs` object."""
        return b'{"scope":{"name":%b%b' % (encode_text(name), _RECORDS)

    def attributes(self, values: Mapping[str, Any]) -> bytes:
        """Elements of `attributes`, each behind a comma."""
        return b"".join([b"," + orjson.dumps(each) for each in _key_values(values)])

    def severity(self, number: int, text: str) -> bytes:
        """`severityNumber` and `severityText`."""
        return b',"severityNumber":%d,"severityText":%b' % (number, encode_text(text))

    def body(self, text: str) -> bytes:
        """`body`."""
        return b',"body":{"stringValue":%b}' % encode_text(text)

    def part(self, scope: bytes, uid: bytes, time_ns: int, pieces: Pieces, trace: Trace) -> bytes:
        """Scope and record."""
        attributes, head = pieces
        time_ns = max(time_ns, 0)  # a clock before 1970 is wrong whatever we write
        return harmless(
            b'%b{"attributes":[{"key":"log.record.uid","value":{"stringValue":"%b"}}%b],'
            b'"timeUnixNano":"%d","observedTimeUnixNano":"%d"%b%b}'
            % (scope, uid, attributes, time_ns, time_ns, head, _trace(trace))
        )


def _trace(trace: Trace) -> bytes:
    if not trace.trace_id:
        return b""
    ids = b',"traceId":"%b"' % trace.trace_id.hex().encode()
    span = b',"spanId":"%b"' % trace.span_id.hex().encode() if trace.span_id else b""
    return ids + span + (b',"flags":%d' % trace.flags if trace.flags else b"")


def _key_values(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`KeyValue` objects; null is one without a value, since some receivers refuse an empty `AnyValue`."""
    return [
        {"key": name} if value is None else {"key": name, "value": any_value(value)} for name, value in values.items()
    ]


def any_value(value: object) -> dict[str, Any]:  # noqa: PLR0911 - one return for each type
    """An `AnyValue` of what JSON can hold; an empty one for null, and text for an integer over 64 bits."""
    match value:
        case str():
            return {"stringValue": value}
        case bool():
            return {"boolValue": value}
        case int() if MIN_INTEGER <= value <= MAX_INTEGER:
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [any_value(each) for each in cast("list[Any]", value)]}}
        case dict():
            return {"kvlistValue": {"values": _key_values(cast("dict[str, Any]", value))}}
        case None:
            return {}
        case _:
            return {"stringValue": str(value)}


def is_json(part: bytes) -> bool:
    """Whether a part is of this encoding; one of protobuf begins with its scope's tag."""
    return part.startswith(b"{")


@final
class JsonEnvelope:
    """What goes around records; an `Envelope`."""

    @property
    def content_type(self) -> str:
        """That of a request."""
        return "application/json"

    def scope_bytes(self, part: bytes) -> int:
        """How much of a part is its scope."""
        return part.index(_RECORDS) + len(_RECORDS)

    def uid_of(self, part: bytes) -> str:
        """A part's `log.record.uid`."""
        return _record(part)[0]["attributes"][0]["value"]["stringValue"]

    def request(self, groups: Iterable[tuple[Resource, Scopes]]) -> bytes:
        """An `ExportLogsServiceRequest` of resources and their scopes' records."""
        return b'{"resourceLogs":[%b]}' % b",".join([self._resource_logs(*group) for group in groups])

    def _resource_logs(self, resource: Resource, scopes: Scopes) -> bytes:
        logs = b",".join([b"%b%b%b" % (scope, b",".join(records), _CLOSED) for scope, records in scopes.items()])
        return b'{"resource":{"attributes":%b},"scopeLogs":[%b]}' % (
            harmless(orjson.dumps(_key_values(resource))),
            logs,
        )


def reencoded(part: bytes, encoding: Encoding) -> bytes:
    """The part in another encoding, for what waits on disk from a time when JSON was sent."""
    record, scope = _record(part)
    (_, uid), *attributes = _pairs(record["attributes"])
    trace = Trace(
        bytes.fromhex(record.get("traceId", "")), bytes.fromhex(record.get("spanId", "")), record.get("flags", 0)
    )
    head = encoding.severity(record["severityNumber"], record["severityText"])
    head += encoding.body(_plain(record["body"]))
    pieces = (encoding.attributes(dict(attributes)), head)
    return encoding.part(encoding.scope(scope), uid.encode(), int(record["timeUnixNano"]), pieces, trace)


def _record(part: bytes) -> tuple[dict[str, Any], str]:
    logs = orjson.loads(part + _CLOSED)
    return logs["logRecords"][0], logs["scope"]["name"]


def _pairs(key_values: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(each["key"], _plain(each.get("value", {}))) for each in key_values]


def _plain(value: dict[str, Any]) -> Any:
    """What an `AnyValue` was made of."""
    for kind, content in value.items():
        match kind:
            case "intValue":
                return int(content)
            case "arrayValue":
                return [_plain(each) for each in content["values"]]
            case "kvlistValue":
                return dict(_pairs(content["values"]))
            case _:
                return content
    return None
