"""The ring of the last entries: what is read back after any number of turns, torn frames, and other files."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_sinks import capture
from support.journals import every_capture, header

from metaexpert.logger.entry import Capture
from metaexpert.logger.journal.frames import FrameEncoder
from metaexpert.logger.journal.recorder import FlightRecorder, recorded
from metaexpert.logger.segment import Kind, SegmentError, decode_header, frame

SIZE = 8192
HEADER = header(kind=Kind.RECORDER)


def seqs(path: Path) -> list[int]:
    return [entry[0] for entry in recorded(path)[1]]


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(0, 1200), max_size=80), mapped=st.booleans(), encodes=st.booleans())
def test_the_last_entries_are_read_back_oldest_first(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], mapped: bool, encodes: bool
):
    path = tmp_path_factory.mktemp("ring") / "r.recorder"
    recorder, encode = FlightRecorder(path, HEADER, SIZE, mapped=mapped), FrameEncoder()
    record = recorder.recording(encode)
    sizes: list[int] = []
    for number, length in enumerate(lengths):
        entry = capture(number, message="x" * length)
        encoded = encode(entry)
        sizes.append(len(encoded))
        if encodes:
            record(entry)
        else:
            recorder.add(encoded)
    recorder.close(delete=False)
    found = seqs(path)
    assert found == list(range(len(lengths)))[len(lengths) - len(found) :]
    # at least as many as fit beside the largest that may lie across the seam, twice
    room = SIZE - 300 - 2 * (max(sizes, default=0) + 8)
    certain = 0
    while certain < len(sizes) and (room := room - sizes[-certain - 1] - 8) >= 0:
        certain += 1
    assert len(found) >= certain
    assert recorded(path)[0] == HEADER


def test_one_that_would_wipe_out_what_led_to_it_is_left_out(tmp_path: Path):
    recorder, encode = FlightRecorder(tmp_path / "r.recorder", HEADER, SIZE, mapped=True), FrameEncoder()
    recorder.add(encode(capture(1)))
    recorder.add(encode(capture(2, message="x" * 5000)))
    recorder.add(encode(capture(3)))
    recorder.close(delete=False)
    assert seqs(tmp_path / "r.recorder") == [1, 3]


def test_a_frame_torn_by_the_end_is_passed_over(tmp_path: Path):
    path = tmp_path / "r.recorder"
    recorder, encode = FlightRecorder(path, HEADER, SIZE, mapped=True), FrameEncoder()
    for number in range(3):
        recorder.add(encode(capture(number)))
    recorder.close(delete=False)
    data = bytearray(path.read_bytes())
    begin = decode_header(bytes(data))[1]
    length = len(encode(capture(0)))
    step = length + -length % 8
    for cut in range(begin + step, begin + step + length, 7):
        path.write_bytes(bytes(data[:cut]) + bytes(begin + 2 * step - cut) + data[begin + 2 * step :])
        assert seqs(path) == [0, 2]


def test_a_frame_that_is_no_entry_is_passed_over(tmp_path: Path):
    path = tmp_path / "r.recorder"
    recorder, encode = FlightRecorder(path, HEADER, SIZE, mapped=True), FrameEncoder()
    recorder.add(frame(1, 1, 1, b"not an entry"))
    recorder.add(encode(capture(2)))
    recorder.close(delete=False)
    assert seqs(path) == [2]


@pytest.mark.parametrize("content", [b"", b"nothing you know", b"MXSEGMT\n" + bytes(40)])
def test_another_file_is_told(tmp_path: Path, content: bytes):
    path = tmp_path / "r.recorder"
    path.write_bytes(content)
    with pytest.raises(SegmentError):
        recorded(path)


def test_one_that_was_taken_away_is_noticed_and_written_on(tmp_path: Path):
    recorder = FlightRecorder(tmp_path / "r.recorder", HEADER, SIZE, mapped=True)
    assert not recorder.is_gone()
    (tmp_path / "r.recorder").unlink()
    assert recorder.is_gone()
    recorder.add(FrameEncoder()(capture(1)))
    recorder.close(delete=True)


def test_in_a_forked_child_it_writes_nothing(tmp_path: Path):
    path = tmp_path / "r.recorder"
    recorder = FlightRecorder(path, HEADER, SIZE, mapped=True)
    before = path.read_bytes()
    recorder.forget()
    with pytest.raises((OSError, ValueError)):
        recorder.add(FrameEncoder()(capture(1)))
    assert path.read_bytes() == before
    assert os.path.getsize(path) == SIZE  # noqa: PTH202 - the same with both


@settings(max_examples=40, deadline=None)
@given(every_capture())
def test_encoding_in_place_makes_the_same_frame(tmp_path_factory: pytest.TempPathFactory, entry: Capture):
    path = tmp_path_factory.mktemp("ring") / "r.recorder"
    recorder, encode = FlightRecorder(path, HEADER, SIZE, mapped=True), FrameEncoder()
    recorder.recording(encode)(entry)
    recorder.close(delete=False)
    encoded, data = encode(entry), path.read_bytes()
    begin = decode_header(data)[1]
    assert data[begin : begin + len(encoded)] == encoded
