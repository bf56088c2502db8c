"""The formatters of the existing interface: `LogRecord`s of stdlib handlers as JSON lines with MetaExpert's keys.

A line is made of encoded members, one a key; whatever a record carries, `format` returns a line of valid JSON. Values
are redacted and bounded as in a log call, under the rules in force when the record is formatted.
"""

import logging
import time
from datetime import UTC, datetime
from typing import Any, Final, override

import orjson

from metaexpert.exceptions import ConfigError
from metaexpert.logger.errors import TRACEBACK_LIMIT_BYTES, encode_exception, exception_of
from metaexpert.logger.formats.controls import harmless
from metaexpert.logger.formats.severity import severity_of
from metaexpert.logger.formats.sites import encode_name, encode_text
from metaexpert.logger.message import format_message
from metaexpert.logger.port import port
from metaexpert.logger.values import described, safe_text

_CUSTOM_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
_OWN_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; everything else on one was added by its user."""

_TRADE_FIELDS: Final = ("symbol", "side", "quantity", "price", "order_id", "strategy_id")
_ERROR_FIELDS: Final = ("error_code", "component", "operation", "user_id", "session_id")

type Members = dict[str, bytes]
"""Encoded JSON values by key."""


class MainFormatter(logging.Formatter):
    """Formats records as JSON: timestamp, level, logger, message, module, function, line, thread, process, and more.

    `exception`, `stack_info` and `extra` stand there when a record has them, `task` when an asyncio task logged it.

    Args:
        include_extra: whether the fields a record carries beyond stdlib's own appear under `extra`.
        timestamp_format: `iso` (RFC 3339, UTC), `epoch` (seconds as text), `custom` (local date and time), or a
            pattern of `time.strftime`.

    Raises:
        ConfigError: `timestamp_format` is none of these.
    """

    def __init__(self, include_extra: bool = True, timestamp_format: str = "iso") -> None:  # noqa: FBT001, FBT002 - as it always was
        super().__init__()
        if timestamp_format not in {"iso", "epoch", "custom"} and "%" not in timestamp_format:
            known = "'iso', 'epoch', 'custom' or a strftime pattern"
            raise ConfigError(f"timestamp_format: {timestamp_format!r} is not known; use {known}")
        self.include_extra = include_extra
        self.timestamp_format = timestamp_format

    @override
    def format(self, record: logging.LogRecord) -> str:
        """The record's line, without newline; it never raises."""
        try:
            members = self._members(record)
        except Exception as failure:  # noqa: BLE001 - a record may carry anything; the line says what went wrong
            members = _remains(record, failure)
        line = b"{%b}" % b",".join([b"%b:%b" % (encode_text(key), value) for key, value in members.items()])
        return harmless(line).decode()

    def _members(self, record: logging.LogRecord) -> Members:
        members = {
            "timestamp": _text(self._timestamp(record)),
            "level": _name(record.levelname),
            "logger": _name(port.encoder.scrub(safe_text(_named(record.name)))),
            "message": _text(format_message(record.msg, _arguments(record))),
            "module": _name(record.module),
            "function": _name(record.funcName),
            "line": _number(record.lineno),
        }
        return members | _origin(record) | _failure(record) | self._extra(record)

    def _timestamp(self, record: logging.LogRecord) -> str:
        match self.timestamp_format:
            case "iso":
                return _utc(record.created)
            case "epoch":
                return str(record.created)
            case "custom":
                return self.formatTime(record, _CUSTOM_FORMAT)
            case pattern:
                return self.formatTime(record, pattern)

    def _extra(self, record: logging.LogRecord) -> Members:
        added = {key: value for key, value in vars(record).items() if key not in _OWN_ATTRIBUTES}
        return {"extra": _fields(added)} if added and self.include_extra else {}


class TradeFormatter(MainFormatter):
    """Adds `log_type` "trade" and, under `trade_data`, the trade fields the record carries.

    These are symbol, side, quantity, price, order_id and strategy_id.
    """

    @override
    def _members(self, record: logging.LogRecord) -> Members:
        return super()._members(record) | {"log_type": b'"trade"'} | _picked("trade_data", record, _TRADE_FIELDS)


class ErrorFormatter(MainFormatter):
    """Adds `log_type` "error", `severity`, and under `error_context` the context fields the record carries.

    Severity is critical, high, medium or low; the fields are error_code, component, operation, user_id and session_id.
    """

    @override
    def _members(self, record: logging.LogRecord) -> Members:
        told = {"log_type": b'"error"', "severity": _text(severity_of(record.levelno))}
        return super()._members(record) | told | _picked("error_context", record, _ERROR_FIELDS)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(value: object) -> bytes:
    text = value if type(value) is str else described(value, str)
    return encode_text(port.encoder.scrub(safe_text(text)))


def _fields(fields: dict[str, Any]) -> bytes:
    return b"{%b}" % port.encoder.full(fields)


def _picked(key: str, record: logging.LogRecord, names: tuple[str, ...]) -> Members:
    own = vars(record)
    fields = {name: own[name] for name in names if name in own}
    return {key: _fields(fields)} if fields else {}


def _arguments(record: logging.LogRecord) -> tuple[object, ...]:
    """The record's %-args as a call gives them; stdlib keeps a single mapping bare."""
    args: object = record.args
    if isinstance(args, tuple):
        return args  # pyright: ignore[reportUnknownVariableType] - of anything
    return (args,) if args else ()


def _origin(record: logging.LogRecord) -> Members:
    """Thread, process and task, as far as the record knows them."""
    found: Members = {}
    if record.thread:
        found["thread"] = _numbered(record.thread, record.threadName)
    if record.process:
        found["process"] = _numbered(record.process, record.processName)
    task = getattr(record, "taskName", None)
    return found | ({"task": _name(task)} if task else {})


def _numbered(number: object, name: object) -> bytes:
    """A thread or process."""
    return b'{"id":%b,"name":%b}' % (_number(number), b"null" if name is None else _name(name))


def _number(value: object) -> bytes:
    """A number where it is one; a record made by hand may have anything there."""
    return orjson.dumps(value) if value is None or type(value) is int else _name(value)


def _name(value: object) -> bytes:
    return encode_name(_named(value))


def _named(value: object) -> str:
    return value if type(value) is str else described(value, str)


def _failure(record: logging.LogRecord) -> Members:
    """Exception and stack."""
    found: Members = {}
    error = exception_of(record.exc_info) if isinstance(record.exc_info, tuple | BaseException) else None
    if error is not None:
        found["exception"] = encode_exception(error, port.encoder.scrub)
    elif record.exc_text:  # a record that went through a queue has the text alone
        traceback = port.encoder.scrub(safe_text(record.exc_text, TRACEBACK_LIMIT_BYTES))
        found["exception"] = orjson.dumps({"type": None, "message": None, "traceback": traceback})
    if record.stack_info:
        found["stack_info"] = _text(record.stack_info)
    return found


def _remains(record: logging.LogRecord, failure: Exception) -> Members:
    """What can be told of a record that could not be formatted."""
    own = vars(record)
    told = {"level": own.get("levelname"), "logger": own.get("name"), "message": own.get("msg")}
    members = {"timestamp": _text(_utc(time.time()))} | {key: _text(value) for key, value in told.items()}
    return members | {"extra": orjson.dumps({"format_failed": type(failure).__name__})}
