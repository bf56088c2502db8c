"""Lays out a disk queue that a former run seems to have left: the first file in full, the others sparsely.

Each file is of the size it would have, with the header, the first and the last frames at the places where they would be
and a hole between them. What a start learns of it (first and last entry, count, size) is what it would learn of full
files, by the same reads.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.workload import EXCHANGE, LOGGER_NAME, MESSAGE, SYMBOL
from metaexpert.logger.entry import GENERAL, Capture, Lane
from metaexpert.logger.segment import Kind, SegmentHeader, encode_header
from metaexpert.logger.spool.assembly import folder_name
from metaexpert.logger.spool.runs import segment_name
from metaexpert.logger.spool.segment import encode_entry

SINK: Final = "many"
SEGMENT_BYTES: Final = 8 * 2**20
_WRITTEN_AT_ENDS: Final = 64
_RUN: Final = "0bench-1-1"
_FIRST_NUMBER: Final = 50_000_000
_FIRST_ARRIVAL: Final = 1 << 40
_CREATED_NS: Final = 1_700_000_000_000_000_000
_INFO: Final = 20
_PART: Final = (
    f'{{"level":"INFO","logger":"{LOGGER_NAME}","message":"{MESSAGE}","module":"bench","function":"emit","line":1,'
    f'"log_type":"general","process":1,"id":"0bench-0000000000","seq":1,"thread":1,"extra":{{"exchange":"{EXCHANGE}",'
    f'"symbol":"{SYMBOL}","price":43100.25,"latency_ms":3.2,"strategy_id":1001}}}}'
).encode()


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What the queue holds."""

    entries: int
    size_bytes: int


def lay_out(folder: Path, segments: int) -> LaidOut:
    """Write the queue below a log folder; returns what it holds by its files' word."""
    queue = folder / "spool" / folder_name("loki", SINK)
    queue.mkdir(parents=True)
    entries = size_bytes = 0
    for index in range(segments):
        number = _FIRST_NUMBER + index
        count, size = _write(queue / segment_name(_RUN, Lane.INFO, number), number, entries, whole=index == 0)
        entries, size_bytes = entries + count, size_bytes + size
    return LaidOut(entries, size_bytes)


def _write(path: Path, number: int, before: int, *, whole: bool) -> tuple[int, int]:
    """One file behind ``before`` entries in others; its entries and bytes."""
    header = encode_header(SegmentHeader(kind=Kind.SPOOL, lane=Lane.INFO, created_ns=_CREATED_NS, number=number))
    frame_bytes = len(_frame(0, 0))
    count = (SEGMENT_BYTES - len(header)) // frame_bytes
    ends = count if whole else _WRITTEN_AT_ENDS
    with path.open("wb") as file:
        file.write(header)
        file.write(b"".join([_frame(before, ordinal) for ordinal in range(ends)]))
        if not whole:
            file.seek((count - 2 * ends) * frame_bytes, os.SEEK_CUR)
            file.write(b"".join([_frame(before, ordinal) for ordinal in range(count - ends, count)]))
        size_bytes = file.tell()
    return count, size_bytes


def _frame(before: int, ordinal: int) -> bytes:
    return encode_entry(_FIRST_ARRIVAL + before + ordinal, ordinal, Lane.INFO, _entry(before + ordinal), _PART)


def _entry(seq: int) -> Capture:
    """As much of a capture as a disk queue keeps."""
    code = _entry.__code__
    return (seq, _CREATED_NS + seq, _INFO, "", "", code, -1, b"", b"", 0, None, GENERAL, None, len(_PART), 0)
