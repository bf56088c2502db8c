"""Grafana Loki's push API (https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs).

Labels are the configured ones plus level and log_type, so a stream's order is its entries' order; what overtakes a disk
queue has a stream of its own. What finds a single
entry (its id, order_id, symbol, …) is structured metadata. Loki stores an identical stream + nanosecond + line once, so
a batch that was refused in part may be sent again in halves until the refused entry stands alone.
"""

import logging
import re
from collections.abc import Callable
from typing import Final, final

import orjson

from metaexpert.logger.batch import Batch
from metaexpert.logger.endpoints import EndpointStats
from metaexpert.logger.entry import DETAILS, LEVEL, LOG_TYPE, SEQ, TIME_NS, Capture, LogEntry
from metaexpert.logger.formats.controls import harmless
from metaexpert.logger.identity import Identity
from metaexpert.logger.options.http import LokiOptions
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry
from metaexpert.logger.sinks.http import Answer, HttpClient, NoAnswer, common_outcome
from metaexpert.logger.values import safe_text

PUSH_PATH: Final = "/loki/api/v1/push"
LIVE_LABEL: Final = {"replay": "ahead"}
"""Of entries sent ahead of those an outage left on disk: in one stream Loki would refuse these as too far behind."""

BLOCKED: Final = 260
"""Loki's own status: ingestion is blocked by policy and the data was discarded."""

_TOO_LARGE_FOR_GRPC: Final = b"received message larger than max"
_MAX_METADATA_BYTES: Final = 2048
_IGNORED: Final = re.compile(rb"total ignored: (\d+) out of (\d+)")
"""What an ingester says of one stream; https://github.com/grafana/loki/blob/main/pkg/ingester/stream.go."""


@final
class LokiSink:
    """Pushes batches to Loki.

    Args:
        options: labels, metadata fields, address.
        client: the connection.
        encode_line: an entry's line.
        identity: the process that writes.
    """

    def __init__(
        self, options: LokiOptions, client: HttpClient, encode_line: Callable[[Capture], bytes], identity: Identity
    ) -> None:
        self._labels = {"service": identity.service, **options.labels}
        self._metadata = options.metadata
        self._client = client
        self._encode_line = encode_line
        self._entry_id = identity.entry_id

    def encode(self, entry: Capture) -> bytes:
        """One element of a stream's `values`: time, line, metadata."""
        line = self._encode_line(entry)
        metadata = harmless(orjson.dumps(self._metadata_of(entry)))
        return b'["%d",%b,%b]' % (entry[TIME_NS], orjson.dumps(line.decode()), metadata)

    async def write(self, batch: Batch) -> Outcome:
        """Push the batch and read the answer."""
        answer = await self._client.post(PUSH_PATH, self.body(batch), "application/json")
        return classify(answer, len(batch))

    def body(self, batch: Batch) -> bytes:
        """The request's body: one stream for each level and log type in the batch."""
        streams: dict[tuple[int, str], list[bytes]] = {}
        for entry, part in zip(batch.entries, batch.parts, strict=True):
            streams.setdefault((entry[LEVEL], entry[LOG_TYPE]), []).append(part)
        encoded = [
            b'{"stream":%b,"values":[%b]}' % (self._stream_labels(level, log_type, live=batch.live), b",".join(parts))
            for (level, log_type), parts in streams.items()
        ]
        return b'{"streams":[%b]}' % b",".join(encoded)

    def _stream_labels(self, level: int, log_type: str, *, live: bool) -> bytes:
        ahead = LIVE_LABEL if live else {}
        labels = {**self._labels, "level": logging.getLevelName(level), "log_type": log_type, **ahead}
        return harmless(orjson.dumps(labels))

    def _metadata_of(self, capture: Capture) -> dict[str, str]:
        metadata = {"entry_id": self._entry_id(capture[SEQ])}
        if not self._metadata:
            return metadata
        entry = LogEntry(capture)
        fields = entry.extra() if capture[DETAILS] is None else entry.fields()
        for name in self._metadata:
            value = fields.get(name)
            if value is not None and not isinstance(value, dict | list):
                metadata[name] = safe_text(str(value), _MAX_METADATA_BYTES)
        return metadata

    @property
    def endpoint_stats(self) -> tuple[EndpointStats, ...]:
        """How each address is doing."""
        return self._client.endpoint_stats

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def classify(answer: Answer | NoAnswer, sent: int) -> Outcome:
    """Loki's answer to a push of `sent` entries, by what real servers answer."""
    match answer:
        case NoAnswer():
            return Retry(answer.reason, pause=answer.pause)
        case Answer(status=200 | 204):
            return Delivered()
        case Answer(status=260):
            reason = f"ingestion is blocked, data was discarded: {answer.text}"
            return _all_rejected(BLOCKED, reason, sent)
        case Answer(refuses_entries=True):
            return _refused(answer, sent)
        case Answer(status=500) if _TOO_LARGE_FOR_GRPC in answer.body:
            return Rejected(answer.status, answer.text)
        case _:
            return common_outcome(answer)


def _refused(answer: Answer, sent: int) -> Outcome:
    """Something is refused; or all that came, and none needs finding, as when an outage left thousands too old."""
    if _IGNORED.findall(answer.body) == [(b"%d" % sent, b"%d" % sent)]:
        return _all_rejected(answer.status, answer.text, sent)
    return Rejected(answer.status, answer.text)


def _all_rejected(status: int, reason: str, sent: int) -> Partial:
    return Partial((), tuple(Rejection(at, status, reason) for at in range(sent)), reason)
