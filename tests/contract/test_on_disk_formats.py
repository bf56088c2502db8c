"""The example on the page about on-disk formats is what the code writes and reads."""

from pathlib import Path

from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, SIZE, TIME_NS, Capture, Lane
from metaexpert.logger.segment import (
    Kind,
    SegmentHeader,
    Slot,
    decode_header,
    encode_header,
    encode_slot,
    frames,
    newest_slot,
    slot_at,
)
from metaexpert.logger.spool.segment import decode_entry, encode_entry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "on-disk-formats.md"
HEADER = SegmentHeader(kind=Kind.SPOOL, lane=4, created_ns=1_700_000_000_000_000_000, number=50_000_000)
ENTRY: Capture = (
    7, 1_700_000_000_123_456_789, 20, "", "", decode_entry.__code__, -1, b"", b"", 0, None, "trade", None, 600, 0
)  # fmt: skip
PART = b'{"id":"a-7"}'


def shown() -> bytes:
    """The bytes of the page's example."""
    text = PAGE.read_text(encoding="utf-8").split("```text\n", 1)[1].split("```", 1)[0]
    return b"".join(bytes.fromhex(line.split("  ", 1)[1]) for line in text.splitlines())


def test_the_example_is_what_is_written() -> None:
    data = bytearray(encode_header(HEADER) + encode_entry(1 << 40, 0, Lane.PROTECTED, ENTRY, PART))
    data[slot_at(1) : slot_at(1) + 24] = encode_slot(1, len(data))
    assert bytes(data) == shown()


def test_the_example_is_read_as_the_page_says() -> None:
    data = shown()
    assert decode_header(data) == (HEADER, 0x60)
    assert newest_slot(data) == Slot(1, 0xB0)
    (found,) = frames(data, 0x60)
    assert (found.position, found.lane, len(found.payload)) == (0x60, 4, 0x26)
    entry = decode_entry(found)
    assert entry is not None
    assert (entry.arrival, entry.ordinal, entry.end, entry.part) == (2**40, 0, 0xB0, PART)
    known = [entry.entry[at] for at in (SEQ, TIME_NS, LEVEL, LOG_TYPE, SIZE)]
    assert known == [7, 1_700_000_000_123_456_789, 20, "trade", 600]
