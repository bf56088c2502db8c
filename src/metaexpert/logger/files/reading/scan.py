"""What of a block a query keeps, and what of it is damaged.

A block whose every line has the look of its form is looked through by its bytes first, and only what may be kept is
decoded (`precheck`); any other one line by line. So a line that is damaged inside, but begins and ends as JSON, is told
only where it is decoded.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.files.reading.blocks import Block
from metaexpert.logger.files.reading.entries import LogEntry, level_of
from metaexpert.logger.files.reading.moments import stamp_ns
from metaexpert.logger.files.reading.precheck import Form, Precheck, Span, entry_begin, entry_end
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.text_entries import HEAD

LONGEST_LINE_BYTES: Final = 1024 * 1024
_TIMES: Final = ("timestamp", "@timestamp", "time")
_NO_TEXT: Final = re.compile(rb"\n(?![ \t]|\d{4}-\d\d-\d\dT|\Z)")
_OURS: Final = b'}\n{"timestamp":"'
_LOOKED_BACK: Final = 64
_NO_LOG_TYPE: Final = (
    "lines of text tell no log type: trade entries among them are known by their event, all others count as general"
)
_BLANK: Final = b" \t\r\n"


@final
class Scanner:
    """Looks through the blocks of one file, in their order.

    Args:
        query: what to keep.
        precheck: what of it can be seen in bytes.
        path: the file.
        report: what there is, and what is damaged, is counted here.
        time_ns: the time of entries without one that stand before all others.

    Attributes:
        time_ns: the time of the last entry looked at.
    """

    def __init__(self, query: Query, precheck: Precheck, path: Path, report: ReadReport, time_ns: int = 0) -> None:
        self._query = query
        self._precheck = precheck
        self._path = path
        self._report = report
        self._asks_log_type = query.asks_log_type
        self.time_ns = time_ns

    def kept(self, block: Block) -> list[LogEntry]:
        """The entries of a block that the query keeps, as they stand in it."""
        data = block.data
        self._report.bytes += len(data)
        if self._asks_log_type and HEAD.match(data):
            self._report.note(_NO_LOG_TYPE)
        spans, count = self._spans(data)
        self._report.lines += count
        found: list[LogEntry] = []
        for begin, end in spans:
            entry = self._entry(block, begin, data[begin:end].removesuffix(b"\r"))
            if entry is not None and self._query.accepts(entry):
                found.append(entry)
        self.time_ns = self._time_before(data, len(data))
        return found

    def _spans(self, data: bytes) -> tuple[list[Span], int]:
        """What to look at, and how many entries there are."""
        form = form_of(data)
        if form is None:
            spans = list(_lines(data))
            return spans, len(spans)
        kind, count = form
        if self._precheck.is_empty:
            return list(_entries(data)), count
        if self._precheck.rules_out(data):
            return [], count
        return self._precheck.spans(data, kind), count

    def _entry(self, block: Block, begin: int, line: bytes) -> LogEntry | None:
        offset = block.offset + begin
        if len(line) > LONGEST_LINE_BYTES:
            return self._damaged(offset, line, f"a line of more than {LONGEST_LINE_BYTES} bytes")
        return self._json_entry(block, begin, line) if line[:1] == b"{" else self._text_entry(offset, line)

    def _text_entry(self, offset: int, line: bytes) -> LogEntry | None:
        head = HEAD.match(line)
        if head is None:
            return self._damaged(offset, line, "NUL bytes" if not line.strip(b"\0") else "no entry")
        time_ns = stamp_ns(head.group(1).decode())
        if time_ns is None:
            return self._damaged(offset, line, "no time")
        if b"\0" in line or not _is_utf8(line):
            return self._damaged(offset, line, "no UTF-8 text")
        if self._asks_log_type:
            self._report.note(_NO_LOG_TYPE)
        if self._query.level is not None and level_of(head.group(2).decode()) < self._query.level:
            return None
        return LogEntry(line, self._path, time_ns)

    def _json_entry(self, block: Block, begin: int, line: bytes) -> LogEntry | None:
        try:
            values: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return self._damaged(block.offset + begin, line, f"no JSON: {error}")
        time_ns = time_of(values)
        if time_ns is None:
            time_ns = self._time_before(block.data, begin)
        return LogEntry(line, self._path, time_ns, values, _id_of(values))

    def _time_before(self, data: bytes, end: int) -> int:
        """The time of the last entry that has one before a place of a block."""
        for _ in range(_LOOKED_BACK):
            if end <= 0:
                break
            begin = entry_begin(data, end - 1)
            time_ns, _name = time_and_id(data[begin:end].rstrip(_BLANK))
            if time_ns is not None:
                return time_ns
            end = begin
        return self.time_ns

    def _damaged(self, offset: int, line: bytes, reason: str) -> None:
        self._report.damage(self._path, offset, reason, line)


def time_of(values: dict[str, Any]) -> int | None:
    """The time a JSON line names, nanoseconds since the epoch."""
    for key in _TIMES:
        if key in values:
            return stamp_ns(values[key])
    return None


def time_and_id(line: bytes) -> tuple[int | None, str | None]:
    """The time and the id of an entry, as far as it has them; nothing for a damaged one."""
    if line[:1] != b"{":
        head = HEAD.match(line)
        return (stamp_ns(head.group(1).decode()) if head else None), None
    try:
        values = cast("dict[str, Any]", orjson.loads(line))
    except orjson.JSONDecodeError:
        return None, None
    return time_of(values), _id_of(values)


def _id_of(values: dict[str, Any]) -> str | None:
    name = values.get("id")
    return name if isinstance(name, str) else None


def form_of(data: bytes) -> tuple[Form, int] | None:
    """What every line of a block looks like, and how many entries it has; None where one is of no form."""
    if b"\0" in data or not _is_utf8(data):
        return None
    newlines, unended = data.count(b"\n"), not data.endswith(b"\n")
    if data[:1] == b"{":
        between = newlines - 1 + unended
        if not data.endswith((b"}\n", b"}")):
            return None
        if data.startswith(_OURS[2:]) and data.count(_OURS) == between:
            return Form.OURS, between + 1
        return (Form.JSON, between + 1) if data.count(b"}\n{") == between else None
    if HEAD.match(data) and not _NO_TEXT.search(data):
        return Form.TEXT, newlines + unended - data.count(b"\n ") - data.count(b"\n\t")
    return None


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _entries(data: bytes) -> Iterator[Span]:
    """Every entry of a block of one form."""
    begin = 0
    while begin < len(data):
        end = entry_end(data, begin)
        yield begin, end
        begin = end + 1


def _lines(data: bytes) -> Iterator[Span]:
    """Every line of any block; indented ones are the text entry's above them, blank ones nobody's."""
    begin, text_end, size = 0, -1, len(data)
    text_begin = 0
    while begin < size:
        end = data.find(b"\n", begin)
        end = size if end < 0 else end
        if text_end >= 0 and data[begin] in b" \t":
            text_end = end
        else:
            if text_end >= 0:
                yield text_begin, text_end
                text_end = -1
            if data[begin : begin + 1] == b"{":
                yield begin, end
            elif HEAD.match(data, begin):
                text_begin, text_end = begin, end
            elif data[begin:end].strip(_BLANK):
                yield begin, end
        begin = end + 1
    if text_end >= 0:
        yield text_begin, text_end
