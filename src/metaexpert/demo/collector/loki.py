"""Loki's push API as the real server judges it: parse, validate, store, answer. No I/O.

The source of each limit and text is Loki's own (limits_config defaults, pkg/validation and pkg/loghttp/push).
A malformed body stores nothing; an entry beyond a limit is refused alone and its neighbours are stored.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from zlib import crc32

import orjson

from metaexpert.demo.collector.store import EntryStore
from metaexpert.demo.collector.wire import Answer, Json, load_json, text_answer

BODY_LIMIT_BYTES = 4 * 1024 * 1024
MAX_LABELS = 15
MAX_LABEL_NAME_BYTES = 1024
MAX_LABEL_VALUE_BYTES = 2048
MAX_LINE_BYTES = 256 * 1024
MAX_METADATA_BYTES = 64 * 1024
MAX_METADATA_KEYS = 128
MAX_AGE_NS = 7 * 24 * 3600 * 1_000_000_000
MAX_AHEAD_NS = 10 * 60 * 1_000_000_000
MAX_BEHIND_NS = 3600 * 1_000_000_000
ERRORS_LISTED = 10
PARTIAL_ONE_IN = 8

NO_STREAMS = text_answer(422, "error at least one valid stream is required for ingestion")
STORED = Answer(204)

type Refusal = str
type RawEntry = tuple[str, str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a push request: its labels, their canonical text, and its entries."""

    labels: dict[str, str]
    key: str
    entries: list[RawEntry]


@dataclass(frozen=True, slots=True)
class Malformed:
    """The whole request is refused with this text."""

    text: str


@dataclass(slots=True)
class LokiTarget:
    """One tenant's streams: stored entries by id, and the newest time of each stream.

    Attributes:
        refuse_one_in: Refuses one line in so many, told by its bytes, as if it were too far behind (0: none).
    """

    clock_ns: Callable[[], int]
    store: EntryStore = field(default_factory=EntryStore)
    newest_ns: dict[str, int] = field(default_factory=dict[str, int])
    received: int = 0
    refused: int = 0
    refuse_one_in: int = 0

    def push(self, body: bytes) -> Answer:
        """Take one decoded push request."""
        streams = parse_push(body)
        if isinstance(streams, Malformed):
            return text_answer(400, streams.text)
        if not streams:
            return NO_STREAMS
        refusals = [text for stream in streams for text in self._take(stream)]
        return _refused(refusals) if refusals else STORED

    def _take(self, stream: Stream) -> Iterable[Refusal]:
        """Store what is within the limits; what is not comes back as texts that name the stream."""
        self.received += len(stream.entries)
        stream_refusal = _check_labels(stream)
        if stream_refusal is not None:
            self.refused += len(stream.entries)
            return [stream_refusal]
        refusals = [text for entry in stream.entries if (text := self._take_entry(stream, entry)) is not None]
        self.refused += len(refusals)
        if refusals:
            refusals.append(
                f"user 'fake', total ignored: {len(refusals)} out of {len(stream.entries)} for stream: {stream.key}"
            )
        return refusals

    def _take_entry(self, stream: Stream, entry: RawEntry) -> Refusal | None:
        timestamp, line, metadata = entry
        time_ns = int(timestamp)
        refusal = self._check_time(stream.key, time_ns) or _check_size(stream.key, line, metadata)
        if refusal is None and self.refuse_one_in and crc32(line.encode()) % self.refuse_one_in == 0:
            refusal = _too_far_behind(time_ns, time_ns)
        if refusal is not None:
            return refusal
        self._store(stream, entry)
        if time_ns > self.newest_ns.get(stream.key, 0):
            self.newest_ns[stream.key] = time_ns
        return None

    def _check_time(self, stream_key: str, time_ns: int) -> Refusal | None:
        now_ns = self.clock_ns()
        if time_ns < now_ns - MAX_AGE_NS:
            oldest = _rfc3339(now_ns - MAX_AGE_NS)
            return (
                f"entry for stream '{stream_key}' has timestamp too old: {_rfc3339(time_ns)}, "
                f"oldest acceptable timestamp is: {oldest}"
            )
        if time_ns > now_ns + MAX_AHEAD_NS:
            return f"entry for stream '{stream_key}' has timestamp too new: {_rfc3339(time_ns)}"
        oldest_ns = self.newest_ns.get(stream_key, 0) - MAX_BEHIND_NS
        return _too_far_behind(time_ns, oldest_ns) if time_ns < oldest_ns else None

    def _store(self, stream: Stream, entry: RawEntry) -> None:
        timestamp, line, metadata = entry
        parsed = _parse_line(line)
        entry_id = metadata.get("entry_id") or _text(parsed.get("id")) or f"{timestamp}:{crc32(line.encode()):08x}"
        level = _text(parsed.get("level")) or stream.labels.get("level", "")
        log_type = _text(parsed.get("log_type")) or stream.labels.get("log_type", "")
        self.store.add(entry_id, level.upper(), log_type, f"{stream.key}\n{timestamp}\n{line}", parsed)


def parse_push(body: bytes) -> list[Stream] | Malformed:
    """Read a push request's JSON; anything of the wrong type refuses the whole of it."""
    try:
        request = load_json(body)
    except orjson.JSONDecodeError as error:
        return Malformed(f"couldn't parse push request: {error}")
    if not isinstance(request, dict):
        return Malformed("couldn't parse push request: Value looks like object, but can't find closing '}' symbol")
    raw_streams = request.get("streams", [])
    if not isinstance(raw_streams, list):
        return Malformed("couldn't parse push request: PushRequest.Streams: expected an array")
    streams: list[Stream] = []
    for raw_stream in raw_streams:
        stream = _parse_stream(raw_stream)
        if isinstance(stream, Malformed):
            return stream
        streams.append(stream)
    return streams


