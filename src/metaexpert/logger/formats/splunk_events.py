"""Events as Splunk's HTTP Event Collector takes them (Splunk, "Format events for HTTP Event Collector").

An event is an envelope (time, host, source, sourcetype, index, indexed fields) around an entry's JSON line.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

import orjson

from metaexpert.logger.entry import DETAILS, SEQ, TIME_NS, Capture, LogEntry
from metaexpert.logger.formats.controls import harmless
from metaexpert.logger.formats.failures import FINGERPRINT, fingerprint_of
from metaexpert.logger.identity import Identity
from metaexpert.logger.values import safe_text

INDEXED_FIELDS: Final = ("symbol", "order_id", "client_order_id", "strategy_id", "trace_id", FINGERPRINT)
"""What orders are searched by; and which errors are one: that of the exception where no field is called so."""

_MAX_FIELD_BYTES: Final = 2048
_NANOSECONDS: Final = 1_000_000_000


@final
class SplunkEvents:
    """Encodes entries as events, without newline.

    Args:
        identity: the process that writes.
        encode_line: an entry's line.
        source: Splunk's `source`; the service when empty.
        sourcetype: Splunk's `sourcetype`.
        index: the index; the token's own when empty.
        fields: indexed fields of every event.
        indexed_fields: fields of an entry that are indexed too.
    """

    def __init__(
        self,
        identity: Identity,
        encode_line: Callable[[Capture], bytes],
        *,
        source: str = "",
        sourcetype: str = "_json",
        index: str = "",
        fields: Mapping[str, str] | None = None,
        indexed_fields: Iterable[str] = INDEXED_FIELDS,
    ) -> None:
        self._encode_line = encode_line
        self._identity = identity
        named = {"host": identity.host, "source": source or identity.service, "sourcetype": sourcetype}
        self._head = harmless(orjson.dumps(named | ({"index": index} if index else {})))[:-1] + b',"time":'
        self._fields = {"service": identity.service, **(fields or {})}
        self._indexed_fields = tuple(indexed_fields)

    def __call__(self, entry: Capture) -> bytes:
        """One event in its envelope."""
        seconds, fraction = divmod(entry[TIME_NS], _NANOSECONDS)
        fields = harmless(orjson.dumps(self._fields_of(entry)))
        return b'%b%d.%09d,"event":%b,"fields":%b}' % (self._head, seconds, fraction, self._encode_line(entry), fields)

    def _fields_of(self, capture: Capture) -> dict[str, str]:
        fields = {**self._fields, "entry_id": self._identity.entry_id(capture[SEQ])}
        wanted = self._indexed_fields
        if not wanted or not (capture[7] or capture[8] or capture[DETAILS]):
            return fields
        entry = LogEntry(capture)
        known = entry.extra() if capture[DETAILS] is None else entry.fields()
        for name in wanted:
            value = known.get(name)
            if value is None and name == FINGERPRINT:
                value = fingerprint_of(capture)
            if value is not None and not isinstance(value, dict | list):
                fields[name] = safe_text(str(value), _MAX_FIELD_BYTES)
        return fields
