"""The segment format: exact bytes, and every valid frame is found again past any damage."""

import mmap
import struct
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.segment import (
    FRAME_OVERHEAD_BYTES,
    MARK_AT,
    MIXED_LANES,
    MOST_HEADER_BYTES,
    Damaged,
    ForeignByteOrder,
    ForeignVersion,
    Kind,
    NotASegment,
    Reading,
    SegmentError,
    SegmentHeader,
    Slot,
    decode_header,
    encode_header,
    encode_slot,
    frame,
    frame_bytes,
    frames,
    newest_slot,
    slot_at,
)

HEADER = SegmentHeader(kind=Kind.SPOOL, lane=1, created_ns=1_700_000_000_000_000_000, number=7, meta={"sink": "loki"})
PAYLOADS = [b"", b"one", b"exactly8", b'{"text":"longer than that"}']


def framed(payloads: list[bytes]) -> list[bytes]:
    return [frame(number, 1000 + number, 2, payload) for number, payload in enumerate(payloads)]


def payloads_in(data: bytes, reading: Reading | None = None) -> list[bytes]:
    return [found.payload for found in frames(data, reading=reading)]


class TestHeader:
    def test_it_is_laid_out_as_documented(self) -> None:
        data = encode_header(HEADER)
        meta = b'{"sink":"loki"}'
        body = struct.pack("<BBHqQII", 2, 1, 0, HEADER.created_ns, 7, len(meta), 0)
        assert data[:20] == struct.pack("<8sHHII", b"MXSEGMT\n", 1, 0xFEFF, 112, crc32(body + meta))
        assert data[20:48] == body
        assert data[48:96] == bytes(48)
        assert data[96:] == meta + b"\0"

    @given(
        st.builds(
            SegmentHeader,
            kind=st.sampled_from(Kind),
            lane=st.integers(0, MIXED_LANES),
            created_ns=st.integers(-(2**63), 2**63 - 1),
            number=st.integers(0, 2**64 - 1),
            meta=st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=4),
        ),
        st.binary(max_size=64),
    )
    def test_what_was_encoded_is_decoded(self, header: SegmentHeader, behind: bytes) -> None:
        data = encode_header(header)
        assert len(data) % 8 == 0
        assert decode_header(data + behind) == (header, len(data))

    def test_it_can_be_padded_to_a_page(self) -> None:
        assert decode_header(encode_header(HEADER, 4096)) == (HEADER, 4096)

    def test_one_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(ValueError, match="longer than"):
            encode_header(HEADER, MOST_HEADER_BYTES + 1)

    @given(st.integers(0, 111), st.integers(1, 255))
    def test_a_changed_byte_is_noticed_unless_it_is_in_a_slot_or_padding(self, at: int, change: int) -> None:
        data = bytearray(encode_header(HEADER))
        data[at] ^= change
        if 48 <= at < 96 or at == 111:
            assert decode_header(bytes(data))[0] == HEADER
        else:
            with pytest.raises(SegmentError):
                decode_header(bytes(data))

    @given(st.integers(0, 111))
    def test_a_cut_one_is_refused(self, length: int) -> None:
        with pytest.raises(SegmentError):
            decode_header(encode_header(HEADER)[:length])

    @pytest.mark.parametrize(
        ("at", "put", "error"),
        [
            (0, b"X", NotASegment),
            (8, b"\x02\0", ForeignVersion),
            (8, b"\0\x01\xfe\xff", ForeignByteOrder),
            (10, b"\0\0", Damaged),
            (20, b"\x09", Damaged),
        ],
    )
    def test_foreign_ones_are_told_apart(self, at: int, put: bytes, error: type[SegmentError]) -> None:
        data = bytearray(encode_header(HEADER))
        data[at : at + len(put)] = put
        with pytest.raises(error):
            decode_header(bytes(data))

    def test_an_unknown_kind_is_refused(self) -> None:
        data = bytearray(encode_header(HEADER))
        data[20] = 9
        data[16:20] = crc32(bytes(data[20:48]) + b'{"sink":"loki"}').to_bytes(4, "little")
        with pytest.raises(Damaged, match="understood"):
            decode_header(bytes(data))


class TestSlots:
    def test_the_newest_valid_one_counts(self) -> None:
        data = bytearray(encode_header(HEADER))
        assert newest_slot(bytes(data)) == Slot(0, 0)
        for generation, position in ((1, 200), (2, 300)):
            data[slot_at(generation) : slot_at(generation) + 24] = encode_slot(generation, position)
        assert newest_slot(bytes(data)) == Slot(2, 300)
        data[slot_at(2)] ^= 1
        assert newest_slot(bytes(data)) == Slot(1, 200)

    def test_a_short_file_has_none(self) -> None:
        assert newest_slot(encode_header(HEADER)[:60]) == Slot(0, 0)

    @given(st.integers(1, 2**63), st.integers(0, 2**63))
    def test_slots_take_turns(self, generation: int, position: int) -> None:
        data = bytearray(encode_header(HEADER))
        assert slot_at(generation) != slot_at(generation + 1)
        data[slot_at(generation) : slot_at(generation) + 24] = encode_slot(generation, position)
        assert newest_slot(bytes(data)) == Slot(generation, position)
        assert decode_header(bytes(data))[0] == HEADER


