"""Entries as OTLP log records, whatever the encoding: which parts there are, and which a call site says once.

A part is a scope (the logger's name, as the log data model has it) and one record, so that it can be sent by another
run: it waits in a disk queue, and its `log.record.uid` says which run wrote it.
"""

import logging
from collections.abc import Mapping
from types import CodeType
from typing import Any, Final, Protocol, final

from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.otlp_model import (
    NO_TRACE,
    Pieces,
    Trace,
    brought,
    severity_number,
    site_attributes,
    thread_attributes,
)
from metaexpert.logger.formats.sites import SiteKey, bounded_name
from metaexpert.logger.identity import Identity
from metaexpert.logger.values import safe_text

_MAX_SITES: Final = 10_000
_KEPT_MESSAGE_CHARACTERS: Final = 256


class Encoding(Protocol):
    """How the pieces of a record become bytes; `attributes` and `head` can be joined to others of their kind."""

    def scope(self, name: str, /) -> bytes:
        """What stands before a record: the scope it belongs to."""
        ...

    def attributes(self, values: Mapping[str, Any], /) -> bytes:
        """Attributes of a record."""
        ...

    def severity(self, number: int, text: str, /) -> bytes:
        """A severity and its name."""
        ...

    def body(self, text: str, /) -> bytes:
        """A record's body."""
        ...

    def part(self, scope: bytes, uid: bytes, time_ns: int, pieces: Pieces, trace: Trace, /) -> bytes:
        """A record in its scope."""
        ...


@final
class _Site:
    """What a call site always says the same, and its last message: a constant is the same object every time."""

    __slots__ = ("_code", "_severity", "attributes", "head", "message", "scope")

    def __init__(self, code: CodeType, scope: bytes, attributes: bytes, severity: bytes) -> None:
        self._code = code  # kept alive, so that its id() is not given to another
        self._severity = severity
        self.scope = scope
        self.attributes = attributes
        self.message: str | None = None
        self.head = b""

    def with_message(self, message: str, encoding: Encoding) -> bytes:
        """Severity and body."""
        head = self._severity + encoding.body(message)
        if len(message) <= _KEPT_MESSAGE_CHARACTERS:
            self.message, self.head = message, head
        return head


@final
class Records:
    """Encodes entries as parts of a request.

    Args:
        identity: the process that writes.
        encoding: protobuf or JSON.
    """

    def __init__(self, identity: Identity, encoding: Encoding) -> None:
        self._boot_id = identity.boot_id.encode()
        self._encoding = encoding
        self._sites: dict[SiteKey, _Site] = {}
        self._thread = -1
        self._task: str | None = None
        self._origin = b""

    def __call__(self, entry: Capture) -> bytes:
        """The entry's part."""
        seq, time_ns, level, logger, message, code, lasti, fields, context, thread, task, log_type, details, _, _ = (
            entry
        )
        encoding = self._encoding
        site = self._sites.get((id(code), lasti, level, logger, log_type)) or self._add(
            code, lasti, level, logger, log_type
        )
        if thread != self._thread or task is not self._task:
            self._origin = encoding.attributes(thread_attributes(thread, task))
            self._thread, self._task = thread, task
        attributes, trace = site.attributes + self._origin, NO_TRACE
        if fields or context or details is not None:
            values, trace = brought(entry)
            attributes += encoding.attributes(values)
        head = site.head if site.message is message else site.with_message(message, encoding)
        return encoding.part(site.scope, b"%b-%d" % (self._boot_id, seq), time_ns, (attributes, head), trace)

    def _add(self, code: CodeType, lasti: int, level: int, logger: str, log_type: str) -> _Site:
        if len(self._sites) >= _MAX_SITES:
            self._sites.clear()
        encoding = self._encoding
        site = self._sites[id(code), lasti, level, logger, log_type] = _Site(
            code,
            encoding.scope(safe_text(bounded_name(logger))),
            encoding.attributes(site_attributes(code, lasti, log_type)),
            encoding.severity(severity_number(level), safe_text(bounded_name(logging.getLevelName(level)))),
        )
        return site
