"""What an OTLP request carries, decoded by OpenTelemetry's own package; JSON is held to the mapping's every name."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from support.scripted_collector import Received

_HEX = ("traceId", "spanId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One log record as the receiver has it."""

    resource: dict[str, Any]
    scope: str
    time_ns: int
    observed_ns: int
    severity: int
    severity_text: str
    body: str
    attributes: dict[str, Any]
    trace_id: str
    span_id: str
    flags: int

    @property
    def uid(self) -> str:
        """The entry's id."""
        return self.attributes["log.record.uid"]


def message_of(body: bytes, content_type: str) -> ExportLogsServiceRequest:
    """The request's message; names that the mapping does not know are an error."""
    if content_type == "application/x-protobuf":
        return ExportLogsServiceRequest.FromString(body)
    assert content_type == "application/json"
    return json_format.Parse(orjson.dumps(_with_base64(orjson.loads(body))), ExportLogsServiceRequest())


def _with_base64(value: Any) -> Any:
    """OTLP has ids in hex where protobuf's own JSON has base64."""
    if isinstance(value, list):
        return [_with_base64(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(each)).decode() if key in _HEX else _with_base64(each)
        for key, each in value.items()
    }


def exported_by(message: ExportLogsServiceRequest) -> list[Exported]:
    """The records of a message, in order."""
    return [
        Exported(
            resource=_plain_table(logs.resource.attributes),
            scope=scope.scope.name,
            time_ns=record.time_unix_nano,
            observed_ns=record.observed_time_unix_nano,
            severity=record.severity_number,
            severity_text=record.severity_text,
            body=record.body.string_value,
            attributes=_plain_table(record.attributes),
            trace_id=record.trace_id.hex(),
            span_id=record.span_id.hex(),
            flags=record.flags,
        )
        for logs in message.resource_logs
        for scope in logs.scope_logs
        for record in scope.log_records
    ]


def exported(request: Received) -> list[Exported]:
    """The records of a request, in order."""
    return exported_by(message_of(request.body, request.headers["Content-Type"]))


def told_by(request: Received) -> list[tuple[str, str]]:
    """Id and body of each record: all that a collector beside a watched loop has the time to read."""
    if request.headers["Content-Type"] == "application/json":
        return [
            (record["attributes"][0]["value"]["stringValue"], record["body"]["stringValue"])
            for logs in orjson.loads(request.body)["resourceLogs"]
            for scope in logs["scopeLogs"]
            for record in scope["logRecords"]
        ]
    return [
        (record.attributes[0].value.string_value, record.body.string_value)
        for logs in ExportLogsServiceRequest.FromString(request.body).resource_logs
        for scope in logs.scope_logs
        for record in scope.log_records
    ]


def _plain_table(pairs: Iterable[Any]) -> dict[str, Any]:
    names = [pair.key for pair in pairs]
    assert len({*names}) == len(names), f"a name occurs twice: {names}"
    return {pair.key: plain(pair.value) for pair in pairs}


def plain(value: Any) -> Any:
    """What an `AnyValue` holds."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return _plain_table(value.kvlist_value.values)
    return getattr(value, kind)


def partial_success(rejected: int, message: str = "") -> ExportLogsServiceResponse:
    """An answer that tells of rejected records."""
    told = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=message)
    return ExportLogsServiceResponse(partial_success=told)
