"""OTLP log records in protobuf's binary encoding.

A part is the content of a `ScopeLogs` message with one record. The `log.record.uid` is the first field of the record,
so that it is found without reading the rest.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final, final

from metaexpert.logger.formats.otlp_model import UID, Pieces, Resource, Scopes, Trace
from metaexpert.logger.formats.otlp_wire import field, key_values, read_varint, utf8, varint

_UID_KEY: Final = field(b"\x0a", UID.encode())
_TIMES: Final = struct.Struct("<cQcQ").pack
_FLAGS: Final = struct.Struct("<cI").pack


@final
class Protobuf:
    """The pieces of a record; an `Encoding`."""

    def scope(self, name: str) -> bytes:
        """`ScopeLogs.scope`, with the scope's name."""
        return field(b"\x0a", field(b"\x0a", utf8(name)))

    def attributes(self, values: Mapping[str, Any]) -> bytes:
        """`LogRecord.attributes`."""
        return key_values(b"\x32", values)

    def severity(self, number: int, text: str) -> bytes:
        """`severity_number` and `severity_text`."""
        return (b"\x10" + varint(number) if number else b"") + field(b"\x1a", utf8(text))

    def body(self, text: str) -> bytes:
        """`LogRecord.body`."""
        return field(b"\x2a", field(b"\x0a", utf8(text)))

    def part(self, scope: bytes, uid: bytes, time_ns: int, pieces: Pieces, trace: Trace) -> bytes:
        """Scope and `ScopeLogs.log_records`."""
        attributes, head = pieces
        named = field(b"\x32", _UID_KEY + field(b"\x12", field(b"\x0a", uid)))
        time_ns = max(time_ns, 0)  # a clock before 1970 is wrong whatever we write
        record = b"%b%b%b%b%b" % (named, _TIMES(b"\x09", time_ns, b"\x59", time_ns), head, attributes, _trace(trace))
        return b"%b\x12%b%b" % (scope, varint(len(record)), record)


def _trace(trace: Trace) -> bytes:
    if not trace.trace_id:
        return b""
    flags = _FLAGS(b"\x45", trace.flags) if trace.flags else b""
    return flags + field(b"\x4a", trace.trace_id) + (field(b"\x52", trace.span_id) if trace.span_id else b"")


@final
class ProtobufEnvelope:
    """What goes around records; an `Envelope`."""

    @property
    def content_type(self) -> str:
        """That of a request."""
        return "application/x-protobuf"

    def scope_bytes(self, part: bytes) -> int:
        """How much of a part is its scope."""
        size, begin = read_varint(part, 1)
        return begin + size

    def uid_of(self, part: bytes) -> str:
        """A part's `log.record.uid`."""
        begin = part.index(_UID_KEY, self.scope_bytes(part)) + len(_UID_KEY)
        size, at = read_varint(part, read_varint(part, begin + 1)[1] + 1)
        return part[at : at + size].decode()

    def request(self, groups: Iterable[tuple[Resource, Scopes]]) -> bytes:
        """An `ExportLogsServiceRequest` of resources and their scopes' records."""
        return b"".join([self._resource_logs(resource, scopes) for resource, scopes in groups])

    def _resource_logs(self, resource: Resource, scopes: Scopes) -> bytes:
        logs = b"".join([field(b"\x12", scope + b"".join(records)) for scope, records in scopes.items()])
        return field(b"\x0a", field(b"\x0a", key_values(b"\x0a", resource)) + logs)
