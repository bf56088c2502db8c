"""Elasticsearch's bulk API as the real server judges it: parse, validate, store, answer item by item. No I/O.

Request-level mistakes (no final newline, a malformed action line) store nothing; a document's own mistake is
its item's alone. Items are answered in the order of the request. Error types and reasons are Elasticsearch 8's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import orjson

from metaexpert.demo.collector.filter_path import filter_response
from metaexpert.demo.collector.store import EntryStore
from metaexpert.demo.collector.wire import Answer, Json, json_answer, load_json

BODY_LIMIT_BYTES = 100 * 1024 * 1024
CONTENT_TYPES = frozenset({"application/x-ndjson", "application/json", "application/vnd.elasticsearch+x-ndjson"})
MAX_ID_BYTES = 512
REJECT_ONE_IN = 3

# strict_date_optional_time: a date, or a date and T and a time to the nanosecond, with an optional zone.
_DATE = re.compile(
    r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])"
    r"(T([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?"
)
_EPOCH_MILLIS = re.compile(r"-?\d{1,19}(\.\d{1,6})?")


@dataclass(frozen=True, slots=True)
class Operation:
    """One action line with the document below it."""

    action: str
    index: str
    entry_id: str
    source: bytes


@dataclass(frozen=True, slots=True)
class BadRequest:
    """The whole request is refused."""

    type: str
    reason: str


@dataclass(slots=True)
class BulkTarget:
    """The cluster: one store an index.

    Attributes:
        overloaded_one_in: Answers one item in so many with 429 (0: none); see `REJECT_ONE_IN`.
    """

    stores: dict[str, EntryStore] = field(default_factory=dict[str, EntryStore])
    received: int = 0
    refused: int = 0
    conflicts: int = 0
    overloaded_one_in: int = 0

    def bulk(self, body: bytes, content_type: str, default_index: str, filter_path: str) -> Answer:
        """Take one decoded bulk request."""
        if content_type not in CONTENT_TYPES:
            return json_answer(406, {"error": f"Content-Type header [{content_type}] is not supported", "status": 406})
        operations = parse_bulk(body, default_index)
        if isinstance(operations, BadRequest):
            return bad_request(operations)
        items = [self._apply(operation) for operation in operations]
        errors = any("error" in result for result in items)
        named: list[Json] = [{operation.action: result} for operation, result in zip(operations, items, strict=True)]
        response: dict[str, Json] = {"took": 1, "errors": errors, "items": named}
        return json_answer(200, filter_response(response, filter_path))

    def _apply(self, operation: Operation) -> dict[str, Json]:
        self.received += 1
        if self.overloaded_one_in and self.received % self.overloaded_one_in == 0:
            return _failed(operation, 429, "es_rejected_execution_exception", OVERLOADED)
        if operation.action != "create" and _is_data_stream(operation.index):
            self.refused += 1
            return _failed(operation, 400, "illegal_argument_exception", CREATE_ONLY)
        document = _parse_document(operation)
        problem = document if isinstance(document, str) else _check(operation, document)
        if problem is not None or isinstance(document, str):
            self.refused += 1
            return _failed(operation, 400, "document_parsing_exception", problem or "")
        return self._store(operation, document)

    def _store(self, operation: Operation, document: dict[str, Json]) -> dict[str, Json]:
        store = self.stores.get(operation.index)
        if store is None:
            store = self.stores[operation.index] = EntryStore()
        level, log_type = _kind(document)
        if not store.add(operation.entry_id, level, log_type, operation.source, document):
            if operation.action == "create":
                self.conflicts += 1
                reason = f"[{operation.entry_id}]: version conflict, document already exists (current version [1])"
                return _failed(operation, 409, "version_conflict_engine_exception", reason)
            return _stored(operation, 200, "updated")
        return _stored(operation, 201, "created")


CREATE_ONLY = "only write ops with an op_type of create are allowed in data streams"
OVERLOADED = (
    "rejected execution of coordinating operation [coordinating_and_primary_bytes=0, replica_bytes=0, "
    "all_bytes=0, coordinating_operation_bytes=1, max_coordinating_and_primary_bytes=1]"
)


def parse_bulk(body: bytes, default_index: str) -> list[Operation] | BadRequest:
    """Split a bulk body into operations, or say why the server refuses it whole."""
    if not body:
        return BadRequest("parse_exception", "request body is required")
    if not body.endswith(b"\n"):
        return BadRequest("illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
    operations: list[Operation] = []
    lines = iter(body[:-1].split(b"\n"))
    for number, line in enumerate(lines):
        operation = _parse_operation(line, lines, default_index, 2 * number + 1)
        if isinstance(operation, BadRequest):
            return operation
        operations.append(operation)
    return operations


def _parse_operation(
    line: bytes, following: Iterator[bytes], default_index: str, number: int
) -> Operation | BadRequest:
    try:
        parsed = load_json(line)
    except orjson.JSONDecodeError as error:
        return BadRequest("illegal_argument_exception", f"Malformed action/metadata line [{number}]: {error}")
    if not isinstance(parsed, dict) or len(parsed) != 1:
        return BadRequest("illegal_argument_exception", f"Malformed action/metadata line [{number}], expected one key")
    action, parameters = next(iter(parsed.items()))
    if action not in {"create", "index"}:
        reason = f"Malformed action/metadata line [{number}], expected field [create] or [index] but found [{action}]"
        return BadRequest("illegal_argument_exception", reason)
    if not isinstance(parameters, dict):
        return BadRequest(
            "illegal_argument_exception", f"Malformed action/metadata line [{number}], expected an object"
        )
    source = next(following, None)
    if source is None:
        return BadRequest("illegal_argument_exception", f"no source is associated with action/metadata line [{number}]")
    return _operation(action, parameters, default_index, source)


def _operation(action: str, parameters: dict[str, Json], default_index: str, source: bytes) -> Operation | BadRequest:
    index = parameters.get("_index", default_index)
    entry_id = parameters.get("_id", "")
    if not isinstance(index, str) or not index:
        return BadRequest("action_request_validation_exception", "Validation Failed: 1: index is missing;")
    if not isinstance(entry_id, str) or len(entry_id.encode()) > MAX_ID_BYTES:
        reason = f"Validation Failed: 1: id [{entry_id}] is too long, must be no longer than {MAX_ID_BYTES} bytes;"
        return BadRequest("action_request_validation_exception", reason)
    return Operation(action, index, entry_id or uuid4().hex, source)


def _parse_document(operation: Operation) -> dict[str, Json] | str:
    """The document, or the reason why it is none."""
    try:
        document = load_json(operation.source)
    except orjson.JSONDecodeError as error:
        return f"[{error.lineno}:{error.colno}] failed to parse: {error.msg}"
    return document if isinstance(document, dict) else "[1:1] failed to parse: expected an object"


def _check(operation: Operation, document: dict[str, Json]) -> str | None:
    """Hold a document against the mapping: `@timestamp` a date, `message` text, `log` an object."""
    if "@timestamp" not in document:
        return "data stream timestamp field [@timestamp] is missing" if _is_data_stream(operation.index) else None
    timestamp = document["@timestamp"]
    if not _is_date(timestamp):
        return (
            f"[1:1] failed to parse field [@timestamp] of type [date] in document with id '{operation.entry_id}'. "
            f"Preview of field's value: '{timestamp}'"
        )
    for name in ("message", "log.level", "log.logger"):
        if isinstance(document.get(name), dict | list):
            return f"[1:1] failed to parse field [{name}] in document with id '{operation.entry_id}'"
    return None


def _is_data_stream(index: str) -> bool:
    """Elasticsearch's own templates make data streams of `logs-*-*`."""
    return index.startswith("logs-") and index.count("-") >= 2  # noqa: PLR2004 - type-dataset-namespace


