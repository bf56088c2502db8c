"""What of a block a query keeps, and what of it is damaged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

import orjson

from metaexpert.logger.files.blocks import Block
from metaexpert.logger.files.entries import LogEntry
from metaexpert.logger.files.moments import stamp_ns
from metaexpert.logger.files.query import Query
from metaexpert.logger.files.report import ReadReport
from metaexpert.logger.files.text_entries import HEAD, INDENT

LONGEST_LINE_BYTES: Final = 1024 * 1024
_TIMES: Final = ("timestamp", "@timestamp", "time")


@final
class Scanner:
    """Looks through the blocks of one file, in their order.

    Args:
        query: what to keep.
        path: the file.
        report: what there is, and what is damaged, is counted here.
    """

    def __init__(self, query: Query, path: Path, report: ReadReport) -> None:
        self._query = query
        self._path = path
        self._report = report
        self._time_ns = 0

    def kept(self, block: Block) -> list[LogEntry]:
        """The entries of a block that the query keeps, as they stand in it."""
        self._report.bytes += len(block.data)
        found: list[LogEntry] = []
        for offset, line in _entries(block):
            if not line.strip():
                continue
            self._report.lines += 1
            entry = self._entry(offset, line)
            if entry is not None and self._query.accepts(entry):
                found.append(entry)
        return found

    def _entry(self, offset: int, line: bytes) -> LogEntry | None:
        if len(line) > LONGEST_LINE_BYTES:
            return self._damaged(offset, line, f"a line of more than {LONGEST_LINE_BYTES} bytes")
        if line[:1] == b"{":
            return self._json_entry(offset, line)
        head = HEAD.match(line)
        if head is None:
            return self._damaged(offset, line, "no entry")
        time_ns = stamp_ns(head.group(1).decode())
        if time_ns is None:
            return self._damaged(offset, line, "no time")
        self._time_ns = time_ns
        return LogEntry(line, self._path, time_ns)

    def _json_entry(self, offset: int, line: bytes) -> LogEntry | None:
        try:
            values: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return self._damaged(offset, line, f"no JSON: {error}")
        for key in _TIMES:
            if key in values:
                self._time_ns = stamp_ns(values[key]) or self._time_ns
                break
        name = values.get("id")
        return LogEntry(line, self._path, self._time_ns, values, name if isinstance(name, str) else None)

    def _damaged(self, offset: int, line: bytes, reason: str) -> None:
        self._report.damage(self._path, offset, reason, line)


def _entries(block: Block) -> Iterator[tuple[int, bytes]]:
    """Lines, with those below a text entry that belong to it."""
    offset, begin, held = block.offset, 0, b""
    for line in block.data.split(b"\n"):
        if held and line.startswith(INDENT):
            held += b"\n" + line
        else:
            if held:
                yield begin, held
            begin, held = offset, b""
            if line.startswith(b"{"):
                yield offset, line.removesuffix(b"\r")
            else:
                held = line
        offset += len(line) + 1
    if held:
        yield begin, held
