"""What an OTLP receiver says in its answer's body: `ExportLogsServiceResponse`, or `google.rpc.Status` for an error.

Either may be protobuf or JSON, whatever its Content-Type says, so the body itself tells: a JSON object begins with a
brace, which no protobuf message of proto3 does.
"""

from typing import Any, Final, NamedTuple, cast

import orjson

from metaexpert.logger.formats.otlp_wire import read_fields

_JSON_BEGINNINGS: Final = (b"{", b"null")
_PARTIAL_SUCCESS: Final = 1
_REJECTED: Final = 1
_ERROR_MESSAGE: Final = 2
_STATUS_MESSAGE: Final = 2
_SIGN: Final = 1 << 63


class PartialSuccess(NamedTuple):
    """How many records were rejected, and why; with none rejected `message` is a warning."""

    rejected: int = 0
    message: str = ""


def read_response(body: bytes) -> PartialSuccess | None:
    """What an answer of success says; None when it is no such answer."""
    try:
        return _response_in_json(body) if _is_json(body) else _response_in_protobuf(body)
    except (ValueError, TypeError, AttributeError):
        return None


def status_message(body: bytes) -> bytes:
    """The message of an error's status; the body itself when it is no status."""
    try:
        if _is_json(body):
            return str(orjson.loads(body)["message"]).encode("utf-8", "replace")
        messages = [value for number, value in read_fields(body) if number == _STATUS_MESSAGE]
        return next((each for each in messages if isinstance(each, bytes) and each), body)
    except (ValueError, TypeError, KeyError):
        return body


def _is_json(body: bytes) -> bool:
    return body.lstrip().startswith(_JSON_BEGINNINGS)


def _response_in_json(body: bytes) -> PartialSuccess:
    response = cast("dict[str, Any]", orjson.loads(body) or {})
    told = cast("dict[str, Any]", response.get("partialSuccess") or {})
    return PartialSuccess(int(told.get("rejectedLogRecords") or 0), str(told.get("errorMessage") or ""))


def _response_in_protobuf(body: bytes) -> PartialSuccess:
    rejected, message = 0, ""
    for number, content in read_fields(body):
        if number != _PARTIAL_SUCCESS:
            continue
        for inner, value in read_fields(_message(content)):
            if inner == _REJECTED and isinstance(value, int):
                rejected = value if value < _SIGN else 0
            elif inner == _ERROR_MESSAGE:
                message = _message(value).decode("utf-8", "replace")
    return PartialSuccess(rejected, message)


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message should be")  # noqa: TRY004 - it is the bytes that are wrong
    return value