def _is_date(value: Json) -> bool:
    if isinstance(value, str):
        return _DATE.fullmatch(value) is not None or _EPOCH_MILLIS.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(document: dict[str, Json]) -> tuple[str, str]:
    """Level and log type: `log.level`, and what `event.dataset` says after its last dot."""
    dataset = str(_field(document, "event", "dataset") or "")
    return str(_field(document, "log", "level") or "").upper(), dataset.rpartition(".")[2]


def _field(document: dict[str, Json], group: str, name: str) -> Json:
    """An ECS field, nested or written with a dot."""
    nested = document.get(group)
    return nested.get(name) if isinstance(nested, dict) else document.get(f"{group}.{name}")


def _failed(operation: Operation, status: int, kind: str, reason: str) -> dict[str, Json]:
    error: dict[str, Json] = {"type": kind, "reason": reason}
    if status == 409:  # noqa: PLR2004
        error |= {"index_uuid": "9uOwTwDRRQGX0ck2gR8ZXg", "shard": "0", "index": operation.index}
    return {"_index": operation.index, "_id": operation.entry_id, "status": status, "error": error}


def _stored(operation: Operation, status: int, result: str) -> dict[str, Json]:
    return {
        "_index": operation.index,
        "_id": operation.entry_id,
        "_version": 1,
        "result": result,
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "status": status,
    }


def bad_request(problem: BadRequest) -> Answer:
    """Elasticsearch's envelope of a request-level 400."""
    cause: dict[str, Json] = {"type": problem.type, "reason": problem.reason}
    return json_answer(400, {"error": {"root_cause": [cause], **cause}, "status": 400})