class TestFrames:
    def test_one_is_laid_out_as_documented(self) -> None:
        data = frame(5, -6, 3, b"abc", 9)
        body = struct.pack("<IBBHQq", 3, 3, 9, 0, 5, -6) + b"abc"
        assert data == struct.pack("<4sIQ", b"\xf5MX\xff", crc32(body), 0) + body + bytes(5)

    @given(st.lists(st.binary(max_size=40)))
    def test_what_was_framed_is_read_in_order(self, payloads: list[bytes]) -> None:
        data = b"".join(framed(payloads))
        reading = Reading()
        found = list(frames(data, reading=reading))
        assert [each.payload for each in found] == payloads
        assert [each.seq for each in found] == list(range(len(payloads)))
        assert all((each.time_ns, each.lane, each.mark, each.flags) == (1000 + each.seq, 2, 0, 0) for each in found)
        assert [each.end for each in found] == [*[each.position for each in found[1:]], len(data)][: len(found)]
        assert (reading.end, reading.quarantined, reading.torn) == (len(data), 0, False)

    @given(st.binary(max_size=70))
    def test_its_length_is_known_before(self, payload: bytes) -> None:
        assert len(frame(0, 0, 0, payload)) == frame_bytes(len(payload))

    def test_the_mark_may_change(self) -> None:
        data = bytearray(frame(1, 2, 0, b"payload"))
        data[MARK_AT] = 5
        (found,) = frames(data)
        assert (found.mark, found.payload) == (5, b"payload")

    def test_an_mmap_can_be_read_and_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "segment"
        path.write_bytes(b"".join(framed(PAYLOADS)) + bytes(4096))
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            assert [found.payload for found in frames(data)] == PAYLOADS
            assert next(frames(data)).payload == PAYLOADS[0]  # given up half way, it holds nothing


class TestDamage:
    def test_zeros_are_none(self) -> None:
        parts = framed(PAYLOADS)
        reading = Reading()
        assert payloads_in(parts[0] + bytes(4096) + b"".join(parts[1:]) + bytes(100_000), reading) == PAYLOADS
        assert (reading.quarantined, reading.torn) == (0, False)

    @given(st.integers(0, 3), st.data())
    def test_a_changed_frame_costs_no_other(self, damaged: int, data: st.DataObject) -> None:
        parts = framed(PAYLOADS)
        length = FRAME_OVERHEAD_BYTES + len(PAYLOADS[damaged])
        at = data.draw(st.integers(0, length - 1).filter(lambda at: not MARK_AT <= at < MARK_AT + 8))
        broken = bytearray(parts[damaged])
        broken[at] ^= data.draw(st.integers(1, 255))
        parts[damaged] = bytes(broken)
        reading = Reading()
        found = payloads_in(b"".join(parts), reading)
        assert found == PAYLOADS[:damaged] + PAYLOADS[damaged + 1 :]
        assert reading.quarantined + reading.torn == 1

    def test_each_of_two_changed_neighbours_is_counted(self) -> None:
        parts = [bytearray(part) for part in framed([b"a", b"b", b"c", b"d"])]
        parts[1][FRAME_OVERHEAD_BYTES] ^= 1
        parts[2][FRAME_OVERHEAD_BYTES] ^= 1
        reading = Reading()
        assert payloads_in(b"".join(parts), reading) == [b"a", b"d"]
        assert reading.quarantined == 2

    @given(st.data())
    def test_a_cut_end_is_torn_and_costs_the_last_frame_alone(self, data: st.DataObject) -> None:
        whole = b"".join(framed([b"first", b"second", b"third"]))
        cut = data.draw(st.integers(4, frame_bytes(5)))  # less would cost the padding alone
        reading = Reading()
        assert payloads_in(whole[:-cut], reading) == [b"first", b"second"]
        assert reading.quarantined == 0
        assert reading.torn == (cut < frame_bytes(5))

    def test_a_frame_whose_pages_were_never_written_is_torn(self) -> None:
        last = frame(9, 9, 0, b"x" * 5000)
        reading = Reading()
        assert payloads_in(frame(1, 1, 0, b"kept") + last[:100] + bytes(len(last)), reading) == [b"kept"]
        assert (reading.quarantined, reading.torn) == (0, True)

    def test_a_complete_last_frame_with_a_wrong_checksum_is_quarantined(self) -> None:
        last = bytearray(frame(9, 9, 0, b"payload"))
        last[FRAME_OVERHEAD_BYTES] ^= 1
        reading = Reading()
        assert payloads_in(frame(1, 1, 0, b"kept") + bytes(last), reading) == [b"kept"]
        assert (reading.quarantined, reading.torn) == (1, False)

    @given(st.binary(min_size=1, max_size=200))
    def test_junk_between_frames_costs_none(self, junk: bytes) -> None:
        first, second = framed([b"first", b"second"])
        assert payloads_in(first + junk + second) == [b"first", b"second"]


class TestWindows:
    @given(st.lists(st.binary(max_size=90), max_size=12), st.integers(1, 200), st.data())
    def test_a_file_read_in_windows_gives_what_it_gives_at_once(
        self, payloads: list[bytes], window: int, data: st.DataObject
    ) -> None:
        content = bytearray(b"".join(framed(payloads)))
        for at in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=3)):
            content[at : at + 1] = b"\xaa"[: len(content)]
        content = content[: data.draw(st.integers(0, len(content)))]
        at_once, windowed = Reading(), Reading()
        expected = [found.payload for found in frames(content, reading=at_once)]
        read: list[bytes] = []
        at, size = 0, window
        while at < len(content):
            whole = at + size >= len(content)
            stretch = bytes(content[at : at + size])
            read += [found.payload for found in frames(stretch, reading=windowed, whole=whole)]
            size = window if windowed.end else size * 2
            at += windowed.end
        assert read == expected
        assert (windowed.quarantined, windowed.torn) == (at_once.quarantined, at_once.torn)

    def test_stopping_early_leaves_the_rest(self) -> None:
        data = b"".join(framed([b"first", b"second", b"third"]))
        reading = Reading()
        found = next(frames(data, reading=reading))
        assert reading.end == found.end
        assert [each.payload for each in frames(data, reading.end)] == [b"second", b"third"]