def _parse_stream(raw: Json) -> Stream | Malformed:
    if not isinstance(raw, dict):
        return Malformed("couldn't parse push request: LogProtoStream: expected an object")
    labels = _parse_labels(raw.get("stream"))
    if isinstance(labels, Malformed):
        return labels
    values = raw.get("values", [])
    if not isinstance(values, list):
        return Malformed("couldn't parse push request: LogProtoStream: values must be an array")
    entries: list[RawEntry] = []
    for value in values:
        entry = _parse_entry(value)
        if isinstance(entry, Malformed):
            return entry
        entries.append(entry)
    return Stream(labels, _stream_key(labels), entries)


def _parse_labels(raw: Json) -> dict[str, str] | Malformed:
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        return Malformed("couldn't parse push request: LogProtoStream: labels must be an object of strings")
    if not raw:
        return Malformed("error at least one label pair is required per stream")
    labels = cast("dict[str, str]", raw)
    if not all(_is_label_name(name) for name in labels):
        return Malformed(f"couldn't parse labels: {_stream_key(labels)}: parse error: unexpected character")
    return labels


def _parse_entry(value: Json) -> RawEntry | Malformed:
    if not isinstance(value, list) or len(value) not in {2, 3}:
        return Malformed("couldn't parse push request: LogProtoStream: an entry is [timestamp, line, metadata?]")
    timestamp, line = value[0], value[1]
    if not isinstance(timestamp, str) or not (timestamp.isascii() and timestamp.isdigit()):
        return Malformed(
            f"couldn't parse push request: LogProtoStream: strconv.ParseInt: parsing {timestamp!r}: invalid syntax"
        )
    if not isinstance(line, str):
        return Malformed("couldn't parse push request: LogProtoStream: expected a string as the line")
    metadata: Json = value[2] if len(value) == 3 else {}  # noqa: PLR2004  the optional third element
    if not isinstance(metadata, dict) or not all(type(item) is str for item in metadata.values()):
        return Malformed("couldn't parse push request: LogProtoStream: structured metadata must be strings")
    return timestamp, line, cast("dict[str, str]", metadata)


def _is_label_name(name: str) -> bool:
    """Prometheus' rule `[a-zA-Z_][a-zA-Z0-9_]*`, which is an ASCII identifier's."""
    return name.isascii() and name.isidentifier()


def _stream_key(labels: dict[str, str]) -> str:
    pairs = ", ".join(f"{name}={orjson.dumps(labels[name]).decode()}" for name in sorted(labels))
    return f"{{{pairs}}}"


def _check_labels(stream: Stream) -> Refusal | None:
    if len(stream.labels) > MAX_LABELS:
        return f"entry for stream '{stream.key}' has {len(stream.labels)} label names; limit {MAX_LABELS}"
    for name, value in stream.labels.items():
        if len(name.encode()) > MAX_LABEL_NAME_BYTES:
            return f"stream '{stream.key}' has label name too long: '{name}'"
        if len(value.encode()) > MAX_LABEL_VALUE_BYTES:
            return f"stream '{stream.key}' has label value too long: '{value}'"
    return None


def _check_size(stream_key: str, line: str, metadata: dict[str, str]) -> Refusal | None:
    line_bytes = len(line) if line.isascii() else len(line.encode())
    if line_bytes > MAX_LINE_BYTES:
        return (
            f"max entry size '{MAX_LINE_BYTES}' bytes exceeded for stream '{stream_key}' "
            f"while adding an entry with length '{line_bytes}' bytes"
        )
    if len(metadata) > MAX_METADATA_KEYS:
        return (
            f"stream '{stream_key}' has too many structured metadata labels: '{len(metadata)}', "
            f"limit: '{MAX_METADATA_KEYS}'. Please see `limits_config.max_structured_metadata_entries_count`"
        )
    metadata_bytes = sum([len(name.encode()) + len(value.encode()) for name, value in metadata.items()])
    if metadata_bytes > MAX_METADATA_BYTES:
        return (
            f"stream '{stream_key}' has structured metadata too large: '{metadata_bytes}' bytes, "
            f"limit: '{MAX_METADATA_BYTES}' bytes. Please see `limits_config.max_structured_metadata_size`"
        )
    return None


def _too_far_behind(time_ns: int, oldest_ns: int) -> Refusal:
    return (
        f"entry with timestamp {_rfc3339(time_ns)} ignored, reason: 'entry too far behind, entry timestamp is: "
        f"{_rfc3339(time_ns)}, oldest acceptable timestamp is: {_rfc3339(oldest_ns)}',"
    )


def _refused(texts: list[str]) -> Answer:
    shown = texts if len(texts) <= ERRORS_LISTED else [*texts[: ERRORS_LISTED - 1], texts[-1]]
    return text_answer(400, "\n".join(shown))


def _rfc3339(time_ns: int) -> str:
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    try:
        whole = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{seconds}.{nanoseconds:09d}"
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _parse_line(line: str) -> dict[str, Json]:
    """A JSON line's fields; nothing for a line of plain text, which Loki takes as well."""
    try:
        parsed = load_json(line)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _text(value: Json | None) -> str:
    return value if isinstance(value, str) else ""
